"""The application that every runner serves in the contract suite, watched by wsgiref.validate.

Copied into the directory of a test: it imports the standard library only.
"""

import hashlib
import json
import os
import time
from urllib.parse import parse_qs
from wsgiref.validate import validator

BLOCK = bytes(range(256)) * 4096
"""1 MiB."""
SHOWN = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "HTTP_X_WORD")
SHOWN_PREFIXES = ("REQUEST_", "REMOTE_", "SERVER_", "CONTENT_", "wsgi.")


def main(global_conf, **conf):
    if conf.get("fails"):
        raise RuntimeError("this application does not load")
    return validator(App(conf))


class App:
    def __init__(self, conf):
        self.conf = conf

    def __call__(self, environ, start_response):
        query = {k: v[0] for k, v in parse_qs(environ["QUERY_STRING"]).items()}
        name = environ["PATH_INFO"].strip("/").partition("/")[0]
        return getattr(self, "do_" + name)(environ, start_response, query)

    def text(self, start_response, text, status="200 OK"):
        body = text.encode()
        headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [body]

    def wait(self, query):
        """Wait until the test says so, where it says anything."""
        end = time.monotonic() + 20
        while "until" in query and not os.path.exists(query["until"]) and time.monotonic() < end:
            time.sleep(0.01)

    def do_(self, environ, start_response, query):
        return self.text(start_response, "contract")

    def do_echo(self, environ, start_response, query):
        digest, count = hashlib.sha256(), 0
        stream = environ["wsgi.input"]
        # PEP 3333 has no end of a body without a length; servers that give one say so.
        length = environ.get("CONTENT_LENGTH") or None
        left = int(length) if length else (1 << 40)
        while left:
            part = stream.read(min(left, 1 << 16))
            if not part:
                break
            left -= len(part)
            count += len(part)
            digest.update(part)
        return self.text(start_response, f"{count} {digest.hexdigest()}")

    def do_lines(self, environ, start_response, query):
        stream = environ["wsgi.input"]
        first = stream.readline()
        rest = list(stream)
        return self.text(start_response, f"{first!r} {len(rest)} {b''.join(rest)[-6:]!r}")

    def do_environ(self, environ, start_response, query):
        shown = {
            name: value
            for name, value in environ.items()
            if (name in SHOWN or name.startswith(SHOWN_PREFIXES))
            and isinstance(value, (str, bool, tuple))
        }
        return self.text(start_response, json.dumps(shown))

    def do_204(self, environ, start_response, query):
        start_response("204 No Content", [])
        return []

    def do_304(self, environ, start_response, query):
        start_response("304 Not Modified", [("ETag", '"x"')])
        return []

    def do_stream(self, environ, start_response, query):
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"first\n"
        self.wait(query)
        yield b"last\n"

    def do_write(self, environ, start_response, query):
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"written ")
        return [b"returned"]

    def do_big(self, environ, start_response, query):
        megabytes = int(query.get("mb", "20"))
        size = str(megabytes * len(BLOCK))
        start_response("200 OK", [("Content-Type", "x/y"), ("Content-Length", size)])
        return (BLOCK for _ in range(megabytes))

    def do_before(self, environ, start_response, query):
        raise ValueError("before start_response")

    def do_begun(self, environ, start_response, query):
        start_response("200 OK", [("Content-Type", "text/plain")])
        raise ValueError("after start_response, before the first byte")
        yield b""

    def do_after(self, environ, start_response, query):
        headers = [("Content-Type", "text/plain")]
        if "length" in query:
            headers.append(("Content-Length", "1000"))
        start_response("200 OK", headers)
        yield b"x" * 10
        self.wait(query)
        raise ValueError("after the first byte")

    def do_exit(self, environ, start_response, query):
        raise SystemExit(3)

    def do_slow(self, environ, start_response, query):
        if "mark" in query:
            open(query["mark"], "w").close()
        self.wait(query)
        return self.text(start_response, "slow")

    def do_pid(self, environ, start_response, query):
        return self.text(start_response, str(os.getpid()))
