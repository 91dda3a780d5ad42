"""The grid's cells as tests, and its results as a file.

``PASTEBOX_TEST_GRID=FILE`` runs every cell and adds the results to that file; without it a sample
is run, in which every runner, every front end and every kind appears.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from contract_cases import TO_BUILD
from front_ends import require
from grid_kinds import FAILED, KINDS
from grid_rows import ROWS, Row, mark_of, sample
from grid_stand import Stand

RESULTS = os.environ.get("PASTEBOX_TEST_GRID", "")
SERVERS = ("waitress", "gunicorn", "gevent", "granian", "twisted", "cheroot", "bjoern", "pyuwsgi")
PROGRAMS = {"nginx": "nginx", "Apache": "apache2", "lighttpd": "lighttpd", "haproxy": "haproxy"}
_found = pytest.StashKey[dict[str, dict[str, str]]]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" not in metafunc.fixturenames:
        return
    cells = [(row, kind) for row in ROWS for kind in KINDS] if RESULTS else sample(list(KINDS))
    metafunc.parametrize(
        ("row", "kind"),
        [
            pytest.param(row, kind, id=f"{row.id}-{kind}", marks=_marks(row, kind))
            for row, kind in cells
        ],
    )


def _marks(row: Row, kind: str) -> list[pytest.MarkDecorator]:
    mark = mark_of(row, kind)
    if mark is None:
        return []
    if not mark.runs:
        return [pytest.mark.skip(reason=mark.reason)]
    return [pytest.mark.xfail(reason=mark.reason, strict=True, raises=FAILED)]


class _Current:
    """The stand of the row whose cells are running; they come one after another."""

    def __init__(self) -> None:
        self.row: Row | None = None
        self.stand: Stand | None = None

    def of(self, row: Row) -> Stand:
        if self.row is not row or self.stand is None:
            self.close()
            self.row = row
            self.stand = Stand(row).__enter__()
        return self.stand

    def close(self) -> None:
        if self.stand is not None:
            self.stand.stop()
        self.stand = None


@pytest.fixture(scope="session")
def current() -> Iterator[_Current]:
    one = _Current()
    yield one
    one.close()


@pytest.fixture
def stand(row: Row, current: _Current) -> Stand:
    if row.case.missing:
        required = os.environ.get("PASTEBOX_REQUIRE", "").replace(",", " ").split()
        if "runners" in required and row.case.module not in TO_BUILD:
            pytest.fail(row.case.missing)
        pytest.skip(row.case.missing)
    return current.of(row)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_found] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    report = yield
    if "kind" in getattr(item, "fixturenames", ()):
        row, kind = item.callspec.params["row"], item.callspec.params["kind"]
        stand = item.funcargs.get("stand")
        if report.failed and stand is not None:
            report.sections.append(("application and front end", stand.log()))
        if report.when == "call" or not report.passed:
            said = getattr(report, "wasxfail", "") or (
                report.longrepr[2] if report.skipped else str(report.longrepr)[-2000:]
            )
            result = {"outcome": report.outcome, "said": "" if report.passed else said}
            item.config.stash[_found].setdefault(row.id, {})[kind] = result
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    found = session.config.stash[_found]
    if not (RESULTS and found):
        return
    path = Path(RESULTS)
    path.parent.mkdir(parents=True, exist_ok=True)
    all_rows = json.loads(path.read_text())["rows"] if path.exists() else {}
    for row, kinds in found.items():
        all_rows.setdefault(row, {}).update(kinds)
    results = {
        "python": platform.python_version(),
        "versions": _versions(),
        "rows": all_rows,
    }
    path.write_text(json.dumps(results, indent=1) + "\n")


def _versions() -> dict[str, str]:
    """Return the versions of the front ends and of the servers that are not ours."""
    installed = {one.metadata["Name"].lower(): one.version for one in metadata.distributions()}
    found = {name: installed[name] for name in SERVERS if name in installed}
    for name, program in PROGRAMS.items():
        words = (require(program), "-v")
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
        version = re.search(r"\d+\.\d+(\.\d+)*", done.stdout + done.stderr)
        if version:
            found[name] = version[0]
    return found
