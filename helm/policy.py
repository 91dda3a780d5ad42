"""Scan what the chart renders by the policies of checkov, and compare with what was reviewed.

``make policy`` runs it. Every values file of ci and examples is rendered; a failure that REVIEWED
does not explain fails the scan, and so does a row of REVIEWED that explains nothing any more.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
CHART = HERE / "pastebox"
FILES = (*sorted((CHART / "ci").glob("*.yaml")), *sorted((HERE / "examples").glob("*.yaml")))
KUBERNETES = "1.36"

SERVING = "Deployment StatefulSet"
SHORT = "Pod Job"
ALL = f"{SERVING} {SHORT}"


class Reviewed(NamedTuple):
    """A check that may fail: of which kinds of objects, why, and in which files."""

    check: str
    kinds: str
    reason: str
    files: str = "*"


EXTRAS = "extras.yaml: what a user adds is as the user gives it"
REVIEWED = (
    Reviewed("CKV_K8S_43", ALL, "the image is the user's: image.digest pins it, and is preferred"),
    Reviewed(
        "CKV_K8S_15",
        ALL,
        "a tag is a version: with Always no pod could start while the registry is away",
    ),
    Reviewed("CKV_K8S_11", ALL, "a CPU limit throttles requests that have the node to themselves"),
    Reviewed(
        "CKV_K8S_13",
        ALL,
        "what an application needs is not known here; NOTES says that the limit is not set",
    ),
    Reviewed("CKV_K8S_8", SHORT, "a Job and a test end by themselves"),
    Reviewed("CKV_K8S_9", SHORT, "nothing is sent to a Job or a test"),
    Reviewed("CKV_K8S_8", SERVING, "nginx restarts its own workers", "ci-fastcgi.yaml"),
    Reviewed("CKV_K8S_8", SERVING, "nginx restarts its own workers", "ci-scgi.yaml"),
    Reviewed("CKV_K8S_8", SERVING, "nginx restarts its own workers", "examples-fastcgi.yaml"),
    Reviewed(
        "CKV_K8S_8", SERVING, "a pod to look around in is not restarted", "ci-diagnostic.yaml"
    ),
    Reviewed("CKV_K8S_40", ALL, "OpenShift gives each project a user", "*-openshift.yaml"),
    Reviewed(
        "CKV_K8S_35",
        SERVING,
        "envFrom.secrets is there for images that read nothing else; its comment prefers files",
        "ci-existing-secrets.yaml",
    ),
    Reviewed("CKV_K8S_35", SERVING, EXTRAS, "ci-extras.yaml"),
    Reviewed("CKV_K8S_8", SERVING, EXTRAS, "ci-extras.yaml"),
    Reviewed("CKV_K8S_9", SERVING, EXTRAS, "ci-extras.yaml"),
    Reviewed("CKV_K8S_10", SERVING, EXTRAS, "ci-extras.yaml"),
    Reviewed("CKV_K8S_12", SERVING, EXTRAS, "ci-extras.yaml"),
    Reviewed("CKV_K8S_21", "ConfigMap", "Helm gives them its namespace", "ci-extras.yaml"),
)


class Failure(NamedTuple):
    """What checkov found: in which values file, of which object, what."""

    file: str
    check: str
    kind: str
    name: str
    text: str


def explains(row: Reviewed, failure: Failure) -> bool:
    """Whether a failure was reviewed."""
    is_kind = row.check == failure.check and failure.kind in row.kinds.split()
    return is_kind and fnmatch(failure.file, row.files)


def render(directory: Path, helm: str) -> None:
    """Write what each values file gives into a file of its own."""
    for path in FILES:
        base = [helm, "template", "wiki", str(CHART), "--namespace", "apps"]
        words = [*base, "--kube-version", KUBERNETES, "--values", str(path)]
        text = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
        (directory / f"{path.parent.name}-{path.name}").write_text(text, encoding="utf-8")


def scan(directory: Path, checkov: str) -> Iterator[Failure]:
    """Yield the checks that failed."""
    words = [checkov, "--framework", "kubernetes", "--skip-download", "--quiet", "--output", "json"]
    answer = subprocess.run(
        [*words, "--directory", str(directory)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    results = json.loads(answer.stdout)["results"]
    for one in results["failed_checks"]:
        kind, _, name = one["resource"].partition(".")
        file = one["file_path"].lstrip("/")
        yield Failure(file, one["check_id"], kind, name, one["check_name"])


def main(argv: list[str]) -> int:
    """Scan; the words are the programs helm and checkov."""
    helm, checkov = argv
    with tempfile.TemporaryDirectory() as name:
        render(Path(name), helm)
        failures = list(scan(Path(name), checkov))
    excused: set[Reviewed] = set()
    found: set[str] = set()
    for failure in failures:
        rows = [row for row in REVIEWED if explains(row, failure)]
        excused.update(rows)
        if not rows:
            found.add(" ".join(failure))
    for line in sorted(found):
        print(line)
    stale = [f"{row.check} ({row.files})" for row in REVIEWED if row not in excused]
    for check in stale:
        print(f"{check} is in the reviewed list, and fails nowhere: take it away")
    print(
        f"{len(FILES)} renders, {len(failures) - len(found)} reviewed findings, {len(found)} others"
    )
    return 1 if found or stale or not failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
