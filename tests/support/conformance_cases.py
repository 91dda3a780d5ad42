"""Where servers differ from what gunicorn's suite expects, each with its reason.

A name ends with ``*`` for all cases that begin so. What is listed need not be seen with every
release of a parser; what is seen and not listed fails the test.
"""

from __future__ import annotations

Reasons = dict[str, str]

NOT_SENT = {
    "valid/099": "its body is shorter than its Content-Length, so that no server may answer",
}
"""Cases that say nothing on a wire."""

LIMITS: Reasons = {
    "invalid/006": "gunicorn's limit for a request line is 4094 bytes",
    "invalid/007": "gunicorn's limit for a field is 8190 bytes",
    "invalid/008": "gunicorn's limit for a field is 8190 bytes",
    "invalid/009": "gunicorn's limit is 100 fields",
    "invalid/017": "gunicorn's limit for a field is 8190 bytes",
}
TRAILERS: Reasons = {"invalid/rfc9110_trailer_forbidden_*": "trailers are thrown away, unread"}
TWO_TYPES: Reasons = {"invalid/041": "two Content-Type fields say nothing about the body's end"}
_CODED = "no other coding than chunked is taken (RFC 9112, 6.1 leaves it to the server)"
CODINGS: Reasons = {
    "valid/025": _CODED,
    "valid/025_line": _CODED,
    "valid/029": _CODED,
    "valid/030": _CODED,
    "valid/rfc9112_smuggle_gzip_chunked_01": _CODED,
    "valid/rfc9112_smuggle_te_identity_chunked_01": _CODED,
}
SLASHES: Reasons = {"valid/100": "several slashes at the beginning become one, against redirects"}
COMMON = {**LIMITS, **TRAILERS, **TWO_TYPES, **CODINGS}

WAITRESS: Reasons = {
    **COMMON,
    **SLASHES,
    "valid/013": "waitress takes no space before a chunk's extension",
    "invalid/rfc9112_leading_crlf_02": "waitress skips empty lines before a request",
}
CHEROOT: Reasons = {
    **COMMON,
    **SLASHES,
    "valid/005": "cheroot refuses a fragment in the target, which no client sends",
    "valid/rfc9112_target_absolute_*": "cheroot takes a whole URL for a proxy's request",
    "valid/rfc9112_target_asterisk_options_01": "cheroot's path is /*",
    "valid/rfc9112_target_authority_*": "cheroot is no proxy and takes no CONNECT",
}
_H11 = "granian's parser (hyper) takes it"
_CHUNKS = "granian gives the application what came before the defect as the whole body"
DIFFERENCES: dict[str, Reasons] = {
    "waitress": WAITRESS,
    "http": WAITRESS,
    "wsgiutils": CHEROOT,
    "cherrypy": CHEROOT,
    "wsgiref": {
        **COMMON,
        **SLASHES,
        "valid/018": "one request on each connection",
        "valid/022": "one request on each connection",
        "valid/023": "one request on each connection",
        "valid/rfc9112_target_authority_*": "the path is what stands in the request line",
        "invalid/003c": "a method is a token, and this is one",
    },
    "gunicorn": {},
    "granian": {
        **LIMITS,
        **TRAILERS,
        **TWO_TYPES,
        "valid/014": "granian's parser refuses quotes in a target",
        "valid/040": "Content_Length is a variable of its own: HTTP_CONTENT_LENGTH",
        "valid/rfc9110_field_value_obs_text_01": "granian empties a value that is not ASCII",
        "valid/rfc9112_target_authority_*": "granian takes no CONNECT",
        "invalid/003c": "a method is a token, and this is one",
        "invalid/042": _H11,
        "invalid/chunked_*": _CHUNKS,
        "invalid/rfc9112_bare_lf_01": _H11,
        "invalid/rfc9112_chunked_*": _CHUNKS,
        "invalid/rfc9112_leading_crlf_02": _H11,
        "invalid/rfc9112_smuggle_cl_te_chunked_01": "Transfer-Encoding wins (RFC 9112, 6.3)",
        "invalid/rfc9112_target_*": _H11,
    },
    "twisted": {
        **COMMON,
        "valid/005": "twisted leaves the fragment in the query",
        "valid/022": "twisted closes after a request in HTTP/1.0",
        "valid/rfc9112_target_*": "twisted's path is the target without its first character",
        "invalid/003c": "a method is a token, and this is one",
        "invalid/016": "twisted takes any target",
        "invalid/042": "twisted takes the last Host",
        "invalid/chunked_05": "twisted takes chunks in HTTP/1.0 as well",
        "invalid/obs_fold_01": "twisted unfolds the line, as a parser may (RFC 9112, 5.2)",
        "invalid/rfc9110_field_value_ctl_*": "twisted takes control characters in values",
        "invalid/rfc9112_target_*": "twisted takes any target",
        "invalid/rfc9112_te_identity_with_cl_01": "identity is no coding at all",
    },
}


def reason_of(runner: str, name: str) -> str:
    """Return why a runner differs in a case; nothing where no reason is known."""
    for pattern, reason in DIFFERENCES[runner].items():
        if name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1])):
            return reason
    return ""


FRAMING = (
    "invalid/014",
    "invalid/015",
    "invalid/020",
    "invalid/021",
    "invalid/022",
    "invalid/023",
    "invalid/024",
    "invalid/chunked_",
    "invalid/invalid_field_value_01",
    "invalid/nonascii_03",
    "invalid/nonascii_04",
    "invalid/obs_fold_01",
    "invalid/prefix_",
    "invalid/rfc9112_bare_lf_01",
    "invalid/rfc9112_chunked_",
    "invalid/rfc9112_smuggle_",
    "invalid/rfc9112_te_",
)
"""Cases that could smuggle a request past a front end: no runner on our loops may take one."""
OUR_LOOPS = ("waitress", "http", "wsgiutils", "cherrypy", "wsgiref")
