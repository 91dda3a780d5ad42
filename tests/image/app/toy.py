"""An application small enough for image tests: it answers, takes its time, and leaves orphans."""

import os
import time
from urllib.parse import parse_qs


def make_app(global_conf, **local_conf):
    """Return the application; ``text`` is what it answers."""
    pages = {"/": _hello(local_conf.get("text", "hello")), "/slow": _slow, "/orphan": _orphan}
    pages["/options"] = lambda environ: [repr(sorted(local_conf.items())).encode()]

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/broken":
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"broken on purpose\n"]
        page = pages.get(environ["PATH_INFO"])
        status = "200 OK" if page else "404 Not Found"
        start_response(status, [("Content-Type", "text/plain")])
        return page(environ) if page else [b"no such page\n"]

    return app


def _hello(text):
    return lambda environ: [f"{text} uid={os.getuid()}\n".encode()]


def _slow(environ):
    seconds = float(parse_qs(environ["QUERY_STRING"])["seconds"][0])
    yield b"begin\n"
    time.sleep(seconds)
    yield b"end\n"


def _orphan(environ):
    """Leave a process whose parent is gone: whoever is PID 1 has to reap it."""
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            time.sleep(0.1)
        os._exit(0)
    os.waitpid(child, 0)
    return [b"left one\n"]
