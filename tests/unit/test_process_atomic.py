"""Files that are whole or not there."""

import os
import stat

import pytest

from pastebox.errors import CannotCreateError, NoPermissionError
from pastebox.process import atomic
from pastebox.process.atomic import creation_error, make_directory, write_atomically


def test_content_and_mode(tmp_path):
    path = tmp_path / "file"
    write_atomically(str(path), b"one", mode=0o640)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"one", 0o640)
    write_atomically(str(path), b"two")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"two", 0o600)
    assert os.listdir(tmp_path) == ["file"]


def test_existing_file_is_kept_when_asked(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        write_atomically(str(path), b"new", replace=False)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write(descriptor, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "write", write)
    with pytest.raises(CannotCreateError) as caught:
        write_atomically(str(path), b"new")
    assert "free space" in caught.value.hint
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_missing_directory(tmp_path):
    with pytest.raises(CannotCreateError):
        write_atomically(str(tmp_path / "no" / "file"), b"")


def test_permission_has_the_ownership_to_give(tmp_path):
    error = creation_error(str(tmp_path / "a" / "b"), PermissionError(13, "Permission denied"))
    assert isinstance(error, NoPermissionError)
    assert f"chown {os.getuid()}:{os.getgid()} {tmp_path}," in error.hint
    assert "fsGroup" in error.hint


def test_directory_over_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CannotCreateError):
        make_directory(str(tmp_path / "file" / "below"))
    make_directory(str(tmp_path / "a" / "b"))
    make_directory(str(tmp_path / "a" / "b"))
