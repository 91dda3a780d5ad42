"""examples/frontends without containers: a front end and its wiki on free ports of this machine.

The files are used as they are, but for what containers give them: addresses, paths and users.
"""

from __future__ import annotations

import http.client
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from app_process import AppProcess, clean_environ, free_port
from contract_wire import Place
from front_ends import Program, require

EXAMPLES = Path(__file__).parents[2] / "examples/frontends"
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if (path / "compose.yaml").exists())

SPIED = """\
import json
import pastebox_wiki

def main(global_conf, **conf):
    wiki = pastebox_wiki.main(global_conf, **conf)
    def app(environ, start_response):
        if environ["PATH_INFO"] != "/spy":
            return wiki(environ, start_response)
        texts = {name: text for name, text in environ.items() if isinstance(text, str)}
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(texts).encode()]
    return app
"""

WIKI = """\
[app:main]
use = egg:pastebox-wiki
sqlalchemy.url = sqlite:///%(here)s/wiki.db
session.secret = only-for-this-test-0123456789
"""

OVERLAY = """\
[app:main]
use = call:spied:main
sqlalchemy.url = sqlite:///{dir}/wiki.db
[server:main]
{address}
"""


class Front(NamedTuple):
    """The program of a front end, its file, and what it is told to check the file and to run."""

    program: str
    file: str
    check: str
    run: str


FRONTS = {
    "nginx": Front("nginx", "nginx.conf", "-e stderr -t -c {}", "-e stderr -c {} -g 'daemon off;'"),
    "apache": Front("apache2", "httpd.conf", "-d {dir} -t -f {}", "-d {dir} -DFOREGROUND -f {}"),
    "lighttpd": Front("lighttpd", "lighttpd.conf", "-tt -f {}", "-D -f {}"),
    "haproxy": Front("haproxy", "haproxy.cfg", "-c -f {}", "-db -f {}"),
    "caddy": Front(
        "caddy",
        "Caddyfile",
        "validate --adapter caddyfile --config {}",
        "run --adapter caddyfile --config {}",
    ),
}


def make_database(directory: Path) -> Path:
    """Return a new wiki's database, as its setup makes it."""
    (directory / "wiki.ini").write_text(WIKI)
    command = [sys.executable, "-m", "pastebox", "setup-app", "wiki.ini"]
    environ = clean_environ(directory, {})
    subprocess.run(command, cwd=directory, env=environ, check=True, timeout=60)
    return directory / "wiki.db"


class Example:
    """One example: the front end's file for this machine, and both processes once started."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        directory.chmod(0o755)
        self.front = FRONTS[name.partition("-")[0]]
        self.program = require(self.front.program)
        self.port, self._app_port, self._health_port = free_port(), free_port(), free_port()
        self.base = f"http://127.0.0.1:{self.port}" + ("/wiki" if "prefix" in name else "")
        self._wiki: AppProcess | None = None
        self._server: Program | None = None
        self.file = directory / self.front.file
        self.file.write_text(self._translate((EXAMPLES / name / self.front.file).read_text()))
        (directory / "modules").symlink_to("/usr/lib/apache2/modules")

    def _translate(self, text: str) -> str:
        app, here = f"127.0.0.1:{self._app_port}", f"127.0.0.1:{self.port}"
        rules = {
            "wiki-1:8080": app,
            "wiki-2:8080": app,
            "wiki:8080": app,
            "wiki:4000": app,
            "wiki:8009": app,
            '"wiki", "port" => 8080': f'"127.0.0.1", "port" => {self._app_port}',
            '"wiki", "port" => 4000': f'"127.0.0.1", "port" => {self._app_port}',
            "listen 8080": f"listen {here}",
            "Listen 8080": f"Listen {here}",
            "server.port = 8080": f'server.bind = "127.0.0.1"\nserver.port = {self.port}',
            "bind :8080": f"bind {here}",
            "\n:8080 {": f"\n:{self.port} {{",
            "admin off": "admin off\n\tdefault_bind 127.0.0.1",
            "port 9090": f"port {self._health_port}",
            "/tmp": str(self.directory),
            "/run/wiki/": f"{self.directory}/",
            "/srv/static/": f"{self._static()}/",
            # Started by root, nginx would serve as a user who may not connect to the socket.
            "worker_processes auto;": f"worker_processes 1;{'' if os.getuid() else ' user root;'}",
        }
        for old, new in rules.items():
            text = text.replace(old, new)
        return text

    @staticmethod
    def _static() -> Path:
        return EXAMPLES.parent / "wiki/pastebox_wiki/static"

    def _command(self, words: str) -> list[str]:
        home = f"XDG_DATA_HOME={self.directory} XDG_CONFIG_HOME={self.directory}"
        line = f"env {home} {self.program} {words.format(self.file, dir=self.directory)}"
        return shlex.split(line)

    def check(self) -> subprocess.CompletedProcess[str]:
        """Have the front end's own program check the file."""
        command = self._command(self.front.check)
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def start(self, database: Path) -> None:
        shutil.copy(database, self.directory / "wiki.db")
        (self.directory / "spied.py").write_text(SPIED)
        (self.directory / "secrets").mkdir()
        (self.directory / "secrets/session_secret").write_text("only-for-this-test-0123456789")
        ini = (EXAMPLES / self.name / "app.ini").read_text()
        address = f"host = 127.0.0.1\nport = {self._app_port}"
        if "/run/wiki" in ini:
            address = f"socket = {self.directory}/wiki.sock"
        elif "WIKI_SOCKET" in ini:
            address = f"socket = {self.directory}/1.sock"
        (self.directory / "conf.d").mkdir()
        overlay = OVERLAY.format(dir=self.directory, address=address)
        (self.directory / "conf.d/here.ini").write_text(overlay)
        self._wiki = AppProcess(
            self.directory,
            code=None,
            ini=ini,
            PASTEBOX_OVERLAY_DIR=str(self.directory / "conf.d"),
            PASTEBOX_SECRETS_DIR=str(self.directory / "secrets"),
            PASTEBOX_HEALTH_PORT=str(self._health_port),
            PASTEBOX_READY_PATH="/ready",
            WIKI_SOCKET=f"{self.directory}/1.sock",
        )
        self._wiki.wait_log(r"listening on (\S+)")
        for path in self.directory.glob("*.sock"):
            path.chmod(0o777)  # Apache serves as another user, and will not as root
        self._server = Program(self.directory, self._command(self.front.run), Place(port=self.port))

    def stop(self) -> str:
        """End both; return what they said."""
        told = ""
        if self._server is not None:
            self._server.stop()
            told += self._server.log()
        if self._wiki is not None:
            self._wiki.kill()
            told += self._wiki.log()
        return told

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Ask as a client whose address is 127.0.0.2."""
        client = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=30, source_address=("127.0.0.2", 0)
        )
        try:
            client.request(
                method, self.base.partition(str(self.port))[2] + path, headers=headers or {}
            )
            answer = client.getresponse()
            return answer.status, answer.read()
        finally:
            client.close()

    def spy(self, headers: dict[str, str]) -> dict[str, str]:
        """Return the texts of the environ that the application gets for such headers."""
        status, body = self.ask("GET", "/spy", headers)
        assert status == 200, body
        return json.loads(body)
