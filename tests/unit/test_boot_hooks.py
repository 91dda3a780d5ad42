"""The operator's hooks: order, exports, failures that name the hook."""

from __future__ import annotations

import os
import textwrap

import pytest

from pastebox.boot.hooks import apply, difference, run_phase
from pastebox.errors import NoPermissionError, PasteboxError
from pastebox.settings import Given, Settings

ENVIRON = {"PATH": os.environ["PATH"], "KEPT": "kept", "GONE": "gone"}


class Hooks:
    """A hooks directory."""

    def __init__(self, root) -> None:
        self.root = root
        self.said: list[str] = []
        self.settings = Settings(
            {"hooks_dir": Given(str(root), "test"), "hook_timeout": Given("20s", "test")}
        )

    def add(self, name: str, text: str, *, mode: int = 0o755, phase: str = "pre-setup") -> str:
        path = self.root / phase / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
        path.chmod(mode)
        return str(path)

    def run(self, phase: str = "pre-setup", environ=ENVIRON):
        return run_phase(phase, self.settings, environ, lambda *words: self.said.append(words[1]))


@pytest.fixture
def hooks(tmp_path) -> Hooks:
    return Hooks(tmp_path)


def test_hooks_run_in_sorted_order_and_see_the_environment(hooks, tmp_path) -> None:
    hooks.add("20-b.sh", f"#!/bin/sh\necho b $KEPT >> {tmp_path}/out\n")
    hooks.add("10-a.py", f"#!/usr/bin/env python3\nopen('{tmp_path}/out', 'a').write('a\\n')\n")
    assert hooks.run() == {}
    assert (tmp_path / "out").read_text() == "a\nb kept\n"


def test_exports_of_an_envsh_hook_come_back_and_reach_later_hooks(hooks, tmp_path) -> None:
    hooks.add(
        "10.envsh",
        "export NEW='two\nlines'\nexport KEPT=changed\nunset GONE\nplain=1\n",
        mode=0o644,
    )
    hooks.add("20.envsh", 'export SECOND="$NEW!"\n', mode=0o644)
    hooks.add("30.sh", f'#!/bin/sh\nprintf %s "$SECOND" > {tmp_path}/out\n')
    changes = hooks.run()
    assert changes == {
        "NEW": "two\nlines",
        "KEPT": "changed",
        "GONE": None,
        "SECOND": "two\nlines!",
    }
    assert (tmp_path / "out").read_text() == "two\nlines!"


def test_exit_in_an_envsh_hook_ends_the_hook_only(hooks) -> None:
    hooks.add("10.envsh", "export NEW=1\nexit 0\nexport LATER=1\n")
    assert hooks.run() == {"NEW": "1"}


def test_an_environment_larger_than_a_pipe_comes_back(hooks) -> None:
    hooks.add("10.envsh", "export BIG=$(printf %100000s x)\n")
    assert len(hooks.run()["BIG"] or "") == 100000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("10-x.sh", "#!/bin/sh\nexit 3\n", id="sh"),
        pytest.param("10-x.py", "#!/usr/bin/env python3\nraise SystemExit(3)\n", id="py"),
        pytest.param("10-x.envsh", "exit 3\n", id="envsh"),
    ],
)
def test_a_failing_hook_is_named_with_its_exit_status(hooks, name, text) -> None:
    path = hooks.add(name, text)
    with pytest.raises(PasteboxError) as caught:
        hooks.run()
    assert str(caught.value) == f"{path}: the hook failed with exit status 3"
    assert caught.value.exit_code == 1


def test_a_failing_hook_stops_those_after_it(hooks, tmp_path) -> None:
    hooks.add("10.sh", "#!/bin/sh\nexit 1\n")
    hooks.add("20.sh", f"#!/bin/sh\ntouch {tmp_path}/out\n")
    with pytest.raises(PasteboxError):
        hooks.run()
    assert not (tmp_path / "out").exists()


def test_a_hook_that_is_not_executable_says_chmod(hooks) -> None:
    path = hooks.add("10.sh", "#!/bin/sh\n", mode=0o644)
    with pytest.raises(NoPermissionError) as caught:
        hooks.run()
    assert caught.value.hint == f"chmod +x {path}"


def test_a_hook_that_hangs_is_stopped_and_named(hooks) -> None:
    hooks.settings = Settings(
        {
            "hooks_dir": Given(str(hooks.root), "test"),
            "hook_timeout": Given("200ms", "test"),
        }
    )
    path = hooks.add("10.sh", "#!/bin/sh\nread x < /dev/zero || :\nwhile :; do sleep 60; done\n")
    with pytest.raises(PasteboxError, match=f"{path}: the hook did not end within 0.2 s"):
        hooks.run()


def test_other_suffixes_are_ignored_aloud(hooks) -> None:
    path = hooks.add("README.md", "no hook")
    hooks.add(".hidden.sh", "exit 1")
    assert hooks.run() == {}
    assert hooks.said == [f"ignored, it ends in none of .sh .py .envsh hook={path}"]


def test_a_phase_without_a_directory_has_no_hooks(hooks) -> None:
    assert hooks.run("post-stop") == {}


def test_a_missing_hooks_directory_is_no_error(tmp_path) -> None:
    settings = Settings({"hooks_dir": Given(str(tmp_path / "none"), "test")})
    assert run_phase("pre-serve", settings, ENVIRON) == {}


def test_difference_ignores_what_a_shell_sets_for_itself() -> None:
    content = b"A=1\0B=x=y\0PWD=/\0SHLVL=2\0_=/usr/bin/env\0"
    assert difference({"A": "1", "C": "3"}, content) == {"B": "x=y", "C": None}


def test_changes_are_applied_and_unset() -> None:
    assert apply({"A": "1", "B": "2"}, {"A": None, "C": "3"}) == {"B": "2", "C": "3"}


@pytest.mark.parametrize("name", ["10.sh", "10.envsh"])
def test_an_interpreter_that_is_not_there_is_named(hooks, monkeypatch, name) -> None:
    """As in an image without a shell; the system's own words would name the hook."""
    path = hooks.add(name, "#!/nowhere/sh -e\n")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PasteboxError, match=r"interpreter (/nowhere/)?sh is not there") as caught:
        hooks.run(environ={"PATH": "/nowhere"})
    assert caught.value.file == path
    assert "Python" in caught.value.hint


def test_a_hook_that_cannot_find_a_command_failed_by_itself(hooks) -> None:
    hooks.add("10.sh", "#!/bin/sh\nno-such-command\n")
    with pytest.raises(PasteboxError, match="failed with exit status 127"):
        hooks.run()
