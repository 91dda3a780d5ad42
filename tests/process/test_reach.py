"""A default address that nothing outside of a container reaches is pointed out, by every server."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
from app_process import clean_environ, free_port

LOOPBACK = {
    "egg:Paste#http": "",
    "egg:gunicorn#main": "gunicorn",
    "egg:pastebox#granian": "granian",
    "egg:PasteScript#wsgiutils": "cheroot",
    "egg:PasteScript#cherrypy": "cheroot",
    "egg:PasteScript#twisted": "twisted",
    "egg:PasteScript#flup_scgi_thread": "",
    "egg:PasteScript#flup_ajp_fork": "",
}
"""Servers whose default is 127.0.0.1, and what they need."""


@pytest.mark.parametrize("use", LOOPBACK)
def test_the_log_says_it_once(serve, use):
    module = LOOPBACK[use]
    if module and importlib.util.find_spec(module) is None:
        pytest.skip(f"needs runners: {module} is not installed")
    section = f"[server:main]\nuse = {use}\nport = {free_port()}\n"
    process = serve(ini=f"[app:main]\npaste.app_factory = theapp:main\n{section}")
    process.wait_log(r"warn  master the default host of \w+ is (127|localhost)")
    assert process.stop() == 0
    assert process.log().count("the default host of") == 1


def test_the_image_has_its_own_default(serve):
    section = f"[server:main]\nuse = egg:Paste#http\nport = {free_port()}\n"
    ini = f"[app:main]\npaste.app_factory = theapp:main\n{section}"
    process = serve(ini=ini, PASTEBOX_HOST="0.0.0.0").wait_listening()
    assert process.stop() == 0
    assert "the default host" not in process.log()


@pytest.mark.parametrize("verb", [["check", "--no-app"], ["explain"]], ids=lambda words: words[0])
def test_check_and_explain_say_it_as_well(tmp_path, verb):
    ini = tmp_path / "app.ini"
    ini.write_text("[app:main]\nuse = egg:theapp\n[server:main]\nuse = egg:Paste#http\n")
    answer = subprocess.run(
        [sys.executable, "-m", "pastebox", *verb, str(ini)],
        env=clean_environ(tmp_path, {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "the default host of http is 127.0.0.1" in answer.stdout, answer
    if verb[0] == "check":
        assert (answer.returncode, "1 warning" in answer.stdout) == (0, True), answer
