"""The ``command`` object that installers and websetup functions are called with.

The attributes are those of ``paste.script.command.Command`` that such functions use. Under a
container nobody answers questions: they get their defaults, and are refused without one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import IO, Any

from pastebox.process.atomic import make_directory, write_atomically


class BadCommand(Exception):  # noqa: N818  # the name that installers raise
    """A failure with a message for the user and an exit status."""

    def __init__(self, message: str = "", exit_code: int = 2) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code


class Options:
    """The parsed options; one that was not defined reads as ``None``."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


class Command:
    """What runs make-config or setup-app, as the application's code sees it.

    Attributes:
        verbose: 0 quiet, 1 normal, more for more.
        simulate: say what would be written, write nothing.
        interactive: somebody answers questions.
        overwrite: replace files that differ without a question.
        options: the parsed options.
        args: the positional arguments.
        conf_for: returns the configuration of a section; set where one is set up.
        before_write: called with a file's name before it is written.
    """

    BadCommand = BadCommand
    default_verbosity = 1
    default_interactive = 1
    return_code = 0

    def __init__(
        self,
        name: str,
        *,
        stdin: IO[str] | None = None,
        stdout: IO[str] | None = None,
        speak: Callable[[str], None] | None = None,
        verbose: int = 1,
        simulate: bool = False,
        interactive: bool = False,
    ) -> None:
        self.command_name = self.name = name
        self.verbose = verbose
        self.simulate = simulate
        self.interactive = interactive
        self.overwrite = False
        self.args: list[str] = []
        self.options = Options(
            {"verbose": verbose, "simulate": simulate, "interactive": interactive}
        )
        self.conf_for: Callable[[str, str], Any] | None = None
        self.before_write: Callable[[str], None] = lambda _path: None
        self._speak = speak
        self._stdin = stdin
        self._stdout = stdout

    def say(self, text: str, *, verbosity: int = 1) -> None:
        """Print a line, unless it is quieter than that."""
        if self.verbose < verbosity:
            return
        if self._speak is not None:
            self._speak(text)
        else:
            stream = self._stdout or sys.stdout
            stream.write(f"{text}\n")
            stream.flush()

    def ask(self, prompt: str, safe: object = False, default: object = True) -> bool:  # noqa: FBT002  # paster's
        """Ask a yes-or-no question.

        ``default`` is the answer of an empty line (``'careful'``: no when interactive, else
        yes; ``'none'``: there is none). Without anybody to ask, or with an interactive level of
        2 and more, ``safe`` and the default decide. An end of input is a no.
        """
        if self.interactive >= 2:  # noqa: PLR2004  # paster's level
            default = safe
        if default == "careful":
            default = not self.interactive
        if not self.interactive:
            if default == "none":
                raise BadCommand(f"{prompt}: there is nobody to answer")
            return bool(default)
        shown = {"none": "[y/n]"}.get(str(default), "[Y/n]" if default else "[y/N]")
        while True:
            answer = self._question(f"{prompt} {shown}? ")
            if answer is None:
                return False
            if not answer and default != "none":
                return bool(default)
            if answer[:1].lower() in ("y", "n"):
                return answer[0].lower() == "y"
            self.say("please answer y or n")

    def challenge(
        self,
        prompt: str,
        default: object = None,
        should_echo: bool = True,  # noqa: FBT001, FBT002  # paster's
    ) -> str:
        """Ask for a text; an empty answer gives ``default``.

        Raises:
            BadCommand: there is no default and nobody to ask.
        """
        shown = f"{prompt} [{default}]: " if default else f"{prompt}: "
        while self.interactive:
            answer = self._question(shown) if should_echo else _secret(shown)
            if answer:
                return answer
            if default is not None or answer is None:
                break
        if default is None:
            raise BadCommand(f"{prompt}: there is nobody to answer, and no default")
        return str(default)

    def _question(self, prompt: str) -> str | None:
        stream = self._stdout or sys.stdout
        stream.write(prompt)
        stream.flush()
        line = (self._stdin or sys.stdin).readline()
        return line.strip() if line else None

    def ensure_dir(
        self,
        directory: str,
        svn_add: bool = True,  # noqa: ARG002, FBT001, FBT002  # paster's; Subversion is not served
        package: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """Create a directory and its parents; a ``package`` gets an ``__init__.py`` in each."""
        parent = os.path.dirname(os.path.abspath(directory))
        if os.path.isdir(directory):
            return
        if not os.path.isdir(parent):
            self.ensure_dir(parent, package=package)
        self.say(f"creating {directory}")
        if not self.simulate:
            make_directory(directory)
            if package:
                self.ensure_file(os.path.join(directory, "__init__.py"), "# made by make-config\n")

    def ensure_file(
        self,
        filename: str,
        content: str | bytes,
        svn_add: bool = True,  # noqa: ARG002, FBT001, FBT002  # paster's; Subversion is not served
    ) -> None:
        """Write a file, whole or not at all; one that differs is only replaced after a yes.

        It is for its owner alone: an INI holds secrets.
        """
        new = content.encode() if isinstance(content, str) else content
        self.ensure_dir(os.path.dirname(os.path.abspath(filename)))
        if os.path.exists(filename):
            with open(filename, "rb") as file:
                old = file.read()
            if old == new:
                self.say(f"{filename} is already what it should be")
                return
            if not self._may_replace(filename, old, new):
                self.say(f"{filename} is kept as it is", verbosity=0)
                return
            self.say(f"overwriting {filename}")
        else:
            self.say(f"creating {filename}")
        if not self.simulate:
            self.before_write(filename)
            write_atomically(filename, new)

    def _may_replace(self, filename: str, old: bytes, new: bytes) -> bool:
        if self.overwrite:
            return True
        self.say(f"{filename} differs from what make-config makes:", verbosity=0)
        self.say(_difference(filename, old, new), verbosity=0)
        if not self.interactive:
            return False
        return self.ask(f"overwrite {filename}", default=False)

    def insert_into_file(
        self,
        filename: str,
        marker_name: str,
        text: str,
        indent: bool = False,  # noqa: FBT001, FBT002  # paster's
    ) -> None:
        """Insert ``text`` after the line with ``-*- marker_name -*-``; twice inserts once."""
        import re  # noqa: PLC0415  # rare

        if not text.endswith("\n"):
            raise ValueError("the text to insert must end with a newline")
        with open(filename, encoding="utf-8") as file:
            lines = file.readlines()
        marker = re.compile(rf"-\*-\s*{re.escape(marker_name)}:?\s*-\*-", re.IGNORECASE)
        at = next((number for number, line in enumerate(lines) if marker.search(line)), None)
        if at is None:
            self.say(f"{filename} has no marker -*- {marker_name} -*-, nothing inserted")
            return
        if indent:
            margin = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
            text = "".join(margin + line for line in text.splitlines(keepends=True))
        if "".join(lines[at + 1 :]).startswith(text):
            self.say(f"{filename} holds that text already")
            return
        lines.insert(at + 1, text)
        if not self.simulate:
            mode = os.stat(filename).st_mode & 0o777
            write_atomically(filename, "".join(lines).encode(), mode=mode)

    def run_command(self, cmd: str, *args: object, **options: Any) -> bytes:
        """Run a program and return what it prints.

        Options: ``cwd``, ``capture_stderr``, ``expect_returncode`` (any status is fine),
        ``warn_returncode`` (a failure is said, not raised).

        Raises:
            OSError: it ended with another status than 0.
        """
        import subprocess  # noqa: PLC0415  # only where a websetup calls programs

        words = [cmd, *(str(arg) for group in args for arg in _flat(group))]
        self.say(f"running {' '.join(words)}", verbosity=2)
        if self.simulate and not options.get("force_no_simulate"):
            return b""
        done = subprocess.run(  # noqa: S603  # the application's own words, no shell
            words,
            cwd=options.get("cwd"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if options.get("capture_stderr") else None,
            check=False,
        )
        if done.returncode and not options.get("expect_returncode"):
            problem = f"{cmd} ended with exit status {done.returncode}"
            if not options.get("warn_returncode"):
                raise OSError(problem)
            self.say(problem)
        return done.stdout


def _flat(group: object) -> list[object]:
    return list(group) if isinstance(group, list | tuple) else [group]


def _secret(prompt: str) -> str:
    import getpass  # noqa: PLC0415  # rare

    return getpass.getpass(prompt)


def _difference(filename: str, old: bytes, new: bytes) -> str:
    import difflib  # noqa: PLC0415  # only where files differ

    before, after = (text.decode(errors="replace").splitlines() for text in (old, new))
    lines = difflib.unified_diff(before, after, filename, f"{filename} (new)", lineterm="")
    return "\n".join(lines)
