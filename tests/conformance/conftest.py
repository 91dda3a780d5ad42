"""Servers of every runner for the suites of others, and where the results are kept."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import conformance_app
import contract_app
import pytest
from app_process import AppProcess, free_port
from contract_cases import CASES, need

RUNNERS = {case.name: case for case in CASES}
_INI = "[app:main]\npaste.app_factory = conformance_app:{factory}\n{server}\n"


def _require(part: str, reason: str) -> None:
    if part in os.environ.get("PASTEBOX_REQUIRE", "").replace(",", " ").split():
        pytest.fail(reason)
    pytest.skip(f"needs {part}: {reason}")


@pytest.fixture(scope="session")
def require():
    """Skip for a reason, or fail where ``PASTEBOX_REQUIRE`` names the part."""
    return _require


@pytest.fixture(scope="session")
def results() -> Iterator[dict]:
    """Results by suite; kept in the file that ``PASTEBOX_TEST_RESULTS`` names."""
    found: dict = {}
    yield found
    path = os.environ.get("PASTEBOX_TEST_RESULTS")
    if path and found:
        kept = json.loads(Path(path).read_text()) if Path(path).exists() else {}
        for suite, rows in found.items():
            kept.setdefault(suite, {}).update(rows)
        Path(path).write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


@pytest.fixture
def serve(tmp_path):
    """Start a runner with one of the applications, and wait until it listens."""
    processes = []

    def begin(name: str, factory: str = "main") -> AppProcess:
        for module in (conformance_app, contract_app):
            source = Path(module.__file__)
            (tmp_path / source.name).write_text(source.read_text())
        port = free_port()
        case = RUNNERS[name]
        need(case)
        server = case.section(case.tcp.format(host="127.0.0.1", port=port), case.more)
        ini = _INI.format(factory=factory, server=server)
        process = AppProcess(tmp_path, code=None, ini=ini)
        processes.append(process)
        process.wait_log(r"listening on (\S+)")
        process.port = port
        return process

    yield begin
    for process in processes:
        process.kill()
        print(process.log()[-4000:])
