"""The application under test: a short answer, a slow one, a big one, one in parts, an upload."""

import time

BIG = b"x" * (1 << 20)


def main(global_conf, **settings):  # noqa: ARG001  # PasteDeploy's signature
    """Make the application."""

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        body = b"hello world\n"
        if path == "/slow":
            time.sleep(2)
        elif path == "/upload":
            body = str(len(environ["wsgi.input"].read())).encode()
        elif path == "/big":
            start_response("200 OK", [("Content-Length", str(20 << 20))])
            return [BIG] * 20
        elif path == "/parts":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return iter([b"hello ", b"world", b"\n"])
        headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
        start_response("200 OK", headers)
        return [body]

    return app


def bare():
    """Make it without PasteDeploy, for servers that know nothing of it."""
    return main({})
