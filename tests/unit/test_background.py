"""``serve`` in the background: its words, and a service that does not end."""

import argparse
import os
import signal
import subprocess
import sys

import pytest

from pastebox.cli import background
from pastebox.cli.background import Wish, take_word
from pastebox.errors import NoPermissionError, PasteboxError, UsageError
from pastebox.process import detach, output
from pastebox.process.detach_user import Identity, become, identity

PARSED = (None, {}, {}, ())


@pytest.mark.parametrize(
    ("words", "word", "rest"),
    [
        (["app.ini", "start", "a=b"], "start", ["app.ini", "a=b"]),
        (["app.ini", "a=b"], "", ["app.ini", "a=b"]),
        (["stop"], "stop", []),
        (["status", "a=b"], "status", ["a=b"]),
        (["app.ini", "a=b", "stop"], "", ["app.ini", "a=b", "stop"]),
        ([], "", []),
    ],
)
def test_word_stands_after_the_ini_or_alone(words, word, rest):
    assert take_word(words) == word
    assert words == rest


def test_ini_that_is_called_like_a_word(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stop").touch()
    words = ["stop", "start"]
    assert take_word(words) == "start"
    assert words == ["stop"]


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(["app.ini", "a=c", "start"], id="another variable"),
        pytest.param(["app.ini", "--port", "1", "start"], id="another flag"),
    ],
)
def test_mark_differs_with_the_command_line(argv):
    assert background._mark(argv, None) != background._mark(["app.ini", "start"], None)


def test_mark_is_that_of_every_way_to_start():
    marks = {
        background._mark(["app.ini", *words], None)
        for words in (["start"], ["restart"], ["--daemon"], ["--daemon", "restart"])
    }
    assert len(marks) == 1
    assert 0 < marks.pop() < 2**31


def test_mark_differs_with_settings_and_directory(monkeypatch, tmp_path):
    before = background._mark(["app.ini"], None)
    monkeypatch.setenv("SOMETHING_ELSE", "1")
    assert background._mark(["app.ini"], None) == before
    monkeypatch.setenv("PASTEBOX_WORKERS", "2")
    marked = background._mark(["app.ini"], None)
    monkeypatch.chdir(tmp_path)
    assert len({before, marked, background._mark(["app.ini"], None)}) == 3


DEAF = """\
import signal, sys, time
from pastebox.process.pidfile import PidFile
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
held = PidFile(sys.argv[1])
print("held", flush=True)
while len(told) < int(sys.argv[2]):
    time.sleep(0.01)
"""


def stop_of_one_that_ends_at(number, tmp_path, monkeypatch):
    path = str(tmp_path / "pid")
    monkeypatch.setattr(background, "_grace", lambda _: 0.2)
    monkeypatch.setattr(background, "_LAST_S", 0.2 if number > 2 else 30)
    command = [sys.executable, "-c", DEAF, path, str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        try:
            wish = Wish("stop", path, "", PARSED, ())
            return background._stop(wish, lambda _: 0), process.wait(30)
        finally:
            process.kill()


def test_stop_that_takes_a_second_signal_says_so(tmp_path, monkeypatch, capsys):
    assert stop_of_one_that_ends_at(2, tmp_path, monkeypatch) == (124, 0)
    assert "goes on after 0.2 s: telling it again" in capsys.readouterr().err


def test_stop_gives_up_on_what_does_not_end(tmp_path, monkeypatch):
    with pytest.raises(PasteboxError, match="does not end") as caught:
        stop_of_one_that_ends_at(9, tmp_path, monkeypatch)
    assert caught.value.hint.startswith("kill -KILL ")


# -- users -------------------------------------------------------------------------------------


def test_nobody_named_is_nobody():
    assert identity(None, None) is None


def test_user_by_name_and_by_number_is_the_same():
    assert identity("root", None) == identity("0", None)
    assert identity("root", None)[:3] == (0, 0, "root")


def test_group_zero_counts():
    assert identity("nobody", "0").gid == 0


def test_number_without_an_entry_needs_a_group():
    assert identity("1234567", "7654321") == Identity(1234567, 7654321, "", "")
    with pytest.raises(UsageError, match="no entry that tells its group"):
        identity("1234567", None)


def test_group_alone_keeps_the_user():
    assert identity(None, "0") == Identity(os.getuid(), 0, "", "")


@pytest.mark.parametrize(
    ("user", "group", "told"),
    [("no-such", None, "--user: .*no such user"), ("root", "no-such", "--group: .*no such group")],
)
def test_unknown_name(user, group, told):
    with pytest.raises(UsageError, match=told):
        identity(user, group)


def test_who_is_no_root_can_only_become_himself(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 7)
    monkeypatch.setattr(os, "getegid", lambda: 8)
    become(Identity(7, 8, "me", "/home/me"), {})

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setgroups", refuse)
    with pytest.raises(NoPermissionError, match="cannot become uid 9 gid 8 as uid 7"):
        become(Identity(9, 8, "", ""), {})


# -- output ------------------------------------------------------------------------------------

REDIRECTED = """\
import os, sys
from pastebox.process import output
output.redirect("log")
print("one", flush=True)
os.rename("log", "old")
assert output.reopen() is None
print("two", file=sys.stderr)
os.rename("log", "older")
os.mkdir("log")
print(output.reopen(), flush=True)
os.system("echo three")
"""


def test_output_follows_its_file_and_stays_where_that_cannot_be(tmp_path):
    subprocess.run([sys.executable, "-c", REDIRECTED], cwd=tmp_path, check=True, timeout=30)
    assert (tmp_path / "old").read_text() == "one\n"
    lines = (tmp_path / "older").read_text().splitlines()
    assert [lines[0], lines[2]] == ["two", "three"]
    assert "cannot be created" in lines[1]


def test_reopen_without_a_file_does_nothing():
    assert output.reopen() is None


def test_tail_of_what_cannot_be_read_shows_nothing(capfd):
    tail = output.Tail(os.devnull)
    tail.show()
    assert not tail.can_be_read
    assert capfd.readouterr() == ("", "")


def test_arguments_are_no_settings():
    parser = argparse.ArgumentParser()
    background.add_arguments(parser)
    given = parser.parse_args(["--daemon", "--user", "x", "--pid-file", "p"])
    assert (given.daemon, given.user, given.pid_file, given.log_file) == (True, "x", "p", None)


def test_service_of_another_number_is_never_signalled(tmp_path):
    """The file was taken over between the look and the signal."""
    service = background.Service(str(tmp_path / "pid"), os.getpid())
    with service:
        service.signal(signal.SIGKILL)
        assert not service.is_there


def test_only_the_service_itself_is_believed(tmp_path):
    told = detach.receiver(str(tmp_path / "pid"))
    say = (
        "import sys; from pastebox.process.notify import Notifier;"
        " Notifier(sys.argv[1]).send(READY=1)"
    )
    with subprocess.Popen([sys.executable, "-c", say, told.address]) as process:
        assert process.wait(30) == 0
    assert detach.heard(told, os.getpid()) == []
    told.close()


def test_one_start_or_restart_at_a_time(tmp_path):
    path = str(tmp_path / "pid")
    told = detach.receiver(path)
    with pytest.raises(PasteboxError, match="another start or restart is under way"):
        detach.receiver(path)
    told.close()
    detach.receiver(path).close()
