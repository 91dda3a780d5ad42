"""The same sources make the same image, bit for bit."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Entries = dict[str, tuple[object, ...]]
SOURCES = ("Dockerfile", ".dockerignore", "Makefile", "pyproject.toml", "README.md", "LICENSE")
TARGETS = {
    "standard": "--no-cache",
    "slim": "--no-cache-filter collected --no-cache-filter slim",
}
"""Each with what makes its second build a new one."""
if os.environ.get("PASTEBOX_TEST_FULL"):  # each downloads what it adds, twice
    TARGETS["servers"] = "--no-cache-filter servers-installed --no-cache-filter servers"
    TARGETS["dev"] = "--no-cache-filter debugger-installed --no-cache-filter dev"


@pytest.mark.timeout(1200)
def test_a_second_build_without_any_cache_is_the_same(make_image, docker, tmp_path):
    """Two checkouts of other dates and modes; identity is the digest of all layers and settings.

    The second of the others is made again, from the second standard image. ``PASTEBOX_TEST_FULL``
    compares every target.
    """
    built: dict[str, list[str]] = {target: [] for target in TARGETS}
    for number, mode in enumerate((0o644, 0o664)):
        tree = tmp_path / f"checkout{number}"
        if number == 0:
            _copy(ROOT, tree)
        else:
            _copy(tmp_path / "checkout0", tree)
        for path in tree.rglob("*.py"):
            path.chmod(mode)
            path.touch()
        for target, afresh in TARGETS.items():
            tag = f"pastebox:test-same-{target}-{number}"
            flags = afresh if number else ""
            built[target].append(
                make_image(tag, flags, tree=tree, EPOCH="1700000000", TARGET=target)
            )
    for target, tags in built.items():
        template = "{{.Id}} {{.RootFS.Layers}}"
        if len({docker("image", "inspect", "-f", template, tag) for tag in tags}) > 1:
            found = [_entries(docker, tag, tmp_path / f"{i}.tar") for i, tag in enumerate(tags)]
            pytest.fail(f"{target}\n{_difference(*found)}", pytrace=False)


def _difference(first: Entries, second: Entries) -> str:
    """Say in a few lines what is not the same: an entry, else only where one stands."""
    differing = sorted(set(first.items()) ^ set(second.items()))
    if differing:
        return "\n".join(str(entry)[:400] for entry in differing[:40])
    names = zip(first, second, strict=True)
    return "the same entries in another order, from " + next(
        f"{one} and {other}" for one, other in names if one != other
    )


def _entries(docker, tag: str, archive: Path) -> Entries:
    """What each layer of an image holds: date, mode, owner, size and digest by layer and name."""
    docker("save", "--output", str(archive), tag)
    entries: Entries = {}
    with tarfile.open(archive) as image:
        manifest = json.load(image.extractfile("manifest.json"))
        for number, layer in enumerate(manifest[0]["Layers"]):
            with tarfile.open(fileobj=image.extractfile(layer)) as files:
                for member in files:
                    content = files.extractfile(member) if member.isreg() else None
                    digest = hashlib.sha256(content.read()).hexdigest() if content else ""
                    about = (member.mtime, member.mode, member.uid, member.gid, member.size, digest)
                    entries[f"{number}:{member.name}"] = about
        config = json.load(image.extractfile(manifest[0]["Config"]))
    del config["rootfs"]  # the layers' digests, which the entries explain
    return entries | {"config": (json.dumps(config, sort_keys=True),)}


@pytest.mark.slim_too
@pytest.mark.timeout(300)
def test_the_order_in_a_layer_is_not_the_engines_choice(image, slim_image, docker, tmp_path):
    """The engine walks the tree or sorts by path, which differs for ``X/file`` and ``X-1.0``.

    The standard image's first layer stands on the base image, which has one way only.
    """
    first = 0 if image == slim_image else 2
    _has_one_order(_entries(docker, image, tmp_path / "image.tar"), first)


@pytest.mark.parametrize("target", ["servers", "dev"])
@pytest.mark.timeout(300)
def test_nor_is_it_in_what_a_target_adds(target, make_image, docker, tmp_path):
    image = make_image(f"pastebox:test-{target}", TARGET=target)
    _has_one_order(_entries(docker, image, tmp_path / "image.tar"), 2)


def _has_one_order(entries: Entries, first: int) -> None:
    """Look at the layers from the ``first`` on."""
    layers: dict[int, list[str]] = {}
    for number, _, name in (entry.partition(":") for entry in entries if entry != "config"):
        layers.setdefault(int(number), []).append(name)
    for number, names in layers.items():
        if number >= first:
            assert sorted(names) == sorted(names, key=lambda name: name.split("/")), number


def _copy(source: Path, target: Path) -> None:
    target.mkdir()
    for name in SOURCES:
        shutil.copyfile(source / name, target / name)
    for name in ("pastebox", "entrypoint"):
        shutil.copytree(source / name, target / name, copy_function=shutil.copyfile)
