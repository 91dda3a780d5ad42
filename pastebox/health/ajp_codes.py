"""The codes by which AJP 1.3 shortens methods, headers and attributes."""

from __future__ import annotations

METHODS = (
    "",  # codes begin with 1
    "OPTIONS",
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "TRACE",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "ACL",
    "REPORT",
    "VERSION-CONTROL",
    "CHECKIN",
    "CHECKOUT",
    "UNCHECKOUT",
    "SEARCH",
    "MKWORKSPACE",
    "UPDATE",
    "LABEL",
    "MERGE",
    "BASELINE-CONTROL",
    "MKACTIVITY",
)
METHOD_CODES = {name: code for code, name in enumerate(METHODS) if name}

REQUEST_HEADERS = (
    "",
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "authorization",
    "connection",
    "content-type",
    "content-length",
    "cookie",
    "cookie2",
    "host",
    "pragma",
    "referer",
    "user-agent",
)
RESPONSE_HEADERS = (
    "",
    "content-type",
    "content-language",
    "content-length",
    "date",
    "last-modified",
    "location",
    "set-cookie",
    "set-cookie2",
    "servlet-engine",
    "status",
    "www-authenticate",
)
REQUEST_HEADER_CODES = {
    name: bytes((0xA0, code)) for code, name in enumerate(REQUEST_HEADERS) if name
}
RESPONSE_HEADER_CODES = {
    name: bytes((0xA0, code)) for code, name in enumerate(RESPONSE_HEADERS) if name
}

ATTRIBUTE_NAMES = {
    0x01: "context",
    0x02: "servlet_path",
    0x03: "remote_user",
    0x04: "auth_type",
    0x05: "query_string",
    0x06: "jvm_route",
    0x07: "ssl_cert",
    0x08: "ssl_cipher",
    0x09: "ssl_session",
    0x0B: "ssl_key_size",
    0x0C: "secret",
    0x0D: "stored_method",
}
ATTRIBUTE_CODES = {name: code for code, name in ATTRIBUTE_NAMES.items()}
