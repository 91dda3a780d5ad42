"""A small API server: Leases with the semantics of resourceVersion, over HTTPS, with a token.

It is a process of its own, for a test that forks must have no threads. ``/_control`` sets what it
does wrong, ``/_lease`` shows what it holds.
"""

from __future__ import annotations

import http.server
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

from app_process import wait_until

BASE = "/apis/coordination.k8s.io/v1/namespaces/apps/leases"


class FakeKubernetes:
    """The server as a test sees it, and the directory of a pod's service account."""

    def __init__(self, directory: Path) -> None:
        self.account = str(directory)
        self.port = 0
        words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
        names = ["-addext", "subjectAltName=IP:127.0.0.1"]
        files = ["-keyout", f"{directory}/key", "-out", f"{directory}/ca.crt"]
        subprocess.run([*words.split(), *names, *files], check=True, capture_output=True)
        (directory / "namespace").write_text("apps")
        (directory / "token").write_text("right\n")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def environ(self) -> dict[str, str]:
        """What a pod's container has."""
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.port)}

    def start(self) -> None:
        """Start it; what it held before is lost, unless it is given back."""
        words = [sys.executable, __file__, str(self.port), self.account]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        wait_until(self._answers, "the API server to answer")

    def stop(self) -> None:
        """Be away: nothing listens any more."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def hang(self) -> None:
        """Accept connections, and answer nobody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def control(self, **what: Any) -> None:
        """Change its behaviour: ``status`` answers with that, ``lease`` replaces what it holds."""
        self._ask("/_control", what)

    @property
    def lease(self) -> dict[str, Any] | None:
        """What it holds."""
        return self._ask("/_lease")["lease"]

    @property
    def requests(self) -> int:
        """How many requests for Leases came."""
        return self._ask("/_lease")["requests"]

    def _ask(self, path: str, body: Any = None) -> Any:
        context = ssl.create_default_context(cafile=f"{self.account}/ca.crt")
        url = f"https://127.0.0.1:{self.port}{path}"
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(url, data, timeout=10, context=context) as answer:
            return json.load(answer)

    def _answers(self) -> bool:
        try:
            self._ask("/_lease")
        except OSError:
            return False
        return True


class _State:
    def __init__(self) -> None:
        self.mutex = threading.Lock()
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.status = 0
        self.requests = 0


class _Handler(http.server.BaseHTTPRequestHandler):
    state: _State
    account: str
    timeout = 30

    def do_GET(self) -> None:
        if self.path == "/_lease":
            self._answer(200, {"lease": self.state.lease, "requests": self.state.requests})
            return
        with self.state.mutex:
            if self._is_in_order():
                found = self.state.lease
                self._answer(200, found) if found else self._answer(404, {"message": "not found"})

    def do_POST(self) -> None:
        body = self._body()
        with self.state.mutex:
            if self.path == "/_control":
                self.state.status = body.get("status", self.state.status)
                if "lease" in body:
                    self._store(body["lease"])
                self._answer(200, {})
            elif self._is_in_order():
                if self.state.lease is not None:
                    self._answer(409, {"message": "already exists"})
                else:
                    self._answer(201, self._store(body))

    def do_PUT(self) -> None:
        body = self._body()
        with self.state.mutex:
            if not self._is_in_order():
                return
            there = self.state.lease
            version = body["metadata"].get("resourceVersion")
            if there is None:
                self._answer(404, {"message": "not found"})
            elif version != there["metadata"]["resourceVersion"]:
                self._answer(409, {"message": "the object has been modified"})
            else:
                self._answer(200, self._store(body))

    def _store(self, lease: dict[str, Any] | None) -> dict[str, Any] | None:
        self.state.version += 1
        if lease is not None:
            lease["metadata"] = {**lease.get("metadata", {})}
            lease["metadata"]["resourceVersion"] = str(self.state.version)
        self.state.lease = lease
        return lease

    def _is_in_order(self) -> bool:
        self.state.requests += 1
        token = Path(self.account, "token").read_text().strip()
        if self.state.status:
            self._answer(self.state.status, {"message": "as it was told to"})
        elif self.headers["Authorization"] != f"Bearer {token}":
            self._answer(401, {"message": "Unauthorized"})
        elif not self.path.startswith(BASE):
            self._answer(403, {"message": f"{self.path} is forbidden"})
        else:
            return True
        return False

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


def end_with_the_tests() -> None:
    sys.stdin.read()
    os._exit(0)


def serve(port: int, account: str) -> None:
    """Serve until killed, or until the tests have died."""
    threading.Thread(target=end_with_the_tests, daemon=True).start()
    _Handler.state, _Handler.account = _State(), account
    server = _Server(("127.0.0.1", port), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(account, "ca.crt"), os.path.join(account, "key"))
    print(server.server_address[1], flush=True)
    # the handshake is its thread's: one client that stops in it would hold up all
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
