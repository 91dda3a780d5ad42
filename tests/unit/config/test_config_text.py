"""What an INI cannot be: each refusal has the file, the line and a hint."""

from __future__ import annotations

import pytest

from pastebox.config.text import LARGEST, read_text
from pastebox.errors import ConfigError


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        pytest.param(b"", None, "found an empty file, expected at least a section", id="empty"),
        pytest.param(b" \n\n", None, "found an empty file", id="blank"),
        pytest.param(b"# nothing\n", None, "nothing but comments", id="comments"),
        pytest.param(b"x = 1\n", 1, 'found "x", expected a [section]', id="no section"),
        pytest.param(b"[app:main]\nuse\n", 2, "neither [section], name = value", id="no value"),
        pytest.param(b"[app:main]\na = 1\nb\nc\n", 3, "also in line 4", id="two bad lines"),
        pytest.param(b"[app:main]\na = 1\n\na = 2\n", 4, "the first one is in line 2", id="option"),
        pytest.param(b"[a]\n[b]\n[a]\n", 3, "the first one is in line 1", id="section"),
        pytest.param(b"[a]\nx = \xe9t\xe9\n", 2, "found the byte 0xe9, expected UTF-8", id="latin"),
        pytest.param(b"[a]\n\nx = \0\n", 3, "a zero byte", id="binary"),
        pytest.param("[a]\n\nx = 1\n".encode("utf-16"), 1, "UTF-8", id="utf-16"),
        pytest.param(b"= 1\n", 1, "a [section]", id="no name and no section"),
        pytest.param(b"[a]\n= 1\n", 2, "neither", id="no name"),
    ],
)
def test_text_that_is_no_ini_is_refused_with_its_line(mount, data, line, words):
    (mount.etc / "app.ini").write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        mount.read()
    assert (caught.value.file, caught.value.line) == (mount.ini, line)
    assert words in caught.value.render()


@pytest.mark.parametrize("delimiter", ["=", ":"])
def test_a_syntax_error_shows_no_value(mount, delimiter):
    mount.write(f"password {delimiter} hunter2\n[a]\n")
    with pytest.raises(ConfigError) as caught:
        mount.read()
    assert "hunter2" not in caught.value.render()


def test_a_very_large_file_is_refused(mount):
    with open(mount.ini, "wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(ConfigError, match="very large"):
        read_text(mount.ini)
