"""Helm as the tests use it: values in, objects or a refusal out."""

from __future__ import annotations

import base64
import functools
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from helm_program import helm_program

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/pastebox"
VALUES_FILES = sorted((CHART / "ci").glob("*.yaml"))
EXAMPLES = sorted((ROOT / "helm/examples").glob("*.yaml"))
FILES = [*VALUES_FILES, *EXAMPLES]
NEWEST = "1.36"
INI = "[app:main]\nuse = egg:pastebox-wiki\n[server:main]\nuse = egg:waitress#main\n"

Values = Mapping[str, Any]


class Objects(NamedTuple):
    """What a render gives."""

    items: tuple[dict[str, Any], ...]

    def all(self, kind: str) -> list[dict[str, Any]]:
        """The objects of one kind."""
        return [item for item in self.items if item["kind"] == kind]

    def one(self, kind: str, name: str = "") -> dict[str, Any]:
        """The only one of its kind, or the one whose name ends so."""
        found = [item for item in self.all(kind) if item["metadata"]["name"].endswith(name)]
        assert len(found) == 1, [(item["kind"], item["metadata"]["name"]) for item in self.items]
        return found[0]

    @property
    def workload(self) -> dict[str, Any]:
        """The Deployment or StatefulSet."""
        (found,) = self.all("Deployment") + self.all("StatefulSet")
        return found

    @property
    def pod(self) -> dict[str, Any]:
        """The specification of its pods."""
        return self.workload["spec"]["template"]["spec"]

    @property
    def app(self) -> dict[str, Any]:
        """The application's container."""
        return container(self.pod, "app")

    @property
    def env(self) -> dict[str, str]:
        """Its environment, the plain values."""
        return env_of(self.app)

    @property
    def ini(self) -> str:
        """The INI in the chart's own Secret."""
        return decoded(self.one("Secret", "-config"))["app.ini"]

    def pods(self) -> Iterator[dict[str, Any]]:
        """The specification of every pod, of each kind of object that has one."""
        for item in self.items:
            if item["kind"] in ("Deployment", "StatefulSet", "Job"):
                yield item["spec"]["template"]["spec"]
            elif item["kind"] == "Pod":
                yield item["spec"]


def container(pod: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The container of this name, init containers included."""
    return next(
        c for c in [*pod["containers"], *pod.get("initContainers", ())] if c["name"] == name
    )


def env_of(one: Mapping[str, Any]) -> dict[str, str]:
    """The plain values of a container's environment."""
    return {entry["name"]: entry["value"] for entry in one["env"] if "value" in entry}


def decoded(secret: Mapping[str, Any]) -> dict[str, str]:
    """The data of a Secret."""
    return {name: base64.b64decode(text).decode() for name, text in secret["data"].items()}


def with_ini(values: Values | None = None) -> dict[str, Any]:
    """The values, with an INI where they have no configuration."""
    return {"config": {"ini": INI}, **(values or {})}


def run_helm(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a helm command."""
    return subprocess.run(
        [helm_program(), *words], capture_output=True, text=True, timeout=60, check=False, cwd=cwd
    )


@functools.cache
def _template_file(
    path: Path, words: tuple[str, ...], kube: str, release: str, chart: Path
) -> subprocess.CompletedProcess[str]:
    base = ("template", release, str(chart), "--kube-version", kube, "--namespace", "apps")
    return run_helm(*base, "-f", str(path), *words)


def _template(
    values: Values | Path, words: tuple[str, ...], kube: str, release: str, chart: Path = CHART
) -> subprocess.CompletedProcess[str]:
    if isinstance(values, Path):
        return _template_file(values, words, kube, release, chart)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(dict(values), file, sort_keys=False)
        file.flush()
        run = _template_file.__wrapped__
        return run(Path(file.name), words, kube, release, chart)


def render(
    values: Values | Path,
    *words: str,
    kube: str = NEWEST,
    release: str = "wiki",
    chart: Path = CHART,
) -> Objects:
    """Return the objects; a refusal fails the test with Helm's words."""
    answer = _template(values, words, kube, release, chart)
    assert answer.returncode == 0, answer.stderr
    return Objects(tuple(item for item in yaml.safe_load_all(answer.stdout) if item))


def refusal(values: Values | Path, *words: str, kube: str = NEWEST, chart: Path = CHART) -> str:
    """Return what Helm says where it refuses the values."""
    answer = _template(values, words, kube, "wiki", chart)
    assert answer.returncode != 0, "these values were taken"
    return answer.stderr
