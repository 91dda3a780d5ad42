"""Where the kernel gives no more events, the watcher polls and says so once; it has bounds."""

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from app_process import APP, wait_until

pytestmark = pytest.mark.process

LIMITS = Path("/proc/sys/fs/inotify")
FIRST_USER = 61_000  # nobody's: the limits are a user's, and each test has one of its own
_numbers = itertools.count(os.getpid() * 4)

# Takes what its user may have, but for a few, and says so. Both limits are of the user.
HOG = """\
import ctypes, os, sys
what, directory = sys.argv[1:]
libc = ctypes.CDLL(None)
taken = []
while (one := libc.inotify_init1(0)) >= 0:
    taken.append(one)
if what == "watches":
    os.close(taken.pop())  # an instance is left
    os.close(taken.pop())
    number = 0
    left = list(taken)
    while left:
        path = f"{directory}/{number}"
        os.mkdir(path)
        left = [one for one in left if libc.inotify_add_watch(one, path.encode(), 0x100) >= 0]
        number += 1
print("taken", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def user():
    """Words that run a command as an ordinary user of this process's own, who may read anything."""
    if os.geteuid() or shutil.which("setpriv") is None or not LIMITS.exists():
        pytest.skip("needs root, setpriv and inotify")
    number = FIRST_USER + next(_numbers) % 4000
    more = ("--clear-groups", "--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    return ("setpriv", f"--reuid={number}", f"--regid={number}", *more)


@pytest.fixture
def hog(user):
    """Take every instance, or every watch, that the user may have."""
    with contextlib.ExitStack() as stack:

        def take(what):
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            os.chmod(directory, 0o777)
            process = subprocess.Popen(
                [*user, sys.executable, "-S", "-c", HOG, what, directory],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            stack.callback(process.wait)
            stack.callback(process.stdin.close)
            stack.callback(process.stdout.close)
            assert process.stdout.readline() == b"taken\n"

        yield take


@pytest.mark.parametrize("what", ["instances", "watches"])
def test_exhausted_limit_makes_it_poll_and_say_so_once(serve, user, hog, what):
    if int((LIMITS / "max_user_watches").read_text()) > 600_000 and what == "watches":
        pytest.skip("needs fs.inotify.max_user_watches of 600000 or less")
    hog(what)
    app = serve(wrapper=user, PASTEBOX_RELOAD="auto")
    told = f"polling, since events are not to be had: the limit fs.inotify.max_user_{what} "
    app.wait_log(told)
    app.wait_log("watching files=2: .* by polling")
    for word in ("second", "third"):
        new = app.directory / "theapp.py~"
        new.write_text(APP.replace('"one"', f'"{word}"'))
        new.rename(app.module)
        wait_until(lambda word=word: app.get().text == word, "the new code")
    assert app.log().count("events are not to be had") == 1
    assert "by events" not in app.log()
    assert app.stop() == 0


@pytest.fixture
def many():
    """A directory of 101 000 files, in memory where that can be had."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    data = Path(tempfile.mkdtemp(dir=place))
    for part in range(101):
        directory = data / str(part)
        directory.mkdir(parents=True)
        first = directory / "0.csv"
        first.touch()
        for number in range(1, 1000):
            os.link(first, directory / f"{number}.csv")
    yield data
    shutil.rmtree(data)


def test_pattern_of_too_many_files_is_bounded_and_said_once(serve, many):
    """What is named one by one is followed all the same."""
    app = serve(more=f"[pastebox]\nwatch = {many}/**/*.csv\n", PASTEBOX_RELOAD="auto")
    app.wait_log("more than 100000 files or 20000 directories would be watched")
    app.wait_log("name what matters in .pastebox. watch")
    new = app.directory / "theapp.py~"
    new.write_text(APP.replace('"one"', '"second"'))
    new.rename(app.module)
    wait_until(lambda: app.get().text == "second", "the new code")
    assert app.log().count("would be watched") == 1
    assert app.stop() == 0
