"""Kinto, a JSON store on Pyramid: the INI that its own command writes is served as it is.

That INI has ``port = %(http_port)s``, which nothing in it defines: Pyramid's command serves it
as ``pserve kinto.ini http_port=8888``. The image has a port of its own, so it is not asked for.
"""

from __future__ import annotations

import pytest

INIT = ("kinto", "init", "--ini", "/data/kinto.ini", "--backend", "memory")
RECORDS = "/v1/buckets/default/collections/tasks/records"
NO_PORT = ("--env", "PASTEBOX_PORT")
"""Takes the image's own port away, for the machine of the tests has none."""
ALICE = "alice:wonderland"


@pytest.fixture(scope="module")
def kinto(build_app):
    return build_app("kinto")


@pytest.fixture
def options(run_to_end, kinto, hardened):
    """A volume with the INI that Kinto has written, under the UID that will serve it."""
    status, output = run_to_end(*INIT, "--cache-backend", "memory", options=hardened, image=kinto)
    assert status == 0, output
    return [*hardened, "--env", "PASTEBOX_INI=/data/kinto.ini"]


def test_the_ini_that_kinto_wrote_is_served(run, kinto, options, client, run_to_end):
    _, written = run_to_end("cat", "/data/kinto.ini", options=options, image=kinto)
    container = run(image=kinto, options=[*options, "--env", "PASTEBOX_READY_PATH=/v1/"])
    container.wait_for_health("healthy")
    browser = client(container)

    account = {"data": {"password": "wonderland"}}
    assert browser.ask("/v1/accounts/alice", method="PUT", as_json=account).status == 201
    task = {"data": {"title": "follow the rabbit"}}
    assert browser.ask(RECORDS, as_json=task, user=ALICE).status == 201
    answer = browser.ask(RECORDS, user=ALICE).json()
    assert [record["title"] for record in answer["data"]] == ["follow the rabbit"]
    assert browser.ask(RECORDS).status == 401

    assert container.exec("cat", "/data/kinto.ini") == written.strip()
    assert container.stop() == 0


def test_every_start_says_that_there_is_nothing_to_set_up(run, kinto, options):
    """Kinto has no installer and no websetup, which is no error."""
    for _ in range(2):
        container = run(image=kinto, options=options)
        container.wait_for_log("first boot: nothing to do: nothing to set up")
        container.wait_for_log("listening on")
        assert container.stop() == 0


def test_the_variable_of_its_ini_is_a_word_of_the_command(run, kinto, options):
    """Without a port from elsewhere the INI's counts, as with ``pserve kinto.ini http_port=…``."""
    container = run("serve", "http_port=8888", image=kinto, options=[*options, *NO_PORT])
    assert ":8888" in container.wait_for_log("listening on")


def test_the_variable_that_is_missing_is_named(run_to_end, kinto, options):
    status, output = run_to_end(options=[*options, *NO_PORT], image=kinto)
    assert status == 78, output
    assert "kinto.ini:10 [server:main] port: found %(http_port)s" in output
