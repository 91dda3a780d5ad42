"""The truth table of first boot: every state of the volume under every policy."""

from __future__ import annotations

import itertools

import pytest

from pastebox.boot.model import Facts, Plan, Policy, plan
from pastebox.errors import ExitCode

SETUPS = ("auto", "always", "never", "only", "wait")
PARTIALS = ("retry", "fail")
FINGERPRINTS = ("same", "differs", "downgrade")
# name of the journal's state -> facts
JOURNALS = {
    "none": {"journal": "none"},
    "running, holder dead": {"journal": "running", "holder_alive": False},
    "running, holder alive": {"journal": "running", "holder_alive": True},
    "the same, lock": {"journal": "running", "holder_alive": True, "is_locked_out": True},
    "failed": {"journal": "failed"},
    "done": {"journal": "done"},
    "newer schema": {"journal": "newer"},
    "unreadable": {"journal": "unreadable"},
}

NOTHING = "nothing"
SETUP = "setup-app"
MAKE = "make-config,setup-app"
WAIT = "wait"
REFUSE_78 = "refuse 78"
REFUSE_75 = "refuse 75"

# The row's INI, journal and fingerprint ("-": any) -> per policy what happens. A cell with a
# bar is "under retry | under fail".
TABLE = """
INI      journal                fingerprint  auto                  always                never      only                  wait
missing  none                   -            MAKE                  MAKE                  REFUSE_78  MAKE                  WAIT
missing  running, holder dead   -            MAKE|REFUSE_75        MAKE|REFUSE_75        REFUSE_78  MAKE|REFUSE_75        WAIT
missing  running, holder alive  -            REFUSE_75             REFUSE_75             REFUSE_78  REFUSE_75             WAIT
missing  the same, lock         -            MAKE                  MAKE                  REFUSE_78  MAKE                  WAIT
missing  failed                 -            MAKE|REFUSE_75        MAKE|REFUSE_75        REFUSE_78  MAKE|REFUSE_75        WAIT
missing  done                   -            MAKE                  MAKE                  REFUSE_78  MAKE                  WAIT
missing  newer schema           -            REFUSE_78             REFUSE_78             REFUSE_78  REFUSE_78             REFUSE_78
missing  unreadable             -            REFUSE_78             REFUSE_78             REFUSE_78  REFUSE_78             REFUSE_78
present  none                   -            SETUP                 SETUP                 NOTHING    SETUP                 WAIT
present  running, holder dead   -            SETUP|REFUSE_75       SETUP|REFUSE_75       NOTHING    SETUP|REFUSE_75       WAIT
present  running, holder alive  -            REFUSE_75             REFUSE_75             NOTHING    REFUSE_75             WAIT
present  the same, lock         -            SETUP                 SETUP                 NOTHING    SETUP                 WAIT
present  failed                 -            SETUP|REFUSE_75       SETUP|REFUSE_75       NOTHING    SETUP|REFUSE_75       WAIT
present  done                   same         NOTHING               SETUP                 NOTHING    NOTHING               NOTHING
present  done                   differs      SETUP                 SETUP                 NOTHING    SETUP                 WAIT
present  done                   downgrade    REFUSE_78             REFUSE_78             NOTHING    REFUSE_78             REFUSE_78
present  newer schema           -            REFUSE_78             REFUSE_78             REFUSE_78  REFUSE_78             REFUSE_78
present  unreadable             -            REFUSE_78             REFUSE_78             REFUSE_78  REFUSE_78             REFUSE_78
"""  # noqa: E501  # a table


def _rows():
    lines = [
        [cell.strip() for cell in line.split("  ") if cell.strip()]
        for line in TABLE.strip().splitlines()
    ]
    head, rows = lines[0], lines[1:]
    for row in rows:
        assert len(row) == len(head), row
        cells = dict(zip(head, row, strict=True))
        fingerprints = FINGERPRINTS if cells["fingerprint"] == "-" else (cells["fingerprint"],)
        for fingerprint, setup, partial in itertools.product(fingerprints, SETUPS, PARTIALS):
            expected = cells[setup].split("|")
            chosen = expected[-1] if partial == "fail" else expected[0]
            name = f"{cells['INI']}, {cells['journal']}, {fingerprint}, {setup}, {partial}"
            yield pytest.param(
                cells["INI"] == "present",
                JOURNALS[cells["journal"]],
                fingerprint,
                Policy(setup, partial),
                globals()[chosen],
                id=name,
            )


def outcome(decided: Plan) -> str:
    if decided.refusal is not None:
        assert decided.steps == ()
        return f"refuse {int(decided.refusal.exit_code)}"
    return ",".join(decided.steps) or NOTHING


def test_the_table_has_every_combination() -> None:
    assert len(list(_rows())) == 2 * 8 * 3 * 5 * 2


@pytest.mark.parametrize(("has_ini", "journal", "fingerprint", "policy", "expected"), list(_rows()))
def test_truth_table(has_ini, journal, fingerprint, policy, expected) -> None:
    facts = Facts(has_ini=has_ini, can_make=True, fingerprint=fingerprint, **journal)
    assert outcome(plan(facts, policy)) == expected


@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize(
    "journal", [pytest.param(facts, id=name) for name, facts in JOURNALS.items()]
)
def test_without_ini_and_without_template_it_is_refused_whatever_the_policy(setup, journal) -> None:
    facts = Facts(has_ini=False, can_make=False, missing="there is no INI (looked at x)", **journal)
    decided = plan(facts, Policy(setup))
    assert outcome(decided) == REFUSE_78
    if journal["journal"] not in ("newer", "unreadable"):
        assert decided.refusal is not None
        assert decided.refusal.sentence.startswith("there is no INI (looked at x)")


@pytest.mark.parametrize("setup", SETUPS)
def test_only_setup_only_does_not_serve(setup) -> None:
    decided = plan(Facts(has_ini=True, journal="done", fingerprint="same"), Policy(setup))
    assert decided.serve is (setup != "only")


@pytest.mark.parametrize("setup", ["auto", "always", "only", "wait"])
def test_an_application_with_nothing_to_set_up_needs_no_journal(setup) -> None:
    decided = plan(Facts(has_ini=True, has_setup=False), Policy(setup))
    assert (decided.steps, decided.reason, decided.refusal) == ((), "nothing to set up", None)


FORCED = [
    pytest.param({"journal": "none"}, SETUP, id="none"),
    pytest.param({"journal": "running"}, SETUP, id="dead holder"),
    pytest.param({"journal": "running", "holder_alive": True}, REFUSE_75, id="living holder"),
    pytest.param(JOURNALS["the same, lock"], SETUP, id="living holder, lock"),
    pytest.param({"journal": "failed"}, SETUP, id="failed"),
    pytest.param({"journal": "done", "fingerprint": "same"}, SETUP, id="done"),
    pytest.param({"journal": "done", "fingerprint": "downgrade"}, SETUP, id="downgrade"),
    pytest.param({"journal": "unreadable"}, SETUP, id="unreadable"),
    pytest.param({"journal": "newer"}, REFUSE_78, id="newer schema"),
]


@pytest.mark.parametrize(("journal", "expected"), FORCED)
@pytest.mark.parametrize("setup", SETUPS)
def test_force_sets_up_whatever_the_journal_says(setup, journal, expected) -> None:
    policy = Policy(setup, "fail", force=True)
    assert outcome(plan(Facts(has_ini=True, **journal), policy)) == expected


def test_a_refusal_names_the_command_that_repairs_it() -> None:
    facts = Facts(has_ini=True, journal="failed", remark="x", repair="pastebox setup /a/b.ini")
    refusal = plan(facts, Policy("auto", "fail")).refusal
    assert refusal is not None
    assert refusal.exit_code is ExitCode.TEMPORARY
    assert "pastebox setup /a/b.ini --setup-on-partial retry" in refusal.hint
