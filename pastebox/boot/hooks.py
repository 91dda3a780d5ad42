"""The operator's hooks: ``<hooks_dir>/<phase>/NN-name.{sh,py,envsh}``, in sorted order.

A hook is a child process, never a part of this one: what it exits with cannot end the boot
unnoticed. ``.sh`` and ``.py`` are executed. ``.envsh`` is read by a shell of its own, and what
it exports reaches the later hooks, the setup and the server.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping

from pastebox.errors import NoPermissionError, PasteboxError
from pastebox.process.deadline import Deadline
from pastebox.settings import Settings

PHASES = ("pre-config", "post-config", "pre-setup", "post-setup", "pre-serve", "post-stop")
_SUFFIXES = (".sh", ".py", ".envsh")
Changes = dict[str, str | None]
Report = Callable[[str, str], None]

# The trap also speaks where the hook says exit; its own status stays the shell's.
_CAPTURE = "trap 'env -0 >&9' EXIT; . \"$1\""
_NOT_FOUND = 127
# What a shell sets for itself.
_OF_THE_SHELL = frozenset({"_", "PWD", "OLDPWD", "SHLVL"})


def run_phase(
    phase: str, settings: Settings, environ: Mapping[str, str], report: Report | None = None
) -> Changes:
    """Run the hooks of one phase; return the changes that they made to the environment.

    A value of ``None`` is a variable that was unset. A directory that is not there has no hooks.

    Raises:
        PasteboxError: a hook failed or took too long; the message names it.
        NoPermissionError: a hook is not executable, or the directory cannot be read.
    """
    directory = os.path.join(settings.hooks_dir, phase)
    try:
        names = sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except PermissionError as error:
        raise NoPermissionError("the hooks cannot be read", file=directory) from error
    changes: Changes = {}
    for name in names:
        path = os.path.join(directory, name)
        if name.startswith(".") or os.path.isdir(path):
            continue
        say = report or (lambda _phase, _detail: None)
        changes |= _run(phase, path, settings, apply(environ, changes), say)
    return changes


def has_hooks(hooks_dir: str, phases: Iterable[str]) -> bool:
    """Whether something would run in one of the phases; what cannot be looked at would be told."""
    for phase in phases:
        try:
            names = os.listdir(os.path.join(hooks_dir, phase))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            return True
        if any(_is_hook(os.path.join(hooks_dir, phase, name)) for name in names):
            return True
    return False


def _is_hook(path: str) -> bool:
    is_named = os.path.splitext(path)[1] in _SUFFIXES
    return is_named and not os.path.basename(path).startswith(".") and not os.path.isdir(path)


def apply(environ: Mapping[str, str], changes: Changes) -> dict[str, str]:
    """Return the environment with the changes made."""
    merged = {**environ, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def _run(
    phase: str, path: str, settings: Settings, environ: dict[str, str], report: Report
) -> Changes:
    suffix = os.path.splitext(path)[1]
    if suffix not in _SUFFIXES:
        report("hook", f"ignored, it ends in none of .sh .py .envsh hook={path}")
        return {}
    report("hook", f"running phase={phase} hook={path}")
    if suffix == ".envsh":
        return _run_and_capture(path, settings, environ, report)
    if not os.access(path, os.X_OK):
        raise NoPermissionError("the hook is not executable", file=path, hint=f"chmod +x {path}")
    _execute(path, [path], settings, environ, report)
    return {}


def _run_and_capture(
    path: str, settings: Settings, environ: dict[str, str], report: Report
) -> Changes:
    if not os.access(path, os.R_OK):
        raise NoPermissionError("the hook cannot be read", file=path, hint=f"chmod +r {path}")
    # In memory: a pipe would stop a shell with a large environment, a file would hold secrets.
    descriptor = os.memfd_create("pastebox-hook")
    try:
        arguments = ["sh", "-c", _CAPTURE, "sh", os.path.abspath(path)]
        _execute(path, arguments, settings, environ, report, capture=descriptor)
        content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    finally:
        os.close(descriptor)
    return difference(environ, content)


def difference(environ: Mapping[str, str], content: bytes) -> Changes:
    """Compare an environment with what ``env -0`` printed."""
    after = dict(
        os.fsdecode(entry).split("=", 1) for entry in content.split(b"\0") if b"=" in entry
    )
    changes: Changes = {
        name: value
        for name, value in after.items()
        if environ.get(name) != value and name not in _OF_THE_SHELL
    }
    gone = (name for name in environ if name not in after and name not in _OF_THE_SHELL)
    return changes | dict.fromkeys(gone)


def _execute(
    path: str,
    arguments: list[str],
    settings: Settings,
    environ: dict[str, str],
    report: Report,
    *,
    capture: int | None = None,
) -> None:
    from pastebox.boot.step import raise_for_interruption  # noqa: PLC0415  # where there are hooks
    from pastebox.process.child import run_child  # noqa: PLC0415  # likewise

    def become_the_hook() -> int:
        if capture is not None:
            os.dup2(capture, 9)
        try:
            os.execvpe(arguments[0], arguments, environ)  # noqa: S606  # the operator's own program
        except OSError as error:
            os.write(2, f"{path}: {error.strerror}\n".encode())
        return _NOT_FOUND

    limit = settings.hook_timeout
    result = run_child(
        f"hook {path}",
        become_the_hook,
        deadline=Deadline.after(limit),
        on_progress=lambda: report("hook", f"still running hook={path}"),
    )
    raise_for_interruption(result)
    if result.timed_out:
        raise PasteboxError(
            f"the hook did not end within {limit:g} s, and was stopped",
            file=path,
            hint="PASTEBOX_HOOK_TIMEOUT sets the limit",
        )
    if result.code == _NOT_FOUND and (interpreter := _missing(path, arguments)):
        raise PasteboxError(
            f"the hook's interpreter {interpreter} is not there",
            file=path,
            hint="where there is no shell, write the hook in Python: #!/usr/bin/env python3",
        )
    if result.code:
        raise PasteboxError(f"the hook failed with exit status {result.code}", file=path)


def _missing(path: str, arguments: list[str]) -> str:
    """Return the interpreter without which the hook cannot run, if that is the reason."""
    if arguments[0] != path:
        return "" if shutil.which(arguments[0]) else arguments[0]
    with open(path, "rb") as file:
        first = file.readline().rstrip()
    words = os.fsdecode(first.removeprefix(b"#!")).split(maxsplit=1)
    return words[0] if first.startswith(b"#!") and words and not os.path.exists(words[0]) else ""
