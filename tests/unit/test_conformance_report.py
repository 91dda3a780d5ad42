"""The page of the suites of others is made of the results beside it."""

import json

import conformance_report


def test_the_page_is_that_of_the_results():
    results = json.loads((conformance_report.HOME / "conformance.json").read_text())
    page = conformance_report.page(results)
    assert page == (conformance_report.HOME / "conformance.md").read_text()
