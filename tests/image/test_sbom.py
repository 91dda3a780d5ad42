"""What each image says that it is made of, against what dpkg and pip say of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/reference/licences.md"
NAME = "/usr/share/doc/pastebox/sbom.spdx.json"
BY_PYTHON = """\
from importlib.metadata import distributions
for one in distributions():
    print(one.metadata["Name"], one.version)
"""
OWNED = """\
import os
for folder, _, names in os.walk("/usr"):
    for name in names:
        print(os.path.join(folder, name))
"""


@pytest.fixture
def sbom(run_to_end):
    status, text = run_to_end("python", "-c", f"print(open({NAME!r}).read())")
    assert status == 0, text
    return json.loads(text)


def listed(sbom, kind):
    """The names and versions of one kind."""
    packages = [one for one in sbom["packages"] if one["SPDXID"].startswith(f"SPDXRef-{kind}-")]
    return {one["name"]: one["versionInfo"] for one in packages}


def test_it_lists_what_pip_lists(run_to_end, sbom):
    _status, output = run_to_end("pip", "list", "--format", "json")
    assert listed(sbom, "Python") == {one["name"]: one["version"] for one in json.loads(output)}


def test_it_lists_what_dpkg_lists_and_whose_certificates_are_there(run_to_end, sbom):
    _status, output = run_to_end("dpkg-query", "--show", "--showformat", "${Package} ${Version}\\n")
    installed = dict(line.split() for line in output.splitlines())
    found = listed(sbom, "Debian")
    assert found.pop("ca-certificates")
    assert found == installed


def test_the_slim_image_lists_what_is_there(run_to_end, standard_image, slim_image):
    """pip is asked by what it asks, and the standard image's dpkg whose the files are."""
    ask = ["python", "-c", f"print(open({NAME!r}).read())"]
    sbom = json.loads(run_to_end(*ask, image=slim_image)[1])
    _status, output = run_to_end("python", "-c", BY_PYTHON, image=slim_image)
    assert listed(sbom, "Python") == dict(line.split() for line in output.splitlines())
    assert "pip" not in listed(sbom, "Python")

    _status, output = run_to_end("python", "-c", OWNED, image=slim_image)
    files = set(output.split("\n"))
    script = "for f in /var/lib/dpkg/info/*.list; do echo : ${f##*/}; cat $f; done"
    _status, output = run_to_end("sh", "-c", script, image=standard_image)
    owners = set()
    for part in output.split(": ")[1:]:
        name, *paths = part.splitlines()
        # documents are there of the packages whose files are
        if any(path in files for path in paths if not path.startswith("/usr/share/")):
            owners.add(name.removesuffix(".list").partition(":")[0])
    of_data = {"base-files", "ca-certificates", "media-types", "netbase", "tzdata"}
    assert set(listed(sbom, "Debian")) - of_data == owners - of_data
    assert of_data <= set(listed(sbom, "Debian"))


@pytest.mark.slim_too
def test_it_is_a_document_of_spdx(sbom, config):
    """What its validator asks for; the date is that of the commit."""
    assert sbom["spdxVersion"] == "SPDX-2.3"
    assert sbom["creationInfo"]["created"] == config["Labels"]["org.opencontainers.image.created"]
    names = [one["SPDXID"] for one in sbom["packages"]]
    assert len(names) == len(set(names))
    assert all(re.fullmatch("SPDXRef-[A-Za-z0-9.-]+", name) for name in names)
    related = {one["relatedSpdxElement"] for one in sbom["relationships"]}
    assert related == set(names)
    told = {one["licenseId"] for one in sbom["hasExtractedLicensingInfos"]}
    declared = " ".join(one["licenseDeclared"] for one in sbom["packages"])
    assert set(re.findall(r"LicenseRef-[\w.-]+", declared)) == told


@pytest.mark.slim_too
def test_every_component_is_in_the_list_of_licences(sbom):
    """With its licence; a version of Debian's may be newer than the page."""
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    page = {(row[0].removeprefix("| "), row[2]): row[1] for row in rows}
    for package in sbom["packages"]:
        if package["name"] == "pastebox":
            continue
        key = (package["name"], package["licenseDeclared"])
        assert key in page, f"{key}: make sbom renews {PAGE}"
        if "-Python-" in package["SPDXID"]:
            assert page[key] == package["versionInfo"], f"{key}: make sbom renews {PAGE}"
