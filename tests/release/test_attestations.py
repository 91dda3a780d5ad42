"""What `make push` publishes beside an image: where it comes from, and what it is made of.

The list of packages is by BuildKit's own scanner, an image that cannot be pulled everywhere; here
BuildKit is given another, which hands it the list that is in the image.
"""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from attesting_engine import BASE, attesting_engine, missing
from release_stand import call

from pastebox import __version__

ROOT = Path(__file__).parents[2]
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PROVENANCE = "https://slsa.dev/provenance/"
PACKAGES = "https://spdx.dev/Document"
SCANNER = f"""\
FROM {BASE}
COPY scan /
ENTRYPOINT ["/scan"]
"""
SCAN = """\
#!/bin/sh
set -eu
list=$(cat "$BUILDKIT_SCAN_SOURCE/usr/share/doc/pastebox/sbom.spdx.json")
about='"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document"'
printf '{%s, "predicate": %s}' "$about" "$list" >"$BUILDKIT_SCAN_DESTINATION/list.spdx.json"
"""

pytestmark = [pytest.mark.release, pytest.mark.image]


class Pushed(NamedTuple):
    """An image as a registry has it."""

    name: str
    """With the digest of the index."""
    image: dict[str, Any]
    """What the index says of the image."""
    statements: dict[str, dict[str, Any]]
    """What is stated of it, by the kind of the statement."""
    revision: str
    """The commit that it was built of."""
    hushed: str
    """A word out of a build secret."""


def ask(registry: str, path: str) -> tuple[str, dict[str, Any]]:
    """Return the digest and the content of what a registry has under a path."""
    request = Request(f"http://{registry}/v2/{path}", headers={"Accept": f"{INDEX}, {MANIFEST}"})
    with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
        return answer.headers["Docker-Content-Digest"], json.load(answer)


@pytest.fixture(scope="module")
def pushed(registry: str, tmp_path_factory) -> Pushed:
    """Push the image by the command of the release, to a registry and for one architecture."""
    is_required = "attestations" in os.environ.get("PASTEBOX_REQUIRE", "")
    if reason := missing(is_required=is_required):
        if is_required:
            pytest.fail(f"PASTEBOX_REQUIRE names attestations, but {reason}")
        pytest.skip(f"needs attestations: {reason}")
    folder = tmp_path_factory.mktemp("scanner")
    (folder / "Dockerfile").write_text(SCANNER)
    (folder / "scan").write_text(SCAN)
    (folder / "scan").chmod(0o755)
    revision = call("git", "rev-parse", "HEAD", cwd=ROOT).strip()
    hushed = f"hushed-{uuid.uuid4().hex}"
    secrets = call("make", "--no-print-directory", "build-secrets", cwd=ROOT).split()
    pip_conf = Path(secrets[-1].partition("src=")[2]).read_text()
    (folder / "pip.conf").write_text(f"{pip_conf}\n# {hushed}\n")

    with attesting_engine(tmp_path_factory.mktemp("engine")) as engine:
        environ = os.environ | engine.environ
        scanner = f"{registry}/scanner:test"
        words = ["docker", "buildx", "build", "--push", "--provenance=false", "--tag", scanner]
        call(*words, folder, env=environ, timeout=300)
        platform = call("docker", "version", "--format", "{{.Server.Os}}/{{.Server.Arch}}").strip()
        image = f"{registry}/pastebox:test"
        words = ["make", "--no-print-directory", "push", f"IMAGE={image}"]
        words += [f"PLATFORMS={platform}", f"PIP_CONF={folder}/pip.conf"]
        words += [f"BUILD_FLAGS={engine.build_flags} --sbom=generator={scanner}"]
        call(*words, cwd=ROOT, env=environ, timeout=900)
        call("docker", "image", "rm", "--force", image, scanner, env=environ)

    digest, index = ask(registry, "pastebox/manifests/test")
    built, beside = sorted(index["manifests"], key=lambda one: one["platform"]["os"] == "unknown")
    assert built["platform"]["os"] == "linux"
    assert beside["annotations"] == {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": built["digest"],
    }
    _, manifest = ask(registry, f"pastebox/manifests/{beside['digest']}")
    statements = [ask(registry, f"pastebox/blobs/{one['digest']}")[1] for one in manifest["layers"]]
    by_kind = {one["predicateType"]: one for one in statements}
    return Pushed(f"{registry}/pastebox@{digest}", built, by_kind, revision, hushed)


def leaves(node: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Yield each name of a document with its text; the versions of the format nest otherwise."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value, name)
    else:
        yield name, node


def provenance(pushed: Pushed) -> dict[str, Any]:
    """Return the statement of where the image comes from."""
    [found] = [one for kind, one in pushed.statements.items() if kind.startswith(PROVENANCE)]
    return found


@pytest.mark.timeout(1800)
def test_each_statement_is_about_the_image_that_was_pushed(pushed):
    assert len(pushed.statements) == 2
    digest = pushed.image["digest"].removeprefix("sha256:")
    for statement in pushed.statements.values():
        assert [one["digest"]["sha256"] for one in statement["subject"]] == [digest]


@pytest.mark.timeout(1800)
def test_the_provenance_has_the_dockerfile_the_base_image_and_the_arguments(pushed):
    found = set(leaves(provenance(pushed)))
    names = {name: text for name, text in found if name.startswith("build-arg:")}
    assert names["build-arg:VERSION"] == __version__
    assert names["build-arg:REVISION"] == pushed.revision
    assert {"build-arg:CREATED", "build-arg:SOURCE_DATE_EPOCH"} <= set(names)
    base = BASE.replace(":", "@")
    assert any(name == "uri" and f"/{base}" in str(text) for name, text in found), found
    source = base64.b64encode((ROOT / "Dockerfile").read_bytes()).decode()
    assert ("data", source) in found


@pytest.mark.timeout(1800)
def test_the_provenance_names_a_secret_and_does_not_tell_it(pushed):
    text = json.dumps(provenance(pushed))
    assert '"pip_conf"' in text
    assert pushed.hushed not in text


@pytest.mark.timeout(1800)
def test_the_list_beside_the_image_is_what_the_scanner_found(pushed):
    listed = {one["name"] for one in pushed.statements[PACKAGES]["predicate"]["packages"]}
    assert {"pastebox", "waitress", "python3", "tini"} <= listed


@pytest.mark.timeout(1800)
def test_what_is_pulled_by_digest_is_the_image(pushed):
    """By the machine's own engine, whatever it keeps."""
    call("docker", "pull", "--quiet", pushed.name, timeout=300)
    try:
        told = call("docker", "run", "--rm", "--network", "none", pushed.name, "--version")
        assert told.strip() == f"pastebox {__version__}"
        label = '{{index .Config.Labels "org.opencontainers.image.revision"}}'
        found = call("docker", "image", "inspect", "--format", label, pushed.name)
        assert found.strip() == pushed.revision
    finally:
        call("docker", "image", "rm", "--force", pushed.name)
