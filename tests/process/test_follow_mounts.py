"""Where a file system tells nothing of changes, ``auto`` polls; shown on a real one."""

import contextlib
import os
import shutil
import subprocess

import pytest
from app_process import APP, wait_until

pytestmark = pytest.mark.process


def lacks(reason):
    """Skip, or fail where the part is required."""
    required = os.environ.get("PASTEBOX_REQUIRE", "").replace(",", " ").split()
    (pytest.fail if "bindfs" in required else pytest.skip)(reason)


@pytest.fixture
def mounted(tmp_path):
    """A directory, and the same one behind FUSE, whose files change behind the kernel's back."""
    if shutil.which("bindfs") is None:
        lacks("bindfs is not installed")
    source, mount = tmp_path / "source", tmp_path / "mount"
    source.mkdir()
    mount.mkdir()
    made = subprocess.run(["bindfs", source, mount], capture_output=True, text=True, check=False)
    if made.returncode:
        lacks(made.stderr.strip() or "bindfs fails")
    yield source, mount
    for command in (["fusermount", "-u", mount], ["umount", "-l", mount]):
        with contextlib.suppress(FileNotFoundError):
            if not subprocess.run(command, capture_output=True, check=False).returncode:
                return


def test_auto_polls_behind_fuse_and_takes_events_beside_it(serve, mounted, tmp_path):
    source, mount = mounted
    beside = tmp_path / "beside"
    beside.mkdir()
    (beside / "helper_beside.py").write_text('WORD = "one"\n')
    app = serve(
        directory=mount,
        code=APP.replace('WORD = "one"', "from helper_beside import WORD"),
        PASTEBOX_RELOAD="auto",
        PYTHONPATH=f"{mount}{os.pathsep}{beside}",
    )
    app.wait_log(r"\d directories by events \(\w+\) and \d directories by polling \(fuse\w*\)")
    (source / "theapp.py").write_text(APP.replace('"one"', '"from behind"'))
    wait_until(lambda: app.get().text == "from behind", "what was changed behind the mount")
    assert app.stop() == 0


def test_auto_takes_events_on_a_file_system_of_this_machine(serve):
    app = serve(PASTEBOX_RELOAD="auto")
    told = app.wait_log(r"watching files=\d+: (.*)")[1]
    assert "polling" not in told
    assert app.stop() == 0
