"""The nginx of the chart's own configuration, before pastebox on the socket of its own settings."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_process import free_port, wait_until
from chart_render import render, with_ini

pytestmark = [pytest.mark.chart, pytest.mark.protocol]
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
INI = """\
[app:main]
use = egg:pastebox-wiki
sqlalchemy.url = sqlite:///%(here)s/wiki.db
session.secret = a long text that is nobody's secret
[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = 8080
threads = 4
"""


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory of a short name: the path of a socket has 107 characters at most."""
    with tempfile.TemporaryDirectory(prefix="pod") as name:
        yield Path(name)


@pytest.fixture(params=["fastcgi", "scgi"])
def pod(request: pytest.FixtureRequest, root: Path) -> Iterator[int]:
    """Both containers of a pod as processes, with the pod's directories below one of ours."""
    port = free_port()
    values = {
        "frontend": {
            "enabled": True,
            "protocol": request.param,
            "static": [{"url": "/static-files/", "path": "/opt/static"}],
        },
        "server": {"port": port},
        "health": {"port": free_port()},
    }
    objects = render(with_ini(values))
    conf = objects.one("ConfigMap", "-frontend")["data"]["nginx.conf"]
    env = {name: moved(text, root) for name, text in objects.env.items()}
    for name in ("run/pastebox-frontend", "tmp", "srv/static/0", "data", "etc"):
        (root / name).mkdir(parents=True)
    (root / "srv/static/0/a.txt").write_text("from nginx")
    (root / "etc/app.ini").write_text(INI)
    (root / "nginx.conf").write_text(moved(conf, root))
    log = (root / "log").open("w")
    app = subprocess.Popen(
        [sys.executable, "-m", "pastebox", "serve", str(root / "etc/app.ini")],
        env={**env, "PATH": os.environ["PATH"], "PASTEBOX_LOCK": "file"},
        cwd=root,
        stderr=log,
        stdout=log,
    )
    # As in the pod, where both are the same user: a root's nginx would take another one.
    same_user = ["-g", "user root;"] if os.getuid() == 0 else []
    front = subprocess.Popen(
        [str(NGINX), "-e", "/dev/stderr", "-c", str(root / "nginx.conf"), *same_user], stderr=log
    )
    try:
        wait_until(lambda: answer(port, "/")[0] == 200, "nginx to answer from the application")
        yield port
    except AssertionError as error:
        raise AssertionError(f"{error}\n{(root / 'log').read_text()[-4000:]}") from error
    finally:
        for process in (front, app):
            process.terminate()
            process.wait(20)
        log.close()


def moved(text: str, root: Path) -> str:
    """Put the directories of a container below another one."""
    return re.sub(r"/(?=run/pastebox-frontend|tmp/|srv/static)", f"{root}/", text)


def answer(port: int, path: str) -> tuple[int, str]:
    """Ask nginx for a page; 0 where it does not listen."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


@pytest.mark.skipif(NGINX is None, reason="needs nginx: nginx is not installed")
def test_pages_come_from_the_application_and_files_from_nginx(pod: int):
    status, page = answer(pod, "/")
    assert status == 200
    assert "<html" in page
    assert answer(pod, "/static-files/a.txt") == (200, "from nginx")
    assert answer(pod, "/no/such%20page?a=b")[0] == 404


@pytest.mark.skipif(NGINX is None, reason="needs nginx: nginx is not installed")
def test_a_redirect_leads_back_to_the_host_and_port_that_were_asked(pod: int):
    for host in ("wiki.example:8443", "wiki.example", "[::1]:8080"):
        connection = http.client.HTTPConnection("127.0.0.1", pod, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", "/page/How%20to%20write", headers={"Host": host})
            response = connection.getresponse()
            response.read()
            assert response.getheader("Location") == f"http://{host}/page/How_to_write"
