"""Several programs in one daemon: how they end, and with what the daemon ends."""

from __future__ import annotations

import array
import fcntl
import json
import os
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import termios
import xmlrpc.client
from pathlib import Path

import pytest
from app_process import (
    APP,
    INI,
    PATIENCE_S,
    SERVER,
    Call,
    clean_environ,
    free_port,
    is_running,
    wait_until,
)
from daemon_peers import PEERS, lost_lines
from daemon_process import Daemons
from stop_load import SHORT, stop_once

pytestmark = pytest.mark.process

ENDS = [
    pytest.param("exit 0", 0, id="exit-0"),
    pytest.param("exit 3", 3, id="exit-3"),
    pytest.param("exit 70", 70, id="exit-70"),
    pytest.param("exit 137", 137, id="exit-137"),
    pytest.param("kill -SEGV $$", 139, id="sigsegv"),
]


@pytest.fixture
def daemon(start):
    daemons = Daemons(start)
    yield daemons
    daemons.close()


def program(name: str, command: str, *options: str) -> str:
    """Return a program section; ``command`` is for a shell."""
    lines = [f"[pastebox:program:{name}]", f"command = sh -c '{command}'", *options]
    return "\n".join([*lines, ""])


# -- the exit code matrix ------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "code"), ENDS)
def test_an_essential_program_ends_the_daemon_with_its_status(daemon, command, code):
    one = daemon(program("job", command, "essential = yes", "restarts = 0"))
    assert one.process.wait_exit() == code
    one.process.wait_log(rf"essential program ended.* name=job exit={code}$")


def test_an_essential_program_that_cannot_be_started_ends_the_daemon_as_a_shell_says(
    daemon, tmp_path
):
    (tmp_path / "no-shebang").write_text("#!/no/such/shell\n")
    (tmp_path / "no-shebang").chmod(0o755)
    section = "[pastebox:program:job]\ncommand = %(here)s/no-shebang\nessential=1\nrestarts=1\n"
    assert daemon(section).process.wait_exit() == 127


def test_an_essential_crash_loop_ends_after_its_budget_with_growing_pauses(daemon):
    one = daemon(program("job", "exit 9", "essential = yes", "restarts = 2"))
    assert one.process.wait_exit() == 9
    log = one.process.log()
    assert log.count("program started name=job") == 3
    pauses = re.findall(r"starts again in (\S+) s name=job", log)
    assert pauses == ["0.5", "1.0"]


def test_other_programs_end_without_the_daemon(daemon, tmp_path):
    ends = dict(one.values for one in ENDS)
    (tmp_path / "no-shebang").write_text("#!/no/such/shell\n")
    (tmp_path / "no-shebang").chmod(0o755)
    sections = [program(f"p{n}", text, "restarts = 0") for n, text in enumerate(ends)]
    sections.append("[pastebox:program:spawn]\ncommand = %(here)s/no-shebang\nrestarts = 1\n")
    sections.append(program("loop", "exit 9", "restarts = 1"))
    one = daemon("".join(sections))
    one.process.wait_listening()
    for name, code in [*((f"p{n}", code) for n, code in enumerate(ends.values()) if code)]:
        one.process.wait_log(rf"program given up name={name} exit={code} ")
    one.process.wait_log("program given up name=spawn exit=127 ")
    one.process.wait_log("program given up name=loop exit=9 ")
    assert one.status("p0")["state"] == "exited"
    wait_until(lambda: one.status("web")["state"] == "running", "the application to have started")
    assert one.process.get().text == "one"
    assert one.process.stop() == 0


def test_the_application_that_does_not_load_ends_the_daemon_with_70(daemon):
    one = daemon("[pastebox:program:web]\nrestarts = 0\n", code="raise ValueError('no')\n")
    assert one.process.wait_exit() == 70
    one.process.wait_log(r"^web \| ValueError: no")


def test_what_fails_once_is_started_again_and_stays(daemon, tmp_path):
    mark = tmp_path / "mark"
    one = daemon(program("job", f"test -e {mark} && exec sleep 60; touch {mark}; exit 1"))
    one.wait_started("job", count=2)
    wait_until(lambda: one.status("job")["state"] == "running", "the second start to last")
    assert one.process.stop() == 0


# -- output --------------------------------------------------------------------------------------

WRITER = """\
import sys
name, stream = sys.argv[1], getattr(sys, sys.argv[2]).buffer
for number in range(2000):
    text = f"{name} {number} " + "x" * (number * 7 % 5000) + f" {number} end\\n"
    data = text.encode()
    half = number * 13 % len(data)
    stream.write(data[:half]); stream.flush()
    stream.write(data[half:]); stream.flush()
stream.write(f"{name} last without an end".encode()); stream.flush()
open(f"done-{name}", "w").close()
"""
LAST = """\
import os, time
while not all(os.path.exists(f"done-{name}") for name in "abc"):
    time.sleep(0.01)
"""


def test_no_line_is_lost_or_mixed_with_another_whoever_reads_slowly(tmp_path):
    (tmp_path / "writer.py").write_text(WRITER)
    (tmp_path / "last.py").write_text(LAST)
    (tmp_path / "theapp.py").write_text(APP)
    streams = {"a": "stdout", "b": "stderr", "c": "stdout"}
    sections = [
        f"[pastebox:program:{name}]\ncommand = {sys.executable} writer.py {name} {stream}"
        for name, stream in streams.items()
    ]
    last = f"[pastebox:program:last]\ncommand = {sys.executable} last.py\nessential = yes"
    text = INI.format(app="", server=SERVER, more="\n".join([*sections, last]))
    (tmp_path / "app.ini").write_text(text)
    with tempfile.TemporaryDirectory() as run_dir:
        settings = {"PASTEBOX_MODE": "daemon", "PASTEBOX_RUN_DIR": run_dir}
        with subprocess.Popen(
            [sys.executable, "-m", "pastebox", "serve", "app.ini"],
            cwd=tmp_path,
            env=clean_environ(tmp_path, settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            wait_until(lambda: "full" in pipe_state(process), "the pipe to be full")
            output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    lines = output.decode().splitlines()
    for name in streams:
        mine = [line.removeprefix(f"{name} | ") for line in lines if line.startswith(f"{name} | ")]
        expected = [f"{name} {n} {'x' * (n * 7 % 5000)} {n} end" for n in range(2000)]
        expected.append(f"{name} last without an end")
        differ = [
            n for n, pair in enumerate(zip(mine, expected, strict=False)) if len(set(pair)) > 1
        ]
        assert (len(mine), differ[:3]) == (len(expected), [])


def pipe_state(process: subprocess.Popen[bytes]) -> str:
    """Return ``full`` when a pipe's worth of output waits to be read."""
    waiting = array.array("i", [0])
    fcntl.ioctl(process.stdout.fileno(), termios.FIONREAD, waiting)
    return "full" if waiting[0] >= 32768 else ""


def test_json_lines_get_a_key_and_others_become_json(daemon):
    text = program("job", 'echo "{\\"level\\": \\"info\\"}"; echo plain')
    one = daemon(text, PASTEBOX_LOG_FORMAT="json")
    one.process.wait_log("program ended name=job")
    one.process.wait_log("listening on")
    one.process.stop()
    found = [json.loads(line) for line in one.process.log().splitlines()]
    mine = [line for line in found if line.get("program") == "job"]
    assert {"program": "job", "level": "info"} in mine
    assert [line["message"] for line in mine if "message" in line] == ["plain"]
    assert any(line.get("program") == "web" and line["logger"] for line in found)


def test_what_a_child_of_a_program_writes_after_its_end_is_shown(daemon, tmp_path):
    gate = tmp_path / "gate"
    text = f"(while ! test -e {gate}; do sleep 0.05; done; echo from the child) & exit 0"
    one = daemon(program("job", text))
    one.process.wait_log("program ended name=job exit=0")
    gate.touch()
    one.process.wait_log(r"^job \| from the child")
    assert one.process.stop() == 0


# -- stop ----------------------------------------------------------------------------------------


def test_a_stop_lets_running_requests_finish_and_ends_with_0(daemon, tmp_path):
    one = daemon(program("job", "exec sleep 60"))
    one.process.wait_listening()
    mark = tmp_path / "mark"
    slow = Call(one.process.get, f"/slow?s=1&mark={mark}")
    wait_until(mark.exists, "the request to run")
    one.process.term()
    assert slow.result().text == "slow"
    assert one.process.wait_exit() == 0


SLOW_END = """\
import os, signal, time
def end(*_):
    time.sleep(0.3)
    os._exit(0)
signal.signal(signal.SIGTERM, end)
os.write(1, b"ready\\n")
time.sleep(99)
"""
DEAF = """\
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"heard it\\n"))
os.write(1, b"ready\\n")
while True:
    time.sleep(99)
"""


def test_programs_stop_in_the_reverse_order_of_their_priorities(daemon, tmp_path):
    (tmp_path / "slow_end.py").write_text(SLOW_END)
    one = daemon(
        "".join(
            f"[pastebox:program:{name}]\npriority = {priority}\n"
            f"command = {sys.executable} %(here)s/slow_end.py\n"
            for name, priority in (("low", 1), ("high", 1500), ("middle", 1200))
        )
    )
    for name in ("low", "middle", "high"):
        one.process.wait_log(rf"^{name} \| ready")
    one.process.wait_listening()
    assert one.process.stop() == 0
    stopped = re.findall(r"program stopped name=(\S+) ", one.process.log())
    assert stopped == ["high", "middle", "web", "low"]


def test_nobody_is_killed_before_the_deadline_and_nobody_lives_past_it(daemon, tmp_path):
    (tmp_path / "deaf.py").write_text(DEAF)
    (tmp_path / "slow_end.py").write_text(SLOW_END)
    one = daemon(
        f"[pastebox:program:deaf]\npriority = 2000\ncommand = {sys.executable} %(here)s/deaf.py\n"
        f"[pastebox:program:slow]\ncommand = {sys.executable} %(here)s/slow_end.py\n",
        PASTEBOX_DRAIN_TIMEOUT="1s",
    )
    one.process.wait_log(r"^deaf \| ready")
    one.process.wait_log(r"^slow \| ready")
    pid = one.status("deaf")["pid"]
    assert one.process.stop() == 124
    assert not is_running(pid)
    log = one.process.log()
    assert "deaf | heard it" in log
    assert log.index("program stopped name=slow exit=0") < log.index("program killed")


def test_a_second_term_stops_at_once(daemon, tmp_path):
    (tmp_path / "deaf.py").write_text(DEAF)
    one = daemon(
        f"[pastebox:program:deaf]\ncommand = {sys.executable} %(here)s/deaf.py\n",
        PASTEBOX_DRAIN_TIMEOUT="1h",
    )
    one.process.wait_log(r"^deaf \| ready")
    one.process.term()
    one.process.wait_log(r"^deaf \| heard it")
    one.process.term()
    assert one.process.wait_exit() == 124


def test_programs_end_with_a_daemon_that_is_killed(daemon):
    one = daemon(program("job", "exec sleep 60"))
    pid = one.wait_started("job")
    one.process.signal(signal.SIGKILL)
    wait_until(lambda: not is_running(pid), "the program to end")


def test_stops_under_load_lose_no_request_and_no_line(tmp_path):
    """A part of the soak (tests/soak/daemon_stops.py).

    Slow readers are the soak's alone: on a busy machine, one that takes its time over the last
    bytes may ask again after its connection has been closed as idle.
    """
    shape = SHORT._replace(readers=0)
    calls = []
    for seed in range(2):  # beside each other: what they do is mostly to wait
        directory = tempfile.mkdtemp(prefix="pb-")
        stop = Call(stop_once, PEERS["daemon"], Path(directory), shape, random.Random(seed))
        calls.append((directory, stop))
    for directory, call in calls:
        stop = call.result()
        shutil.rmtree(directory)
        lost = (stop.counts["failed"], stop.counts["truncated"], lost_lines(stop.log))
        assert (lost, stop.code) == ((0, 0, 0), 0), "\n".join([*stop.details, stop.log[-9999:]])
        assert stop.counts["answered"] > 0


# -- control -------------------------------------------------------------------------------------


def test_the_configuration_and_the_socket_are_the_owners_alone(daemon):
    one = daemon()
    one.process.wait_log("supervising programs=web")
    one.process.wait_log("program started name=web")
    for name in ("supervisord.conf", "control.sock"):
        assert stat.S_IMODE(os.stat(f"{one.run_dir}/{name}").st_mode) == 0o600
    assert one.process.stop() == 0


def test_programs_are_shown_stopped_started_and_reloaded(daemon):
    one = daemon(program("job", "echo hello; exec sleep 60", "start_seconds = 0"))
    one.process.wait_listening()
    facts = one.status("job")
    assert (facts["ok"], facts["essential"]) == (True, False)
    assert one.ctl("stop", "job").returncode == 0
    assert one.status("job")["state"] == "stopped"
    assert one.ctl("status", "job").returncode == 1
    assert one.ctl("start", "job").returncode == 0
    assert one.ctl("restart", "job").returncode == 0
    assert one.status("job")["starts"] == 3
    assert "job  running" in one.ctl("status", "job").stdout
    assert one.ctl("tail", "job").stdout == "hello\nhello\nhello\n"
    assert one.ctl("reload", "web").returncode == 0
    one.process.wait_log("generation 2 serves")
    answer = one.ctl("reload", "job")
    assert answer.returncode == 1
    assert "has no signal for that" in answer.stderr
    answer = one.ctl("stop", "nobody")
    assert answer.returncode == 2
    assert 'found the program "nobody", expected one of job, web' in answer.stderr
    assert one.process.stop() == 0
    assert one.ctl("status").returncode == 69


def test_a_stuck_program_is_shown_with_its_state_and_age(daemon, tmp_path):
    (tmp_path / "deaf.py").write_text(DEAF)
    one = daemon(f"[pastebox:program:deaf]\ncommand = {sys.executable} %(here)s/deaf.py\n")
    one.process.wait_log(r"^deaf \| ready")
    assert one.supervisorctl("signal", "TERM", "deaf").returncode == 0
    one.process.wait_log(r"^deaf \| heard it")
    stopping = Call(one.ctl, "stop", "deaf")
    one.process.wait_log(r"^deaf \| heard it", count=2)
    facts = one.status("deaf")
    assert facts["state"] == "stopping"
    assert not facts["ok"]
    os.kill(facts["pid"], signal.SIGKILL)
    assert stopping.result().returncode == 0


def test_supervisorctl_works_with_the_rendered_file(daemon):
    one = daemon(program("job", "echo hello; exec sleep 60", "start_seconds = 0"))
    one.process.wait_log(r"^job \| hello")
    assert re.search(r"^job +RUNNING", one.supervisorctl("status", "job").stdout)
    assert one.supervisorctl("tail", "job").stdout.strip() == "hello"
    assert "job: stopped" in one.supervisorctl("stop", "job").stdout
    assert one.supervisorctl("shutdown").returncode == 0
    assert one.process.wait_exit() == 0


def test_a_tcp_port_takes_the_password_of_a_file_and_nothing_else(daemon, tmp_path):
    (tmp_path / "password").write_text("s3cret\n")
    port = free_port()
    one = daemon(
        PASTEBOX_CONTROL_PORT=str(port), PASTEBOX_CONTROL_PASSWORD_FILE=str(tmp_path / "password")
    )
    one.process.wait_log("program started name=web")

    def state(user: str) -> int:
        url = f"http://{user}127.0.0.1:{port}/RPC2"
        with xmlrpc.client.ServerProxy(url) as proxy:
            return proxy.supervisor.getState()["statecode"]

    assert state("pastebox:s3cret@") == 1
    for user in ("", "pastebox:wrong@"):
        with pytest.raises(xmlrpc.client.ProtocolError) as caught:
            state(user)
        assert caught.value.errcode == 401
    with open(f"{one.run_dir}/supervisord.conf") as file:
        assert "s3cret" not in file.read()
    assert one.process.stop() == 0


def test_programs_of_the_operators_own_files_run_as_well(daemon, tmp_path):
    (tmp_path / "more.conf").write_text(
        "[program:extra]\ncommand=sh -c 'echo hi; exit 5'\nstartretries=0\nessential=true\n"
    )
    one = daemon(PASTEBOX_SUPERVISOR_DIR=str(tmp_path))
    assert one.process.wait_exit() == 5
    assert "extra | hi" in one.process.log()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        pytest.param("/no/such/program", 127, id="not-there"),
        pytest.param("%(here)s/app.ini", 126, id="not-executable"),
    ],
)
def test_an_essential_command_that_cannot_be_run_ends_the_daemon(daemon, tmp_path, command, code):
    (tmp_path / "more.conf").write_text(
        f"[program:extra]\ncommand={command}\nstartretries=0\nessential=true\n"
    )
    one = daemon(PASTEBOX_SUPERVISOR_DIR=str(tmp_path))
    assert one.process.wait_exit() == code
    one.process.wait_log(rf"program given up name=extra exit={code} ")


def test_an_update_starts_replaces_and_stops_only_what_differs(daemon):
    sections = {name: program(name, "exec sleep 60") for name in ("same", "changed", "gone")}
    one = daemon("".join(sections.values()))
    pids = {name: one.wait_started(name) for name in sections}
    one.process.wait_listening()
    ini = one.process.ini.read_text()
    ini = ini.replace(sections["gone"], program("new", "exec sleep 60"))
    one.process.ini.write_text(
        ini.replace(sections["changed"], program("changed", "exec sleep 61"))
    )
    done = json.loads(one.ctl("update", "--json").stdout)
    touched = {word: names for word, names in done.items() if names}
    assert touched == {"added": ["new"], "changed": ["changed"], "removed": ["gone"]}
    one.wait_started("new")
    assert one.wait_started("changed", count=2) != pids["changed"]
    assert one.status("same")["pid"] == pids["same"]
    assert not is_running(pids["gone"])
    assert one.process.stop() == 0


def test_a_wrong_update_changes_nothing_and_says_why(daemon):
    one = daemon(program("job", "exec sleep 60"))
    pid = one.wait_started("job")
    one.process.wait_listening()
    one.process.ini.write_text(one.process.ini.read_text() + "prio = 3\n")
    answer = one.ctl("update")
    assert answer.returncode == 1
    assert "[pastebox:program:job] prio: is not an option of a program" in answer.stderr
    one.process.signal(signal.SIGHUP)
    one.process.wait_log("nothing is changed: .*prio")
    assert one.status("job")["pid"] == pid
    assert one.process.stop() == 0


def test_who_listens_hears_of_the_application(daemon):
    """What systemd, or a start in the background, waits for."""
    with (
        tempfile.TemporaryDirectory() as directory,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.bind(f"{directory}/notify")
        receiver.settimeout(PATIENCE_S)

        def wait_for(word: str) -> None:
            while word not in receiver.recv(4096).decode().splitlines():
                pass

        one = daemon(NOTIFY_SOCKET=f"{directory}/notify")
        wait_for("READY=1")
        one.process.wait_log("listening on")
        assert one.process.stop() == 0
        wait_for("STOPPING=1")


# -- bad input -----------------------------------------------------------------------------------


def test_without_supervisor_it_says_what_to_install(daemon, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['supervisor'] = None\n")
    one = daemon()
    assert one.process.wait_exit() == 69
    one.process.wait_log(r"pip install 'pastebox\[daemon\]'")


@pytest.mark.parametrize(
    ("more", "settings", "code", "message"),
    [
        pytest.param(
            "[pastebox:program:job]\ncommand = no-such-command\n",
            {},
            78,
            "no-such-command",
            id="ini",
        ),
        pytest.param(
            "", {"PASTEBOX_CONTROL_PORT": "9001"}, 78, "has no password", id="no-password"
        ),
        pytest.param(
            "[pastebox]\nmode = daemon\n", {}, 78, "mode: cannot be set here", id="mode-in-the-ini"
        ),
    ],
)
def test_a_mistake_is_told_before_anything_starts(daemon, more, settings, code, message):
    one = daemon(more, **settings)
    assert one.process.wait_exit() == code
    assert message in one.process.log()
    assert "program started" not in one.process.log()


def test_a_mistake_in_the_operators_file_is_told_with_its_file(daemon, tmp_path):
    (tmp_path / "more.conf").write_text("[program:extra]\nautostart=true\n")
    one = daemon(PASTEBOX_SUPERVISOR_DIR=str(tmp_path))
    assert one.process.wait_exit() == 78
    one.process.wait_log("program section program:extra does not specify a command")
    one.process.wait_log("more.conf")


def test_a_port_in_use_is_told_before_anything_starts(daemon):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        one = daemon(PASTEBOX_PORT=str(other.getsockname()[1]))
        assert one.process.wait_exit() == 73
    assert "program started" not in one.process.log()


def test_two_daemons_do_not_share_a_directory(daemon):
    one = daemon()
    one.process.wait_log("program started name=web")
    other = daemon(PASTEBOX_RUN_DIR=one.run_dir)
    assert other.process.wait_exit() == 73
    assert "another daemon runs here" in other.process.log()
    assert one.ctl("status").returncode in (0, 1)
    assert one.process.stop() == 0


# -- first boot ----------------------------------------------------------------------------------


def test_programs_start_after_first_boot_and_its_hooks(daemon, tmp_path):
    for phase, text in (("pre-serve", "echo before"), ("post-stop", "echo after")):
        directory = tmp_path / "hooks" / phase
        directory.mkdir(parents=True)
        (directory / "10-say.sh").write_text(f"#!/bin/sh\n{text}\n")
        (directory / "10-say.sh").chmod(0o755)
    one = daemon(program("job", "exec sleep 60"), PASTEBOX_HOOKS_DIR=str(tmp_path / "hooks"))
    one.process.wait_listening()
    assert one.process.stop() == 0
    log = one.process.log()
    assert log.count("before\n") == log.count("after\n") == 1
    assert log.index("before\n") < log.index("program started") < log.index("after\n")
