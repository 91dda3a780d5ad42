"""The setup can run again, and at the same time, without doing anything twice."""

import sys
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from webtest import TestApp

from pastebox_wiki.models import Page, Revision, SetupRun
from pastebox_wiki.samples import sample_pages
from pastebox_wiki.websetup import wait

Count = Callable[[type], int]


def test_setup_loads_the_pages_and_records_its_run(
    run_setup: Callable[..., None], engine: Engine, count: Count, capsys: pytest.CaptureFixture[str]
) -> None:
    run_setup()
    samples = len(dict(sample_pages()))
    assert count(Page) == count(Revision) == samples > 5
    with Session(engine) as db:
        run = db.scalars(select(SetupRun)).one()
    assert run.pages_added == samples
    assert run.finished_at is not None
    assert run.finished_at >= run.started_at
    assert f"added={samples}" in capsys.readouterr().out


def test_a_second_setup_leaves_edited_pages_alone(
    app: TestApp, write: Callable[..., object], run_setup: Callable[..., None], count: Count
) -> None:
    write("Front_Page", "my own front page")
    before = count(Revision)
    run_setup()
    assert count(Revision) == before
    assert count(SetupRun) == 2
    app.get("/").mustcontain("my own front page")


def test_setups_at_the_same_time_double_nothing(
    run_setups_at_once: Callable[[int], None], count: Count
) -> None:
    run_setups_at_once(4)
    assert count(Page) == count(Revision) == len(dict(sample_pages()))
    assert count(SetupRun) == 4


def test_a_setup_that_is_cut_off_leaves_a_run_without_an_end(
    run_setup: Callable[..., None], engine: Engine, count: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("pastebox_wiki.websetup.wait", lambda seconds: sys.exit(1))
        with pytest.raises(SystemExit):
            run_setup()
    assert count(Page) == 0
    run_setup()
    with Session(engine) as db:
        ends = db.scalars(select(SetupRun.finished_at).order_by(SetupRun.id)).all()
    assert [end is not None for end in ends] == [False, True]


def test_the_delay_prints_a_line_for_every_second(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        assert seconds <= 0.1
        now += seconds

    wait(2.5, clock=lambda: now, sleep=sleep)
    assert now == pytest.approx(2.5)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[3] for line in lines] == ["elapsed_s=0", "elapsed_s=1", "elapsed_s=2"]


def test_edits_at_the_same_time_lose_nothing(settings: dict[str, str], app: TestApp) -> None:
    """Many writers of one page: each save is either a revision of its own or a conflict."""
    forms = []
    for number in range(8):
        browser = TestApp(app.app)
        form = browser.get("/page/Sandbox/edit").forms[1]
        form["text"] = f"text of writer {number}"
        forms.append(form)
    answers: list[int] = []
    threads = [
        threading.Thread(
            target=lambda form=form: answers.append(form.submit("save", status="*").status_int)
        )
        for form in forms
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(answers) == [303] + [409] * 7
