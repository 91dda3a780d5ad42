"""``pastebox ctl ACTION [NAME ...]``: the programs of a running daemon."""

import argparse
import json
import os
import signal
import time
import xmlrpc.client
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from pastebox.daemon.client import Client
from pastebox.daemon.rundir import SOCKET, run_dir
from pastebox.errors import ExitCode, PasteboxError, UsageError
from pastebox.settings import Settings

ACTIONS = {
    "status": "show programs; the exit status is 1 when one is not as it should be",
    "start": "start programs, and wait until they have started",
    "stop": "stop programs, and wait until they have ended",
    "restart": "stop and start",
    "reload": "have programs read their configuration again",
    "tail": "show the last lines that a program wrote",
    "update": "start, replace or stop what the configuration has otherwise now",
}
ALL = "all"
_LOOK_AGAIN_S = 0.1
_ALREADY = (60, 70)  # supervisor's ALREADY_STARTED and NOT_RUNNING
_INTERRUPTED = 128 + signal.SIGINT
_GOING = ("starting", "stopping")

Facts = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the arguments."""
    width = max(map(len, ACTIONS))
    lines = "\n".join(f"  {word:<{width}}  {text}" for word, text in ACTIONS.items())
    parser.usage = "pastebox ctl [--json] ACTION [NAME ...]"
    parser.epilog = f"actions:\n{lines}\n\nThe name {ALL} stands for every program.\n"
    parser.add_argument("action", choices=list(ACTIONS), metavar="ACTION", help="see below")
    parser.add_argument("names", nargs="*", metavar="NAME", help="programs, as status shows them")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    parser.add_argument("-f", "--follow", action="store_true", help="go on, with tail")
    parser.add_argument("-n", "--lines", type=int, default=50, help="how many lines, with tail")


def run(
    namespace: argparse.Namespace,
    settings: Settings,
    environ: Mapping[str, str],
    _stdin: TextIO,
    stdout: TextIO,
) -> int:
    """Carry one action out; return the exit status."""
    client = Client(os.path.join(run_dir(settings, environ), SOCKET))
    if namespace.action == "update":
        return _update(client, namespace.json, stdout)
    facts = _known(client)
    if namespace.action == "tail":
        return _tail(client, facts, namespace, stdout)
    names = _chosen(facts, namespace.names, needs_one=namespace.action != "status")
    failures = [text for name in names if (text := _act(client, namespace.action, name))]
    facts = _known(client)
    shown = [facts[name] for name in names if name in facts]
    _show(shown, stdout, as_json=namespace.json)
    if failures:
        raise PasteboxError("; ".join(failures))
    if namespace.action == "status" and not all(one["ok"] for one in shown):
        return ExitCode.FAILURE
    return ExitCode.OK


def _known(client: Client) -> dict[str, Facts]:
    return {one["name"]: one for one in client.call("pastebox.status")}


def _chosen(facts: Mapping[str, Facts], words: Sequence[str], *, needs_one: bool) -> list[str]:
    if needs_one and not words:
        raise UsageError(
            "no program is named", expected=f"{ALL}, or some of {', '.join(facts) or 'none'}"
        )
    for word in words:
        if word != ALL and word not in facts:
            raise UsageError(
                found=f'the program "{word}"', expected=f"one of {', '.join(facts) or 'none'}"
            )
    return list(facts) if not words or ALL in words else list(dict.fromkeys(words))


def _act(client: Client, action: str, name: str) -> str:
    """Carry an action out for one program; return what went wrong, or nothing."""
    try:
        if action in ("stop", "restart"):
            _call(client, "supervisor.stopProcess", name)
            _settled(client, name)
        if action in ("start", "restart"):
            _call(client, "supervisor.startProcess", name)
            facts = _settled(client, name)
            if not facts["ok"]:
                return f"{name} does not start: {facts['reason'] or facts['state']}"
        if action == "reload" and not client.call("pastebox.reload", name):
            return (
                f"{name} does not run, or has no signal for that: reload_signal = HUP gives it one"
            )
    except xmlrpc.client.Fault as fault:
        return f"{name}: {fault.faultString.lower()}"
    return ""


def _call(client: Client, method: str, name: str) -> None:
    """Call without waiting; what is so already is no failure."""
    try:
        client.call(method, name, False)  # do not wait
    except xmlrpc.client.Fault as fault:
        if fault.faultCode not in _ALREADY:
            raise


def _settled(client: Client, name: str) -> Facts:
    """Wait until a program is neither starting nor stopping; the daemon bounds how long it is."""
    while True:
        facts = _known(client)[name]
        if facts["state"] not in _GOING:
            return facts
        time.sleep(_LOOK_AGAIN_S)


def _update(client: Client, as_json: bool, stdout: TextIO) -> int:  # noqa: FBT001  # a flag
    try:
        done = client.call("pastebox.update")
        while client.call("pastebox.is_updating"):
            time.sleep(_LOOK_AGAIN_S)
    except xmlrpc.client.Fault as fault:
        raise PasteboxError(f"nothing is changed: {fault.faultString}") from fault
    refused = done["refused"]
    if as_json:
        stdout.write(json.dumps(done) + "\n")
    else:
        touched = {word: names for word, names in done.items() if names and word != "refused"}
        lines = [f"{word}: {', '.join(names)}\n" for word, names in touched.items()]
        stdout.write("".join(lines) or ("" if refused else "nothing to change\n"))
        stdout.write("".join(f"refused: {text}\n" for text in refused))
    return ExitCode.CONFIG if refused else ExitCode.OK


def _tail(
    client: Client, facts: Mapping[str, Facts], namespace: argparse.Namespace, stdout: TextIO
) -> int:
    names = _chosen(facts, namespace.names, needs_one=True)
    if len(names) > 1:
        raise UsageError("tail shows one program at a time", found=", ".join(names))
    text, position = client.call("pastebox.tail", names[0], -(1 << 30), 0)
    lines = text.splitlines()[-namespace.lines :]
    if namespace.json:
        stdout.write(json.dumps({"name": names[0], "lines": lines}) + "\n")
        return ExitCode.OK
    stdout.write("".join(f"{line}\n" for line in lines))
    try:
        while namespace.follow:
            stdout.flush()
            time.sleep(_LOOK_AGAIN_S)
            text, position = client.call("pastebox.tail", names[0], position, 0)
            stdout.write(text)
    except KeyboardInterrupt:  # how somebody ends it
        return _INTERRUPTED
    return ExitCode.OK


def _show(shown: Sequence[Facts], stdout: TextIO, *, as_json: bool) -> None:
    if as_json:
        stdout.write(json.dumps(shown, indent=2) + "\n")
        return
    width = max((len(one["name"]) for one in shown), default=0)
    for one in shown:
        words = [f"for {_duration(one['age_s'])}"]
        if one["pid"]:
            words.append(f"pid={one['pid']}")
        if one["exit"] >= 0 and not one["pid"]:
            words.append(f"exit={one['exit']}")
        words += [f"starts={one['starts']}"] + ["essential"] * one["essential"]
        stdout.write(f"{one['name']:<{width}}  {one['state']:<8}  {' '.join(words)}\n")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
