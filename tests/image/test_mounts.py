"""The ways an INI is mounted, and the ways it goes wrong."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture
def folder(readable, app_dir):
    """A directory to mount, with an INI that anybody may read."""
    target = shutil.copy(app_dir / "app.ini", readable / "app.ini")
    readable.joinpath(target).chmod(0o644)
    return readable


@pytest.fixture
def code(app_dir):
    return ["--env", "PYTHONPATH=/app", "--volume", f"{app_dir}:/app:ro"]


def test_an_ini_mounted_as_a_directory_is_served(run, folder, code):
    container = run(options=[*code, "--volume", f"{folder}:/etc/pastebox:ro"])
    container.wait_for_log("listening on")
    assert container.get().status == 200


def test_an_ini_of_another_name_is_found(run, folder, code):
    container = run(
        options=[*code, "--volume", f"{folder}/app.ini:/etc/pastebox/production.ini:ro"]
    )
    container.wait_for_log("listening on")
    assert container.get().status == 200


def test_the_mounted_file_is_never_written_to(run, folder, code):
    before = (folder / "app.ini").read_bytes(), (folder / "app.ini").stat().st_mtime_ns
    container = run(options=[*code, "--volume", f"{folder}:/etc/pastebox"])
    container.wait_for_log("listening on")
    container.stop()
    after = (folder / "app.ini").read_bytes(), (folder / "app.ini").stat().st_mtime_ns
    assert after == before
    assert [path.name for path in folder.iterdir()] == ["app.ini"]


def test_a_directory_in_place_of_the_file_is_explained(run_to_end, folder):
    """``-v missing.ini:/etc/pastebox/app.ini`` makes docker create a directory of that name."""
    missing = folder / "missing.ini"
    status, output = run_to_end(options=["--volume", f"{missing}:/etc/pastebox/app.ini"])
    assert status == 78, output
    assert "/etc/pastebox/app.ini" in output
    assert "directory" in output
    assert "hint:" in output


def test_an_ini_that_may_not_be_read_is_explained(run_to_end, folder):
    (folder / "app.ini").chmod(0o600)
    status, output = run_to_end(
        options=["--user", "1234567:0", "--volume", f"{folder}/app.ini:/etc/pastebox/app.ini:ro"]
    )
    assert status in {77, 78}, output
    assert "/etc/pastebox/app.ini" in output
    assert "hint:" in output


def test_an_overlay_is_laid_over_the_ini(run, folder, code):
    overlays = folder / "conf.d"
    overlays.mkdir()
    (overlays / "10-text.ini").write_text("[app:main]\ntext = from the overlay\n")
    container = run(options=[*code, "--volume", f"{folder}:/etc/pastebox:ro"])
    container.wait_for_log("listening on")
    assert "from the overlay" in container.get().body


def test_a_failing_hook_is_named(run_to_end, folder, code):
    hook = folder / "10-fails.sh"
    hook.write_text("#!/bin/sh\necho about to fail\nexit 3\n")
    hook.chmod(0o755)
    ini = f"{folder}/app.ini:/etc/pastebox/app.ini:ro"
    mount = f"{hook}:/docker-entrypoint.d/pre-serve/10-fails.sh:ro"
    status, output = run_to_end(options=[*code, "--volume", ini, "--volume", mount])
    assert status != 0, output
    assert "about to fail" in output
    assert "pre-serve/10-fails.sh" in output


def test_an_exported_variable_of_a_hook_reaches_the_ini(run, folder, code):
    hook = folder / "10-text.envsh"
    hook.write_text("export GREETING=from-the-hook\n")
    hook.chmod(0o755)
    ini = folder / "app.ini"
    ini.write_text(ini.read_text().replace("hello from the INI", "%(ENV_GREETING)s"))
    mount = f"{hook}:/docker-entrypoint.d/pre-config/10-text.envsh:ro"
    container = run(
        options=[*code, "--volume", f"{ini}:/etc/pastebox/app.ini:ro", "--volume", mount]
    )
    container.wait_for_log("listening on")
    assert "from-the-hook" in container.get().body
