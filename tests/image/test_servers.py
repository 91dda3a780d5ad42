"""Every server of the registry runs in the container, one word away; the target has the extras."""

from __future__ import annotations

import pytest

from pastebox.runners.registry import RUNNERS

SERVED = sorted(RUNNERS.keys() - {"cgi"})
"""CGI answers one request from its environment: nothing listens."""
IN_THE_TARGET = sorted(name for name, entry in RUNNERS.items() if entry.extra)


@pytest.fixture(scope="session")
def servers_image(standard_image, make_image):
    assert standard_image
    return make_image("pastebox:test-servers", TARGET="servers")


@pytest.mark.parametrize("server", SERVED)
def test_it_serves_is_healthy_and_ends_with_0(run, toy, servers_image, server):
    options = [*toy, "--env", f"PASTEBOX_SERVER={server}", "--read-only"]
    options += ["--tmpfs", "/run", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--user", "1234567:0"]
    container = run(options=options, image=servers_image)
    container.wait_for_log("listening on")
    assert container.exec("pastebox", "health", "--json")
    if not server.startswith("flup_"):
        assert container.get().body == "hello from the INI uid=1234567\n"
    assert container.stop() == 0, container.logs()
    assert "Traceback" not in container.logs()


@pytest.mark.parametrize("server", IN_THE_TARGET)
def test_the_standard_image_says_where_the_server_is(run_to_end, toy, server):
    status, output = run_to_end(options=[*toy, "--env", f"PASTEBOX_SERVER={server}"])
    assert status == 69
    assert 'the image\'s target "servers" has it' in output
    assert f'pip install "pastebox[{RUNNERS[server].extra}]"' in output
