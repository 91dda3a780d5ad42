"""What a package says of its licence, in the words of SPDX."""

from __future__ import annotations

import re
from email.message import Message

SPDX = {
    "apache-2.0": "Apache-2.0",
    "artistic": "Artistic-1.0",
    "artistic-2": "Artistic-2.0",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd-4-clause": "BSD-4-Clause",
    "bsl-1.0": "BSL-1.0",
    "cc0-1.0": "CC0-1.0",
    "expat": "MIT",
    "isc": "ISC",
    "mit": "MIT",
    "mpl-1.1": "MPL-1.1",
    "mpl-2.0": "MPL-2.0",
    "x11": "X11",
    "zlib": "Zlib",
}
"""Names of Debian's that are of a licence of SPDX's; the GNU licences are read by their form."""
GNU = re.compile(
    r"(?P<family>a?gpl|lgpl|gfdl)-?v?(?P<version>\d(\.\d)?)(?P<later>\+)?", re.IGNORECASE
)
WHOLE = {
    "ca-certificates": "GPL-2.0-or-later AND MPL-2.0",
    "python": "Python-2.0.1",
}
"""Packages of Debian's whose copyright file is prose, by the beginning of their name."""
COMMON = re.compile(r"/usr/share/common-licenses/([\w.-]*\w)")
CLASSIFIERS = {
    "MIT License": "MIT",
    "Zope Public License": "ZPL-2.1",
    "BSD License": "LicenseRef-BSD",
}


def of_debian(package: str, terms: str) -> str:
    """Return the licences that a copyright file has, all of them joined by AND."""
    for beginning, expression in WHOLE.items():
        if package.startswith((beginning, f"lib{beginning}")):
            return expression
    if terms.startswith("Format:"):
        names = re.findall(r"(?m)^License: *(\S.*)$", terms)
        found = {part for name in names for part in _parts(name)}
    else:
        found = {_one(name) for name in COMMON.findall(terms)}
    return " AND ".join(sorted(found)) or f"LicenseRef-{package}"


def of_python(about: Message) -> str:
    """Return the licence that a distribution's metadata names."""
    if about.get("License-Expression"):
        return str(about.get("License-Expression"))
    for classifier in about.get_all("Classifier", []):
        kind, _, rest = classifier.partition(" :: ")
        known = CLASSIFIERS.get(rest.rpartition(" :: ")[2])
        if kind == "License" and known:
            return known
    return _one(about.get("License") or about["Name"])


def _parts(name: str) -> list[str]:
    """Translate what a field says: names joined by "and" and "or"; all of the parts hold."""
    words = re.split(r",? +(and|or) +|, *", name)
    names = [_one(word) for word in words if word and word not in {"and", "or"}]
    if "or" not in words:
        return names
    joined = [
        f" {word.upper()} " if word in {"and", "or"} else _one(word) for word in words if word
    ]
    return [f"({''.join(joined)})"]


def _one(name: str) -> str:
    """Translate one name; what SPDX has no name for becomes a reference to the terms themselves."""
    name = name.partition("(")[0].strip()
    plain, _, exception = name.partition(" with ")
    found = GNU.fullmatch(plain.lower().replace("-only", "").removesuffix(".0"))
    if found and not exception:
        version = found["version"] + ("" if "." in found["version"] else ".0")
        if found["family"] == "gfdl" and "." not in found["version"]:
            version = "1.3"
        return f"{found['family'].upper()}-{version}-{'or-later' if found['later'] else 'only'}"
    known = SPDX.get(plain.lower())
    if known and not exception:
        return known
    return "LicenseRef-" + re.sub(r"[^A-Za-z0-9.]+", "-", name.lower()).strip("-")
