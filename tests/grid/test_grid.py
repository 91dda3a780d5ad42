"""Every runner behind its real front ends: each kind of request does what it must, or says why."""

from pathlib import Path

import pytest
from front_ends import FRONTS
from grid_kinds import KINDS
from grid_rows import MARKS, ROWS, sample

from pastebox.runners.registry import RUNNERS


@pytest.mark.timeout(300)
def test_cell(stand, kind):
    KINDS[kind](stand)


def test_every_runner_is_in_the_table():
    assert {row.case.name for row in ROWS} >= {*RUNNERS, "external"}


def test_the_sample_has_every_runner_every_front_end_and_every_kind():
    cells = sample(list(KINDS))
    assert {row.case.name for row, _ in cells} == {row.case.name for row in ROWS}
    assert {row.front.name for row, _ in cells} == {front.name for front in FRONTS}
    assert {kind for _, kind in cells} == set(KINDS)


def test_no_mark_is_about_nothing():
    known = {*KINDS, *(f"unix:{kind}" for kind in KINDS), *(f"ipv6:{kind}" for kind in KINDS)}
    assert {mark.kind for mark in MARKS} <= known


def test_the_published_table_has_every_row_and_no_failure():
    text = (Path(__file__).parents[2] / "docs/reference/server-grid.md").read_text()
    missing = [row.id for row in ROWS if f"| `{row.case.name}` | {row.front.name} |" not in text]
    assert missing == [], "run: make grid"
    assert "failed" not in text
