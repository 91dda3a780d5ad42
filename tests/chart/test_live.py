"""What the chart renders, run as in a pod: its environment, and files as the kubelet lays them."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from app_process import free_port, wait_until
from chart_render import Objects, decoded, render, with_ini

pytestmark = pytest.mark.chart
INI = """\
[app:main]
use = egg:pastebox-wiki
sqlalchemy.url = sqlite:///%(ENV_PASTEBOX_DATA_DIR)s/wiki.db
session.secret = a long text that is nobody's secret
[server:main]
use = egg:waitress#main
port = {port}
"""
ONE = {"replicas": 1, "persistence": {"mode": "perReplica"}}


class Pod:
    """The application's container as a process, with its directories below one of ours."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._process: subprocess.Popen[bytes] | None = None
        self._version = 0
        for name in ("data", "run", "tmp"):
            (root / name).mkdir()

    def project(self, objects: Objects) -> None:
        """Lay the configuration as the kubelet does: a new directory, and one link that turns."""
        (volume,) = (v for v in objects.pod["volumes"] if v["name"] == "config")
        (source,) = volume["projected"]["sources"]
        texts = decoded(objects.one("Secret", "-config"))
        etc = self.root / "etc/pastebox"
        self._version += 1
        new = etc / f"..{self._version}"
        for item in source["secret"]["items"]:
            path = new / item["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts[item["key"]])
            first = item["path"].partition("/")[0]
            if not (etc / first).is_symlink():
                (etc / first).symlink_to(f"..data/{first}")
        beside = etc / "..data_tmp"
        beside.symlink_to(new.name)
        beside.replace(etc / "..data")

    def start(self, objects: Objects) -> None:
        """Run what the container runs."""
        self.project(objects)
        # the variables of the image, and the rest of the pod's file system
        env = {
            "PATH": os.environ["PATH"],
            "PASTEBOX_DATA_DIR": str(self.root / "data"),
            "PASTEBOX_RUN_DIR": str(self.root / "run"),
            "PASTEBOX_OVERLAY_DIR": str(self.root / "etc/pastebox/conf.d"),
            "TMPDIR": str(self.root / "tmp"),
        }
        env |= {n: t.replace("/etc/", f"{self.root}/etc/") for n, t in objects.env.items()}
        if "PASTEBOX_INSTANCES_DIR" not in env:
            env["PASTEBOX_INI"] = str(self.root / "etc/pastebox/app.ini")
        with (self.root / "log").open("wb") as log:
            command = [sys.executable, "-m", "pastebox", *objects.app["args"]]
            self._process = subprocess.Popen(
                command, env=env, cwd=self.root, stdout=log, stderr=log
            )

    def title(self, port: int) -> str:
        """The title of the wiki on a port; empty where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("GET", "/")
            page = connection.getresponse().read().decode()
            return page.partition("<title>")[2].partition("</title>")[0]
        except OSError:
            return ""
        finally:
            connection.close()

    def shows(self, port: int, title: str) -> None:
        """Wait until a page has the title."""
        try:
            wait_until(lambda: title in self.title(port), f"{title} on {port}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{(self.root / 'log').read_text()[-4000:]}") from error

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)


@pytest.fixture
def pod() -> Iterator[Pod]:
    with tempfile.TemporaryDirectory(prefix="pod") as name:  # a socket's path is short
        pod = Pod(Path(name))
        try:
            yield pod
        finally:
            pod.stop()


def asked(objects: Objects) -> dict[str, int]:
    """Run the containers of ``helm test``, with the Services on this machine: name to status."""
    found = {}
    for one in objects.one("Pod", "-test")["spec"]["containers"]:
        words = [word.replace("wiki-pastebox-health", "127.0.0.1") for word in one["args"]]
        words = [word.replace("wiki-pastebox", "127.0.0.1") for word in words]
        command = [sys.executable, "-m", "pastebox", *words]
        answer = subprocess.run(command, capture_output=True, timeout=60, check=False)
        found[one["name"]] = answer.returncode
    return found


def test_instances_are_served_and_a_changed_one_is_loaded_in_place(pod: Pod):
    ports = {name: free_port() for name in ("blog", "shop")}
    values = {
        **ONE,
        "instances": {name: {"ini": INI.format(port=port)} for name, port in ports.items()},
        "config": {
            "onChange": "reload",
            "overlays": {"a.ini": "[app:main]\nwiki.title = Of both\n"},
        },
        "health": {"port": free_port()},
        "drain": {"delay": 0},
    }
    objects = render(values)
    pod.start(objects)
    for port in ports.values():
        pod.shows(port, "Of both")
    wait_until(lambda: asked(objects)["health"] == 0, "the health port to say that both are ready")
    assert asked(objects) == {"health": 0, "page-blog": 0, "page-shop": 0}
    values["config"]["overlays"] = {"a.ini": "[app:main]\nwiki.title = Changed\n"}
    changed = render(values)
    assert changed.workload == objects.workload, "a reload in place replaces no pod"
    pod.project(changed)
    for port in ports.values():
        pod.shows(port, "Changed")


def test_a_changed_ini_is_loaded_in_place(pod: Pod):
    port = free_port()
    values = {
        **ONE,
        "config": {"onChange": "reload", "ini": INI.format(port=1)},
        "server": {"port": port},
        "health": {"port": free_port()},
        "drain": {"delay": 0},
    }
    objects = render(values)
    pod.start(objects)
    pod.shows(port, "Wiki")
    values["config"]["ini"] = INI.format(port=1).replace("[server", "wiki.title = New\n[server")
    changed = render(values)
    assert changed.workload == objects.workload, "a reload in place replaces no pod"
    pod.project(changed)
    pod.shows(port, "New")


class Answers(BaseHTTPRequestHandler):
    """Says no to one path, with a status of the server's."""

    def do_GET(self) -> None:
        server: Any = self.server
        self.send_response(server.status if self.path == server.path else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        pytest.param("/none", 500, {"health": 0, "page": 0}, id="well"),
        pytest.param("/readyz", 503, {"health": 1, "page": 0}, id="not-ready"),
        pytest.param("/wiki", 500, {"health": 0, "page": 1}, id="error"),
        pytest.param("/wiki", 404, {"health": 0, "page": 1}, id="no-such-page"),
    ],
)
def test_helm_test_fails_where_one_of_its_questions_does(
    server: HTTPServer, path: str, status: int, expected: dict[str, int]
):
    server.path, server.status = path, status
    port = server.server_port
    objects = render(
        with_ini({"tests": {"path": "/wiki"}, "service": {"port": port}, "health": {"port": port}})
    )
    assert asked(objects) == expected


def test_helm_test_fails_where_nobody_answers():
    ports = {"service": {"port": free_port()}, "health": {"port": free_port()}}
    assert asked(render(with_ini(ports))) == {"health": 1, "page": 1}
