"""What every ring shares: which parts a test needs, and what is said when they are not there.

A test whose marker needs a part that is missing is skipped with the reason. When
``PASTEBOX_REQUIRE`` names the part (a list such as ``docker,helm``), it fails instead, so that
a machine that is meant to have everything never passes by skipping.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from hypothesis import settings

FOR_TESTS = ("PASTEBOX_REQUIRE", "PASTEBOX_TEST_")


class Need(NamedTuple):
    """A part of the machine: its name in ``PASTEBOX_REQUIRE``, and a check that it is there.

    The check returns what is missing, or nothing.
    """

    name: str
    missing: Callable[[], str]


@functools.cache
def _docker_missing() -> str:
    for command in (("docker", "version"), ("docker", "buildx", "version")):
        if shutil.which(command[0]) is None:
            return "docker is not installed"
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if answer.returncode:
            return f"{' '.join(command)}: {answer.stderr.strip() or answer.stdout.strip()}"
    return ""


def _helm_missing() -> str:
    # as tests/support/helm_program.py, which this file cannot import where it is tested alone
    path = os.pathsep.join((os.path.join(sys.prefix, "bin"), os.environ.get("PATH", "")))
    return "" if shutil.which("helm", path=path) else "helm is not installed: make helm"


@functools.cache
def _cluster_missing() -> str:
    # Whoever has a kubectl need not want tests on what it reaches: hence a word of its own.
    if not os.environ.get("PASTEBOX_TEST_CLUSTER_LOAD"):
        return "no cluster was given: make cluster"
    for missing in (_docker_missing(), _helm_missing()):
        if missing:
            return missing
    if shutil.which("kubectl") is None:
        return "kubectl is not installed"
    command = ("kubectl", "get", "nodes")
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return f"{' '.join(command)}: {answer.stderr.strip()}" if answer.returncode else ""


def _program(name: str) -> Need:
    return Need(name, lambda: "" if shutil.which(name) else f"{name} is not installed")


def _browser_missing() -> str:
    # as tests/support/browser.py, which this file cannot import where it is tested alone
    names = ("chromium", "chromium-browser", "google-chrome")
    return "" if any(map(shutil.which, names)) else "chromium is not installed"


NEEDS = {
    "browser": Need("chromium", _browser_missing),
    "image": Need("docker", _docker_missing),
    "protocol": _program("nginx"),
    "chart": Need("helm", _helm_missing),
    "cluster": Need("cluster", _cluster_missing),
}


BY_FIXTURES = frozenset(
    {
        "runners",
        "apache2",
        "lighttpd",
        "haproxy",
        "caddy",
        "treq",
        "tools",
        "bindfs",
        "devcontainer",
        "docker-registry",
        "attestations",
        "postgresql",
        "systemd",
    }
)
"""Parts that single fixtures ask for: servers of the extras, front ends other than nginx, the cases
of gunicorn's own suite from the package index, command-line tools of the protocols, the reference
CLI of dev containers, a registry, an engine that keeps attestations, a database server, systemd's
own tools."""


def _required() -> frozenset[str]:
    return frozenset(os.environ.get("PASTEBOX_REQUIRE", "").replace(",", " ").split())


def _needs_of(item: pytest.Item) -> Iterator[Need]:
    for marker, need in NEEDS.items():
        if item.get_closest_marker(marker) is not None:
            yield need


DOCKER = ("tests/image/", "tests/docs/")


def _unit_of(nodeid: str) -> str:
    """Return what stays in one process: tests with docker share images, the others a file."""
    path = nodeid.partition("::")[0]
    return "docker" if path.startswith(DOCKER) else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Keep the tests of a unit in one process of ``pytest -n``; xdist alone would part files."""
    from xdist.scheduler import LoadScopeScheduling  # there is xdist, if it asks

    class UnitScheduling(LoadScopeScheduling):  # type: ignore[misc]  # untyped here
        """One unit at a time to whoever is free."""

        def _split_scope(self, nodeid: str) -> str:
            return _unit_of(nodeid)

    return UnitScheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the longest unit where several processes share the tests."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _unit_of(item.nodeid) != "docker")


def pytest_configure() -> None:
    """Refuse an unknown name, and keep the developer's own settings out of the tests.

    Generated inputs are the same in every run and have no time limit of their own, so that a
    failure means a change; a full run tries others.
    """
    settings.register_profile("steady", derandomize=True, deadline=None, database=None)
    if not os.environ.get("PASTEBOX_TEST_FULL"):
        settings.load_profile("steady")
    names = {need.name for need in NEEDS.values()} | BY_FIXTURES
    unknown = _required() - names
    if unknown:
        known = ", ".join(sorted(names))
        raise pytest.UsageError(
            f"PASTEBOX_REQUIRE: found {', '.join(sorted(unknown))}, expected some of {known}"
        )
    for name in [name for name in os.environ if name.startswith(("PASTEBOX_", "PASTE__"))]:
        if not name.startswith(FOR_TESTS):
            del os.environ[name]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose part is missing; fail it where the part is required."""
    for need in _needs_of(item):
        reason = need.missing()
        if reason and need.name in _required():
            pytest.fail(f"PASTEBOX_REQUIRE names {need.name}, but {reason}", pytrace=False)
        if reason:
            pytest.skip(f"needs {need.name}: {reason}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which rings did not run, and why, as whole numbers instead of one line per test."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        if isinstance(report.longrepr, tuple) and "needs " in report.longrepr[2]:
            reasons[report.longrepr[2].removeprefix("Skipped: ")] += 1
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"not run: {count} tests, {reason}", yellow=True)
