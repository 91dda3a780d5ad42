"""Replace two wikis behind a front end, one after the other, under load; count what was lost.

``python tests/soak/rolling.py [--rounds 10] [--example nginx-fastcgi|haproxy] [--wiki IMAGE]
[--front-ends IMAGE]``; images that are not named are built. A round replaces both wikis. Ends with
1 if a visitor met anything but a whole answer.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from rolling_load import Load

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ("nginx-fastcgi", "haproxy")
UP = ("up", "--detach", "--wait", "--no-build")
VARIABLES = ("NGINX_IMAGE", "HAPROXY_IMAGE")


def run(*words: str, **more: str) -> str:
    """Run a command; return what it said, or end with it."""
    answer = subprocess.run(
        words,
        cwd=ROOT,
        env={**os.environ, **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    if answer.returncode:
        sys.exit(f"{' '.join(words)}: status {answer.returncode}\n{answer.stdout}{answer.stderr}")
    return answer.stdout.strip()


def build_wiki() -> str:
    """Build the wiki's image on pastebox's of this tree."""
    run("make", "--no-print-directory", "image", "IMAGE=pastebox:soak")
    flags = run("make", "--no-print-directory", "build-secrets").split()
    words = ["docker", "build", "--quiet", "--tag", "pastebox-wiki:soak"]
    run(*words, "--build-arg", "PASTEBOX_IMAGE=pastebox:soak", *flags, "examples/wiki")
    return "pastebox-wiki:soak"


def build_front_ends() -> str:
    """Build the image with every front end from Debian's packages."""
    tag = "pastebox-test-front-ends"
    run("docker", "build", "--quiet", "--tag", tag, "tests/image/front_ends")
    return tag


def roll(example: str, rounds: int, environ: dict[str, str]) -> int:
    """Start an example, replace its wikis, print the account; return the number of failures."""
    name = f"pastebox-soak-{secrets.token_hex(4)}"
    file = f"examples/frontends/{example}/compose.yaml"
    compose = ("docker", "compose", "--project-name", name, "--file", file)
    try:
        run(*compose, *UP, **environ)
        front = example.partition("-")[0]
        port = int(run(*compose, "port", front, "8080", **environ).rpartition(":")[2])
        load = Load(port, readers=6, writers=2).start()
        try:
            for _ in range(rounds):
                for wiki in ("wiki-1", "wiki-2"):
                    load.wait_for(100)
                    run(*compose, *UP, "--no-deps", "--force-recreate", wiki, **environ)
            load.wait_for(100)
        finally:
            load.finish()
        print(f"{example}: replacements={2 * rounds} {load.account()} {load.rate():.0f}/s")
        for failure in load.failures:
            print(f"  {failure}")
        if load.failures:
            print(run(*compose, "logs", "--no-color", "--timestamps", **environ))
        return len(load.failures)
    finally:
        run(*compose, "down", "--volumes", "--timeout", "5", **environ)


def main(argv: list[str]) -> int:
    """Run the examples; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--example", action="append", choices=EXAMPLES)
    parser.add_argument("--wiki", metavar="IMAGE")
    parser.add_argument("--front-ends", metavar="IMAGE")
    chosen = parser.parse_args(argv)
    front_ends = chosen.front_ends or build_front_ends()
    environ = dict.fromkeys(VARIABLES, front_ends)
    environ |= {"WIKI_IMAGE": chosen.wiki or build_wiki(), "PORT": "0"}
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        (Path(directory) / "session_secret").write_text(secrets.token_hex(16))
        environ["SECRETS_DIR"] = directory
        began = time.monotonic()
        failed = sum(
            roll(example, chosen.rounds, environ) for example in chosen.example or EXAMPLES
        )
    print(f"{time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
