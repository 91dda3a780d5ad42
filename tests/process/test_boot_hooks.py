"""Hooks around the setup: once per setup, also where the application itself has none."""

from __future__ import annotations

import os

import boot_apps
import pytest
from boot_volume import Volume

pytestmark = pytest.mark.process

# As an OpenStack API is written down: a factory of a module, no entry point.
INI = "[app:main]\npaste.app_factory = apione:main\n[server:main]\nuse = egg:waitress#main\n"


@pytest.fixture
def volume(tmp_path) -> Volume:
    made = Volume(str(tmp_path))
    install(made, "1.0")
    with open(made.ini, "w", encoding="utf-8") as file:
        file.write(INI)
    return made


def install(volume: Volume, version: str) -> None:
    """Install an application without a websetup."""
    boot_apps.install(
        volume.site,
        "apione",
        version,
        files={"apione/__init__.py": boot_apps.APP},
        entry_points="",
    )


def add_hook(volume: Volume, phase: str, name: str = "10-note.sh", text: str = "") -> None:
    """Add a hook; without a text, one that writes a line into the file of its phase."""
    path = os.path.join(volume.environ["PASTEBOX_HOOKS_DIR"], phase, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text or f"#!/bin/sh\necho ran >>{volume.root}/{phase}\n")
    os.chmod(path, 0o755)


def runs_of(volume: Volume, phase: str) -> int:
    """Return how often the hook of a phase ran."""
    with open(os.path.join(volume.root, phase), encoding="utf-8") as file:
        return len(file.readlines())


@pytest.mark.parametrize("phase", ["pre-setup", "post-setup"])
def test_a_setup_that_is_all_in_hooks_runs_once(volume, phase) -> None:
    add_hook(volume, phase)
    first = volume.boot()
    assert first.outcome["steps"] == ["setup-app"], first.log
    assert volume.journal().state == "done"
    second = volume.boot()
    assert second.outcome["steps"] == []
    assert runs_of(volume, phase) == 1


def test_it_runs_again_after_an_upgrade(volume) -> None:
    """The distribution is found by the module's name, for the INI names none."""
    add_hook(volume, "pre-setup")
    volume.boot()
    os.rename(
        os.path.join(volume.site, "apione-1.0.dist-info"),
        os.path.join(volume.site, "apione-1.1.dist-info"),
    )
    again = volume.boot()
    assert again.outcome["steps"] == ["setup-app"], again.log
    assert runs_of(volume, "pre-setup") == 2


@pytest.mark.parametrize(
    ("phase", "name"),
    [
        pytest.param("pre-serve", "10-note.sh", id="of-another-phase"),
        pytest.param("pre-setup", "README", id="no-hook"),
        pytest.param("pre-setup", ".10-note.sh", id="hidden"),
    ],
)
def test_without_anything_to_set_up_no_journal_is_written(volume, phase, name) -> None:
    add_hook(volume, phase, name)
    ended = volume.boot()
    assert ended.code == 0, ended.log
    assert ended.outcome["steps"] == []
    assert not os.path.exists(volume.state)


@pytest.mark.parametrize("lock", ["file", "none"])
def test_hooks_and_the_setup_get_the_fencing_token_and_the_server_does_not(tmp_path, lock) -> None:
    volume = Volume(str(tmp_path))
    volume.write_ini()
    note = f'#!/bin/sh\necho "${{PASTEBOX_FENCING_TOKEN:-none}}" >>{volume.root}/tokens\n'
    for phase in ("pre-config", "pre-setup", "post-setup", "pre-serve"):
        add_hook(volume, phase, "20-token.sh", note)
    for _ in range(2):
        ended = volume.boot(PASTEBOX_LOCK=lock, PASTEBOX_SETUP="always")
        assert (ended.code, ended.outcome["environ"]) == (0, {}), ended.log
    with open(os.path.join(volume.root, "tokens"), encoding="utf-8") as file:
        tokens = file.read().split()
    first, second = ("1", "2") if lock == "file" else ("none", "none")
    assert tokens == ["none", first, first, "none", "none", second, second, "none"]
    assert volume.tokens() == (["1", "2"] if lock == "file" else ["-", "-"])
