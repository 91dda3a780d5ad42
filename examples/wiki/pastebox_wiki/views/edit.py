"""Write pages: the form, its preview, saving, and what to do when two people edit at once."""

from dataclasses import dataclass, replace
from typing import Any

from pyramid.httpexceptions import HTTPFound, HTTPNotFound, HTTPSeeOther
from pyramid.request import Request

from ..diff import compare_texts
from ..names import name_problem, page_key, page_name
from ..reading import PageText, read_page
from ..saving import (
    MAX_TEXT_LENGTH,
    Draft,
    EditConflictError,
    clean_line,
    clean_text,
    save_draft,
)
from .fields import read_number, read_text
from .page import find_page, render_text


@dataclass(frozen=True, slots=True)
class Shown:
    """What the form shows besides the draft."""

    problem: str | None = None
    preview: str | None = None
    conflict: PageText | None = None


def new(request: Request) -> dict[str, Any] | HTTPFound:
    """Ask for the name of a new page, and lead to its form."""
    name = page_name(read_text(request.GET, "name"))
    problem = name_problem(name) if "name" in request.GET else None
    if name and problem is None:
        return HTTPFound(request.page_path(name, "edit"))
    return {"name": name, "problem": problem}


def show_form(request: Request) -> dict[str, Any]:
    """Show the form with the page's text, or with that of the revision named by `from`."""
    page = read_page(request.db, page_key(request.matchdict["name"]))
    draft = Draft(_new_name(request), "", request.session.get("author", ""), "", 0)
    if page is not None:
        number = read_number(request.GET, "from", page.head)
        source = page if number == page.head else find_page(request, page.name, number)
        summary = "" if source.is_current else f"Back to revision {number}"
        draft = replace(draft, name=page.name, text=source.text, summary=summary, base=page.head)
    return _form(request, draft, Shown())


def submit(request: Request) -> dict[str, Any] | HTTPSeeOther:
    """Save what was sent, or show the form again: as a preview, or with what is in the way."""
    page = read_page(request.db, page_key(request.matchdict["name"]))
    draft = _read_draft(request, page)
    problem = _text_problem(draft.text)
    if problem:
        request.response.status_int = 400
        return _form(request, draft, Shown(problem=problem))
    if "preview" in request.POST:
        return _form(request, draft, Shown(preview=render_text(request, draft.text)))
    request.session["author"] = draft.author
    if page is not None and page.text == draft.text:
        return HTTPSeeOther(request.page_path(page.name))
    try:
        return _save(request, draft)
    except EditConflictError:
        return _conflict(request, draft)


def _save(request: Request, draft: Draft) -> HTTPSeeOther:
    """Save the draft and lead to the page."""
    save_draft(request.db, draft, request.markup.link_targets(draft.text))
    request.db.commit()
    return HTTPSeeOther(request.page_path(draft.name))


def _conflict(request: Request, draft: Draft) -> dict[str, Any]:
    """Show both texts; sending the form once more says: I have seen the other one."""
    theirs = find_page(request, draft.name)
    request.response.status_int = 409
    merged = replace(draft, name=theirs.name, base=theirs.head)
    return _form(request, merged, Shown(conflict=theirs))


def _new_name(request: Request) -> str:
    """Return the name that a page made at this address gets.

    Raises:
        HTTPNotFound: no page can have this name.
    """
    name = page_name(request.matchdict["name"])
    if name_problem(name):
        raise HTTPNotFound()
    return name


def _read_draft(request: Request, page: PageText | None) -> Draft:
    """Return what the form sent; without a revision to start from, it started from none."""
    sent = request.POST
    return Draft(
        name=page.name if page else _new_name(request),
        text=clean_text(read_text(sent, "text")),
        author=clean_line(read_text(sent, "author"), 80) or "anonymous",
        summary=clean_line(read_text(sent, "summary"), 200),
        base=read_number(sent, "base", 0) if page else 0,
    )


def _text_problem(text: str) -> str | None:
    """Say in a sentence why a text cannot be saved, or return None."""
    if not text:
        return "The page has no text yet."
    if len(text) > MAX_TEXT_LENGTH:
        return f"The text has {len(text)} characters, a page holds at most {MAX_TEXT_LENGTH}."
    return None


def _form(request: Request, draft: Draft, shown: Shown) -> dict[str, Any]:
    """Return what the template of the form shows."""
    theirs = shown.conflict
    lines = compare_texts(theirs.text, draft.text) if theirs else []
    author = "" if draft.author == "anonymous" else draft.author
    return {"draft": draft, "author": author, "shown": shown, "lines": lines}
