"""Barbican, the key manager of OpenStack: its ``api-paste.ini``, as its wheel brings it.

It has no ``[server:*]`` and no ``[app:main]``, but a composite of pipelines; its database is made
by its own command, in a hook; the rest of its configuration is oslo's, mounted where it looks.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "barbican"
OVERLAY = f"{FOLDER}/without-keystone.ini:/etc/pastebox/conf.d/without-keystone.ini:ro"
KEYSTONE = "PASTE__FILTER_AUTHTOKEN__WWW_AUTHENTICATE_URI=http://keystone.invalid/v3"
MIGRATION = "Running upgrade  -> "
ASKED_KEYSTONE = {
    "X-Identity-Status": "Confirmed",
    "X-Roles": "creator,member",
    "X-User-Id": "alice",
    "X-Project-Id": "wonderland",
}


@pytest.fixture(scope="module")
def barbican(build_app):
    return build_app("barbican")


@pytest.fixture
def options(hardened, readable):
    """Its own configuration file, with a key of this test."""
    key = base64.urlsafe_b64encode(os.urandom(32)).decode()
    (readable / "barbican.conf").write_text(f"[simple_crypto_plugin]\nkek = {key}\n")
    return [*hardened, "--volume", f"{readable}/barbican.conf:/etc/barbican/barbican.conf:ro"]


def test_its_api_paste_ini_is_served_as_it_is(run, barbican, options, client):
    """An option of one of its filters comes from the environment, as where Keystone is."""
    options = [*options, "--env", "PASTEBOX_READY_PATH=/healthcheck", "--env", KEYSTONE]
    container = run(image=barbican, options=options)
    container.wait_for_health("healthy")
    browser = client(container)

    versions = browser.ask("/", headers={"Accept": "application/json"})
    assert versions.status == 300
    assert [version["id"] for version in versions.json()["versions"]["values"]] == ["v1"]
    refused = browser.ask("/v1/secrets")
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"] == 'Keystone uri="http://keystone.invalid/v3"'
    assert container.stop() == 0


def test_what_is_stored_is_there_after_the_second_start(run, barbican, options, client):
    """An overlay chooses the pipeline; the hook makes the tables once."""
    options = [*options, "--volume", OVERLAY]
    secret = {"payload": "off with her head", "payload_content_type": "text/plain"}

    first = run(image=barbican, options=options)
    first.wait_for_log("listening on")
    made = client(first).ask("/v1/secrets", as_json=secret, headers=ASKED_KEYSTONE)
    assert made.status == 201, made.body
    place = "/v1/secrets/" + made.json()["secret_ref"].rpartition("/")[2]
    assert first.stop() == 0
    assert MIGRATION in first.logs()

    second = run(image=barbican, options=options)
    second.wait_for_log("listening on")
    accept = {"Accept": "text/plain"}
    read = client(second).ask(f"{place}/payload", headers=ASKED_KEYSTONE | accept)
    assert read.body == "off with her head"
    assert client(second).ask(place).status == 401
    assert second.stop() == 0
    assert MIGRATION not in second.logs()


def test_one_pipeline_of_it_is_served_by_name(run, barbican, options, client):
    ini = "/opt/pastebox/etc/barbican/barbican-api-paste.ini#barbican_version"
    container = run("serve", ini, image=barbican, options=options)
    container.wait_for_log("listening on")
    answer = client(container).ask("/", headers={"Accept": "application/json"})
    assert answer.status == 300, answer.body
    assert container.stop() == 0
