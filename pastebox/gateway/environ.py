"""From a front end's variables to a WSGI environ, with the known faults of front ends mended."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import unquote_to_bytes

_log = logging.getLogger("pastebox.gateway")

_DEFAULTS = (
    ("REQUEST_METHOD", "GET"),
    ("SERVER_NAME", "localhost"),
    ("SERVER_PROTOCOL", "HTTP/1.0"),
    ("QUERY_STRING", ""),
)
_HTTPS = ("on", "1", "yes", "true")


def mend(given: dict[str, str], *, script_name: str | None) -> dict[str, Any]:
    """Return CGI variables that satisfy WSGI (PEP 3333).

    Args:
        given: as the front end sent them.
        script_name: where the application is mounted; ``None`` leaves it to the front end.
    """
    environ: dict[str, Any] = dict(given)
    for name in ("CONTENT_LENGTH", "CONTENT_TYPE"):
        environ.pop("HTTP_" + name, None)  # SCGI clients send both; WSGI forbids this one
        if not environ.get(name, ""):
            environ.pop(name, None)
    for name, default in _DEFAULTS:
        if not environ.get(name):
            environ[name] = default
    is_https = environ.get("HTTPS", "").lower() in _HTTPS
    is_https = is_https or environ.get("REQUEST_SCHEME", "") == "https"
    environ["wsgi.url_scheme"] = "https" if is_https else "http"
    if not environ.get("SERVER_PORT"):
        environ["SERVER_PORT"] = "443" if is_https else "80"
    _place(environ, script_name)
    return environ


def _place(environ: dict[str, Any], script_name: str | None) -> None:
    """Set SCRIPT_NAME and PATH_INFO."""
    given_script, given_path = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO")
    asked = asked_path(environ.get("REQUEST_URI", ""))
    if given_path is None:
        script, path = _without_path(environ, given_script, asked)
    elif given_script + given_path == asked or not asked:
        script, path = given_script, given_path
    else:
        script, path = _decoded(given_script, given_path, asked)
    if script_name is not None:
        script, path = _split(script + path, script_name)
    environ["SCRIPT_NAME"] = "" if script == "/" else script
    environ["PATH_INFO"] = path if not path or path[0] == "/" else "/" + path  # OPTIONS *


def _without_path(environ: dict[str, Any], script: str, asked: str) -> tuple[str, str]:
    # nginx's fastcgi_params and Apache's proxy_fcgi name the whole path SCRIPT_NAME and send no
    # PATH_INFO; nginx's scgi_params have neither.
    whole = script or environ.get("DOCUMENT_URI", "") or asked
    if not script or script == asked or not asked.startswith(script):
        return "", whole
    return script, asked[len(script) :]


def _decoded(script: str, path: str, asked: str) -> tuple[str, str]:
    """Undo Apache's proxy_scgi, which splits at the wrong place when a path is escaped."""
    plain = unquote_to_bytes(path).decode("latin-1")
    if plain != path and asked.endswith(plain):
        return asked[: len(asked) - len(plain)], plain
    return script, path


def _split(whole: str, script_name: str) -> tuple[str, str]:
    if whole == script_name or whole.startswith(script_name + "/"):
        return script_name, whole[len(script_name) :]
    if script_name:
        _log.warning("path is not below the script name path=%s script_name=%s", whole, script_name)
    return "", whole


def asked_path(uri: str) -> str:
    """Return the path of a request's URI, unescaped, as WSGI wants it (Latin-1)."""
    path = uri.partition("?")[0]
    if "://" in path and not path.startswith("/"):
        path = "/" + path.partition("://")[2].partition("/")[2]
    if "%" not in path:
        return path
    return unquote_to_bytes(path.encode("latin-1", "replace")).decode("latin-1")
