#!/opt/pastebox/bin/python
"""What docker-entrypoint.sh does, for the image without a shell.

Verbs and flags go to pastebox, in this very process, a flag alone means "serve"; anything else is a
command of its own.
"""

import os
import sys

from pastebox.cli.main import VERBS
from pastebox.cli.main import main as run

COMMAND = "/opt/pastebox/bin/pastebox"


def main() -> int:
    """Become pastebox or the command; return an exit status where neither is possible."""
    # What one arbitrary UID writes, the next one can use: they share group 0.
    os.umask(0o002)
    words = sys.argv[1:] or ["serve"]
    if words[0].startswith("-") and words[0] not in {"-h", "--help", "--version"}:
        words = ["serve", *words]
    if words[0] in VERBS or words[0].startswith("-"):
        sys.argv = [COMMAND, *words]
        sys.path[0] = os.path.dirname(COMMAND)
        return run(words)
    try:
        os.execvp(words[0], words)  # noqa: S606  # the operator's own program
    except OSError as error:
        print(f"docker-entrypoint: {words[0]}: {error.strerror}", file=sys.stderr)
        if words[0].endswith("sh"):
            print("hint: this image has no shell; the standard image has one", file=sys.stderr)
        return 127 if isinstance(error, FileNotFoundError) else 126


if __name__ == "__main__":
    sys.exit(main())
