"""Where the examples of a page are run: a directory, free ports, and whatever they start.

The ports that people read are replaced by free ones, and the names of containers, volumes and
images by names of this run, so that examples can run beside anything. Nothing else is changed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest
from app_process import free_port
from doc_blocks import Block, Command, comes_in, commands_of, matches

from pastebox.process.pidfile import inspect

ROOT = Path(__file__).resolve().parents[2]
PORTS = ("8080", "8081", "9090")
_NAMES = re.compile(r"(?:--name|--tag|docker volume create)[ =]([\w.-]+)|-v ([\w.-]+):/")
_LIMIT_S = 60.0
_BUILD_LIMIT_S = 600.0
# How pip in a build reaches the index of a machine like this one (see examples/wiki/Dockerfile).
_REACH_INDEX = (
    "--mount=type=secret,id=ca_bundle,target=/tmp/ca_bundle,mode=0444"
    " --mount=type=secret,id=pip_conf,target=/tmp/pip_conf,mode=0444"
    " if [ -s /tmp/ca_bundle ]; then export PIP_CERT=/tmp/ca_bundle; fi;"
    " if [ -s /tmp/pip_conf ]; then export PIP_CONFIG_FILE=/tmp/pip_conf; fi;"
)


class Server:
    """A command that goes on, and what it has written so far."""

    def __init__(self, arguments: Sequence[str], cwd: Path, environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            arguments,
            cwd=cwd,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.tells_status = False
        self._news = threading.Condition()
        self._lines: list[str] = []
        self._is_over = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        with self._news:
            self._is_over = True
            self._news.notify_all()

    @property
    def log(self) -> str:
        """Everything so far."""
        return "".join(self._lines)

    def wait_for(self, expected: list[str], limit_s: float) -> bool:
        """Wait until the lines have come, in their order; false when they will not."""
        deadline = time.monotonic() + limit_s
        with self._news:
            while not comes_in(expected, self.log):
                if self._is_over or not self._news.wait(deadline - time.monotonic()):
                    return comes_in(expected, self.log)
        return True

    def wait_for_end(self, limit_s: float) -> None:
        """Wait until nothing of it runs any more."""
        deadline = time.monotonic() + limit_s
        with self._news:
            while not self._is_over and self._news.wait(deadline - time.monotonic()):
                pass

    def end(self) -> None:
        """Stop it as an operator would, and everything that it left in its group; once."""
        if self.process.stdout is None or self.process.stdout.closed:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            self.wait_for_end(30)
            if self._is_over:
                break
        self.process.wait()
        self.process.stdout.close()


class Sandbox:
    """One page at work."""

    def __init__(
        self,
        root: Path,
        page: str,
        *,
        image: str | None = None,
        build_flags: Sequence[str] = (),
        wheels: Path | None = None,
    ) -> None:
        self.root = root
        self.servers: list[Server] = []
        self._image = image
        self._build_flags = build_flags
        self._ports = {name: str(port) for name, port in zip(PORTS, free_ports(), strict=True)}
        mark = uuid.uuid4().hex[:6]
        names = {name for pair in _NAMES.findall(page) for name in pair if name}
        self._names = {name: f"{name}-{mark}" for name in names} if image else {}
        (root / "examples").symlink_to(ROOT / "examples")
        self._run_dir = tempfile.mkdtemp(prefix="pb-")  # a socket's path is short
        self._environ = {
            "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
            "HOME": str(root),
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "80",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "PASTEBOX_PORT": self._ports["8080"],
            "PASTEBOX_HEALTH_PORT": self._ports["9090"],
            "PASTEBOX_RUN_DIR": self._run_dir,
            "PORT": self._ports["8080"],
        }
        if wheels is not None:
            self._environ |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
        for name in ("DOCKER_HOST", "DOCKER_CONFIG", "XDG_RUNTIME_DIR"):
            if name in os.environ:
                self._environ[name] = os.environ[name]

    # -- what a block asks for -----------------------------------------------------------------

    def take(self, block: Block) -> None:
        """Run, write or check one block."""
        if block.kind in ("file", "append"):
            self._write(block)
        elif block.kind == "log":
            expected = self._local(block.text).splitlines()
            server = self.servers[-1]
            if not server.wait_for(expected, _LIMIT_S):
                pytest.fail(f"line {block.line}: the log has not these lines\n{server.log}")
        elif "serve" in block.words:
            *before, last = commands_of(block)
            for command in before:
                self._run(block, command, is_last=False)
            self._serve(block, last)
        else:
            commands = commands_of(block)
            for number, command in enumerate(commands, 1):
                self._run(block, command, is_last=number == len(commands))

    def _write(self, block: Block) -> None:
        name, _, mode = block.rest.partition(" ")
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = block.text + "\n"
        if self._image is None:
            text = self._local(text)
        elif block.language == "dockerfile":
            text = re.sub(r"FROM pastebox(?=\s)", f"FROM {self._image}", text)
            text = text.replace("RUN pip ", f"RUN {_REACH_INDEX} pip ")
        with path.open("a" if block.kind == "append" else "w") as file:
            file.write(text)
        if mode:
            path.chmod(int(mode, 8))

    def _run(self, block: Block, command: Command, *, is_last: bool) -> None:
        text = self._translated(command.text)
        answer = subprocess.run(
            ["sh", "-c", text],
            cwd=self.root,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_BUILD_LIMIT_S if "docker build" in text or "make" in text else _LIMIT_S,
            check=False,
        )
        if text.startswith("docker stop") and self.servers:
            self.servers[-1].wait_for_end(_LIMIT_S)  # --rm removes it a moment later
        shown = f"line {block.line}: $ {text}\nstatus {answer.returncode}\n{answer.stdout}"
        shown += "".join(f"\n--- log\n{server.log}" for server in self.servers)
        asked = [int(word[5:]) for word in block.words if word.startswith("exit=")]
        wanted = asked[0] if asked and is_last else 0
        if answer.returncode != wanted:
            pytest.fail(f"expected status {wanted}\n{shown}", pytrace=False)
        expected = [self._expected(line) for line in command.output]
        if expected and not matches(expected, answer.stdout):
            pytest.fail("expected\n" + "\n".join(expected) + f"\n\n{shown}", pytrace=False)

    def _serve(self, block: Block, command: Command) -> None:
        for server in self.servers:  # as a person ends one with Ctrl-C before the next
            server.end()
        text = self._translated(command.text)
        is_simple = not re.search(r"[;&|]", text) and "=" not in text.split(" ")[0]
        server = Server(
            ["sh", "-c", f"exec {text}" if is_simple else text], self.root, self._environ
        )
        server.tells_status = text.startswith(("pastebox", "docker"))
        self.servers.append(server)
        expected = [self._expected(line) for line in command.output if line.strip()]
        if not server.wait_for(["...listening on..."], _LIMIT_S) or not server.wait_for(
            expected, _LIMIT_S
        ):
            wanted = "\n".join(expected)
            pytest.fail(
                f"line {block.line}: $ {text}\nexpected\n{wanted}\n{server.log}", pytrace=False
            )

    # -- what is replaced ----------------------------------------------------------------------

    def _translated(self, text: str) -> str:
        # A clone's make installs what it needs as its owner does; its data goes here.
        home = shlex.quote(os.environ.get("HOME", "/"))
        words = (
            f"env -u PIP_NO_INDEX -u PIP_FIND_LINKS HOME={home} PASTEBOX_DATA_DIR={self.root}/var"
        )
        # "id=ca_bundle,src=FILE" is what make knows as CA_BUNDLE
        for name, path in re.findall(r"id=(\w+),src=(\S+)", " ".join(self._build_flags)):
            words += f" {name.upper()}={path}"
        text = re.sub(r"^make ", f"{words} make -C {ROOT} ", text)
        if self._image is None:
            return self._local(text)
        return self._docker(text)

    def _expected(self, line: str) -> str:
        return line if self._image else self._local(line)

    def _local(self, text: str) -> str:
        return re.sub(r"\b(" + "|".join(PORTS) + r")\b", lambda found: self._ports[found[1]], text)

    def _docker(self, text: str) -> str:
        text = re.sub(
            r"(localhost|127\.0\.0\.1):(\d+)",
            lambda found: f"{found[1]}:{self._ports.get(found[2], found[2])}",
            text,
        )
        text = re.sub(
            r"-p (\d+):(\d+)",
            lambda found: f"-p 127.0.0.1:{self._ports[found[1]]}:{found[2]}",
            text,
        )
        for name, ours in self._names.items():
            text = re.sub(rf"(?<![\w./-]){re.escape(name)}(?![\w./-])", ours, text)
        if text.startswith("docker run"):
            text = re.sub(r"(?<= )pastebox(?= |$)", self._image or "", text, count=1)
        if text.startswith("docker build"):
            flags = [*self._build_flags, "--build-arg", f"PASTEBOX_IMAGE={self._image}"]
            text = text.replace("docker build", f"docker build {shlex.join(flags)}", 1)
        if text.endswith(" image"):
            text += f" IMAGE={self._image}"
        return text

    # -- the end -------------------------------------------------------------------------------

    def close(self) -> None:
        """End every server and remove every container, volume and image of this page."""
        for server in self.servers:
            server.end()
        for path in self.root.glob("*.pid"):  # what serves in the background where a page failed
            found = inspect(str(path))
            if found.state == "running":
                os.killpg(found.pid, signal.SIGKILL)
        shutil.rmtree(self._run_dir)
        for name in self._names.values():
            for words in (["rm", "--force", "--volumes"], ["volume", "rm"], ["image", "rm"]):
                subprocess.run(["docker", *words, name], capture_output=True, check=False)

    def statuses(self) -> list[int]:
        """How the servers ended that were started without a shell or make between."""
        return [one.process.returncode for one in self.servers if one.tells_status]


def free_ports() -> list[int]:
    """Return as many free ports of the loopback as there are names."""
    return [free_port() for _ in PORTS]
