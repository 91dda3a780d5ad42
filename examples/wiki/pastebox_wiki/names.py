"""Turn what people type into page names, lookup keys and parts of a URL."""

import unicodedata
from urllib.parse import quote

FRONT_PAGE = "Front Page"
MAX_NAME_LENGTH = 120
_FORBIDDEN = frozenset("[]{}|<>#?/\\")


def page_name(text: str) -> str:
    """Return the name a text stands for: one space between words, none around them."""
    return " ".join(unicodedata.normalize("NFC", text).replace("_", " ").split())


def name_problem(name: str) -> str | None:
    """Say in a sentence why a name cannot be given to a page, or return None."""
    if not name:
        return "A page needs a name."
    if len(name) > MAX_NAME_LENGTH:
        return f"A page name has at most {MAX_NAME_LENGTH} characters, this one has {len(name)}."
    found = sorted(_FORBIDDEN.intersection(name))
    if found:
        return f"A page name cannot contain {' '.join(found)}"
    if not name.strip("."):
        return "A page name cannot consist of dots only."
    if any(unicodedata.category(character)[0] == "C" for character in name):
        return "A page name cannot contain control characters."
    return None


def page_key(name: str) -> str:
    """Return the form under which a page is found, whatever its spelling in capitals."""
    return page_name(name).casefold()


def url_part(name: str) -> str:
    """Return the name as one segment of a URL path."""
    return quote(name.replace(" ", "_"), safe="")
