"""The image without a shell: what it holds, and that it serves as the standard image does.

What both promise is tested where the standard image's promise is, by the marker ``slim_too``.
"""

from __future__ import annotations

import pytest

MEGABYTE = 1_000_000
HARDENED = ["--read-only", "--tmpfs", "/run", "--tmpfs", "/tmp", "--cap-drop", "ALL"]
HARDENED += ["--security-opt", "no-new-privileges"]
INITS = [
    pytest.param([], id="tini"),
    pytest.param(["--entrypoint", "/usr/local/bin/docker-entrypoint.py"], id="no-init"),
]
LISTED = """\
import os
for folder, _, files in os.walk("/"):
    if not folder.startswith(("/proc", "/sys", "/dev")):
        for name in files:
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK):
                print(path)
"""
LOADED = """\
import importlib, pathlib, sysconfig
folder = pathlib.Path(sysconfig.get_path("stdlib"), "lib-dynload")
names = [path.name.partition(".")[0] for path in folder.glob("*.so")]
for name in names:
    importlib.import_module(name)
print(len(names) > 20)
"""


@pytest.fixture
def image(slim_image):
    return slim_image


def test_it_is_small(config):
    assert config["Size"] <= 50 * MEGABYTE


def test_what_can_be_executed_is_python_pastebox_and_what_starts_them(run_to_end):
    status, output = run_to_end("python", "-c", LISTED)
    found = {line for line in output.splitlines() if "/bin/" in line}
    assert status == 0, output
    assert {path.rpartition("/")[2] for path in found} == {
        *("python", "python3", "python3.13", "env", "tini"),
        *("docker-entrypoint.py", "pastebox", "supervisord", "supervisorctl", "waitress-serve"),
    }


def test_every_module_in_c_finds_its_libraries(run_to_end):
    assert run_to_end("python", "-c", LOADED) == (0, "True\n")


def test_what_a_wheel_may_be_linked_with_is_there(run_to_end):
    """What PEP 600 has of the C and the C++ library, and what Python itself needs."""
    names = ["c.so.6", "m.so.6", "dl.so.2", "rt.so.1", "util.so.1", "pthread.so.0", "resolv.so.2"]
    names += ["gcc_s.so.1", "stdc++.so.6", "z.so.1", "expat.so.1"]
    script = f"import ctypes\nfor name in {names}: ctypes.CDLL('lib' + name)"
    assert run_to_end("python", "-c", script) == (0, "")


@pytest.mark.parametrize("init", INITS)
def test_it_serves_drains_and_ends_with_0(run, toy, init):
    """Read-only, without capabilities, as any user; a running request gets its whole answer."""
    container = run("serve", options=[*toy, *HARDENED, "--user", "1234567:0", *init])
    container.wait_for_health("healthy")
    assert container.get().body == "hello from the INI uid=1234567\n"
    assert container.stop_amid("/slow?seconds=1") == (0, "begin\nend\n"), container.logs()


def test_a_daemon_runs_in_it(run, toy):
    container = run(options=[*toy, "--env", "PASTEBOX_MODE=daemon"])
    container.wait_for_health("healthy")
    assert container.get().status == 200
    assert container.stop() == 0, container.logs()


def test_another_command_is_run_as_it_is(run_to_end):
    assert run_to_end("env", "GIVEN=1", "python", "-c", "raise SystemExit(7)") == (7, "")


def test_what_it_writes_is_writable_for_its_group(run_to_end):
    assert run_to_end("python", "-c", "import os; print(os.umask(0))") == (0, "2\n")


def test_a_shell_is_said_not_to_be_there(run_to_end):
    status, output = run_to_end("sh", "-c", "true")
    assert status == 127
    assert "sh: No such file" in output
    assert "this image has no shell" in output


@pytest.mark.parametrize("name", ["10-hook.sh", "10-hook.envsh"])
def test_a_hook_that_needs_a_shell_is_refused_by_name(run_to_end, toy, readable, name):
    hook = readable / name
    hook.write_text("#!/bin/sh\nexport GREETING=no\n")
    hook.chmod(0o755)
    place = f"/docker-entrypoint.d/pre-serve/{name}"
    status, output = run_to_end(options=[*toy, "--volume", f"{hook}:{place}:ro"])
    assert status == 1, output
    assert f"{place}: the hook's interpreter" in output
    assert "write the hook in Python" in output


def test_a_hook_in_python_runs(run, toy, readable):
    hook = readable / "10-hook.py"
    hook.write_text("#!/usr/bin/env python3\nprint('the hook was here', flush=True)\n")
    hook.chmod(0o755)
    place = "/docker-entrypoint.d/pre-serve/10-hook.py"
    container = run(options=[*toy, "--volume", f"{hook}:{place}:ro"])
    container.wait_for_log("the hook was here")
    container.wait_for_log("listening on")
