"""Start a server under test, wait for its first answer, stop it; and small statistics."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
APPS = HERE / "apps"


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pastebox(ini: Path, port: int, *flags: str) -> list[str]:
    """Return the command that serves ``ini`` with pastebox, without a health port."""
    command = [sys.executable, "-m", "pastebox.cli.main", "serve", *flags]
    script = Path(sys.executable).with_name("pastebox")
    if script.exists():
        command = [str(script), "serve", *flags]
    return [*command, str(ini), f"http_port={port}"]


def plain(ini: Path, port: int) -> list[str]:
    """Return the command of the five-line waitress script on the same INI."""
    return [sys.executable, str(APPS / "plain.py"), str(ini), str(port)]


def environment(**extra: str) -> dict[str, str]:
    """Return an environment without settings of ours but ``extra``."""
    ours = ("PASTEBOX_", "PASTE__", "PYTHON")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    return kept | {"PYTHONPATH": str(APPS), "PASTEBOX_SETUP": "auto"} | extra


def answers(port: int, path: str = "/") -> bool:
    """Whether somebody answers there with 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=5) as connection,
    ):
        connection.sendall(request)
        return b" 200 " in connection.recv(65536).split(b"\r\n")[0]
    return False


class Server:
    """A server process, its log, and its process tree."""

    def __init__(self, command: Sequence[str], port: int, env: Mapping[str, str]) -> None:
        self.port = port
        self.log = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the server
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            command, env=dict(env), stdout=self.log, stderr=self.log, start_new_session=True
        )

    def wait_for_200(self, path: str = "/", deadline_s: float = 30.0) -> float:
        """Return the seconds from the start of the process to the first 200."""
        until = time.perf_counter() + deadline_s
        while time.perf_counter() < until:
            if answers(self.port, path):
                return time.perf_counter() - self.began
            if self.process.poll() is not None:
                break
            time.sleep(0.0005)
        raise RuntimeError(f"no answer; log:\n{self.output()}")

    def output(self) -> str:
        """Return what it has printed so far."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-4000:]

    def tree(self) -> list[int]:
        """Return the pids of the process and its descendants."""
        pids = [self.process.pid]
        for pid in pids:
            with contextlib.suppress(OSError):  # it has ended meanwhile
                for task in Path(f"/proc/{pid}/task").glob("*/children"):
                    pids += [int(child) for child in task.read_text().split()]
        return pids

    def memory_mb(self) -> float:
        """Return the proportional memory of the whole tree (smaps_rollup Pss), in MB."""
        total = 0
        for pid in self.tree():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1])
        return total / 1024

    def cpu_seconds(self) -> float:
        """Return the processor time of the tree so far, children that have ended included."""
        total = 0
        for pid in self.tree():
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
                total += sum(map(int, text.rpartition(")")[2].split()[11:15]))
        return total / os.sysconf("SC_CLK_TCK")

    def stop(self, deadline_s: float = 40.0) -> tuple[int, float]:
        """Send TERM; return the exit status and the seconds it took."""
        began = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            code = self.process.wait(5)
        return code, time.perf_counter() - began


@contextlib.contextmanager
def served(command: Sequence[str], port: int, env: Mapping[str, str]) -> Iterator[Server]:
    """Run a server for the time of the block."""
    server = Server(command, port, env)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
        server.log.close()


def show(name: str, values: Sequence[float], unit: str, *, than: Sequence[float] = ()) -> None:
    """Print one line: median, extremes, and the median ratio of the pairs."""
    ratio = ""
    if than:
        ratio = f"  ratio {median(a / b for a, b in zip(values, than, strict=True)):.3f}"
    spread = f"({min(values):.2f} … {max(values):.2f})"
    print(f"{name:<28} {median(values):10.2f} {unit:<6} {spread}{ratio}", flush=True)
