"""What a browser is shown of code that does not load."""

from __future__ import annotations

from html import escape

_STYLE = (
    "all:initial;display:block;position:relative;z-index:2147483647;box-sizing:border-box;"
    "margin:0;padding:1em 1.5em;background:#fff4f2;color:#2b1512;border-bottom:4px solid #c0341d;"
    "font:14px/1.45 system-ui,sans-serif"
)
_PRE = (
    "all:initial;display:block;margin:.8em 0 0;max-height:60vh;overflow:auto;white-space:pre-wrap;"
    "overflow-wrap:anywhere;color:#2b1512;font:13px/1.4 ui-monospace,monospace"
)


def panel(text: str) -> bytes:
    """Return the part that goes to the top of a page of the old code."""
    return (
        f'<div id="pastebox-error" role="alert" style="{_STYLE}">'
        f"<strong>{escape(_headline(text))}</strong> The saved code does not load;"
        f' what follows is the code before. Saving again mends it.<pre style="{_PRE}">'
        f"{escape(text)}</pre></div>"
    ).encode()


def waiting(port: int, number: int) -> bytes:
    """Return the script that loads a page again once the number is another.

    It reconnects by itself, so that a number that came in between is not missed.
    """
    return (
        "<script>(function(){var s=new EventSource('http://'+location.hostname+"
        f"':{port}/events');s.onmessage=function(e){{if(e.data!=='{number}')"
        "{s.close();location.reload()}}})()</script>"
    ).encode()


def page(text: str, more: bytes = b"") -> bytes:
    """Return the page of an application that has never loaded."""
    return (
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f"<title>{escape(_headline(text))}</title></head>"
            f'<body style="margin:0"><div id="pastebox-error" role="alert" style="{_STYLE}">'
            f"<strong>{escape(_headline(text))}</strong> The application does not load."
            f' Saving a change tries again.<pre style="{_PRE}">{escape(text)}</pre></div>'
        ).encode()
        + more
        + b"</body></html>"
    )


def _headline(text: str) -> str:
    """Return the line of a traceback that says what it is: the last that is not indented."""
    lines = [line for line in text.splitlines() if line.strip() and not line[0].isspace()]
    names = [
        line for line in lines if not line.startswith(("error:", "Traceback", "During", "The"))
    ]
    return (names or lines or ["It does not load."])[-1][:300]
