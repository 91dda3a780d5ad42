"""Real front ends before a gateway: nginx, Apache and lighttpd, each with a generated config."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from app_process import free_port, wait_until

NGINX = """\
daemon off; master_process off; worker_processes 1;
pid {dir}/nginx.pid; error_log {dir}/nginx.err;
events {{ worker_connections 512; }}
http {{
  access_log off; client_max_body_size 100m;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fcgi;
  scgi_temp_path {dir}/scgi; uwsgi_temp_path {dir}/uwsgi;
  upstream app {{ server {address}; {keepalive} }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ include /etc/nginx/{kind}_params; {kind}_pass app; {kind}_buffering off; {more} }}
  }}
}}
"""

APACHE = """\
ServerName localhost
ServerRoot {dir}
PidFile {dir}/apache.pid
ErrorLog {dir}/apache.err
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_{kind}_module {modules}/mod_proxy_{kind}.so
Mutex file:{dir} default
{more}
AllowEncodedSlashes On
ProxyPass / {kind}://{address}/ {options}
"""

LIGHTTPD = """\
server.modules = ("mod_{kind}")
server.document-root = "{dir}"
server.errorlog = "{dir}/lighttpd.err"
server.bind = "127.0.0.1"
server.port = {port}
server.stream-response-body = 2
server.upload-dirs = ("{dir}")
{kind}.server = ("{prefix}" => ((
  "host" => "{host}", "port" => {app_port}, "check-local" => "disable"{fix}
)))
"""


def require(program: str) -> str:
    """Return the path of a program; skip the test, or fail where it must be there."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if path is None:
        if program in os.environ.get("PASTEBOX_REQUIRE", "").replace(",", " ").split():
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"{program} is not installed")
    return path


class FrontEnd:
    """A process that listens on ``port`` and speaks HTTP."""

    def __init__(self, directory: Path, command: list[str], port: int, log: str) -> None:
        self.port = port
        self.log_path = directory / log
        with (directory / "front.err").open("w") as errors:
            self.process = subprocess.Popen(
                command,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        wait_until(self._listens, f"{command[0]} to listen:\n{self.log()}")

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.log()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self) -> str:
        paths = (self.log_path, self.log_path.parent / "front.err")
        return "".join(path.read_text() for path in paths if path.exists())

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


def nginx(directory: Path, kind: str, address: str, *, keepalive: int = 0, more: str = ""):
    """``kind`` is ``fastcgi`` or ``scgi``; ``address`` as nginx has it."""
    program, port = require("nginx"), free_port()
    directory.mkdir(exist_ok=True)
    if keepalive:
        more += " fastcgi_keep_conn on;"
    text = NGINX.format(
        dir=directory,
        kind=kind,
        address=address,
        port=port,
        keepalive=f"keepalive {keepalive};" if keepalive else "",
        more=more,
    )
    (directory / "nginx.conf").write_text(text)
    command = [program, "-e", f"{directory}/nginx.err", "-c", f"{directory}/nginx.conf"]
    return FrontEnd(directory, command, port, "nginx.err")


def apache(directory: Path, kind: str, address: str, *, options: str = "", more: str = ""):
    """``kind`` is ``fcgi``, ``scgi`` or ``ajp``."""
    program, port = require("apache2"), free_port()
    directory.mkdir(exist_ok=True)
    text = APACHE.format(
        dir=directory,
        kind=kind,
        address=address,
        port=port,
        modules="/usr/lib/apache2/modules",
        options=options,
        more=more,
    )
    (directory / "apache.conf").write_text(text)
    command = [program, "-DFOREGROUND", "-f", f"{directory}/apache.conf"]
    return FrontEnd(directory, command, port, "apache.err")


def lighttpd(directory: Path, kind: str, app_port: int):
    """``kind`` is ``fastcgi``, ``scgi`` or ``ajp13``."""
    program, port = require("lighttpd"), free_port()
    directory.mkdir(exist_ok=True)
    # mod_ajp13 sends no path at all with it
    fix = "" if kind == "ajp13" else ', "fix-root-scriptname" => "enable"'
    text = LIGHTTPD.format(
        dir=directory,
        kind=kind,
        host="127.0.0.1",
        app_port=app_port,
        port=port,
        fix=fix,
        prefix="" if kind == "ajp13" else "/",
    )
    (directory / "lighttpd.conf").write_text(text)
    command = [program, "-D", "-f", f"{directory}/lighttpd.conf"]
    return FrontEnd(directory, command, port, "lighttpd.err")
