"""Zope: the instance that its own command makes on a volume is served from there."""

from __future__ import annotations

import pytest

ADMIN = "alice:wonderland"
INSTANCE = ("mkwsgiinstance", "--dir", "/data/site", "--user", ADMIN)


@pytest.fixture(scope="module")
def zope(build_app):
    return build_app("zope")


@pytest.fixture
def options(run_to_end, zope, hardened):
    """A volume with an instance."""
    status, output = run_to_end(*INSTANCE, options=hardened, image=zope)
    assert status == 0, output
    return [*hardened, "--env", "PASTEBOX_INI=/data/site/etc/zope.ini"]


def test_the_instance_is_served_and_keeps_what_is_made(run, zope, options, client):
    first = run(image=zope, options=options)
    first.wait_for_health("healthy")
    browser = client(first)
    assert browser.ask("/manage_main").status == 401
    folder = {"id": "garden", "title": "The garden"}
    made = browser.ask("/manage_addProduct/OFSP/manage_addFolder", form=folder, user=ADMIN)
    assert made.status == 200, made.body
    assert first.stop() == 0

    second = run(image=zope, options=options)
    second.wait_for_log("listening on")
    assert client(second).ask("/garden/title_or_id").body == "The garden"
    assert second.stop() == 0
