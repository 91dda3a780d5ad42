"""The ``serve`` fixture: real servers that end with the test, their logs attached to a failure."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_process import AppProcess
from fake_kubernetes import FakeKubernetes
from postgres_server import PostgresServer


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    started = getattr(item, "pastebox_processes", [])
    if report.failed:
        for number, process in enumerate(started):
            report.sections.append((f"log of pastebox {number}", process.log()))
    return report


@pytest.fixture
def start(request, tmp_path) -> Iterator:
    """Start a pastebox without waiting for anything."""
    started = request.node.pastebox_processes = []

    def begin(**options):
        directory = options.pop("directory", tmp_path)
        process = AppProcess(directory, **options)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()


@pytest.fixture
def serve(start):
    """Start a pastebox and wait until it listens."""
    return lambda **options: start(**options).wait_listening()


@pytest.fixture(scope="session")
def one_postgres() -> Iterator[PostgresServer]:
    """A database server for all tests of this process."""
    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture
def postgres(one_postgres) -> PostgresServer:
    """The same, with nothing of an earlier test in it."""
    import psycopg  # with the server, or not at all

    with psycopg.connect(one_postgres.url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS pastebox_setup, pastebox_made")
    return one_postgres


@pytest.fixture(scope="session")
def one_kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeKubernetes]:
    """An API server for all tests of this process."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes its certificate")
    server = FakeKubernetes(tmp_path_factory.mktemp("account"))
    yield server
    server.stop()


@pytest.fixture
def kubernetes(one_kubernetes: FakeKubernetes) -> FakeKubernetes:
    """The same, with nothing of an earlier test in it."""
    one_kubernetes.control(status=0, lease=None)
    Path(one_kubernetes.account, "token").write_text("right")
    return one_kubernetes


@pytest.fixture(params=["lease", "postgresql"])
def pod(request: pytest.FixtureRequest) -> dict[str, str]:
    """What a pod that sets up under a lock of all pods has in its environment."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").url
        return {"PASTEBOX_LOCK": "postgresql", "PASTEBOX_LOCK_URL": url}
    server = request.getfixturevalue("kubernetes")
    return {
        **server.environ,
        "POD_ACCOUNT_DIR": server.account,
        "PASTEBOX_LOCK": "lease",
        "PASTEBOX_LOCK_NAME": "wiki",
    }
