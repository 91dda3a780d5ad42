"""First boot is killed at every point it has; the next start brings it to the same end."""

from __future__ import annotations

import signal

import pytest
from boot_volume import Volume

from pastebox.boot.faults import POINTS

pytestmark = pytest.mark.process

FAULTS_ON = {"PASTEBOX_ALLOW_FAULTS": "1"}
WITHOUT_INI_ONLY = ("in-make-config", "after-make-config")


@pytest.fixture
def volume(tmp_path) -> Volume:
    return Volume(str(tmp_path))


def _cases():
    for point in POINTS:
        yield pytest.param(point, False, id=f"{point}, no INI")
        if point not in WITHOUT_INI_ONLY:
            yield pytest.param(point, True, id=f"{point}, mounted INI")


@pytest.mark.parametrize(("point", "has_ini"), list(_cases()))
def test_a_kill_at_any_point_converges_at_the_next_start(volume, point, has_ini) -> None:
    if has_ini:
        volume.write_ini()
    killed = volume.boot(PASTEBOX_FAULTS=point, **FAULTS_ON)
    assert killed.code == -signal.SIGKILL, killed.log
    volume.check_whole()

    after = volume.boot()
    assert after.code == 0, after.log
    assert volume.effect() == ["effect"]
    assert volume.journal().state == "done"
    volume.check_whole()

    again = volume.boot()
    assert (again.code, again.outcome["steps"]) == (0, []), again.log
    assert volume.runs() == (
        2 if point in ("in-setup", "after-setup", "before-journal-done") else 1
    )


@pytest.mark.parametrize("point", [p for p in POINTS if p not in ("before-lock", "after-lock")])
def test_the_secret_of_a_written_ini_survives_the_kill(volume, point) -> None:
    volume.boot(PASTEBOX_FAULTS=point, **FAULTS_ON)
    before = volume.read("app.ini") if _is_written(point) else None
    assert volume.boot().code == 0
    if before is not None:
        assert volume.read("app.ini") == before


def _is_written(point: str) -> bool:
    return POINTS.index(point) >= POINTS.index("after-make-config")


@pytest.mark.parametrize("point", ["after-journal-running", "in-setup", "before-journal-done"])
def test_a_half_done_setup_is_refused_with_the_command_that_repairs_it(volume, point) -> None:
    ini = volume.write_ini()
    volume.boot(PASTEBOX_FAULTS=point, **FAULTS_ON)
    refused = volume.boot(PASTEBOX_SETUP_ON_PARTIAL="fail")
    assert refused.code == 75, refused.log
    assert f"pastebox setup {ini} --setup-on-partial retry" in refused.log
    assert "running at step setup-app" in refused.log
    assert volume.boot().code == 0
    assert volume.boot(PASTEBOX_SETUP_ON_PARTIAL="fail").code == 0


def test_faults_have_no_effect_unless_they_are_allowed(volume) -> None:
    assert volume.boot(PASTEBOX_FAULTS="before-lock").code == 0


def test_a_fault_point_that_does_not_exist_is_refused(volume) -> None:
    ended = volume.boot(PASTEBOX_FAULTS="in-the-middle", **FAULTS_ON)
    assert ended.code == 78
    assert "before-journal-done" in ended.log


def test_the_attempts_are_counted(volume) -> None:
    volume.write_ini()
    for _ in range(2):
        volume.boot(PASTEBOX_FAULTS="in-setup", **FAULTS_ON)
    assert volume.boot().code == 0
    assert volume.journal().attempt == 3
