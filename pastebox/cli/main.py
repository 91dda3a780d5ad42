"""The command ``pastebox``: one table of verbs, and the one place that prints errors."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing is not worth its milliseconds to `pastebox health`
if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS = {
    "serve": "first boot if it is due, then serve until told to stop",
    "setup": "first boot alone, as the journal says",
    "make-config": "write an INI from an application's template",
    "setup-app": "run an application's setup now",
    "check": "say what is wrong with an INI, without serving it",
    "config": "print the effective INI, with secrets redacted",
    "explain": "say what serve would do, step by step, and why",
    "ctl": "ask a daemon for its programs, or start, stop or reload one",
    "health": "ask a running pastebox, or its application, whether it is well",
}
"""Every verb with its one line; the entrypoint's list is compared with it by a test."""


def entry() -> None:
    """Run the command and end the process with its status."""
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one verb; return the exit status."""
    if argv[:1] == ["health"]:  # every few seconds in every container: it imports next to nothing
        from pastebox.cli import health  # noqa: PLC0415  # as said

        return health.main(argv[1:])
    if argv[:1] == ["serve"]:
        from pastebox.cli import serve  # noqa: PLC0415  # signals are caught before the rest is read

        return serve.main(argv[1:])
    from pastebox.cli import verbs  # noqa: PLC0415  # argparse and all

    return verbs.main(argv)


if __name__ == "__main__":
    entry()
