"""An application that says exactly what it was given; copied into the directory of a test."""

import json

SHOWN = ("REQUEST_METHOD", "QUERY_STRING", "SCRIPT_NAME", "PATH_INFO")


def main(global_conf, **conf):
    return show


def linted(global_conf, **conf):
    """The contract's application between the checks of wsgiref and those of WebTest."""
    import contract_app
    from webtest import lint

    return lint.middleware(contract_app.main(global_conf))


def show(environ, start_response):
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdigit() or environ.get("wsgi.input_terminated"):
        body = stream.read(int(length)) if length.isdigit() else stream.read()
    elif "HTTP_TRANSFER_ENCODING" in environ:
        body = stream.read()
    else:
        body = b""
    shown = {
        name: value
        for name, value in environ.items()
        if name in SHOWN or name.startswith(("HTTP_", "CONTENT_"))
    }
    text = json.dumps({"environ": shown, "body": body.decode("latin-1")}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(text)))]
    start_response("200 OK", headers)
    return [text]
