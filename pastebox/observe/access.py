"""Render one request as one line of the access log, whatever the client sent."""

from collections.abc import Callable
from typing import NamedTuple

from pastebox.observe.moment import clf_second, iso


class AccessRecord(NamedTuple):
    """One finished request. Texts are as the server has them; an empty one is unknown.

    Attributes:
        remote: the client's address.
        user: the authenticated user.
        time: when the request began, in seconds since the epoch.
        method: ``GET``.
        target: path and query as the client wrote them.
        protocol: ``HTTP/1.1``.
        status: the status code.
        size: bytes of the response's body.
        referer: the Referer header.
        agent: the User-Agent header.
        seconds: how long it took.
        request_id: the X-Request-ID header.
    """

    remote: str
    user: str
    time: float
    method: str
    target: str
    protocol: str
    status: int
    size: int
    referer: str
    agent: str
    seconds: float
    request_id: str


def formatter(name: str) -> Callable[[AccessRecord], str] | None:
    """Return the formatter that the setting ``access_log`` names; ``None`` for ``off``."""
    return {"combined": format_combined, "json": format_json}.get(name)


def format_combined(record: AccessRecord) -> str:
    """Return the line in Apache's combined format, without its newline.

    Quotes, backslashes, control and non-ASCII characters are escaped the way Apache does it, so
    that a request can neither end the line nor a field.
    """
    remote, user, began, method, target, protocol, status, size, referer, agent, _, _ = record
    request = f"{method} {target} {protocol}"
    return (
        f"{_word(remote)} - {_word(user)} [{clf_second(int(began))}]"
        f' "{request if _is_plain(request) else _escape(request)}" {status} {size}'
        f' "{(referer if _is_plain(referer) else _escape(referer)) or "-"}"'
        f' "{(agent if _is_plain(agent) else _escape(agent)) or "-"}"'
    )


def format_json(record: AccessRecord) -> str:
    """Return the line as one JSON object in ASCII, without its newline."""
    return (
        f'{{"time":"{iso(record.time)}","remote":{_json(record.remote)}'
        f',"user":{_json(record.user)},"method":{_json(record.method)}'
        f',"target":{_json(record.target)},"protocol":{_json(record.protocol)}'
        f',"status":{record.status},"size":{record.size},"referer":{_json(record.referer)}'
        f',"agent":{_json(record.agent)},"seconds":{record.seconds:.6f}'
        f',"request_id":{_json(record.request_id)}}}'
    )


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and '"' not in text and "\\" not in text


def _word(text: str) -> str:
    """Return a field that stands without quotes: it must not hold a space either."""
    if _is_plain(text) and " " not in text:
        return text or "-"
    return _escape(text).replace(" ", "\\x20")


def _escape(text: str) -> str:
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return "".join(
        escapes.get(character)
        or (character if character.isascii() and character.isprintable() else _hex(character))
        for character in text
    )


def _hex(character: str) -> str:
    # A WSGI text is bytes as Latin-1; anything beyond is shown as the bytes of its UTF-8 form.
    encoded = character.encode("latin-1" if ord(character) < 256 else "utf-8", "surrogatepass")  # noqa: PLR2004  # the end of Latin-1
    return "".join(f"\\x{byte:02x}" for byte in encoded)


def _json(text: str) -> str:
    if _is_plain(text):
        return f'"{text}"'
    import json  # noqa: PLC0415  # most requests do not need it

    return json.dumps(text)
