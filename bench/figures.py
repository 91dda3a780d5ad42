"""The figures of a run: rows, goals, the text for people and the file for the reference pages."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.pairs import Pair

if TYPE_CHECKING:
    from bench.servers import Measured

TARGET = Path(__file__).parents[1] / "docs" / "reference" / "servers.json"
PACKAGES = ("waitress", "gunicorn", "granian", "cheroot", "twisted", "flup", "PasteDeploy")
MOST_MS = 5.0
"""Median wait of a single request through a front end; a delayed acknowledgement is 44 ms."""


def row(pair: Pair, ours: Measured, bare: Measured) -> dict[str, Any]:
    """Return what the pair has become."""
    ratios = [mine / its for mine, its in zip(ours.rates, bare.rates, strict=True)]
    return {
        "name": pair.name,
        "runner": pair.runner,
        "protocol": pair.protocol,
        "bare": pair.bare,
        "goal": pair.goal,
        "ratio": round(median(ratios), 3),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "sides": {"ours": ours.row(), "bare": bare.row()},
    }


def report(
    rows: list[dict[str, Any]], latencies: list[dict[str, Any]], given: argparse.Namespace
) -> dict[str, Any]:
    """Return everything that goes into the file, with how it came about."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": "python -m bench.servers",
        "rounds": len(rows[0]["ratios"]),
        "seconds": given.seconds,
        "connections": given.connections,
        "machine": {
            "cpus": len(os.sched_getaffinity(0)),
            "python": platform.python_version(),
            "load": round(os.getloadavg()[2], 1),
        },
        "versions": versions,
        "rows": rows,
        "waits": latencies,
    }


def goals(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what was promised, what was found, and whether it is kept."""
    rows = {one["name"]: one for one in found["rows"]}
    kept = [
        _goal(f"{name}: of {one['bare']}", one["ratio"], one["goal"])
        for name, one in rows.items()
        if one["goal"] is not None
    ]
    if "waitress" in rows:
        base = rows["waitress"]["sides"]
        fastest = max(rows.values(), key=lambda one: _rates(one)[0])
        name = f"the fastest, {fastest['name']}: of waitress"
        kept.append(_goal(name, _between(_every(fastest), base["ours"]["rates"]), 2.0))
    if "two_workers" in found and "waitress" in rows:
        two = found["two_workers"]["ours"]["rates"]
        kept.append(
            _goal(
                "waitress, 2 workers: of plain waitress", _between(two, base["bare"]["rates"]), 2.0
            )
        )
        others = [one for one in rows.values() if one["runner"] == "gunicorn"]
        if others:
            best = max(others, key=lambda one: float(one["sides"]["bare"]["rate"]))
            name = f"waitress, 2 workers: of the best {best['bare']}"
            kept.append(_goal(name, _between(two, best["sides"]["bare"]["rates"]), 1.3))
    for wait in found["waits"]:
        if wait["is_ours"]:
            name = f"{wait['name']} behind {wait['front']}, connections kept: ms of a request"
            kept.append({"what": name, "found": wait["ms"], "most": MOST_MS})
    for one in kept:
        one["is_kept"] = (
            one["found"] >= one["least"] if "least" in one else one["found"] < one["most"]
        )
    return kept


def _goal(what: str, found: float, least: float) -> dict[str, Any]:
    return {"what": what, "found": round(found, 3), "least": least}


def _every(one: dict[str, Any]) -> list[float]:
    rates: list[float] = one["sides"]["ours"]["rates"]
    return rates


def _rates(one: dict[str, Any]) -> tuple[float, float]:
    return float(one["sides"]["ours"]["rate"]), float(one["sides"]["bare"]["rate"])


def _between(some: list[float], others: list[float]) -> float:
    return float(median(a / b for a, b in zip(some, others, strict=True)))


def show(found: dict[str, Any]) -> None:
    """Print the tables."""
    print(
        f"hello, {found['rounds']} rounds of {found['seconds']:g} s,"
        f" {found['connections']} connections, in turn"
    )
    head = ("runner", "req/s", "bare", "ratio", "µs CPU", "bare", "MB", "bare", "failed", "bare")
    print(("{:<34}" + "{:>9}" * 9).format(*head))
    line = "{:<34}{:>9.0f}{:>9.0f}{:>9.3f}{:>9.1f}{:>9.1f}{:>9.1f}{:>9.1f}{:>9}{:>9}"
    for one in found["rows"]:
        mine, its = one["sides"]["ours"], one["sides"]["bare"]
        cells = [mine["rate"], its["rate"], one["ratio"], mine["cpu_us"], its["cpu_us"]]
        cells += [mine["memory_mb"], its["memory_mb"], mine["failed"], its["failed"]]
        print(line.format(one["name"], *cells))
    if "two_workers" in found:
        two = found["two_workers"]["ours"]
        print(
            f"{found['two_workers']['name']:<34}{two['rate']:>9.0f}{'':18}{two['cpu_us']:>9.1f}"
            f"{'':9}{two['memory_mb']:>9.1f}"
        )
    for wait in found["waits"]:
        side = "ours" if wait["is_ours"] else "bare"
        print(f"{wait['name']} {side} behind {wait['front']}, kept: {wait['ms']} ms")
    for goal in found["goals"]:
        bound = f">= {goal['least']}" if "least" in goal else f"< {goal['most']}"
        print(f"{'kept  ' if goal['is_kept'] else 'MISSED'} {goal['what']} {goal['found']} {bound}")
    sys.stdout.flush()


def write(found: dict[str, Any]) -> None:
    """Write the file, with what another measurement has put into it, and the pages."""
    merged = read() | found
    text = json.dumps(merged, indent=1, ensure_ascii=False)
    # A list of numbers on one line: a new run is one changed line for each.
    text = re.sub(r"\[\s+([-0-9.,\s]+?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text)
    TARGET.write_text(text + "\n", encoding="utf-8")
    subprocess.run([sys.executable, str(TARGET.parents[1] / "generate.py")], check=True)


def read() -> dict[str, Any]:
    """Return the committed figures, none where there is no file."""
    if not TARGET.exists():
        return {}
    found: dict[str, Any] = json.loads(TARGET.read_text(encoding="utf-8"))
    return found
