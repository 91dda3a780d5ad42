"""The images of this commit, built by the commands that people use, and brought into the nodes."""

from __future__ import annotations

import copy
import os
import subprocess
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml
from chart_render import ROOT
from kube import load_images

EXAMPLES = ROOT / "helm/examples"


class Images(NamedTuple):
    """Names of images, as the nodes have them."""

    pastebox: str
    wiki: str
    database: str


def build_images() -> Images:
    """Build the wiki's image on pastebox's, and PostgreSQL's; load all of them."""
    names = Images(*(_name(what) for what in ("base", "wiki", "postgresql")))
    build_pastebox(names.pastebox)
    flags = _command("make", "--no-print-directory", "build-secrets").split()
    _build(names.wiki, f"--build-arg=PASTEBOX_IMAGE={names.pastebox}", *flags, "examples/wiki")
    _build(names.database, "tests/image/postgresql")
    load_images(*names)
    return names


def build_pastebox(name: str, target: str = "") -> None:
    """Build a target of pastebox's image, or take the one that is to be tested."""
    ready = os.environ.get("PASTEBOX_TEST_IMAGE")
    if ready and not target:
        _command("docker", "tag", ready, name)
        return
    make = ("make", "--no-print-directory", "image", f"IMAGE={name}", "BUILD_FLAGS=--quiet")
    _command(*make, f"TARGET={target}")


def build_app(pastebox: str) -> str:
    """Build the small application of the image ring on an image of pastebox; load it."""
    name, file = _name("app"), "--file=tests/cluster/app.Dockerfile"
    _build(name, file, f"--build-arg=PASTEBOX_IMAGE={pastebox}", "tests/image/app")
    load_images(name)
    return name


def build_variant(target: str, wiki: str) -> str:
    """Build what ``tests/cluster/variants.Dockerfile`` makes of the wiki's image; load it."""
    name, file = _name(target), "--file=tests/cluster/variants.Dockerfile"
    _build(name, file, f"--target={target}", f"--build-arg=WIKI_IMAGE={wiki}", "tests/cluster")
    load_images(name)
    return name


def example_values(name: str, image: str, **more: Any) -> dict[str, Any]:
    """Values of an example of the chart with an image of the nodes, and others laid over them."""
    given = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    return merged(merged(given, {"image": image_values(image)}), more)


def image_values(image: str) -> dict[str, str]:
    """Return an image as the chart's values have it."""
    repository, _, tag = image.rpartition(":")
    return {"repository": repository, "tag": tag}


def merged(values: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with others laid over them, as Helm does it."""
    result = copy.deepcopy(dict(values))
    for name, value in more.items():
        old = result.get(name)
        both = isinstance(old, dict) and isinstance(value, Mapping)
        result[name] = merged(old, value) if both else value
    return result


def _name(what: str) -> str:
    return f"localhost/pastebox-{what}:cluster-test"


def _build(name: str, *words: str) -> None:
    _command("docker", "build", "--quiet", f"--tag={name}", *words)


def _command(*words: str) -> str:
    answer = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert answer.returncode == 0, f"{' '.join(words)}: {answer.stdout}{answer.stderr}"
    return answer.stdout.strip()
