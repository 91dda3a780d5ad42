"""The checks of WebTest and of wsgiref around the application, for every runner.

Both raise an exception where one side breaks WSGI, so that the answer is a 500 and not this one.
"""

from __future__ import annotations

import pytest
from contract_cases import CASES
from contract_wire import Place, digest_of

pytestmark = pytest.mark.process

LINES = "PUT, read by lines"
BODY = bytes(range(256)) * 300


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_checks_of_both_suites_find_nothing(case, serve, results):
    process = serve(case.name, "linted")
    client = case.client(Place(port=process.port))
    found = {
        "GET": client.ask().text == "contract",
        "GET with a query": client.ask("GET", "/environ/a%20b?q=%C3%A9").status == 200,
        "HEAD": client.ask("HEAD").status == 200,
        "POST": client.ask("POST", "/echo", BODY).text == digest_of(BODY),
        "POST without a body": client.ask("POST", "/echo", b"").text == digest_of(b""),
        LINES: client.ask("PUT", "/lines", b"a\nb\nc").text == r"b'a\n' 2 b'b\nc'",
        "204": client.ask(path="/204").status == 204,
        "304": client.ask(path="/304").status == 304,
        "in parts": len(client.ask(path="/big?mb=1").body) == 1 << 20,
        "write()": client.ask(path="/write").text == "written returned",
    }
    wrong = [name for name, is_right in found.items() if not is_right]
    results.setdefault("lint", {})[case.name] = list(wrong)
    if "test_input_by_lines_ends_where_the_body_ends" in case.exceptions and LINES in wrong:
        wrong.remove(LINES)
    assert not wrong, process.log()
    assert "AssertionError" not in process.log()
