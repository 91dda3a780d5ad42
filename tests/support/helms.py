"""Helm 3, the program, and Helm 4, the library, behind the same few words."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import yaml
from chart_render import CHART
from helm_program import helm_program

Values = Mapping[str, Any]

WAIT_S = 180


class HelmError(AssertionError):
    """What Helm said where it failed."""


def _run(words: list[str], given: str, timeout: float) -> str:
    answer = subprocess.run(
        words, input=given, capture_output=True, text=True, timeout=timeout, check=False
    )
    if answer.returncode:
        raise HelmError(f"{answer.stdout}{answer.stderr}")
    return answer.stdout


class Helm3:
    """The program of ``make helm``."""

    def __init__(self, namespace: str, chart: str = str(CHART)) -> None:
        self._namespace = namespace
        self._chart = chart

    def install(self, name: str, values: Values, *flags: str, wait_s: int = WAIT_S) -> str:
        """Install a release; without flags it is waited for."""
        return self._change("install", name, values, flags, wait_s)

    def upgrade(self, name: str, values: Values, *flags: str, wait_s: int = WAIT_S) -> str:
        """Upgrade a release."""
        return self._change("upgrade", name, values, flags, wait_s)

    def rollback(self, name: str, revision: int, *, wait_s: int = WAIT_S) -> str:
        """Go back to a revision."""
        return self._helm("rollback", name, str(revision), "--wait", f"--timeout={wait_s}s")

    def test(self, name: str) -> str:
        """Run its tests."""
        return self._helm("test", name, f"--timeout={WAIT_S}s")

    def uninstall(self, name: str) -> str:
        """Take it away, and wait until it is."""
        return self._helm("uninstall", name, "--wait", f"--timeout={WAIT_S}s")

    def history(self, name: str) -> list[str]:
        """Return the states of its revisions."""
        told = json.loads(self._helm("history", name, "--output", "json"))
        return [one["status"] for one in told]

    def _change(
        self, verb: str, name: str, values: Values, flags: tuple[str, ...], wait_s: int
    ) -> str:
        words = [verb, name, self._chart, "--values", "-", f"--timeout={wait_s}s"]
        return self._helm(*words, *(flags or ("--wait",)), given=yaml.safe_dump(dict(values)))

    def _helm(self, *words: str, given: str = "") -> str:
        program = helm_program()
        assert program
        return _run([program, "--namespace", self._namespace, *words], given, WAIT_S * 3)


_CHILD = """
import json, sys, helm_python
asked = json.load(sys.stdin)
with helm_python.Config(namespace=asked["namespace"]) as config:
    answer = getattr(config, asked["verb"])(*asked["words"], **asked["options"])
json.dump(answer, sys.stdout)
"""


class Helm4:
    """The library, in a process of its own, so that it can be given up."""

    def __init__(self, namespace: str, chart: str = str(CHART)) -> None:
        self._namespace = namespace
        self._chart = chart

    @staticmethod
    def is_there() -> bool:
        """Whether it is installed."""
        return importlib.util.find_spec("helm_python") is not None

    def install(self, name: str, values: Values) -> None:
        """Install a release, and wait for it."""
        self._helm("install", self._chart, name, dict(values), wait="watcher", timeout=WAIT_S)

    def upgrade(self, name: str, values: Values) -> None:
        """Upgrade a release."""
        self._helm("upgrade", self._chart, name, dict(values), wait="watcher", timeout=WAIT_S)

    def rollback(self, name: str, revision: int) -> None:
        """Go back to a revision."""
        self._helm("rollback", name, version=revision, wait="watcher", timeout=WAIT_S)

    def test(self, name: str) -> str:
        """Run its tests."""
        return str(self._helm("test", name, timeout=WAIT_S))

    def uninstall(self, name: str) -> None:
        """Take it away, and wait until it is."""
        self._helm("uninstall", name, wait="watcher", timeout=WAIT_S)

    def history(self, name: str) -> list[str]:
        """Return the states of its revisions."""
        return [
            one["info"]["status"] if "info" in one else one["status"]
            for one in self._helm("history", name)
        ]

    def _helm(self, verb: str, *words: object, **options: object) -> Any:
        asked = {"namespace": self._namespace, "verb": verb, "words": words, "options": options}
        told = _run([sys.executable, "-c", _CHILD], json.dumps(asked), WAIT_S * 3)
        return json.loads(told)
