"""Real front ends with generated configurations: nginx, Apache, lighttpd and haproxy.

Each passes streams on as they come, in both directions where it can, and keeps lengths (Apache
drops an answer's if not told otherwise), so that a test sees what the server behind does. Where a
front end starts the application itself, it starts a script.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from app_process import free_port, wait_until
from contract_wire import Place

NGINX = """\
daemon off; master_process off; worker_processes 1;
pid {dir}/nginx.pid; error_log {dir}/front.log;
events {{ worker_connections 512; }}
http {{
  access_log off; client_max_body_size 100m;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fcgi;
  scgi_temp_path {dir}/scgi; uwsgi_temp_path {dir}/uwsgi;
  upstream app {{ server {address}; {keepalive} }}
  server {{
    listen {listen};
    location / {{ {kind}_pass {scheme}app; {kind}_buffering off; {more} }}
  }}
}}
"""

APACHE = """\
ServerName localhost
ServerRoot {dir}
PidFile {dir}/apache.pid
ErrorLog {dir}/front.log
Listen {listen}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
StartServers 1
ServerLimit 1
ThreadsPerChild 25
MaxRequestWorkers 25
Mutex file:{dir} default
AllowEncodedSlashes On
LoadModule env_module {modules}/mod_env.so
SetEnv ap_trust_cgilike_cl 1
{body}
"""

APACHE_PROXY = """\
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_{kind}_module {modules}/mod_proxy_{kind}.so
ProxyPass / {url} flushpackets=on {options}
"""

APACHE_FCGID = """\
LoadModule alias_module {modules}/mod_alias.so
LoadModule fcgid_module {modules}/mod_fcgid.so
FcgidIPCDir {dir}
FcgidProcessTableFile {dir}/fcgid_shm
FcgidMaxProcesses 1
FcgidConnectTimeout 30
FcgidMaxRequestLen 104857600
FcgidOutputBufferSize 0
ScriptAlias / {script}/
<Directory {dir}>
  Options +ExecCGI
  SetHandler fcgid-script
</Directory>
"""

APACHE_CGID = """\
LoadModule alias_module {modules}/mod_alias.so
LoadModule cgid_module {modules}/mod_cgid.so
ScriptSock {dir}/cgid.sock
ScriptAlias / {script}/
"""

LIGHTTPD = """\
server.modules = ("mod_{kind}")
server.document-root = "{dir}"
server.errorlog = "{dir}/front.log"
server.bind = "{host}"
server.port = {port}
server.stream-response-body = 2
server.upload-dirs = ("{dir}")
{body}
"""

HAPROXY = """\
global
  stats socket {dir}/haproxy.sock
defaults
  mode http
  option http-no-delay
  timeout connect 20s
  timeout client 60s
  timeout server 60s
frontend web
  bind {listen}
  default_backend app
backend app
  server app {address}
"""

MODULES = "/usr/lib/apache2/modules"
AS_SOMEBODY = (
    *("setpriv", "--reuid=33", "--regid=33", "--clear-groups"),
    *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
)
"""Apache leaves root for another user, to whom a test's directory is closed; this one may enter."""


class Front(NamedTuple):
    """One way in which a front end reaches an application.

    Attributes:
        name: as the published table has it.
        program: what is started; empty when clients ask the application itself.
        speaks: ``http``, ``fcgi``, ``scgi``, ``ajp`` or ``cgi``.
        configure: writes the configuration and returns the command.
        starts: what starts the application: ``serve``, ``spawn-fcgi``, or ``front``.
        reuses: whether its connections to the application serve several requests.
        base: where the application is mounted.
        needs: further things that must be installed: programs, or files by their path.
    """

    name: str
    program: str
    speaks: str
    configure: Callable[[Site], list[str]] | None = None
    starts: str = "serve"
    reuses: bool = False
    base: str = ""
    needs: tuple[str, ...] = ()


class Site(NamedTuple):
    """What a configuration is made of.

    Attributes:
        directory: for the configuration and everything that the front end writes.
        program: the path of the program.
        app: where the application listens.
        listen: where the front end does.
        script: what starts the application, where the front end does it.
    """

    directory: Path
    program: str
    app: Place
    listen: Place
    script: Path

    def write(self, text: str) -> str:
        path = self.directory / "front.conf"
        path.write_text(text)
        return str(path)


def netloc(place: Place) -> str:
    """Return ``host:port``, with brackets around IPv6."""
    return f"[{place.host}]:{place.port}" if ":" in place.host else f"{place.host}:{place.port}"


def _nginx(kind: str, *, more: str = "", keepalive: bool = False):
    def configure(site: Site) -> list[str]:
        parameters = "" if kind == "proxy" else f"include /etc/nginx/{kind}_params; "
        text = NGINX.format(
            dir=site.directory,
            kind=kind,
            address=f"unix:{site.app.path}" if site.app.path else netloc(site.app),
            listen=netloc(site.listen),
            scheme="http://" if kind == "proxy" else "",
            keepalive="keepalive 8;" if keepalive else "",
            more=parameters + more,
        )
        return [site.program, "-e", f"{site.directory}/front.log", "-c", site.write(text)]

    return configure


def _apache(kind: str, options: str = ""):
    def configure(site: Site) -> list[str]:
        scheme = {"fcgi": "fcgi", "scgi": "scgi", "ajp": "ajp", "http": "http"}.get(kind, "")
        at = f"unix:{site.app.path}|{scheme}://localhost/"
        bodies = {"fcgid": APACHE_FCGID, "cgid": APACHE_CGID}
        names = {
            "dir": site.directory,
            "modules": MODULES,
            "kind": kind,
            "script": site.script,
            "url": at if site.app.path else f"{scheme}://{netloc(site.app)}/",
            "options": options,
        }
        body = bodies.get(kind, APACHE_PROXY).format_map(names)
        text = APACHE.format(listen=netloc(site.listen), body=body, **names)
        as_somebody = AS_SOMEBODY if os.getuid() == 0 else ()
        return [*as_somebody, site.program, "-DFOREGROUND", "-f", site.write(text)]

    return configure


def _lighttpd(kind: str, *, starts_it: bool = False):
    def configure(site: Site) -> list[str]:
        address = f'"host" => "{site.app.host}", "port" => {site.app.port}'
        options = [f'"socket" => "{site.app.path}"' if site.app.path else address]
        if starts_it:
            options += [f'"bin-path" => "{site.script}"', '"max-procs" => 1']
        if kind in ("fastcgi", "scgi"):
            options += ['"check-local" => "disable"', '"fix-root-scriptname" => "enable"']
        prefix = "/" if kind in ("fastcgi", "scgi") else ""
        body = f'{kind}.server = ("{prefix}" => (( {", ".join(options)} )))'
        if kind == "cgi":
            body = 'cgi.assign = (".cgi" => "")'
        host = f"[{site.listen.host}]" if ":" in site.listen.host else site.listen.host
        text = LIGHTTPD.format(
            dir=site.directory, kind=kind, host=host, port=site.listen.port, body=body
        )
        return [site.program, "-D", "-f", site.write(text)]

    return configure


def _haproxy(site: Site) -> list[str]:
    address = f"unix@{site.app.path}" if site.app.path else netloc(site.app)
    text = HAPROXY.format(dir=site.directory, listen=netloc(site.listen), address=address)
    return [site.program, "-db", "-f", site.write(text)]


_HTTP_1_1 = 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;'
_KEEP = "fastcgi_keep_conn on;"
_FCGID = f"{MODULES}/mod_fcgid.so"
_SPAWN = "spawn-fcgi"

FRONTS = (
    Front("direct", "", "http", reuses=True),
    Front("nginx proxy_pass", "nginx", "http", _nginx("proxy", more=_HTTP_1_1, keepalive=True), reuses=True),  # noqa: E501  # a table
    Front("Apache mod_proxy_http", "apache2", "http", _apache("http"), reuses=True),
    Front("lighttpd mod_proxy", "lighttpd", "http", _lighttpd("proxy")),
    Front("haproxy", "haproxy", "http", _haproxy, reuses=True),
    Front("nginx fastcgi_pass", "nginx", "fcgi", _nginx("fastcgi")),
    Front("nginx fastcgi_pass, keepalive", "nginx", "fcgi", _nginx("fastcgi", more=_KEEP, keepalive=True), reuses=True),  # noqa: E501  # a table
    Front("nginx fastcgi_pass, spawn-fcgi", "nginx", "fcgi", _nginx("fastcgi"), starts=_SPAWN, needs=(_SPAWN,)),  # noqa: E501  # a table
    Front("Apache mod_proxy_fcgi", "apache2", "fcgi", _apache("fcgi")),
    Front("Apache mod_proxy_fcgi, enablereuse", "apache2", "fcgi", _apache("fcgi", "enablereuse=on"), reuses=True),  # noqa: E501  # a table
    Front("Apache mod_fcgid", "apache2", "fcgi", _apache("fcgid"), starts="front", needs=(_FCGID,)),
    Front("lighttpd mod_fastcgi", "lighttpd", "fcgi", _lighttpd("fastcgi")),
    Front("lighttpd mod_fastcgi, bin-path", "lighttpd", "fcgi", _lighttpd("fastcgi", starts_it=True), starts="front"),  # noqa: E501  # a table
    Front("nginx scgi_pass", "nginx", "scgi", _nginx("scgi")),
    Front("Apache mod_proxy_scgi", "apache2", "scgi", _apache("scgi")),
    Front("lighttpd mod_scgi", "lighttpd", "scgi", _lighttpd("scgi")),
    Front("Apache mod_proxy_ajp", "apache2", "ajp", _apache("ajp", "ping=1"), reuses=True),
    Front("lighttpd mod_ajp13", "lighttpd", "ajp", _lighttpd("ajp13")),
    Front("Apache mod_cgid", "apache2", "cgi", _apache("cgid"), starts="front"),
    Front("lighttpd mod_cgi", "lighttpd", "cgi", _lighttpd("cgi"), starts="front", base="/app.cgi"),
)  # fmt: skip


def require(name: str) -> str:
    """Return the path of a program; skip the test, or fail where it must be there."""
    if name.startswith("/"):
        path = name if os.path.exists(name) else None
    else:
        path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if path is None:
        required = os.environ.get("PASTEBOX_REQUIRE", "").replace(",", " ").split()
        if os.path.basename(name) in required:
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"needs {os.path.basename(name)}: it is not installed")
    return path


class Program:
    """A process that listens at ``place`` and speaks HTTP; its log is ``front.log``."""

    def __init__(self, directory: Path, command: list[str], place: Place) -> None:
        self.place = place
        self.directory = directory
        with (directory / "front.err").open("w") as errors:
            self.process = subprocess.Popen(
                command,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        try:
            wait_until(self._listens, f"{command[0]} to listen")
        except AssertionError:
            self.stop()
            raise

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.log()
        try:
            self.place.connect().close()
        except OSError:
            return False
        return True

    def log(self) -> str:
        paths = (self.directory / "front.log", self.directory / "front.err")
        return "".join(path.read_text() for path in paths if path.exists())

    def stop(self) -> None:
        """End it, and what it has started."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


class FrontEnd(Program):
    """A row's front end before an application at ``app``."""

    def __init__(
        self, front: Front, directory: Path, app: Place, *, host: str = "127.0.0.1", script: Path
    ) -> None:
        for need in front.needs:
            require(need)
        place = Place(host, free_port(host))
        site = Site(directory, require(front.program), app, place, script)
        super().__init__(directory, front.configure(site), place)
