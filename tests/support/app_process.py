"""A real ``pastebox serve`` of a small application, with a deadline on every wait.

The log arrives through a pipe and a thread, so that a test waits for a line and not for a time.
"""

from __future__ import annotations

import codecs
import contextlib
import http.client
import itertools
import os
import pty
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE_S = 40.0
"""For events that come in milliseconds on an idle machine."""

APP = """\
import hashlib, logging, os, signal, subprocess, sys, time, warnings
from urllib.parse import parse_qs

BLOCK = bytes(range(256)) * 4096
WORD = "one"
log = logging.getLogger("theapp")

def main(global_conf, **conf):
    return App(conf)

class App:
    def __init__(self, conf):
        self.conf = conf

    def __call__(self, environ, start_response):
        query = {k: v[0] for k, v in parse_qs(environ["QUERY_STRING"]).items()}
        answer = getattr(self, "do_" + environ["PATH_INFO"].strip("/").replace("/", "_"), None)
        if answer is None and environ["PATH_INFO"] != "/":
            return self.text(start_response, "no such page", "404 Not Found")
        return (answer or self.do_)(environ, start_response, query)

    def text(self, start_response, text, status="200 OK"):
        body = text.encode()
        headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [body]

    def do_(self, environ, start_response, query):
        return self.text(start_response, self.conf.get("word", WORD))

    def do_slow(self, environ, start_response, query):
        if "mark" in query:
            open(query["mark"], "w").close()
        end = time.monotonic() + float(query.get("s", "1"))
        while time.monotonic() < end and not os.path.exists(query.get("until", "/nonexistent")):
            time.sleep(0.01)
        return self.text(start_response, "slow")

    def do_big(self, environ, start_response, query):
        start_response("200 OK", [("Content-Length", str(20 * len(BLOCK)))])
        return (BLOCK for _ in range(20))

    def do_upload(self, environ, start_response, query):
        data = environ["wsgi.input"].read()
        return self.text(start_response, f"{len(data)} {hashlib.sha256(data).hexdigest()}")

    def do_stream(self, environ, start_response, query):
        start_response("200 OK", [("Content-Type", "text/plain")])
        for number in range(int(query.get("n", "5"))):
            yield f"line {number}\\n".encode()
            time.sleep(float(query.get("s", "0.01")))

    def do_pid(self, environ, start_response, query):
        time.sleep(float(query.get("s", "0")))
        return self.text(start_response, str(os.getpid()))

    def do_crash(self, environ, start_response, query):
        os._exit(9)

    def do_raise(self, environ, start_response, query):
        raise ValueError("raised on purpose")

    def do_log(self, environ, start_response, query):
        log.warning("the application says %s", query.get("text", "something"))
        return self.text(start_response, "logged")

    def do_warn(self, environ, start_response, query):
        warnings.warn("old habits", DeprecationWarning)
        return self.text(start_response, "warned")

    def do_headers(self, environ, start_response, query):
        names = sorted(k for k in environ if k.startswith("HTTP_") or k.startswith("wsgi."))
        return self.text(start_response, "\\n".join(f"{n}={environ[n]!r}" for n in names))

    def do_204(self, environ, start_response, query):
        start_response("204 No Content", [])
        return []

    def do_child(self, environ, start_response, query):
        child = subprocess.Popen(["sleep", "60"])
        child.terminate()
        try:
            code = child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait(5)
        return self.text(start_response, str(code))

    def do_environ(self, environ, start_response, query):
        return self.text(start_response, os.environ.get(query["name"], "unset"))
"""

INI = """\
[app:main]
paste.app_factory = theapp:main
{app}
[server:main]
use = egg:waitress#main
{server}
{more}
"""

SERVER = "host = 127.0.0.1\nport = 0\nthreads = 4"
LIVE_RELOAD = {
    "PASTEBOX_RELOAD": "events",
    "PASTEBOX_DEV": "on",
    "PASTEBOX_LIVERELOAD": "on",
    "PASTEBOX_LIVERELOAD_PORT": "0",
}
"""Variables of somebody who develops with a browser beside the editor."""


LOGGERS = """
[loggers]
keys = root
[handlers]
keys = file
[formatters]
keys = plain
[logger_root]
level = INFO
handlers = file
[handler_file]
class = FileHandler
args = ("%(here)s/app.log", "a")
formatter = plain
[formatter_plain]
format = %(levelname)s %(name)s %(message)s
"""


_TAKE_TERMINAL = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Answer:
    """A whole response: status, headers, body."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def says_close(self) -> bool:
        return (self.headers.get("Connection") or "").lower() == "close"


_FIRST_PORT, _PAST_PORTS = 10_240, 32_768
"""Below the ports that the kernel gives to clients, so that none of them takes one meanwhile."""
_SHARE = 4_000
"""Ports of one of several processes that test at the same time."""


def _ports() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    first = _FIRST_PORT + worker * _SHARE % (_PAST_PORTS - _FIRST_PORT - _SHARE)
    share = range(first, first + _SHARE)
    return itertools.islice(itertools.cycle(share), secrets.randbelow(_SHARE), None)


_next_ports = _ports()


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nobody listens on, and that is not returned again for long."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in _next_ports:
        with socket.socket(family) as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            return port
    raise AssertionError


def wait_until(condition, what: str, deadline_s: float = PATIENCE_S, pause_s: float = 0.01):
    """Return the first true value of ``condition()``; look often, give up at the deadline."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(pause_s)
    raise AssertionError(f"waited {deadline_s} s in vain for {what}")


def clean_environ(directory: Path, settings: dict[str, str]) -> dict[str, str]:
    """Return an environment that says nothing to pastebox but what the test says."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": str(directory),
        "PASTEBOX_SETUP": "never",
        "PASTEBOX_HEALTH_PORT": "off",
        **settings,
    }


class AppProcess:
    """One ``pastebox serve``; use the ``serve`` fixture, which ends it and shows its log."""

    def __init__(  # noqa: PLR0913  # every way in which a test starts one
        self,
        directory: Path,
        *,
        code: str = APP,
        server: str = SERVER,
        app: str = "",
        more: str = "",
        ini: str | None = None,
        argv: tuple[str, ...] = ("app.ini",),
        python: tuple[str, ...] = (),
        wrapper: tuple[str, ...] = (),
        health: bool = False,
        pass_fds: tuple[int, ...] = (),
        terminal: bool = False,
        **settings: str,
    ) -> None:
        self.directory = directory
        self.ini = directory / "app.ini"
        self.module = directory / "theapp.py"
        if code is not None:
            self.module.write_text(code)
        self.ini.write_text(ini or INI.format(app=app, server=server, more=more))
        self.health_port = free_port() if health else 0
        if health:
            settings["PASTEBOX_HEALTH_PORT"] = str(self.health_port)
        command = [*wrapper, sys.executable, *python, "-m", "pastebox.cli.main", "serve", *argv]
        stdin, stdout = subprocess.DEVNULL, subprocess.PIPE
        if terminal:
            self.terminal, stdin = pty.openpty()
            stdout = stdin
            command = [sys.executable, "-S", "-c", _TAKE_TERMINAL, *command]
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env=clean_environ(directory, settings),
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=pass_fds,
        )
        self._output = self.process.stdout
        if terminal:
            os.close(stdin)
            self._output = os.fdopen(self.terminal, "rb")
        self._text = ""
        self._news = threading.Condition()
        self._at_end = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    # -- the log ---------------------------------------------------------------------------

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        with contextlib.suppress(OSError):  # the end of a terminal
            while data := self._output.read1(1 << 16):
                with self._news:
                    self._text += decoder.decode(data).replace("\r", "")
                    self._news.notify_all()
        with self._news:
            self._at_end = True
            self._news.notify_all()

    def log(self) -> str:
        """Return everything that was written to stdout and stderr so far."""
        with self._news:
            return self._text

    def wait_log(self, pattern: str, deadline_s: float = PATIENCE_S, *, count: int = 1):
        """Wait until the regular expression has come ``count`` times; return the last match."""
        compiled = re.compile(pattern, re.MULTILINE)
        end = time.monotonic() + deadline_s
        with self._news:
            while True:
                found = list(compiled.finditer(self._text))
                if len(found) >= count:
                    return found[count - 1]
                left = end - time.monotonic()
                if left <= 0 or self._at_end:
                    raise AssertionError(f"no {pattern!r} in the log:\n{self._text}")
                self._news.wait(left)

    # -- the process -----------------------------------------------------------------------

    def wait_listening(self) -> AppProcess:
        """Wait for the line that says where it listens, and learn the port."""
        found = self.wait_log(r"listening on (\S+)")
        port = re.search(r":(\d+),?$", found[1])
        self.port = int(port[1]) if port else 0
        return self

    @property
    def pid(self) -> int:
        return self.process.pid

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def term(self) -> None:
        self.signal(signal.SIGTERM)

    def wait_exit(self, deadline_s: float = PATIENCE_S) -> int:
        """Return the exit status."""
        try:
            code = self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {deadline_s} s:\n{self.log()}") from None
        self._reader.join(5)
        return code

    def stop(self) -> int:
        """TERM and the exit status."""
        self.term()
        return self.wait_exit()

    def type(self, text: str) -> None:
        """Type a line at the terminal."""
        os.write(self.terminal, text.encode() + b"\n")

    def children(self) -> list[int]:
        """Return the pids of the direct children, zombies included."""
        return children_of(self.process.pid)

    def kill(self) -> None:
        """End it and its group, whatever it does; for the teardown."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        self._reader.join(5)
        self._output.close()

    # -- clients ---------------------------------------------------------------------------

    def connection(self, timeout: float = PATIENCE_S) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def get(self, path: str = "/", *, port: int | None = None, **more) -> Answer:
        """Ask once, on a connection of its own."""
        return self.request("GET", path, port=port, **more)

    def request(self, method: str, path: str, *, port: int | None = None, **more) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request(method, path, **more)
            return Answer(connection.getresponse())

    def health(self, path: str) -> Answer:
        return self.get(path, port=self.health_port)

    def metric(self, name: str) -> float:
        """Return one sample of /metrics, named with its labels."""
        for line in self.health("/metrics").text.splitlines():
            if line.startswith(f"pastebox_{name} "):
                return float(line.split()[1])
        raise AssertionError(f"no metric {name}")

    def wait_metric(self, name: str, value: float) -> None:
        """Wait until a sample has a value: a count may come a moment after its answer."""
        wait_until(lambda: self.metric(name) == value, f"{name} to be {value}")

    def socket(self) -> socket.socket:
        """Return a raw connection."""
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)


def children_of(pid: int) -> list[int]:
    """Return the pids of the direct children of ``pid``, zombies included."""
    everybody = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    return [one for one in everybody if stat_of(one)[1:2] == [str(pid)]]


def stat_of(pid: int) -> list[str]:
    """Return state and parent of a process (proc(5)), nothing when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()[:2]


def is_running(pid: int) -> bool:
    """Whether the process is there and not a zombie."""
    stat = stat_of(pid)
    return bool(stat) and stat[0] not in ("Z", "X")


class Call(threading.Thread):
    """A function in a thread; ``result()`` gives what it returned or raises what it raised."""

    def __init__(self, target, *args, **kwargs) -> None:
        super().__init__(daemon=True)
        self._call = (target, args, kwargs)
        self._value = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        target, args, kwargs = self._call
        try:
            self._value = target(*args, **kwargs)
        except BaseException as error:
            self._error = error

    def result(self, deadline_s: float = PATIENCE_S):
        self.join(deadline_s)
        if self.is_alive():
            raise AssertionError(f"{self._call[0]} is still running")
        if self._error is not None:
            raise self._error
        return self._value
