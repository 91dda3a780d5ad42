"""Save a text as the next revision of a page, unless somebody else was faster."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import CursorResult, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from .models import Link, Page, Revision
from .names import page_key

MAX_TEXT_LENGTH = 200_000


class EditConflictError(Exception):
    """The page is no longer at the revision that the edit started from."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants a page to say; `base` is the revision it started from, 0 for none."""

    name: str
    text: str
    author: str
    summary: str
    base: int


def clean_text(text: str) -> str:
    """Return a text as it is stored: one kind of line end, and exactly one at the end."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return lines.rstrip() + "\n" if lines.strip() else ""


def clean_line(text: str, limit: int) -> str:
    """Return a short text on one line without control characters, cut at the limit."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:limit].rstrip()


def save_draft(db: Session, draft: Draft, targets: Mapping[str, str]) -> int:
    """Write a draft and what it links to, and return its revision number; does not commit.

    The database decides who was first, not an earlier look at it: the head of the page moves only
    if it still is where the draft started, and two pages cannot have one key.

    Raises:
        EditConflictError: somebody else saved this page in between; the session is rolled back.
    """
    page_id = _new_page(db, draft) if draft.base == 0 else _moved_head(db, draft)
    number = draft.base + 1
    db.execute(
        insert(Revision).values(
            page_id=page_id,
            number=number,
            text=draft.text,
            author=draft.author,
            summary=draft.summary,
            created_at=datetime.now(UTC),
        )
    )
    db.execute(delete(Link).where(Link.page_id == page_id))
    if targets:
        rows = [{"page_id": page_id, "key": key, "name": targets[key]} for key in targets]
        db.execute(insert(Link), rows)
    return number


def _new_page(db: Session, draft: Draft) -> int:
    """Create the page and return its id."""
    page = Page(key=page_key(draft.name), name=draft.name, head=1)
    db.add(page)
    try:
        db.flush()
    except IntegrityError as error:
        db.rollback()
        raise EditConflictError(draft.name) from error
    return page.id


def _moved_head(db: Session, draft: Draft) -> int:
    """Move the page on by one revision and return its id."""
    key = page_key(draft.name)
    move = update(Page).where(Page.key == key, Page.head == draft.base)
    moved = db.execute(move.values(head=draft.base + 1))
    if not isinstance(moved, CursorResult) or moved.rowcount != 1:
        db.rollback()
        raise EditConflictError(draft.name)
    return db.scalars(select(Page.id).where(Page.key == key)).one()
