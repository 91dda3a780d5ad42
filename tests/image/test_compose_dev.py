"""compose.dev.yaml as people work with it: the source mounted, or copied by ``compose watch``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from app_process import wait_until
from dap_client import DapClient
from wiki_reader import Reader

ROOT = Path(__file__).parents[2]
SLOW_S = 60
WORKER = 4321


class Tree:
    """A copy of what compose.dev.yaml names, where a test may edit it."""

    def __init__(self, directory: Path, environ: dict[str, str]) -> None:
        self.directory = directory
        self.source = directory / "examples/wiki"
        self.environ = environ
        self.name = f"pastebox-test-{uuid.uuid4().hex[:8]}"

    def words(self, *words: str) -> list[str]:
        """Return a Compose command for this copy."""
        return ["docker", "compose", "-f", "compose.dev.yaml", "-p", self.name, *words]

    def do(self, *words: str, timeout: float = 300) -> str:
        """Run one Compose command; fail with what it said."""
        answer = subprocess.run(
            self.words(*words),
            cwd=self.directory,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout.strip()

    def page(self, service: str, path: str = "/") -> str:
        """Return what the wiki answers now; nothing, where it does not."""
        try:
            port = self.do("--profile", service, "port", service, "8080")
            return Reader(f"http://{port}").read(path)[1]
        except (AssertionError, OSError):
            return ""

    def edit(self, name: str, old: str, new: str) -> None:
        """Save a file of the wiki as an editor does: beside it, then over it."""
        path = self.source / name
        text = path.read_text()
        assert old in text
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(text.replace(old, new))
        shutil.copystat(path, beside)
        shutil.chown(beside, path.stat().st_uid, path.stat().st_gid)
        beside.rename(path)


@pytest.fixture
def tree(
    dev_image: str, secrets_dir: Path, build_secrets: list[str], tmp_path: Path
) -> Iterator[Tree]:
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    shutil.copytree(ROOT / "examples/wiki", tmp_path / "tree/examples/wiki", ignore=ignored)
    shutil.copy(ROOT / "compose.dev.yaml", tmp_path / "tree")
    for directory in (tmp_path, tmp_path / "tree", tmp_path / "tree/examples"):
        directory.chmod(0o755)
    files = dict(re.findall(r"id=(\w+),src=(\S+)", " ".join(build_secrets)))
    given = {
        "PASTEBOX_DEV_IMAGE": dev_image,
        "WIKI_DEV_IMAGE": "pastebox-wiki-dev:test",
        "CA_BUNDLE": files["ca_bundle"],
        "PIP_CONF": files["pip_conf"],
        "SECRETS_DIR": str(secrets_dir),
        "DEV_UID": str(WORKER),
        "DEV_GID": str(WORKER),
    }
    ports = dict.fromkeys(("PORT", "HEALTH_PORT", "LIVERELOAD_PORT", "DEBUGPY_PORT"), "0")
    tree = Tree(tmp_path / "tree", {**os.environ, **given, **ports})
    try:
        yield tree
    finally:
        profiles = ["--profile", "mounted", "--profile", "synced"]
        tree.do(*profiles, "down", "--volumes", "--timeout", "5")


def follow_edits(tree: Tree, service: str, told: Callable[[], str]) -> None:
    """Edit a template and a module on the host, and see what the container answers."""

    def answers(text: str, path: str = "/") -> None:
        try:
            wait_until(lambda: text in tree.page(service, path), text, SLOW_S)
        except AssertionError as error:
            pytest.fail(f"{error}\n{told()}")

    answers('<a class="home"')
    tree.edit("pastebox_wiki/templates/layout.jinja2", "<body>", "<body><!-- a new template -->")
    answers("<!-- a new template -->")
    tree.edit("pastebox_wiki/views/status.py", 'return "ok"', 'return "a new module"')
    answers("a new module", "/ready")
    tree.edit("wiki.ini", "wiki.title = Wiki", "wiki.title = A new title")
    answers("A new title")


@pytest.mark.timeout(600)
def test_an_edit_on_the_host_is_answered_by_the_container(tree, tmp_path):
    """``compose watch`` without a terminal."""
    log = tmp_path / "watch.log"
    with log.open("w") as output:
        watch = subprocess.Popen(
            tree.words("--profile", "synced", "watch"),
            cwd=tree.directory,
            env=tree.environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(
            lambda: "Watch enabled" in log.read_text() or watch.poll() is not None, "it", 400
        )
        assert watch.poll() is None, log.read_text()
        told = lambda: log.read_text() + tree.do("--profile", "synced", "logs")  # noqa: E731
        follow_edits(tree, "synced", told)
        assert len(re.findall("Syncing", log.read_text())) >= 3
        assert "Restarting" in log.read_text()
        if os.environ.get("PASTEBOX_TEST_FULL"):
            before = tree.do("--profile", "synced", "ps", "--quiet")
            tree.edit("pyproject.toml", '"1.0.0"', '"1.0.1"')
            new = lambda: tree.do("--profile", "synced", "ps", "--quiet") not in ("", before)  # noqa: E731
            wait_until(new, "a container of a new image", 300)
            answered = lambda: '<a class="home"' in tree.page("synced")  # noqa: E731
            wait_until(answered, "the new one", SLOW_S)
    finally:
        watch.terminate()
        watch.wait(30)


@pytest.mark.timeout(600)
@pytest.mark.skipif(os.geteuid() != 0, reason="gives the source to somebody else")
def test_what_a_container_writes_to_the_mounted_source_is_its_owners(tree):
    tree.environ["PASTEBOX_DEBUGPY"] = "5678"
    for path in [tree.source, *tree.source.rglob("*")]:
        os.chown(path, WORKER, WORKER)
    tree.do("--profile", "mounted", "up", "--detach", "--build", timeout=500)
    follow_edits(tree, "mounted", lambda: tree.do("--profile", "mounted", "logs"))
    touch = ["touch", "/src/made", "/data/made"]
    tree.do("--profile", "mounted", "exec", "--no-TTY", "mounted", *touch)
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in tree.source.rglob("*")}
    assert owners == {(WORKER, WORKER)}
    assert (tree.source / "made").exists()
    assert not list(tree.source.rglob("__pycache__"))
    port = tree.do("--profile", "mounted", "port", "mounted", "5678").rpartition(":")[2]
    with DapClient(int(port)) as debugger:
        assert debugger.ask("initialize", adapterID="debugpy", clientID="test")
