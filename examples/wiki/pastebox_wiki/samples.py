"""Load the pages that come with the package into a wiki that does not have them."""

from collections.abc import Iterator
from importlib.resources import files

from sqlalchemy.orm import Session

from .markup import Markup
from .names import page_key, page_name
from .reading import missing_keys
from .saving import Draft, clean_text, save_draft


def sample_pages() -> Iterator[tuple[str, str]]:
    """Yield name and text of the pages in the package, the front page last.

    Last is first in the list of recent changes.
    """
    folder = files(__package__) / "pages"
    sources = sorted((file for file in folder.iterdir() if file.name.endswith(".md")), key=str)
    for source in sorted(sources, key=lambda file: file.name == "Front_Page.md"):
        name = page_name(source.name.removesuffix(".md"))
        yield name, clean_text(source.read_text(encoding="utf-8"))


def load_pages(db: Session, markup: Markup) -> list[str]:
    """Add the pages that are missing and return their names; never touch one that is there."""
    texts = dict(sample_pages())
    missing = missing_keys(db, map(page_key, texts))
    added = [name for name in texts if page_key(name) in missing]
    for name in added:
        draft = Draft(name, texts[name], author="setup", summary="First text", base=0)
        save_draft(db, draft, markup.link_targets(draft.text))
    return added
