"""Print the page of licences from the documents of the images: ``licence_list.py FILE...``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

HEAD = """\
# Licences

What the images are made of, with the licence that each component names; pastebox itself is MIT.
`LicenseRef-` stands before what [SPDX](https://spdx.org/licenses/) has no name for; the terms\
 are in the image, in `/usr/share/doc/NAME/copyright`\
 or in the metadata of the distribution.
A package of Debian's names the licences of all of its sources, so the list is longer\
 than what is binding for one file of it.

Each image has its own list with all of this, as SPDX, in `/usr/share/doc/pastebox/sbom.spdx.json`.
This page is written by `make sbom`; the versions of Debian's packages are those of that day.
"""
KINDS = {"Python": "Distributions of Python", "Debian": "Packages of Debian"}


def main(files: list[Path]) -> str:
    """Return the page."""
    rows: dict[str, dict[str, list[str]]] = {kind: {} for kind in KINDS}
    for file in sorted(files):
        target = file.name.partition(".")[0]
        for package in json.loads(file.read_text())["packages"]:
            kind = package["SPDXID"].split("-")[1]
            if kind not in rows:
                continue
            words = (package["name"], package["versionInfo"], package["licenseDeclared"])
            row = "| " + " | ".join(words)
            rows[kind].setdefault(row, []).append(target)
    text = HEAD
    for kind, title in KINDS.items():
        text += f"\n## {title}\n\n| name | version | licence | in |\n| --- | --- | --- | --- |\n"
        for row, targets in sorted(rows[kind].items(), key=lambda item: item[0].lower()):
            text += f"{row} | {', '.join(targets)} |\n"
    return text


if __name__ == "__main__":
    sys.stdout.write(main([Path(name) for name in sys.argv[1:]]))
