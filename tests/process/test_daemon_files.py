"""What an operator's own files may have besides programs; and a tail that goes on."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from typing import Self

import pytest
from app_process import PATIENCE_S, clean_environ, wait_until
from daemon_process import Daemons

pytestmark = pytest.mark.process

GATE = """\
import socket
listener = socket.socket(fileno=0)
print("the gate is open", flush=True)
while True:
    connection, _ = listener.accept()
    connection.sendall(b"come in")
    connection.close()
"""

EAR = """\
import sys
while True:
    sys.stdout.write("READY\\n")
    sys.stdout.flush()
    facts = dict(word.split(":") for word in sys.stdin.readline().split())
    payload = sys.stdin.read(int(facts["len"]))
    print("heard", facts["eventname"], payload, file=sys.stderr, flush=True)
    sys.stdout.write("RESULT 2\\nOK")
"""

FILE = """\
[fcgi-program:gate]
command={python} {here}/gate.py
socket=unix://{run}/gate.sock
startsecs=0

[eventlistener:ear]
command={python} {here}/ear.py
events=PROCESS_STATE_EXITED

[program:one]
command=sh -c 'echo one; exit 3'
autorestart=false
startsecs=0
[program:two]
command=sleep 600
startsecs=0
[group:pair]
programs=one,two
"""

WRITER = """\
import os, sys, time
count = 0
while True:
    count += 1
    print("line", count, flush=True)
    while not os.path.exists(f"{sys.argv[1]}/{count}"):
        time.sleep(0.02)
"""


@pytest.fixture
def daemon(start):
    daemons = Daemons(start)
    yield daemons
    daemons.close()


def test_files_may_have_listeners_of_events_and_fastcgi_programs_and_groups(daemon, tmp_path):
    (tmp_path / "gate.py").write_text(GATE)
    (tmp_path / "ear.py").write_text(EAR)
    (tmp_path / "own").mkdir()
    with tempfile.TemporaryDirectory(prefix="pb-") as run:  # a socket's path is short
        text = FILE.format(python=sys.executable, here=tmp_path, run=run)
        (tmp_path / "own/more.conf").write_text(text)
        one = daemon(PASTEBOX_SUPERVISOR_DIR=str(tmp_path / "own"))
        one.process.wait_listening()
        one.process.wait_log(r"^gate \| the gate is open")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE_S)
            client.connect(f"{run}/gate.sock")
            assert client.recv(100) == b"come in"
        one.process.wait_log(r"^pair:one \| one")
        one.process.wait_log("program ended name=pair:one exit=3 ")
        one.process.wait_log(r"^ear \| heard PROCESS_STATE_EXITED processname:one groupname:pair ")
        assert one.status("pair:two")["state"] == "running"
        assert one.ctl("stop", "pair:two").returncode == 0
        assert one.status("pair:two")["state"] == "stopped"
        assert one.ctl("restart", "gate").returncode == 0
        one.process.wait_log(r"^gate \| the gate is open", count=2)
        assert one.process.stop() == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("[eventlistener:ear]\ncommand=cat\n", "eventlistener:ear", id="no-events"),
        pytest.param("[fcgi-program:gate]\ncommand=cat\n", "fcgi-program:gate", id="no-socket"),
        pytest.param("[group:pair]\nprograms=nobody\n", "nobody", id="no-such-program"),
    ],
)
def test_a_section_that_is_wrong_is_told_before_anything_starts(daemon, tmp_path, text, told):
    (tmp_path / "own").mkdir()
    (tmp_path / "own/more.conf").write_text(text)
    one = daemon(PASTEBOX_SUPERVISOR_DIR=str(tmp_path / "own"))
    assert one.process.wait_exit() == 78
    assert told in one.process.log()
    assert "Traceback" not in one.process.log()
    assert "program started" not in one.process.log()


class Tail:
    """``pastebox ctl tail -f``."""

    def __init__(self, one) -> None:
        self.said = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pastebox", "ctl", "tail", "-f", "-n", "1", "job"],
            env=clean_environ(one.process.directory, {"PASTEBOX_RUN_DIR": one.run_dir}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def says(self, text: str) -> bool:
        """Whether it has said all of this, and nothing else."""
        out = self.process.stdout
        while select.select([out], [], [], 0)[0] and (data := os.read(out.fileno(), 4096)):
            self.said += data
        return self.said.decode() == text


def test_tail_goes_on_until_somebody_ends_it(daemon, tmp_path):
    (tmp_path / "writer.py").write_text(WRITER)
    command = f"{sys.executable} %(here)s/writer.py %(here)s"
    one = daemon(f"[pastebox:program:job]\ncommand = {command}\n")
    one.process.wait_log(r"^job \| line 1")
    (tmp_path / "1").touch()
    one.process.wait_log(r"^job \| line 2")
    with Tail(one) as interrupted, Tail(one) as left:
        for tail in (interrupted, left):
            wait_until(lambda tail=tail: tail.says("line 2\n"), "the last line")
        (tmp_path / "2").touch()
        for tail in (interrupted, left):
            wait_until(lambda tail=tail: tail.says("line 2\nline 3\n"), "one more line")
        interrupted.process.send_signal(signal.SIGINT)
        assert interrupted.process.wait(PATIENCE_S) == 130
        assert interrupted.says("line 2\nline 3\n")
        assert one.process.stop() == 0
        assert left.process.wait(PATIENCE_S) == 69
        left.says("")
        assert left.said.decode().startswith("line 2\nline 3\nerror: ")
        assert "Traceback" not in left.said.decode()
