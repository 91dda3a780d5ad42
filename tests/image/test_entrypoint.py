"""Verbs and flags go to pastebox; anything else is a command of its own."""

from __future__ import annotations

import pytest


def test_another_command_is_run_as_it_is(run_to_end):
    assert run_to_end("sh", "-c", 'echo "hi $0"', "there") == (0, "hi there\n")


def test_its_status_is_passed_on(run_to_end):
    assert run_to_end("sh", "-c", "exit 7") == (7, "")


def test_what_it_writes_is_writable_for_its_group(run_to_end):
    assert run_to_end("sh", "-c", "umask") == (0, "0002\n")


@pytest.mark.slim_too
def test_help_is_pasteboxs(run_to_end):
    status, output = run_to_end("--help")
    assert status == 0
    assert "serve" in output
    assert "health" in output


@pytest.mark.slim_too
def test_the_version_is_the_images(run_to_end, config):
    status, output = run_to_end("--version")
    version = config["Labels"]["org.opencontainers.image.version"]
    assert (status, version in output) == (0, True), output


@pytest.mark.slim_too
def test_a_verb_is_pasteboxs(run_to_end):
    status, output = run_to_end("health", "--timeout", "0.2")
    assert (status, bool(output)) == (1, True)


@pytest.mark.slim_too
def test_a_flag_alone_means_serve(run, toy):
    container = run("--port", "8080", "--log-level", "debug", options=toy)
    container.wait_for_log("listening on")
    assert "hello from the INI" in container.get().body


@pytest.mark.slim_too
def test_an_unknown_flag_is_a_usage_error(run_to_end):
    status, output = run_to_end("--prot", "8081")
    assert status == 2, output
    assert "--prot" in output


@pytest.mark.slim_too
def test_the_entrypoint_without_any_word_serves(run_to_end, config):
    """``--entrypoint`` clears the command that the image names."""
    script = config["Entrypoint"][-1]
    status, output = run_to_end(options=["--entrypoint", script])
    assert status == 78, output


@pytest.mark.slim_too
def test_nothing_mounted_explains_itself(run_to_end):
    status, output = run_to_end()
    assert status == 78, output
    assert "/etc/pastebox" in output
    assert "hint: mount one" in output
    assert "Traceback" not in output
