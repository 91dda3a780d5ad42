"""The wiki without an INI: one is made, the setup is run once, and the volume remembers it."""

from __future__ import annotations

import re

import pytest


@pytest.mark.slim_too
def test_the_first_start_makes_all_and_the_second_finds_it(run, wiki_image, volume):
    """With nothing mounted but a volume; the second container takes over what the first made."""
    options = ["--volume", f"{volume}:/data", "--env", "PASTEBOX_READY_PATH=/ready"]
    first = run(options=options, image=wiki_image)
    first.wait_for_health("healthy")
    assert "<h1" in first.get("/").body
    secret = session_secret(first)
    assert first.stop() == 0
    assert "pages loaded" in first.logs()

    second = run(options=options, image=wiki_image)
    second.wait_for_health("healthy")
    assert session_secret(second) == secret
    assert second.stop() == 0
    assert "pages loaded" not in second.logs()


def test_what_first_boot_made_is_nobody_elses(run, wiki_image):
    container = run(image=wiki_image)
    container.wait_for_log("listening on")
    modes = container.exec("sh", "-c", "find /data/.pastebox -name '*.ini' -exec stat -c %a {} +")
    assert modes.split() == ["600"]


def test_the_generated_secret_is_in_no_log(run, wiki_image):
    container = run(image=wiki_image)
    container.wait_for_health("healthy")
    secret = session_secret(container)
    assert len(secret) >= 20
    assert secret not in container.logs()
    assert secret not in container.exec("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")


def test_a_volume_that_is_not_writable_says_what_to_do(run_to_end, wiki_image, readable):
    """A directory of the host that belongs to somebody else; the message has the repair."""
    readable.chmod(0o755)
    status, output = run_to_end(
        options=["--user", "1234567:1234567", "--volume", f"{readable}:/data"], image=wiki_image
    )
    assert status == 77, output
    assert re.search(r"chown .*1234567.*", output), output


def session_secret(container) -> str:
    """Return the secret that make-config put into the INI."""
    script = (
        "import pathlib, re\n"
        "[ini] = pathlib.Path('/data/.pastebox').rglob('*.ini')\n"
        "print(re.search('(?m)^session.secret = (.*)', ini.read_text())[1])\n"
    )
    return container.exec("python", "-c", script)
