"""The runners under contract, and servers of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import contract_app
import pytest
from app_process import AppProcess, free_port
from contract_cases import CASES, Case, need
from contract_wire import Place

INI = """\
[app:main]
paste.app_factory = contract_app:main
{app}
{server}
"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.failed:
        for name in ("served", "serve", "start"):
            for process in getattr(item.funcargs.get(name), "processes", []):
                report.sections.append((f"log of pastebox {process.pid}", process.log()))
    return report


@pytest.fixture(scope="module", params=CASES, ids=[case.name for case in CASES])
def case(request) -> Case:
    case: Case = request.param
    need(case)
    return case


@pytest.fixture(autouse=True)
def _honest_exceptions(request) -> None:
    if "case" in request.fixturenames:
        case = request.getfixturevalue("case")
        name = request.node.originalname
        if name in case.exceptions:
            pytest.skip(f"{case.name}: {case.exceptions[name]}")


class Starter:
    """Starts servers of one runner, and ends them with the test."""

    def __init__(self, case: Case, directory: Path) -> None:
        self.case = case
        self.directory = directory
        self.processes: list[AppProcess] = []

    def __call__(
        self,
        *more: str,
        address: str | None = None,
        host: str = "127.0.0.1",
        port: int | None = None,
        app: str = "",
        health: bool = False,
        **settings: str,
    ) -> AppProcess:
        if port is None:
            port = free_port(host)
        if address is None:
            address = self.case.tcp.format(host=host, port=port)
        server = self.case.section(address, self.case.more, *more)
        source = Path(contract_app.__file__).read_text()
        (self.directory / "contract_app.py").write_text(source)
        process = AppProcess(
            self.directory,
            code=None,
            ini=INI.format(app=app, server=server),
            health=health,
            **settings,
        )
        process.port = port
        self.processes.append(process)
        return process


@pytest.fixture
def start(case, tmp_path) -> Iterator[Starter]:
    """Start a server without waiting for anything."""
    starter = Starter(case, tmp_path)
    yield starter
    for process in starter.processes:
        process.kill()


@pytest.fixture
def serve(start):
    """Start a server and wait until it listens."""

    def begin(*more: str, **options):
        process = start(*more, **options)
        process.wait_log(r"listening on (\S+)")
        return process

    begin.processes = start.processes
    return begin


class Served:
    """The server that the tests of one runner share as long as they only ask."""

    def __init__(self, case: Case, process: AppProcess) -> None:
        self.processes = [process]
        self.process = process
        self.client = case.client(Place(port=process.port))


@pytest.fixture(scope="module")
def served(case, tmp_path_factory) -> Iterator[Served]:
    starter = Starter(case, tmp_path_factory.mktemp(case.name))
    process = starter(health=True, PASTEBOX_READY_PATH="/")
    try:
        process.wait_log(r"listening on (\S+)")
        yield Served(case, process)
    finally:
        process.kill()


@pytest.fixture
def ask(served):
    return served.client.ask
