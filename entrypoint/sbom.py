"""Write what an image is made of, as SPDX 2.3: ``sbom.py ROOT [MORE]``, when all of it is there.

The packages of Debian come from dpkg's database (in the slim image, from what is kept of it), the
distributions of Python from their metadata, pip from the wheel that it is run from.
``SOURCE_DATE_EPOCH`` is the date of the document.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import Message
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import licences

NAME = "usr/share/doc/pastebox/sbom.spdx.json"
HERE = "SPDXRef-Image"


class Component(NamedTuple):
    """One package: of Debian or of Python."""

    kind: str
    name: str
    version: str
    licence: str
    purl: str
    home: str
    terms: str
    """Where its terms are, for a reader of the image."""


def main(root: Path, *more: Path) -> None:
    """Write the document below ``root``; ``more`` are directories with the rest of the image."""
    found = sorted([*of_debian(root), *of_python(root, *more)])
    when = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), UTC)
    path = root / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(found, when), indent=1, sort_keys=True) + "\n")
    path.chmod(0o644)


def of_debian(root: Path) -> Iterator[Component]:
    """Yield the packages that are installed, and those of which files were taken."""
    folder = root / "var/lib/dpkg"
    files = [folder / "status", *sorted((folder / "status.d").glob("*"))]
    distribution = "debian-" + (root / "etc/debian_version").read_text().partition(".")[0].strip()
    for file in files:
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        for stanza in text.strip().split("\n\n"):
            about = HeaderParser().parsestr(stanza)
            if not str(about["Status"]).endswith("ok installed"):
                continue
            name, version = about["Package"], about["Version"]
            terms = root / "usr/share/doc" / name / "copyright"
            words = terms.read_text(encoding="utf-8", errors="replace") if terms.is_file() else ""
            yield Component(
                "Debian",
                name,
                version,
                licences.of_debian(name, words),
                f"pkg:deb/debian/{quote(name)}@{quote(version)}"
                f"?arch={about['Architecture']}&distro={distribution}",
                about["Homepage"] or "",
                f"/usr/share/doc/{name}/copyright",
            )


def of_python(*roots: Path) -> Iterator[Component]:
    """Yield the distributions of the virtual environment, and pip."""
    names = ("python3*/site-packages", "pip.whl")
    places = [p for root in roots for name in names for p in root.glob(f"opt/pastebox/lib/{name}")]
    for found in metadata.distributions(path=[str(place) for place in places]):
        about: Message = found.metadata  # type: ignore[assignment]  # it is one
        name, version = about["Name"], found.version
        yield Component(
            "Python",
            name,
            version,
            licences.of_python(about),
            f"pkg:pypi/{name.lower().replace('_', '-')}@{quote(version)}",
            about.get("Home-page") or "",
            f"the metadata of {name}",
        )


def document(found: list[Component], when: datetime) -> dict[str, Any]:
    """Return the document; its name is the digest of what it lists."""
    digest = hashlib.sha256(repr(found).encode()).hexdigest()
    packages = [_package(component) for component in found]
    version = next(one.version for one in found if (one.kind, one.name) == ("Python", "pastebox"))
    image = {
        "SPDXID": HERE,
        "name": "pastebox",
        "versionInfo": version,
        "primaryPackagePurpose": "CONTAINER",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "supplier": "NOASSERTION",
    }
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", HERE)]
    relations += [(HERE, "CONTAINS", package["SPDXID"]) for package in packages]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"pastebox-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/pastebox-{version}-{digest}",
        "creationInfo": {
            "created": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": [f"Tool: pastebox-sbom-{version}"],
        },
        "packages": [image, *packages],
        "relationships": [
            {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
            for one, kind, other in relations
        ],
        "hasExtractedLicensingInfos": _references(found),
    }


def _package(component: Component) -> dict[str, Any]:
    name = component.name.replace("_", "-").replace("+", "-plus")
    return {
        "SPDXID": f"SPDXRef-{component.kind}-{name}",
        "name": component.name,
        "versionInfo": component.version,
        "downloadLocation": "NOASSERTION",
        "homepage": component.home or "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": component.licence,
        "copyrightText": "NOASSERTION",
        "supplier": "Organization: Debian" if component.kind == "Debian" else "NOASSERTION",
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": component.purl,
            }
        ],
    }


def _references(found: list[Component]) -> list[dict[str, str]]:
    """Return what each licence is that SPDX has no name for: where its terms are."""
    places: dict[str, list[str]] = {}
    for component in found:
        for word in component.licence.replace("(", " ").replace(")", " ").split():
            if word.startswith("LicenseRef-"):
                places.setdefault(word, []).append(component.terms)
    return [
        {
            "licenseId": name,
            "name": name.removeprefix("LicenseRef-"),
            "extractedText": "The terms are in " + ", ".join(sorted(set(where))),
        }
        for name, where in sorted(places.items())
    ]


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
