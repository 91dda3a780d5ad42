"""gunicorn's request cases against every HTTP runner: what the application sees, what is refused.

Valid requests arrive as that suite expects, invalid ones are refused; where the parser below a
runner sees it otherwise, ``conformance_cases`` has the reason.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import conformance_cases
import pytest
import treq
import treq_wire
from conformance_cases import DIFFERENCES, FRAMING, NOT_SENT, OUR_LOOPS, reason_of

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def cases(require):
    try:
        every = treq.cases()
    except treq.UnavailableError as error:
        require("treq", str(error))
    return [case for case in every if not case.settings and case.name not in NOT_SENT]


@pytest.mark.parametrize("runner", DIFFERENCES)
def test_requests_are_seen_as_the_suite_expects_or_refused(runner, cases, serve, results):
    process = serve(runner)

    def ask(case: treq.TreqCase) -> str:
        return treq_wire.judge(case, treq_wire.send(process.port, case))

    with ThreadPoolExecutor(16) as threads:
        found = dict(zip((case.name for case in cases), threads.map(ask, cases), strict=True))
    differences = {name: fault for name, fault in found.items() if fault}
    results.setdefault("requests", {})[runner] = {"cases": len(found), "differences": differences}
    unexplained = {name: differences[name] for name in differences if not reason_of(runner, name)}
    assert not unexplained
    assert "Traceback" not in process.log()
    assert process.get().status == 200


@pytest.mark.parametrize("runner", OUR_LOOPS)
def test_no_exception_is_made_for_what_could_smuggle_a_request(runner, cases):
    names = [case.name for case in cases if case.name.startswith(FRAMING)]
    assert len(names) > 30
    assert not [name for name in names if reason_of(runner, name)]


def test_every_reason_is_of_a_case_that_there_is(cases):
    names = [case.name for case in cases]
    for reasons in conformance_cases.DIFFERENCES.values():
        for pattern in reasons:
            assert any(name.startswith(pattern.removesuffix("*")) for name in names), pattern
