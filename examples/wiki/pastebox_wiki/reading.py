"""Read pages, their past and what links to them; every function is one query."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from .models import Link, Page, Revision


@dataclass(frozen=True, slots=True)
class PageText:
    """A page with the text of one of its revisions."""

    page_id: int
    key: str
    name: str
    head: int
    number: int
    text: str
    author: str
    summary: str
    created_at: datetime

    @property
    def is_current(self) -> bool:
        """Whether this is the text that the page shows now."""
        return self.number == self.head


@dataclass(frozen=True, slots=True)
class Change:
    """One revision in a list of changes, without its text."""

    id: int
    name: str
    number: int
    author: str
    summary: str
    created_at: datetime


def read_page(db: Session, key: str, number: int | None = None) -> PageText | None:
    """Return a page with the given revision, else its current one; None if there is no such."""
    wanted = Page.head if number is None else number
    query = (
        select(
            Page.id,
            Page.key,
            Page.name,
            Page.head,
            Revision.number,
            Revision.text,
            Revision.author,
            Revision.summary,
            Revision.created_at,
        )
        .join(Revision, Revision.page_id == Page.id)
        .where(Page.key == key, Revision.number == wanted)
    )
    row = db.execute(query).one_or_none()
    return None if row is None else PageText(*row)


def missing_keys(db: Session, keys: Iterable[str]) -> frozenset[str]:
    """Return those of the keys under which there is no page."""
    wanted = frozenset(keys)
    if not wanted:
        return wanted
    return wanted.difference(db.scalars(select(Page.key).where(Page.key.in_(wanted))))


def page_changes(db: Session, page_id: int, before: int, limit: int) -> list[Change]:
    """Return the revisions of a page older than the one with id `before`, newest first."""
    return _changes(db, limit, Revision.id < before, Revision.page_id == page_id)


def recent_changes(db: Session, before: int, limit: int) -> list[Change]:
    """Return the revisions of all pages older than the one with id `before`, newest first."""
    return _changes(db, limit, Revision.id < before)


def backlinks(db: Session, key: str) -> Sequence[str]:
    """Return the names of the pages whose current text links to a key."""
    query = select(Page.name).join(Link, Link.page_id == Page.id).where(Link.key == key)
    return db.scalars(query.order_by(Page.key)).all()


def page_names(db: Session) -> Sequence[str]:
    """Return the names of all pages in order."""
    return db.scalars(select(Page.name).order_by(Page.key)).all()


def wanted_names(db: Session) -> list[str]:
    """Return the names that pages link to and that have no page yet."""
    query = (
        select(Link.key, Link.name)
        .outerjoin(Page, Page.key == Link.key)
        .where(Page.id.is_(None))
        .order_by(Link.key, Link.page_id.desc())
    )
    by_key = {row.key: row.name for row in db.execute(query)}
    return list(by_key.values())


def _changes(db: Session, limit: int, *conditions: ColumnElement[bool]) -> list[Change]:
    """Return the newest revisions that fulfil the conditions."""
    query = (
        select(
            Revision.id,
            Page.name,
            Revision.number,
            Revision.author,
            Revision.summary,
            Revision.created_at,
        )
        .join(Page, Page.id == Revision.page_id)
        .where(*conditions)
        .order_by(Revision.id.desc())
        .limit(limit)
    )
    return [Change(*row) for row in db.execute(query)]
