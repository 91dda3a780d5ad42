"""Each kind of mount under each policy: what is changed outside is seen, and what comes of it.

One container for each policy, all with the same mounts. The configuration is a chain of files, one
in each kind of mount, and each of them has an option of its own.
"""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest
from app_process import wait_until

POLICIES = ("ignore", "warn", "reload", "exit")
CHAIN = ("renamed", "bound", "written", "swapped", "copied")
PATHS = {
    "renamed": "/etc/pastebox/app.ini",  # a directory; the file is replaced by another
    "bound": "/mnt/bound.ini",  # a file by itself, written to
    "written": "/mnt/written/part.ini",  # a directory; the file is written to
    "swapped": "/mnt/swapped/part.ini",  # as a ConfigMap: ..data leads elsewhere
    "copied": "/tmp/copied.ini",  # a tmpfs, filled at the start and later
}
SLOW_S = 30
SEEN_S = 2.0 if os.environ.get("PASTEBOX_TEST_FULL") else SLOW_S
"""How soon a change has to be seen; on a machine that is busy with other tests nothing is soon."""

END = "paste.app_factory = toy:make_app\n[server:main]\nuse = egg:waitress#main\n"
START = f"cp /mnt/written/copied {PATHS['copied']} && exec pastebox serve"


class Mounts:
    """The files on the host."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("etc", "written", "swapped/..v0"):
            (directory / name).mkdir(parents=True)
        (directory / "swapped/..data").symlink_to("..v0")
        (directory / "swapped/part.ini").symlink_to("..data/part.ini")
        self.values = dict.fromkeys(CHAIN, 0)
        for kind in CHAIN:
            self.file(kind).write_text(self.text(kind))

    def file(self, kind: str) -> Path:
        """Return where the host has it."""
        places = {"renamed": "etc/app.ini", "bound": "bound.ini", "written": "written/part.ini"}
        places |= {"swapped": "swapped/..data/part.ini", "copied": "written/copied"}
        return self.directory / places[kind]

    def text(self, kind: str) -> str:
        """Return the content: where the chain goes on, and an option."""
        following = CHAIN[CHAIN.index(kind) + 1 :]
        leads = f"use = config:{PATHS[following[0]]}\n" if following else ""
        more = "" if following else END
        return f"[app:main]\n{kind} = {self.values[kind]}\n{leads}{more}"

    def change(self, kind: str) -> None:
        """Give the option another value, in the way of its kind."""
        self.values[kind] += 1
        file, text = self.file(kind), self.text(kind)
        if kind == "renamed":
            new = file.with_name("app.ini~")
            new.write_text(text)
            new.rename(file)
        elif kind == "swapped":
            directory = self.directory / "swapped"
            version = f"..v{self.values[kind]}"
            (directory / version).mkdir()
            (directory / version / "part.ini").write_text(text)
            (directory / "..data_tmp").symlink_to(version)
            (directory / "..data_tmp").rename(directory / "..data")
        else:
            file.write_text(text)

    def options(self) -> list[str]:
        """Return the options of a container."""
        found = ["--tmpfs", "/tmp"]
        for source, target in (
            ("etc", "/etc/pastebox"),
            ("bound.ini", PATHS["bound"]),
            ("written", "/mnt/written"),
            ("swapped", "/mnt/swapped"),
        ):
            found += ["--volume", f"{self.directory / source}:{target}:ro"]
        return found


class Served:
    """The container of a policy."""

    def __init__(self, policy: str, container) -> None:
        self.policy = policy
        self.container = container

    def copy(self) -> None:
        """Take the file that is copied anew."""
        self.container.exec("cp", "/mnt/written/copied", PATHS["copied"])

    def value(self, kind: str) -> int:
        """Return what the application was given."""
        return int(dict(ast.literal_eval(self.container.get("/options").body))[kind])

    def drifts(self) -> bool:
        """Whether the metric says that the files differ."""
        return "pastebox_config_drift 1\n" in self.container.get("/metrics", port=9090).body

    def verbose(self) -> str:
        """Return what the page says."""
        return self.container.get("/readyz?verbose", port=9090).body


@pytest.fixture
def mounts(readable: Path) -> Mounts:
    old = os.umask(0o022)
    try:
        return Mounts(readable)
    finally:
        os.umask(old)


def serve(run, mounts: Mounts, app_dir: Path, policy: str) -> Served:
    words = ["--env", "PYTHONPATH=/app", "--volume", f"{app_dir}:/app:ro"]
    words += ["--env", f"PASTEBOX_ON_CONFIG_CHANGE={policy}", *mounts.options()]
    return Served(policy, run("sh", "-c", START, options=words))


def until(condition, one: Served, what: str, seconds: float = SLOW_S) -> None:
    try:
        wait_until(condition, what, seconds)
    except (AssertionError, OSError) as error:
        pytest.fail(f"{one.policy}: {error}\n{one.container.logs()}")


@pytest.mark.timeout(300)
def test_each_kind_of_mount_under_each_policy(run, docker, mounts, app_dir):
    found = {policy: serve(run, mounts, app_dir, policy) for policy in POLICIES}
    ignore, warn, reload, leave = found.values()
    for one in found.values():
        one.container.wait_for_log("listening on")

    def change(kind: str, count: int) -> None:
        mounts.change(kind)
        if kind == "copied":
            for one in found.values():
                one.copy()
        place = f"[app:main] {kind}"
        until(lambda: place in warn.verbose(), warn, f"{place} to be named", SEEN_S)
        assert warn.drifts()
        assert warn.value(kind) == 0
        until(lambda: reload.value(kind) == 1, reload, f"the new {kind}", SEEN_S)
        until(lambda: not reload.drifts(), reload, "the end of the drift")
        told = [line for line in reload.container.logs().splitlines() if "has changed: " in line]
        assert place in told[-1]
        metrics = reload.container.get("/metrics", port=9090).body
        assert f"pastebox_config_drifts_total {count}\n" in metrics
        assert leave.container.wait() == 0, leave.container.logs()
        leave.container.start_again()
        started = lambda: leave.container.logs().count("listening on") == count + 1  # noqa: E731
        until(started, leave, "the next start")
        assert leave.container.logs().count("draining reason=configuration") == count

    for count, kind in enumerate(CHAIN, 1):
        change(kind, count)
    # It has had the same time as the others.
    assert not ignore.drifts()
    assert "configuration" not in ignore.verbose()
    assert {ignore.value(kind) for kind in CHAIN} == {0}
    for one in (ignore, warn):
        docker("kill", "--signal", "HUP", one.container.name)
        until(lambda one=one: {one.value(kind) for kind in CHAIN} == {1}, one, "all of it by HUP")
        until(lambda one=one: not one.drifts(), one, "the end of the drift")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("policy", ["reload", "exit"])
def test_what_the_containers_user_may_not_read_harms_nothing(run, mounts, app_dir, policy):
    one = serve(run, mounts, app_dir, policy)
    one.container.wait_for_log("listening on")
    mounts.change("bound")
    mounts.file("bound").chmod(0)
    one.container.wait_for_log("cannot be served: /mnt/bound.ini: may not be read")
    assert "cannot be served" in one.verbose()
    assert one.value("bound") == 0
    mounts.file("bound").chmod(0o644)
    if policy == "exit":
        assert one.container.wait() == 0, one.container.logs()
    else:
        until(lambda: one.value("bound") == 1, one, "what may be read again")
