"""The journal: what is written is read, what is torn is refused, what is done is seen cheaply."""

from __future__ import annotations

import json
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pastebox.boot import journal as journals
from pastebox.boot.identity import Holder, is_alive, present_holder
from pastebox.boot.journal import Fingerprint, Journal
from pastebox.errors import CannotCreateError

FINGERPRINT = Fingerprint((("demoapp", "1.0"), ("other", "2")), "d" * 64)


def journal(**changes: object) -> Journal:
    salt = "0123456789abcdef" * 2
    made = Journal(
        state="done",
        applications=FINGERPRINT.applications,
        salt=salt,
        config=journals.salted(salt, FINGERPRINT.config),
        step="setup-app",
        attempt=2,
        token=7,
        holder=Holder(12, "345", "boot", "host"),
        started="2026-01-01T00:00:00Z",
        finished="2026-01-01T00:00:09Z",
    )
    return made._replace(**changes)


@pytest.mark.parametrize("state", ["running", "failed", "done"])
def test_what_is_written_is_read(state) -> None:
    written = journal(state=state, error='it said "no"\nand more')
    assert journals.parse(journals.render(written)) == written


@given(
    name=st.text(min_size=1),
    version=st.text(),
    error=st.text(),
)
def test_any_text_survives(name, version, error) -> None:
    written = journal(applications=((name, version),), error=error)
    content = journals.render(written)
    assert journals.parse(content) == written
    assert journals.is_done(content, Fingerprint(((name, version),), FINGERPRINT.config))


def test_the_file_is_json_of_a_schema() -> None:
    data = json.loads(journals.render(journal()))
    assert data["schema"] == journals.SCHEMA
    assert data["applications"] == {"demoapp": "1.0", "other": "2"}


def test_done_is_seen_without_json(monkeypatch) -> None:
    content = journals.render(journal())
    monkeypatch.setitem(sys.modules, "json", None)
    assert journals.is_done(content, FINGERPRINT)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(journals.render(journal(state="running")), id="running"),
        pytest.param(journals.render(journal(state="failed")), id="failed"),
        pytest.param(journals.render(journal(config="0" * 64)), id="another configuration"),
        pytest.param(
            journals.render(journal(applications=(("demoapp", "1.1"), ("other", "2")))),
            id="another version",
        ),
        pytest.param(journals.render(journal())[:-1], id="torn at the end"),
        pytest.param(journals.render(journal())[:100], id="torn"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\0" * 500, id="zeros of a lost block"),
    ],
)
def test_anything_else_is_not_done(content) -> None:
    assert not journals.is_done(content, FINGERPRINT)


def test_the_digest_in_the_journal_is_salted() -> None:
    content = journals.render(journal())
    assert FINGERPRINT.config.encode() not in content
    assert journals.salted("a", "x") != journals.salted("b", "x")


@pytest.mark.parametrize("length", range(0, len(journals.render(journal())) - 1, 7))
def test_a_torn_journal_is_never_guessed_at(length) -> None:
    with pytest.raises(journals.UnreadableJournalError):
        journals.parse(journals.render(journal())[:length])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param([], id="a list"),
        pytest.param({}, id="no schema"),
        pytest.param({"schema": "1"}, id="schema as text"),
        pytest.param({"schema": 1}, id="nothing else"),
        pytest.param({"schema": 1, "state": "half"}, id="unknown state"),
    ],
)
def test_what_is_no_journal_is_refused(data) -> None:
    with pytest.raises(journals.UnreadableJournalError):
        journals.parse(json.dumps(data).encode())


def test_a_newer_schema_is_told_apart() -> None:
    with pytest.raises(journals.NewerJournalError, match="schema 2, this is schema 1"):
        journals.parse(b'{"schema": 2, "everything": "else"}')


def test_a_missing_journal_is_none(tmp_path) -> None:
    assert journals.read_bytes(str(tmp_path / "none" / "x.json")) is None


def test_writing_into_a_missing_directory_says_which_setting_helps(tmp_path) -> None:
    with pytest.raises(CannotCreateError) as caught:
        journals.write(str(tmp_path / "none" / "x.json"), b"")
    assert "PASTEBOX_DATA_DIR" in (caught.value.hint or "")


def test_this_process_is_alive() -> None:
    assert is_alive(present_holder())


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"started": "1"}, id="the pid was used again"),
        pytest.param({"boot_id": "another"}, id="the machine was restarted"),
        pytest.param({"hostname": "another"}, id="another host"),
        pytest.param({"started": ""}, id="start time unknown"),
    ],
)
def test_another_process_is_dead(change) -> None:
    assert not is_alive(present_holder()._replace(**change))


def test_a_process_that_has_ended_is_dead() -> None:
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writable)
        os.read(readable, 1)
        os._exit(0)
    from pastebox.boot.identity import start_time

    holder = present_holder()._replace(pid=pid, started=start_time(pid))
    assert is_alive(holder)
    os.close(writable)
    os.close(readable)
    os.waitpid(pid, 0)
    assert not is_alive(holder)
