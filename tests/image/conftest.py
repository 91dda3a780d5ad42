"""Containers for the image ring: built by the project's own commands, watched by events.

Nothing here sleeps: a container is waited for by its log, its exit or its health events, each with
a deadline, and what it logged is part of every failure.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest
from compose_project import DOWN, UP, Project
from pytest_docker.plugin import DockerComposeExecutor, get_docker_services

ROOT = Path(__file__).parents[2]
APP = ROOT / "tests/image/app"
LABEL = f"pastebox-test={uuid.uuid4().hex[:8]}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs docker."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.image)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that is marked so is run on the slim image as well."""
    if metafunc.definition.get_closest_marker("slim_too"):
        metafunc.parametrize("image", ["standard", "slim"], indirect=True)


def call_docker(*words: str, timeout: float = 60) -> str:
    """Run one docker command; return its output, both streams; fail with it."""
    answer = subprocess.run(
        ["docker", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    if answer.returncode:
        pytest.fail(f"docker {' '.join(words)}: status {answer.returncode}\n{answer.stdout}")
    return answer.stdout.strip()


class Answer:
    """What an HTTP request came back with."""

    def __init__(self, status: int, body: str) -> None:
        self.status = status
        self.body = body


class Container:
    """A container that was started, and what can be asked of it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def logs(self) -> str:
        """Return both streams of its log."""
        return call_docker("logs", self.name)

    def inspect(self, template: str) -> str:
        """Return one fact about it."""
        return call_docker("inspect", "--format", template, self.name)

    def exec(self, *words: str) -> str:
        """Run a command in it; return the output."""
        return call_docker("exec", self.name, *words)

    def stop(self) -> int:
        """Stop it as an operator does; return the exit status."""
        call_docker("stop", self.name, timeout=90)
        return self.wait()

    def stop_amid(self, path: str) -> tuple[int, str]:
        """Stop it while it answers this request; return its exit status and the answer."""
        answers: list[str] = []
        asking = threading.Thread(target=lambda: answers.append(self.get(path).body))
        asking.start()
        self.wait_until_in_flight()
        status = self.stop()
        asking.join(timeout=20)
        return status, "".join(answers)

    def start_again(self) -> None:
        """Start it once more after it has ended."""
        call_docker("start", self.name)

    def wait(self, timeout: float = 60) -> int:
        """Return its exit status once it has ended."""
        try:
            return int(call_docker("wait", self.name, timeout=timeout))
        except subprocess.TimeoutExpired:
            pytest.fail(f"{self.name} did not end within {timeout} s\n{self.logs()}")

    def wait_for_log(self, text: str, timeout: float = 60) -> str:
        """Return the first line of its log that holds ``text``, once it is there."""
        return self._follow(["docker", "logs", "--follow", self.name], text, timeout)

    def wait_for_health(self, status: str, timeout: float = 30) -> str:
        """Wait until docker itself says that it is healthy, or not."""
        events = ["docker", "events", "--since", self.inspect("{{.State.StartedAt}}")]
        events += ["--filter", f"container={self.name}"]
        events += ["--filter", "event=health_status", "--filter", "event=die"]
        return self._follow(events, f"health_status: {status} ", timeout, end=" die ")

    def _follow(self, command: Sequence[str], text: str, timeout: float, end: str = "\0") -> str:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            timer = threading.Timer(timeout, process.kill)
            timer.start()
            try:
                lines = (line for line in process.stdout or () if text in line or end in line)
                found = next(lines, "")
            finally:
                timer.cancel()
                process.kill()
        if text not in found:
            pytest.fail(f'"{text}" did not come within {timeout} s from {self.name}\n{self.logs()}')
        return found

    def url(self, port: int = 8080) -> str:
        """Return the address under which the host reaches a port of it."""
        template = f'{{{{(index (index .NetworkSettings.Ports "{port}/tcp") 0).HostPort}}}}'
        return f"http://127.0.0.1:{self.inspect(template)}"

    def get(self, path: str = "/", port: int = 8080, timeout: float = 20) -> Answer:
        """Send one GET, without any proxy of the machine."""
        opener = build_opener(ProxyHandler({}))
        with opener.open(self.url(port) + path, timeout=timeout) as answer:
            return Answer(answer.status, answer.read().decode())

    def wait_until_in_flight(self) -> None:
        """Ask the metrics until they count a request: docker's proxy takes a moment."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            metrics = self.get("/metrics", port=9090).body
            counts = re.findall(r"(?m)^[^#\n]*in_flight.* (\S+)$", metrics)
            if any(float(count) > 0 for count in counts):
                return
        pytest.fail(f"the request was never seen\n{metrics}")

    def zombies(self) -> int:
        """Count the processes in it that nobody has reaped."""
        script = (
            "import glob, contextlib\n"
            "states = []\n"
            "for name in glob.glob('/proc/[0-9]*/stat'):\n"
            "    with contextlib.suppress(OSError), open(name) as file:\n"
            "        states.append(file.read().rpartition(')')[2].split()[0])\n"
            "print(states.count('Z'))\n"
        )
        return int(self.exec("python", "-c", script))


Run = Callable[..., Container]


@pytest.fixture(scope="session")
def standard_image() -> str:
    """The image of the working tree; ``PASTEBOX_TEST_IMAGE`` names one that is already built."""
    return _built("standard")


@pytest.fixture(scope="session")
def slim_image() -> str:
    """The target ``slim``; ``PASTEBOX_TEST_SLIM_IMAGE`` names one that is already built."""
    return _built("slim")


@pytest.fixture(scope="session")
def dev_image() -> str:
    """The target ``dev``; ``PASTEBOX_TEST_DEV_IMAGE`` names one that is already built."""
    return _built("dev")


@pytest.fixture
def image(request: pytest.FixtureRequest) -> str:
    """The image under test: the standard one, unless the test is marked ``slim_too``."""
    return _built(getattr(request, "param", "standard"))


@functools.cache
def _built(kind: str) -> str:
    if kind != "standard":
        ready = os.environ.get(f"PASTEBOX_TEST_{kind.upper()}_IMAGE")
        return ready or build_image(f"pastebox-{kind}:test", TARGET=kind)
    return os.environ.get("PASTEBOX_TEST_IMAGE") or build_image("pastebox:test")


def build_image(tag: str, flags: str = "", tree: Path = ROOT, **more: str) -> str:
    """Build the image by the command that people use."""
    words = ["make", "--no-print-directory", "image", f"IMAGE={tag}"]
    words += [
        f"BUILD_FLAGS=--progress=plain {flags}",
        *(f"{name}={text}" for name, text in more.items()),
    ]
    answer = subprocess.run(
        words,
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert answer.returncode == 0, (answer.stdout + answer.stderr)[-9000:]
    return tag


@pytest.fixture(scope="session")
def make_image() -> Callable[..., str]:
    """Build the image under a name: with more flags, of another tree, with other variables."""
    return build_image


@pytest.fixture(scope="session")
def docker() -> Callable[..., str]:
    """Run one docker command; return its output; fail with it."""
    return call_docker


@pytest.fixture(scope="session")
def app_dir() -> Path:
    """The directory of the toy application and its INI."""
    return APP


@pytest.fixture
def volume() -> str:
    """A named volume, which outlives the containers of its test and is gone after the run."""
    return call_docker("volume", "create", "--label", LABEL)


@pytest.fixture(scope="session")
def build_secrets() -> list[str]:
    """The build secrets by which this machine reaches its package index."""
    answer = subprocess.run(
        ["make", "--no-print-directory", "build-secrets"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout.split()


@pytest.fixture
def wiki_image(image: str, build_secrets: list[str]) -> str:
    """The example wiki's image, on top of the image under test."""
    return _wiki(image, tuple(build_secrets))


@functools.cache
def _wiki(image: str, secrets: tuple[str, ...]) -> str:
    tag = f"{image.partition(':')[0]}-wiki:test"
    words = ["build", "--quiet", "--tag", tag, *secrets]
    if image == _built("standard"):
        words += ["--build-arg", f"PASTEBOX_IMAGE={image}"]
    else:
        words += ["--build-arg", f"PASTEBOX_IMAGE={_built('standard')}"]
        words += ["--build-arg", f"PASTEBOX_SLIM_IMAGE={image}"]
        words += ["--file", str(ROOT / "examples/wiki/slim.Dockerfile")]
    call_docker(*words, str(ROOT / "examples/wiki"), timeout=600)
    return tag


@pytest.fixture(scope="session")
def front_end_image() -> str:
    """Every front end from Debian's packages, since no image can be pulled everywhere."""
    tag = "pastebox-test-front-ends"
    folder = str(ROOT / "tests/image/front_ends")
    call_docker("build", "--quiet", "--tag", tag, folder, timeout=600)
    return tag


@pytest.fixture(scope="session", autouse=True)
def _no_leftovers() -> Iterator[None]:
    """Remove the containers and volumes of this run, also those of an interrupted test."""
    yield
    if shutil.which("docker") is None:
        return
    chosen = ["--quiet", "--filter", f"label={LABEL}"]
    for listing, removal in (
        (["ps", "--all"], ["rm", "--force", "--volumes"]),
        (["volume", "ls"], ["volume", "rm", "--force"]),
    ):
        words = ["docker", *listing, *chosen]
        names = subprocess.run(words, capture_output=True, text=True, check=False).stdout.split()
        if names:
            call_docker(*removal, *names)


@pytest.fixture
def run(image: str) -> Iterator[Run]:
    """Start containers in the background; they are gone when the test ends."""
    names: list[str] = []

    def start(*command: str, options: Sequence[str] = (), image: str = image) -> Container:
        name = f"pastebox-test-{uuid.uuid4().hex[:8]}"
        names.append(name)
        ports = ["--publish", "127.0.0.1::8080", "--publish", "127.0.0.1::9090"]
        words = ["run", "--detach", "--name", name, "--label", LABEL, *ports, *options]
        call_docker(*words, image, *command)
        return Container(name)

    yield start
    if names:
        call_docker("rm", "--force", "--volumes", *names)


@pytest.fixture
def run_to_end(image: str) -> Callable[..., tuple[int, str]]:
    """Run a container that is expected to end by itself; return its status and output."""

    def start(*command: str, options: Sequence[str] = (), image: str = image) -> tuple[int, str]:
        words = ["docker", "run", "--rm", "--label", LABEL, *options, image, *command]
        answer = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return answer.returncode, answer.stdout

    return start


@pytest.fixture
def toy() -> list[str]:
    """Options that mount the toy application and its INI."""
    ini = f"{APP}/app.ini:/etc/pastebox/app.ini:ro"
    return ["--env", "PYTHONPATH=/app", "--volume", f"{APP}:/app:ro", "--volume", ini]


@pytest.fixture
def readable(tmp_path: Path) -> Path:
    """A directory that a container may read under any UID, once it is mounted."""
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.fixture
def config(image: str) -> dict[str, object]:
    """The image's configuration: what docker would run, as whom, with what."""
    loaded = json.loads(call_docker("image", "inspect", image))[0]
    return loaded["Config"] | {"Size": loaded["Size"], "History": call_docker("history", image)}


@pytest.fixture
def secrets_dir(tmp_path: Path) -> Path:
    """Secrets of this test, made by the command that people use."""
    subprocess.run(
        ["make", "--no-print-directory", "compose-secrets", f"SECRETS_DIR={tmp_path}/secrets"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return tmp_path / "secrets"


@pytest.fixture
def start(secrets_dir: Path, wiki_image: str, monkeypatch) -> Iterator[Callable[..., Project]]:
    """Start Compose projects; whatever happens, they are gone with their volumes afterwards."""
    with contextlib.ExitStack() as stack:

        def begin(*files: str, **environ: str) -> Project:
            given = {"SECRETS_DIR": str(secrets_dir), "WIKI_IMAGE": wiki_image, "PORT": "0"}
            for name, text in (given | environ).items():
                monkeypatch.setenv(name, text)
            name = f"pastebox-test-{uuid.uuid4().hex[:8]}"
            paths = [str(ROOT / file) for file in files]
            project = Project(DockerComposeExecutor("docker compose", paths, name))
            # Registered first: a set-up that fails leaves containers behind.
            stack.callback(project.do, DOWN)
            services = get_docker_services("docker compose", paths, name, [UP], [])
            try:
                stack.enter_context(services)
            except Exception as error:  # the plugin has no type of its own
                pytest.fail(f"{error}\n{project.logs()}", pytrace=False)
            return project

        yield begin
