"""The lock: one holder, a deadline, a token that grows."""

from __future__ import annotations

import os

import pytest

from pastebox.boot import journal as journals
from pastebox.boot.identity import present_holder
from pastebox.boot.journal import Journal
from pastebox.boot.lock import BACKENDS, FileLock, NoLock, lock_for
from pastebox.boot.paths import StatePaths
from pastebox.errors import CannotCreateError, TemporaryError
from pastebox.process.deadline import Deadline
from pastebox.settings import Settings, resolve

JOURNAL = "/nonexistent/app.journal.json"


def silent(_text: str) -> None:
    """Say nothing."""


@pytest.fixture
def path(tmp_path) -> str:
    return str(tmp_path / "app.lock")


def test_the_token_grows_with_every_holder(path) -> None:
    tokens = []
    for _ in range(3):
        held = FileLock(path, JOURNAL).acquire(Deadline.after(1), silent)
        tokens.append(held.token)
        held.release()
    assert tokens == [1, 2, 3]


def test_a_second_one_waits_until_the_deadline_and_says_for_whom(path) -> None:
    held = FileLock(path, JOURNAL).acquire(Deadline.after(1), silent)
    said: list[str] = []
    with pytest.raises(TemporaryError, match=f"the lock is still held by pid {os.getpid()} on "):
        FileLock(path, JOURNAL).acquire(Deadline.after(0.2), said.append)
    assert said[0].startswith(f"waiting for the lock held by pid {os.getpid()} on ")
    assert " since 20" in said[0]
    assert len(said) == 1
    held.release()
    FileLock(path, JOURNAL).acquire(Deadline.after(0), silent).release()


def test_a_progress_line_comes_every_ten_seconds(path, monkeypatch) -> None:
    held = FileLock(path, JOURNAL).acquire(Deadline.after(1), silent)
    now = [0.0]
    monkeypatch.setattr("pastebox.boot.lock.time.sleep", lambda s: now.__setitem__(0, now[0] + s))
    said: list[str] = []
    with pytest.raises(TemporaryError):
        FileLock(path, JOURNAL).acquire(Deadline(35.0, lambda: now[0]), said.append)
    assert len(said) == 4
    held.release()


def test_a_lock_whose_file_was_deleted_is_lost(path) -> None:
    held = FileLock(path, JOURNAL).acquire(Deadline.after(1), silent)
    assert held.still_held()
    os.unlink(path)
    assert not held.still_held()
    held.release()


def test_the_token_goes_on_growing_where_the_file_was_deleted(tmp_path, path) -> None:
    journal = str(tmp_path / "app.journal.json")
    written = Journal("done", (), "", "", "setup-app", 1, 41, present_holder(), "")
    journals.write(journal, journals.render(written))
    held = FileLock(path, journal).acquire(Deadline.after(1), silent)
    assert held.token == 42
    assert held.still_held()
    held.release()


def test_a_lock_that_somebody_else_wrote_into_is_lost(path) -> None:
    held = FileLock(path, JOURNAL).acquire(Deadline.after(1), silent)
    with open(path, "w", encoding="utf-8") as file:
        file.write("99\nsomebody\n")
    assert not held.still_held()
    held.release()


def test_a_released_lock_is_not_held(path) -> None:
    held = FileLock(path, JOURNAL).acquire(Deadline.after(1), silent)
    held.release()
    held.release()
    assert not held.still_held()


@pytest.mark.parametrize("content", ["", "x\n", "12", "-3\n", "9" * 40 + "\n"])
def test_a_torn_lock_file_does_not_stop_anybody(path, content) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)
    held = FileLock(path, JOURNAL).acquire(Deadline.after(1), silent)
    assert held.token >= 1
    assert held.still_held()
    held.release()


def test_the_lock_is_given_back_when_its_holder_dies(path) -> None:
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        FileLock(path, JOURNAL).acquire(Deadline.after(1), silent)
        os.write(writable, b"x")
        os.kill(os.getpid(), 9)
    os.read(readable, 1)
    os.waitpid(pid, 0)
    os.close(readable)
    os.close(writable)
    held = FileLock(path, JOURNAL).acquire(Deadline.after(5), silent)
    assert held.token == 2
    assert held.proves_death
    held.release()


def test_a_missing_directory_is_said_with_the_setting_that_helps(tmp_path) -> None:
    with pytest.raises(CannotCreateError) as caught:
        FileLock(str(tmp_path / "none" / "x.lock"), JOURNAL).acquire(Deadline.after(0), silent)
    assert "PASTEBOX_DATA_DIR" in (caught.value.hint or "")


def test_no_lock_keeps_nobody_out_and_proves_nothing(path) -> None:
    first = NoLock(JOURNAL).acquire(Deadline.after(0), silent)
    second = NoLock(JOURNAL).acquire(Deadline.after(0), silent)
    assert first.still_held()
    assert second.still_held()
    assert not first.proves_death
    assert not os.path.exists(path)


def test_every_lock_of_the_settings_has_a_backend(path) -> None:
    assert set(Settings.lock.converter.choices) == {*BACKENDS, "postgresql", "auto"}
    for name in BACKENDS:
        paths = StatePaths(os.path.dirname(path), JOURNAL, path, "")
        lock_for(resolve({"lock": name}, {}), paths, {})
