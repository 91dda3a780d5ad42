"""The dev containers, by the reference CLI: read, built, started, and worked in as any user."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
WORKER = 4321
"""Neither the user of this machine nor one of an image."""


def _cli() -> str:
    path = os.pathsep.join((os.path.join(sys.prefix, "bin"), os.environ.get("PATH", "")))
    found = shutil.which("devcontainer", path=path)
    if found is None:
        required = os.environ.get("PASTEBOX_REQUIRE", "").replace(",", " ").split()
        lacks = pytest.fail if "devcontainer" in required else pytest.skip
        lacks("needs devcontainer: the reference CLI is not installed: make devcontainer")
    return found


class Workspace:
    """A copy of a project that belongs to a user of its own, and the CLI as that user."""

    def __init__(self, cli: str, folder: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        self.label = f"pastebox-test={uuid.uuid4().hex[:8]}"
        self._environ = environ
        self._cli = cli

    def call(self, verb: str, *words: str, timeout: float = 500) -> str:
        """Run one verb of the CLI; return its output; fail with all that it said."""
        command = [*self._as_worker(), self._cli, verb, "--workspace-folder", str(self.folder)]
        if verb in ("up", "exec"):
            command += ["--id-label", self.label]
        answer = subprocess.run(
            [*command, *words],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    def up(self, *words: str) -> dict[str, str]:
        """Start it, with what this machine needs to reach a package index."""
        if os.path.exists(CERTIFICATES):
            words += ("--mount", f"type=bind,source={CERTIFICATES},target={CERTIFICATES}")
            words += ("--remote-env", f"PIP_CERT={CERTIFICATES}")
        return json.loads(self.call("up", *words).splitlines()[-1])

    def _as_worker(self) -> list[str]:
        """The CLI asks for the user's name: the list of users is another one in its namespace."""
        users = self.folder.parent / "passwd"
        line = f"worker:x:{WORKER}:{WORKER}::{self.folder.parent}:/bin/sh\n"
        users.write_text(Path("/etc/passwd").read_text() + line)
        group = os.stat("/var/run/docker.sock").st_gid
        mount = f'mount --bind {users} /etc/passwd && exec "$@"'
        ids = ["--reuid", str(WORKER), "--regid", str(WORKER), "--groups", str(group)]
        return ["unshare", "--mount", "sh", "-c", mount, "sh", "setpriv", *ids]


@pytest.fixture
def workspace(
    dev_image: str, build_secrets: list[str], docker: Callable[..., str]
) -> Iterator[Callable[..., Workspace]]:
    cli = _cli()
    if os.geteuid() or not os.path.exists("/var/run/docker.sock"):
        pytest.skip("becomes another user: needs root, and docker's socket")
    made = []
    # Not pytest's own: what is above it is closed to others, again by each run that begins.
    base = Path(tempfile.mkdtemp(prefix="pastebox-test-"))
    files = dict(re.findall(r"id=(\w+),src=(\S+)", " ".join(build_secrets)))

    def make(source: Path, names: list[str]) -> Workspace:
        folder = base / source.name
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, folder / name)
        for path in [base, *base.rglob("*")]:
            os.chown(path, WORKER, WORKER)
        environ = {name: text for name, text in os.environ.items() if name != "VENV"}
        environ |= {"HOME": str(base), "PASTEBOX_DEV_IMAGE": dev_image}
        environ |= {"CA_BUNDLE": files["ca_bundle"], "PIP_CONF": files["pip_conf"]}
        made.append(Workspace(cli, folder, environ))
        return made[-1]

    yield make
    for one in made:
        chosen = docker("ps", "--all", "--quiet", "--filter", f"label={one.label}").split()
        if chosen:
            kept = '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}'
            volumes = docker("inspect", "--format", kept, *chosen).split()
            name = docker("inspect", "--format", "{{.Config.Image}}", *chosen)
            docker("rm", "--force", "--volumes", *chosen)
            docker("image", "rm", "--force", name, name.removesuffix("-uid"))
            if volumes:
                docker("volume", "rm", "--force", *volumes)
    shutil.rmtree(base)


def tracked(source: Path) -> list[str]:
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(words, cwd=source, capture_output=True, text=True, check=False)
    if answer.returncode:
        pytest.skip("not a git checkout")
    return [name for name in answer.stdout.splitlines() if (source / name).is_file()]


def belongs_to_the_worker(one: Workspace) -> None:
    """Whoever works is a user of that number inside, and what they make is theirs outside."""
    assert one.call("exec", "sh", "-c", "id -u; id -g; touch made").split() == [str(WORKER)] * 2
    made = (one.folder / "made").stat()
    assert (made.st_uid, made.st_gid) == (WORKER, WORKER)
    foreign = [path for path in one.folder.rglob("*") if path.stat().st_uid != WORKER]
    assert foreign == []


@pytest.mark.timeout(900)
def test_the_wikis_dev_container_serves_what_is_edited(workspace):
    source = ROOT / "examples/wiki"
    one = workspace(source, tracked(source))
    told = json.loads(one.call("read-configuration").splitlines()[-1])
    assert told["workspace"]["workspaceFolder"] == "/src"
    assert one.up()["remoteUser"] == "dev"
    script = """
        set -e
        pastebox serve >/tmp/log 2>&1 & trap "kill $!; wait; cat /tmp/log >&2" EXIT
        get() { curl --silent --retry 300 --retry-delay 0 --retry-connrefused localhost:8080$1; }
        get /ready | grep -x ok
        sed -i 's/return "ok"/return "edited"/' pastebox_wiki/views/status.py
        timeout 60 sh -c 'until curl -s localhost:8080/ready | grep -x edited; do sleep .1; done'
        pytest -q -p no:cacheprovider tests/test_names.py
    """
    one.call("exec", "sh", "-c", script)
    belongs_to_the_worker(one)


@pytest.mark.timeout(900)
def test_the_projects_dev_container_has_what_make_needs(workspace):
    """What ``make`` installs comes with ``PASTEBOX_TEST_FULL``: half a minute of downloads."""
    one = workspace(ROOT, tracked(ROOT))
    told = json.loads(one.call("read-configuration").splitlines()[-1])
    assert told["configuration"]["forwardPorts"] == [8080, 9090, 9091, 5678]
    assert json.loads(one.call("build").splitlines()[-1])["outcome"] == "success"
    if os.environ.get("PASTEBOX_TEST_FULL"):
        one.up()
        one.call("exec", "make", "lint-style", "lint-types")
        # Some kernels let only root filter sockets, and a container may hide when it was booted.
        unit = ["tests/unit", "-k", "not newcomers and not pidfile"]
        one.call("exec", "pytest", "-q", "-p", "no:cacheprovider", *unit, timeout=800)
    else:
        one.up("--skip-post-create")
        one.call("exec", "sh", "-c", 'make "$VENV/.made" && git --version && nginx -v')
    belongs_to_the_worker(one)
