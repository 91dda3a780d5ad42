"""Find pages by the words in their names and current texts."""

from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from .models import Page, Revision

MAX_WORDS = 8
_AROUND = 90


@dataclass(frozen=True, slots=True)
class Hit:
    """A page that was found, and a piece of its text: pairs of text and whether it matches."""

    name: str
    excerpt: tuple[tuple[str, bool], ...]


def search_words(text: str) -> list[str]:
    """Return the words to look for; anything after the eighth is left out."""
    return text.replace("\0", " ").split()[:MAX_WORDS]


def find_pages(db: Session, words: list[str], limit: int) -> list[Hit]:
    """Return pages that contain all the words, those with a matching name first."""
    if not words:
        return []
    query = select(Page.name, Revision.text).join(
        Revision, (Revision.page_id == Page.id) & (Revision.number == Page.head)
    )
    for word in words:
        query = query.where(
            or_(
                Page.name.icontains(word, autoescape=True),
                Revision.text.icontains(word, autoescape=True),
            )
        )
    in_name = Page.name.icontains(words[0], autoescape=True)
    rows = db.execute(query.order_by(in_name.desc(), Page.key).limit(limit))
    return [Hit(name, make_excerpt(text, words)) for name, text in rows]


def make_excerpt(text: str, words: list[str]) -> tuple[tuple[str, bool], ...]:
    """Return the surroundings of the first word that the text contains, else its beginning."""
    flat = " ".join(text.split())
    lower = flat.lower()
    if len(lower) != len(flat):  # some letters grow when lowered; places would not agree
        lower = flat
    found = [(place, len(word)) for word in words if (place := lower.find(word.lower())) >= 0]
    if not found:
        return ((_cut(flat, 0, 2 * _AROUND), False),)
    place, length = min(found)
    start = flat.find(" ", max(0, place - _AROUND), place) + 1 if place > _AROUND else 0
    return (
        (("… " if start else "") + flat[start:place], False),
        (flat[place : place + length], True),
        (_cut(flat, place + length, place + length + _AROUND), False),
    )


def _cut(text: str, start: int, end: int) -> str:
    """Return a part of a text up to the end of a word, with a mark if something follows."""
    if end >= len(text):
        return text[start:]
    space = text.rfind(" ", start, end + 1)
    return text[start : space if space > start else end] + " …"
