"""The front ends, which keep their connections to the servers: one nginx and one Apache for all."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

NGINX = """\
daemon off; master_process off; worker_processes 1;
pid {directory}/nginx.pid; error_log {directory}/nginx.err crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fcgi; scgi_temp_path {directory}/scgi;
  uwsgi_temp_path {directory}/uwsgi;
{blocks}}}
"""

BLOCK = """\
  upstream app{port} {{ server {address}; keepalive 32; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ {lines} }}
  }}
"""

APACHE = """\
ServerName localhost
ServerRoot {directory}
PidFile {directory}/apache.pid
ErrorLog {directory}/apache.err
LogLevel crit
KeepAlive On
MaxKeepAliveRequests 0
Mutex file:{directory} default
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_ajp_module {modules}/mod_proxy_ajp.so
{blocks}"""

VIRTUAL_HOST = """\
Listen 127.0.0.1:{port}
<VirtualHost 127.0.0.1:{port}>
ProxyPass / ajp://{address}/
</VirtualHost>
"""

MODULES = "/usr/lib/apache2/modules"


class Way(NamedTuple):
    """One port of a front end, and where it leads.

    Attributes:
        port: where it listens.
        protocol: ``http``, ``fastcgi`` or ``ajp``.
        address: of the server behind, ``HOST:PORT``.
    """

    port: int
    protocol: str
    address: str


def program(name: str) -> str | None:
    """Return the path of a front end, where it is installed."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin")


def nginx(directory: Path, ways: Sequence[Way]) -> list[str]:
    """Write the configuration; return the command."""
    blocks = "".join(_block(way) for way in ways)
    return _command("nginx", directory, NGINX.format(directory=directory, blocks=blocks), "-c")


def apache(directory: Path, ways: Sequence[Way]) -> list[str]:
    """Write the configuration; return the command."""
    blocks = "".join(VIRTUAL_HOST.format(port=way.port, address=way.address) for way in ways)
    text = APACHE.format(directory=directory, modules=MODULES, blocks=blocks)
    return [*_command("apache2", directory, text, "-f"), "-DFOREGROUND"]


def _block(way: Way) -> str:
    if way.protocol == "http":
        lines = f"proxy_pass http://app{way.port}; proxy_http_version 1.1;"
        lines += ' proxy_set_header Connection "";'
    else:
        lines = f"include /etc/nginx/fastcgi_params; fastcgi_pass app{way.port};"
        lines += " fastcgi_param SCRIPT_NAME ''; fastcgi_param PATH_INFO $fastcgi_script_name;"
        lines += " fastcgi_keep_conn on;"
    return BLOCK.format(port=way.port, address=way.address, lines=lines)


def _command(name: str, directory: Path, text: str, flag: str) -> list[str]:
    path = directory / f"{name}.conf"
    path.write_text(text)
    return [program(name) or name, flag, str(path)]
