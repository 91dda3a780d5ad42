"""Write the reference pages that follow from the code.

``python docs/generate.py [DIRECTORY]``: the directory is docs/reference unless another is named.
The figures of the page about choosing a server are written beside it.
A test compares what this writes with what is committed, so after a change of the settings table,
the exit codes, the arguments, the registry or the measured figures: run it, and commit the
pages with the change.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import servers_page
from servers_page import table

from pastebox.cli.health import USAGE
from pastebox.cli.main import VERBS
from pastebox.cli.verbs import parser_of
from pastebox.config.aliases import _TABLE, GONE
from pastebox.errors import ExitCode
from pastebox.runners.registry import RUNNERS
from pastebox.settings import options

HERE = Path(__file__).parent
CHOOSING = HERE / "explanation" / "choosing-a-server.md"
FIGURES_BEGIN = "<!-- figures, written by docs/generate.py -->"
FIGURES_END = "<!-- end of the figures -->"
NOTE = "<!-- Written by docs/generate.py; change the code it reads, not this page. -->\n"

SETTINGS = """\
# Settings

Each setting has one name and four spellings.
`drain_delay` is `--drain-delay` on the command line, `PASTEBOX_DRAIN_DELAY` in the environment,
`PASTEBOX_DRAIN_DELAY_FILE` for a file that holds the value,
and `drain_delay` in the INI's `[pastebox]` section.
The command line wins over the environment, the environment over the INI, the INI over the default.
A value that is not what is expected is an error (78, or 2 on the command line);
it never becomes the default.
Both `PASTEBOX_X` and `PASTEBOX_X_FILE` at once are an error.
An unknown `PASTEBOX_` name is reported with the nearest known one.

A duration is a number with `ms`, `s`, `m` or `h`, such as `500ms`, `20s` or `1h30m`;
a bare number is seconds.

`WEB_CONCURRENCY`, which some platforms set, is read for `workers` when nothing else gives it:
`PASTEBOX_WORKERS`, `--workers`, `[pastebox]` and a `workers` option of gunicorn's in
`[server:main]` win over it.
The image sets `PASTEBOX_HOST=0.0.0.0`, `PASTEBOX_PORT=8080`, `PASTEBOX_HEALTH_HOST=0.0.0.0`
and `PASTEBOX_DATA_DIR=/data`.

Two secrets are variables only, as everybody can read a command line:
`PASTEBOX_AJP_SECRET` (or `_FILE`), for the health check of an AJP server that demands one, and
`PASTEBOX_INSTANCE_SEED` (or `_FILE`), 32 characters or more by chance, from which `make-config`
derives `app_instance_secret` and `app_instance_uuid`, so that all replicas have the same.

`PASTEBOX_FENCING_TOKEN` is given, not read: `setup-app` and the hooks around it find there the
number of this holder of the lock, which is greater than that of every holder before
([](../explanation/first-boot.md))."""

EXIT_CODES = """\
# Exit codes

The exit status is a contract: it stays the same from release to release.
The numbers from 64 to 78 are those of `sysexits.h`;
124 is what `timeout` ends with when time is up."""

EXIT_CODES_END = """\
Any other status is that of the worker: when it dies too often, or ends in a way of its own,
pastebox ends with the worker's status, and with 128 + n when signal n killed it.

`pastebox health` ends with 0, 1 or 2 only.
`pastebox setup --check` ends with 75 when there is something to do."""

COMMAND_LINE = """\
# Command line

`pastebox VERB [options] [INI[#section]] [name=value ...]`

`name=value` words are variables for the INI; they win over its `[DEFAULT]` section.
Every verb but `health` also takes each of the [settings](settings.md) as a flag.
`pastebox --version` prints the version, `pastebox VERB --help` the help.
In the image, a flag without a verb means `serve`,
and a word that is no verb is run as a command of its own."""

SERVERS = """\
# Legacy servers

INI files name their server in many ways.
These spellings are known, whatever is installed;
the distribution's name is compared without case, and `-`, `_` and `.` are alike.
A bare name, as in `--server waitress`, and `egg:pastebox#NAME` are the runner itself."""

SERVERS_END = """\
A server that is known and cannot run yet is refused by its name,
with the extra that a later release brings it in.
It is never replaced by another one in silence; `PASTEBOX_SERVER=waitress` replaces it,
and `pastebox explain` names the options that are left out.

An application section that names one of these is refused as well:"""


def pages() -> dict[str, str]:
    """Return the name and the text of every generated page."""
    makers: dict[str, Callable[[], str]] = {
        "settings.md": settings,
        "exit-codes.md": exit_codes,
        "cli.md": command_line,
        "legacy-servers.md": legacy_servers,
        "servers.md": lambda: _page(servers_page.page()),
    }
    return {name: make() for name, make in makers.items()}


def settings() -> str:
    """Return the page of the settings table."""
    parts = [SETTINGS]
    groups: dict[str, list[list[str]]] = {}
    for row in options():
        default = f"`{row.default}`" if row.default is not None else "none"
        cells = [
            f"(setting-{row.name.replace('_', '-')})=\n### `{row.name}`",
            _sentence(row.text),
            f"- command line: `{row.flag}`"
            if row.name != "set"
            else "- command line: `--set SECTION KEY=VALUE`, once for each option",
            f"- environment: `{row.environment}`, `{row.environment}_FILE`",
            f"- expects: {row.converter.expected}",
            f"- default: {default}",
        ]
        groups.setdefault(row.group, []).append(cells)
    for group, rows in groups.items():
        parts.append(f"## {group.capitalize()}")
        for title, text, *facts in rows:
            parts += [title, text, "\n".join(facts)]
    return _page(parts)


def exit_codes() -> str:
    """Return the page of the exit status."""
    rows = [(str(int(code)), code.name, code.meaning) for code in ExitCode]
    return _page([EXIT_CODES, table(("status", "name", "meaning"), rows), EXIT_CODES_END])


def command_line() -> str:
    """Return the page of the verbs and their arguments."""
    parts = [
        COMMAND_LINE,
        table(("verb", "what it does"), [(f"[`{v}`](#{v})", text) for v, text in VERBS.items()]),
    ]
    for verb, text in VERBS.items():
        parts += [f"## {verb}", _sentence(text)]
        if verb == "health":
            parts.append(f"```text\n{USAGE.strip()}\n```")
            continue
        rows = [_argument(action) for action in _own_actions(parser_of(verb))]
        if rows:
            parts.append(table(("argument", "meaning"), rows))
    return _page(parts)


def _own_actions(parser: argparse.ArgumentParser) -> Iterable[argparse.Action]:
    """Yield what a verb adds to the settings, which have a page of their own."""
    for action in parser._actions:  # noqa: SLF001  # argparse lists them nowhere else
        is_setting = action.dest.startswith("setting_") or action.dest == "sets"
        if not is_setting and action.dest != "help":
            yield action


def _argument(action: argparse.Action) -> tuple[str, str]:
    name = ", ".join(f"`{option}`" for option in action.option_strings)
    takes_value = action.nargs != 0
    if not name:
        name = f"`{action.metavar}`"
    elif takes_value:
        name += f" `{action.metavar or action.dest.upper()}`"
    return name, (action.help or "").replace("%%", "%")


def legacy_servers() -> str:
    """Return the page of the spellings of ``[server:main] use``."""
    spelled = {"waitress": "waitress", "gunicorn": "gunicorn", "paste": "Paste"}
    spelled |= {"pastescript": "PasteScript", "flup": "Flup"}
    rows = []
    for distribution, names in _TABLE.items():
        for name, runner in names.items():
            extra = RUNNERS[runner].extra
            state = f"served, with the extra `{extra}`" if extra else "served"
            use = f"egg:{spelled.get(distribution, distribution)}#{name}"
            rows.append((f"`{use}`", f"`{runner}`", state))
    return _page(
        [
            SERVERS,
            table(("`use =`", "runner", "in this release"), rows),
            SERVERS_END,
            table(("distribution", "why"), [(f"`{d}`", why) for d, why in GONE.items()]),
        ]
    )


def choosing() -> str:
    """Return the page about choosing a server, which is written by hand, with today's figures."""
    before, begin, rest = CHOOSING.read_text(encoding="utf-8").partition(FIGURES_BEGIN)
    _, end, after = rest.partition(FIGURES_END)
    return f"{before}{begin}\n\n{servers_page.choosing(servers_page.figures())}\n\n{end}{after}"


def _sentence(text: str) -> str:
    """Make a row's text a sentence, with what looks like an option in code."""
    text = text.replace("<phase>/NN-name.{sh,py,envsh}", "`<phase>/NN-name.{sh,py,envsh}`")
    for name in ("%(SECRET_name)s", "section|key=value", "tcp://db:5432", "*.ini", "[loggers]"):
        text = text.replace(name, f"`{name}`")
    return f"{text[0].upper()}{text[1:]}."


def _page(parts: Iterable[str]) -> str:
    return "\n\n".join([NOTE.strip(), *parts]) + "\n"


def main(arguments: list[str]) -> int:
    """Write every page."""
    directory = Path(arguments[0]) if arguments else HERE / "reference"
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (directory / name).write_text(text, encoding="utf-8")
    beside = directory.parent / CHOOSING.parent.name
    beside.mkdir(exist_ok=True)
    (beside / CHOOSING.name).write_text(choosing(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
