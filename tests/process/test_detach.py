"""In the background: the words, what the caller is told, PID files, and what is left behind."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest
from app_process import PATIENCE_S, children_of, free_port, is_running, wait_until
from background_service import NOBODY, Background, service_of_nobody

import pastebox

pytestmark = pytest.mark.process


@pytest.fixture
def service(tmp_path, request):
    service = Background(tmp_path)
    yield service
    service.end()


def fixed_port(service):
    """Have it listen on one port for life; return the port."""
    port = free_port()
    service.ini.write_text(service.ini.read_text().replace("port = 0", f"port = {port}"))
    return port


# -- the words ---------------------------------------------------------------------------------


def test_start_status_restart_stop(service):
    done = service.start()
    pid = service.pid
    assert f"serving in the background pid={pid} log={service.log_file}" in done.stdout
    assert "listening on" in done.stderr  # what comes to the log meanwhile is shown
    assert service.get().text == "one"
    done = service.say("app.ini", "status")
    assert (done.returncode, done.stdout[: len(f"running pid={pid} since=")]) == (
        0,
        f"running pid={pid} since=",
    )
    service.module.write_text(service.module.read_text().replace('"one"', '"three"'))
    done = service.say("app.ini", "restart")
    assert (done.returncode, service.pid) == (0, pid), done.stderr
    assert f"serving anew in the background pid={pid}" in done.stdout
    assert service.get().text == "three"
    done = service.say("app.ini", "stop")
    assert (done.returncode, done.stdout) == (0, f"stopped pid={pid}\n")
    assert not is_running(pid)
    assert not service.pid_file.exists()
    for word in ("status", "stop"):
        done = service.say("app.ini", word)
        assert done.returncode == 1
        assert done.stdout == f"not running: there is no PID file {service.pid_file}\n"


def test_daemon_flag_with_files_of_its_own(service, tmp_path):
    pid_file, log_file = tmp_path / "x" / "p", tmp_path / "x" / "l"
    pid_file.parent.mkdir()
    service.pid_file, service.log_file = pid_file, log_file
    files = (f"--pid-file={pid_file}", "--log-file", str(log_file))
    done = service.say("app.ini", "--daemon", *files)
    assert done.returncode == 0, done.stderr
    assert service.get().text == "one"
    assert service.say("--pid-file", str(pid_file), "stop").returncode == 0
    assert sorted(tmp_path.glob("pastebox.*")) == []


def test_restart_starts_what_does_not_run(service):
    assert service.say("app.ini", "restart").returncode == 0
    assert service.get().text == "one"


def test_restart_with_another_command_line_takes_another_process(service):
    service.start()
    pid, port = service.pid, free_port()
    done = service.say("app.ini", "--port", str(port), "restart")
    assert done.returncode == 0, done.stderr
    assert "takes another process" in done.stderr
    assert service.pid != pid
    assert service.get(port=port).text == "one"


def test_restart_with_a_setting_of_the_master_takes_another_process(service):
    service.start()
    pid = service.pid
    with service.ini.open("a") as file:
        file.write("[pastebox]\nworker_restarts = 7\n")
    assert service.say("app.ini", "restart").returncode == 0
    assert service.pid != pid


def test_restart_of_one_that_serves_nothing_takes_another_process(service):
    """It ignores HUP, and says so instead of leaving the caller in wait."""
    service.start("--mode", "sleep")
    pid = service.pid
    assert service.say("app.ini", "--mode", "sleep", "restart").returncode == 0
    assert service.pid != pid


@pytest.mark.parametrize(
    ("name", "text", "code", "told"),
    [
        pytest.param("theapp.py", "raise ValueError('typo')", 70, "ValueError: typo", id="code"),
        pytest.param("app.ini", "this is no option", 78, "app.ini:", id="ini"),
    ],
)
def test_restart_with_what_does_not_load_leaves_the_service_alone(service, name, text, code, told):
    service.start()
    pid = service.pid
    with (service.directory / name).open("a") as file:
        file.write(f"\n{text}\n")
    done = service.say("app.ini", "restart")
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert service.pid == pid
    assert service.get().text == "one"


def test_restart_loses_no_request(service):
    port = fixed_port(service)
    service.start()
    over, failed, answered = threading.Event(), [], []

    def load():
        while not over.is_set():
            try:
                answered.append(service.get(port=port).status)
            except OSError as error:
                failed.append(error)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            before = len(answered)
            assert service.say("app.ini", "restart").returncode == 0
            wait_until(lambda before=before: len(answered) > before + 20, "requests in between")
    finally:
        over.set()
        for thread in threads:
            thread.join(PATIENCE_S)
    assert failed == []
    assert set(answered) == {200}


# -- what the caller is told -------------------------------------------------------------------


def test_caller_sees_why_the_application_does_not_load(service):
    service.module.write_text("import os\nraise RuntimeError('on purpose')\n")
    done = service.say("app.ini", "start")
    assert done.returncode == 70
    assert "RuntimeError: on purpose" in done.stderr
    assert "not serving: ended with status 70" in done.stderr
    assert "RuntimeError: on purpose" in service.log()
    assert not service.pid_file.exists()


def test_caller_sees_that_the_port_is_taken(service):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        taken = other.getsockname()[1]
        done = service.say("app.ini", "start", "--port", str(taken))
    assert done.returncode == 73
    assert f"cannot listen on 127.0.0.1:{taken}: the address is in use" in done.stderr
    assert not service.pid_file.exists()


def test_caller_sees_a_worker_that_is_killed_while_it_loads(service):
    service.module.write_text("import os\nos.kill(os.getpid(), 9)\n")
    done = service.say("app.ini", "start", "--worker-restarts", "0")
    assert done.returncode == 128 + signal.SIGKILL


def test_caller_waits_until_the_application_has_loaded(service, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    service.module.write_text(f"open({str(gate)!r}).close()\n" + service.module.read_text())
    with service.start_command("app.ini", "start") as caller:
        with gate.open("w"):  # opens when the application reads, and lets it go on at its end
            assert caller.poll() is None
        assert caller.wait(PATIENCE_S) == 0
    assert service.get().text == "one"


def test_caller_who_is_told_to_stop_ends_the_service(service, tmp_path):
    mark = tmp_path / "loading"
    service.module.write_text(f"import time\nopen({str(mark)!r}, 'w').close()\ntime.sleep(300)\n")
    with service.start_command("app.ini", "start") as caller:
        wait_until(mark.exists, "the application to load")
        pid = service.pid
        caller.send_signal(signal.SIGTERM)
        assert caller.wait(PATIENCE_S) == 0
    assert not is_running(pid)
    assert not service.pid_file.exists()


@pytest.mark.parametrize("word", ["start", "restart", "--daemon"])
def test_supervisor_stays_in_the_foreground(service, word):
    done = service.say("app.ini", "--mode", "daemon", word)
    assert done.returncode == 2
    assert "in the foreground" in done.stderr
    assert not service.pid_file.exists()


# -- PID files ---------------------------------------------------------------------------------


def test_second_start_is_refused_and_the_first_goes_on(service):
    service.start()
    pid = service.pid
    done = service.say("app.ini", "start")
    assert done.returncode == 73
    assert f"{service.pid_file}: is held by process {pid}, which serves already" in done.stderr
    assert service.pid == pid
    assert service.get().text == "one"


def test_pid_file_of_a_crashed_master_is_told_stale_and_taken_over(service):
    service.start()
    pid = service.crash()
    stale = f"not running: {service.pid_file} is stale: process {pid} is gone\n"
    done = service.say("app.ini", "status")
    assert (done.returncode, done.stdout) == (1, stale)
    done = service.start()
    assert f"was left by process {pid}, which is gone" in done.stderr
    assert service.pid != pid
    service.crash()
    done = service.say("app.ini", "stop")
    assert done.returncode == 1
    assert not service.pid_file.exists()


def test_pid_file_of_another_living_process_is_left_alone(service):
    service.pid_file.write_text(f"{os.getpid()}\n")
    done = service.say("app.ini", "start")
    assert done.returncode == 73
    assert f"names process {os.getpid()} (" in done.stderr
    for word in ("status", "stop"):
        done = service.say("app.ini", word)
        assert done.returncode == 1
        assert "which is no pastebox" in done.stdout
    assert service.pid_file.read_text() == f"{os.getpid()}\n"


def test_number_that_a_younger_process_has_inherited_is_stale(service):
    """The file is older than the process: that one cannot have written it."""
    service.pid_file.write_text(f"{os.getpid()}\n")
    os.utime(service.pid_file, (0, time.time() - 86_400 * 365))
    assert "is stale" in service.say("app.ini", "status").stdout
    service.start()
    assert service.get().text == "one"


def test_what_is_no_pid_file_is_not_written_over(service):
    before = service.ini.read_text()
    done = service.say("app.ini", "start", "--pid-file", "app.ini")
    assert done.returncode == 73
    assert "is not a PID file" in done.stderr
    assert service.ini.read_text() == before


@pytest.mark.parametrize("flag", ["--pid-file", "--log-file"])
def test_file_in_a_missing_directory(service, flag):
    done = service.say("app.ini", "start", flag, "no/such")
    assert done.returncode == 73
    assert "no/such" in done.stderr


@pytest.mark.parametrize("flag", ["--pid-file", "--log-file"])
def test_file_that_may_not_be_written(nobodys, flag):
    (nobodys.directory / "closed").mkdir()
    done = nobodys.say("app.ini", "start", flag, "closed/file", wrapper=NOBODY)
    assert done.returncode == 77
    assert "closed/file" in done.stderr
    assert "chown" in done.stderr


# -- what becomes of the process ---------------------------------------------------------------


def test_service_has_nothing_of_its_callers(service):
    """No terminal, no session of the caller's, no descriptor, nothing that others may write."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        service.start(pass_fds=(other.fileno(),), wrapper=("sh", "-c", 'umask 0; exec "$0" "$@"'))
        secret = os.stat(f"/proc/self/fd/{other.fileno()}").st_ino
    pid = service.pid
    for one in (pid, *children_of(pid)):
        names = os.listdir(f"/proc/{one}/fd")
        assert {os.stat(f"/proc/{one}/fd/{name}").st_ino for name in names}.isdisjoint([secret])
        links = [os.readlink(f"/proc/{one}/fd/{number}") for number in (0, 1, 2)]
        assert links == ["/dev/null", str(service.log_file), str(service.log_file)]
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    parent, group, session, terminal = map(int, fields[1:5])
    assert (group, terminal) == (pid, 0)
    assert session not in (pid, os.getsid(0))
    assert parent not in (os.getpid(), session)
    written = service.directory / "written"
    assert service.get(f"/slow?s=0&mark={written}").status == 200
    assert stat.S_IMODE(written.stat().st_mode) == 0o644
    assert stat.S_IMODE(service.log_file.stat().st_mode) == 0o640


def test_log_file_is_opened_anew_by_usr1(service):
    service.start()
    moved = service.directory / "old.log"
    port = service.port
    service.log_file.rename(moved)
    os.kill(service.pid, signal.SIGUSR1)
    wait_until(service.log_file.exists, "a new log file")
    wait_until(
        lambda: service.get("/raise", port).status == 500 and "on purpose" in service.log(),
        "the worker to write to it",
    )
    assert service.say("app.ini", "stop").returncode == 0
    assert "stopped exit=0" in service.log()


def test_foreground_with_pid_file_and_log_file(service):
    with service.start_command(
        "app.ini", "--pid-file", "pastebox.pid", "--log-file", "pastebox.log"
    ) as process:
        wait_until(lambda: "listening on" in service.log(), "the listener")
        assert service.pid == process.pid
        assert service.get().text == "one"
        assert service.say("app.ini", "stop").returncode == 0
        assert process.wait(PATIENCE_S) == 0
    assert not service.pid_file.exists()


# -- other users -------------------------------------------------------------------------------


@pytest.fixture
def nobodys():
    with service_of_nobody() as service:
        yield service


def test_root_becomes_the_user_and_the_group(nobodys):
    user = ("--user", "nobody", "--group", "daemon")
    nobodys.start(*user, wrapper=("setpriv", "--groups", "0,4"))
    pid, group = nobodys.pid, Path("/etc/group").read_text().split("\ndaemon:x:")[1].split(":")[0]
    for one in (pid, *children_of(pid)):
        status = Path(f"/proc/{one}/status").read_text()
        facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert facts["Uid"].split() == ["65534"] * 4
        assert facts["Gid"].split() == [group] * 4
        assert facts["Groups"].split() == [group]
        assert int(facts["CapEff"], 16) == int(facts["CapPrm"], 16) == 0
    assert nobodys.get("/environ?name=USER").text == "nobody"
    assert nobodys.pid_file.stat().st_uid == nobodys.log_file.stat().st_uid == 65534
    assert nobodys.say("app.ini", *user, "restart").returncode == 0
    assert nobodys.pid == pid
    assert nobodys.say("app.ini", *user, "stop").returncode == 0
    assert not nobodys.pid_file.exists()


def test_ordinary_user_runs_every_word(nobodys):
    nobodys.start(wrapper=NOBODY)
    pid = nobodys.pid
    assert nobodys.say("app.ini", "status", wrapper=NOBODY).returncode == 0
    assert nobodys.say("app.ini", "restart", wrapper=NOBODY).returncode == 0
    assert nobodys.pid == pid
    nobodys.crash()
    assert "is stale" in nobodys.say("app.ini", "status", wrapper=NOBODY).stdout
    nobodys.start(wrapper=NOBODY)
    assert nobodys.say("app.ini", "stop", wrapper=NOBODY).returncode == 0


def test_user_who_cannot_read_python_is_told_so(nobodys, tmp_path):
    hidden = tmp_path / "pastebox"  # tmp_path is root's alone
    shutil.copytree(Path(pastebox.__file__).parent, hidden)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from pastebox.cli import main"
    words = ["serve", "app.ini", "start", "--user", "nobody"]
    command = [nobodys.python, "-c", f"{code}; sys.exit(main.main({words}))"]
    done = subprocess.run(
        command, env=nobodys.environ(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 77
    assert f"{tmp_path}/pastebox/" in done.stderr
    assert "cannot be read" in done.stderr


def test_ordinary_user_cannot_become_another(nobodys):
    done = nobodys.say("app.ini", "start", "--user", "root", wrapper=NOBODY)
    assert done.returncode == 77
    assert "only root can" in done.stderr


def test_ordinary_user_cannot_stop_the_service_of_another(nobodys):
    nobodys.start()  # as root
    done = nobodys.say("app.ini", "stop", wrapper=NOBODY)
    assert done.returncode == 77
    assert f"cannot signal process {nobodys.pid} as uid 65534" in done.stderr
    assert nobodys.get().text == "one"
