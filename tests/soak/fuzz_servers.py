"""Hostile input against a live server of every runner: it goes on, and nothing grows.

    python tests/soak/fuzz_servers.py [--inputs 10000] [--seed 0] [--only waitress,flup_scgi_fork]

Each input is a connection of its own: damaged requests, random bytes, floods of headers, lengths
that are too large or negative, garbage behind a request, half-closed and reset connections; and
all the time some senders are slow. Afterwards the same processes must answer, with no descriptor,
thread, process or memory more than after the first tenth, no traceback in the log, and no more
lines in it than connections.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import random
import re
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

import conformance_app  # noqa: E402  # from the directory above
from app_process import AppProcess, children_of, free_port  # noqa: E402
from contract_cases import CASES, Case  # noqa: E402
from contract_wire import Place  # noqa: E402


def _codecs():
    spec = importlib.util.spec_from_file_location("fuzz_codecs", HERE / "fuzz_codecs.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("fuzz_codecs", module)
    spec.loader.exec_module(module)
    return module


codecs = _codecs()

AT_ONCE = 16
SLOW = 8
NOT_SLOW = ("gunicorn_sync",)
"""A worker of this kind belongs to one client at a time, however slow: it needs a front end."""
NOT_OURS = ("external",)
"""waitress as it is: it stumbles over a head that it refused when its client has left."""
GROWTH_LIMIT = 12 << 20
SPARE = 2 + 5
"""Master, worker and the idle children that flup's default keeps."""
CHILD, EACH = 8 << 20, 20
"""Bytes and descriptors of one more child, those of its parent for it included."""
POOL = 40
"""Threads that a pool may start when it needs them, and ends later."""
WAIT_S = 0.03
"""How long the client waits for an answer to something that has none, perhaps."""
_RESET = struct.pack("ii", 1, 0)

HTTP = (
    b"GET /a?b=c HTTP/1.1\r\nHost: x\r\nUser-Agent: y\r\nCookie: a=b\r\n\r\n",
    b"HEAD / HTTP/1.0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Length: 12\r\n\r\nhello, world",
    b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1f\r\n"
    + b"x" * 31
    + b"\r\n0\r\nTrailer: x\r\n\r\n",
    b"PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
)
TO_SERVERS = {
    "http": HTTP,
    "fastcgi": codecs.FASTCGI[:3],
    "scgi": codecs.SCGI[:3],
    "ajp": codecs.AJP[:2],
}
OUTSIZED = {
    "http": (
        b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X-Flood: flood\r\n" * 20_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 300_000,
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 5000,
        b"\r\n" * 50_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"tls" * 100,
    ),
    "fastcgi": (
        b"\x01\x04\x00\x01\xff\xff\xff\x00" * 40_000,
        b"".join(codecs.fastcgi.begin_request(number) for number in range(1, 3000)),
        codecs.fastcgi.begin_request(1) + b"\x01\x04\x00\x01\x00\x08\x00\x00" + b"\xff" * 8,
        b"\x01\x09\x00\x00\x00\x00\x00\x00" * 20_000,
        b"\x01\x63\x00\x00\x00\x00\x00\x00" * 20_000,
        codecs.fastcgi.begin_request(1, 99),
    ),
    "scgi": (
        b"99999999999999:",
        b"9" * 200_000,
        b"-5:abcde,",
        b"70000:" + b"a\0b\0" * 20_000,
        b"24:CONTENT_LENGTH\x00-1\0SCGI\x001\0,",
        b"43:CONTENT_LENGTH\x0099999999999999999999\0SCGI\x001\0,",
    ),
    "ajp": (
        b"\x12\x34\xff\xff" + b"\x02" * 65535,
        b"\x12\x34\x00\x01\x0a" * 30_000,
        b"\x12\x34\x00\x04\x02\x02\xff\xff",
        b"\x12\x34\x00\x00" * 50_000,
        b"\x12\x34\x1f\xf0" + b"\xa0\x01" * 4088,
    ),
}


class Facts(NamedTuple):
    """What may not grow; ``workers`` are the pids below the master."""

    workers: frozenset[int]
    processes: int
    descriptors: int
    threads: int
    memory: int


def facts_of(pid: int) -> Facts:
    """Return the facts of a master and of everything below it."""
    pids = [pid]
    for one in pids:
        pids += children_of(one)
    descriptors = threads = memory = 0
    for one in pids:
        with contextlib.suppress(OSError):
            descriptors += len(os.listdir(f"/proc/{one}/fd"))
            threads += len(os.listdir(f"/proc/{one}/task"))
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
            memory += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1]) << 10
    return Facts(frozenset(children_of(pid)), len(pids), descriptors, threads, memory)


class Attacker:
    """Everybody who means harm to one server."""

    def __init__(self, case: Case, port: int, protocol: str, seed: int) -> None:
        self.port = port
        self.protocol = protocol
        self.slow = 0 if case.name in NOT_SLOW else SLOW
        self.seed = seed
        self._slow: list[socket.socket] = []
        self._lock = threading.Lock()

    def __call__(self, number: int) -> None:
        """Make one connection and send it one input."""
        chance = random.Random(self.seed + number)
        with contextlib.suppress(OSError), self._connect() as connection:
            connection.settimeout(5)
            data = self._input(chance)
            for piece in codecs.cut(chance, data) if chance.random() < 0.3 else [data]:
                connection.sendall(piece)
            self._part(chance, connection)
        if number % 20 == 0:
            self._crawl()

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 20)

    def _input(self, chance: random.Random) -> bytes:
        corpus = TO_SERVERS[self.protocol]
        kind = chance.random()
        if kind < 0.6:
            return codecs.damaged(chance, corpus)
        if kind < 0.7:
            return chance.randbytes(chance.choice((1, 10, 1000, 30_000)))
        if kind < 0.85:
            return chance.choice(corpus) + codecs.damaged(chance, corpus) + chance.randbytes(50)
        if kind < 0.95:
            data = chance.choice(corpus)
            return data[: chance.randrange(len(data))]
        return chance.choice(OUTSIZED[self.protocol])

    def _part(self, chance: random.Random, connection: socket.socket) -> None:
        """Leave: after an answer, at once, by half, or with a reset."""
        how = chance.random()
        if how < 0.2:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        elif how < 0.7:
            if how < 0.5:
                connection.shutdown(socket.SHUT_WR)
            connection.settimeout(WAIT_S)
            while connection.recv(65536):
                pass

    def _crawl(self) -> None:
        """Have each of some connections send the next byte of a request."""
        with self._lock:
            while len(self._slow) < self.slow:
                self._slow.append(self._connect())
            for number, connection in enumerate(self._slow):
                data = TO_SERVERS[self.protocol][0]
                try:
                    connection.sendall(data[number : number + 1])
                except OSError:
                    connection.close()
                    self._slow[number] = self._connect()

    def close(self) -> None:
        """Hang up on everybody."""
        for connection in self._slow:
            connection.close()


def start(case: Case, directory: Path) -> AppProcess:
    """Serve an application that reads what it is sent."""
    source = Path(conformance_app.__file__)
    (directory / source.name).write_text(source.read_text())
    port = free_port()
    address = case.tcp.format(host="127.0.0.1", port=port)
    server = case.section(address, case.more)
    ini = f"[app:main]\npaste.app_factory = conformance_app:main\n{server}\n"
    process = AppProcess(directory, code=None, ini=ini, PASTEBOX_ACCESS_LOG="off")
    process.port = port
    process.wait_log(r"listening on (\S+)")
    return process


def lines_of(process: AppProcess) -> int:
    """Return the number of lines in the log."""
    return process.log().count("\n")


def settled(pid: int, wanted: Callable[[Facts], bool], seconds: float) -> Facts:
    """Return the facts as soon as they are as wanted, or after ``seconds``."""
    until = time.monotonic() + seconds
    while not wanted(facts := facts_of(pid)) and time.monotonic() < until:
        time.sleep(0.1)
    return facts


def faults_of(case: Case, before: Facts, after: Facts, log: str, inputs: int) -> list[str]:
    """Return what is wrong afterwards."""
    faults = []
    if before.workers != after.workers:
        faults.append("a worker died")
    more = SPARE - before.processes if case.forks else 0
    limits = {
        "processes": before.processes + more,
        "descriptors": before.descriptors + more * EACH,
        "threads": before.threads + more + POOL,
    }
    for name, limit in limits.items():
        if getattr(after, name) > limit:
            faults.append(f"{name}: {getattr(before, name)} before, {getattr(after, name)} after")
    if after.memory - before.memory > GROWTH_LIMIT + more * CHILD:
        faults.append(f"memory: {before.memory >> 10} KiB before, {after.memory >> 10} KiB after")
    if "Traceback" in log and case.name not in NOT_OURS:
        faults.append("a traceback")
    if log.count("\n") > inputs + 50:
        faults.append(f"{log.count(chr(10))} lines in the log")
    return faults


def run(case: Case, inputs: int, seed: int, directory: Path) -> tuple[str, list[str]]:
    """Attack one server; return a line of figures, and what is wrong."""
    process = start(case, directory)
    client = case.client(Place(port=process.port))
    attacker = Attacker(case, process.port, client.name, seed)
    began = time.monotonic()
    warm = max(inputs // 10, 50)
    try:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(attacker, range(warm)))
            answered(client)
            before = facts_of(process.pid)
            for first in range(warm, inputs, 500):
                list(threads.map(attacker, range(first, min(first + 500, inputs))))
                answered(client)
        attacker.close()
        after = settled(process.pid, lambda now: not faults_of(case, before, now, "", 0), 30)
        answered(client)
        log = process.log()
        faults = faults_of(case, before, after, log, inputs)
        code = process.stop()
        if code:
            faults.append(f"exit status {code}")
        figures = (
            f"{case.name:18} {inputs} inputs, memory {(after.memory - before.memory) >> 10:+d} KiB,"
            f" descriptors {after.descriptors - before.descriptors:+d},"
            f" threads {after.threads - before.threads:+d},"
            f" processes {after.processes - before.processes:+d},"
            f" log lines {log.count(chr(10))}, {time.monotonic() - began:.0f} s"
        )
    except BaseException as error:
        error.add_note(process.log()[-5000:])
        raise
    finally:
        attacker.close()
        process.kill()
    return figures, faults


def answered(client) -> None:
    """Refuse a server that does not answer a good request."""
    reply = client.ask("POST", "/good", b"body")
    assert reply.status == 200, reply
    assert b'"body": "body"' in reply.body, reply


def keep(path: str, name: str, figures: str) -> None:
    """Put the figures of one server into a file of results."""
    file = Path(path)
    results = json.loads(file.read_text()) if file.exists() else {}
    results.setdefault("fuzz", {})[name] = figures
    file.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Attack every server and print the figures."""
    parser = argparse.ArgumentParser(description="Hostile input against a server of every runner.")
    parser.add_argument("--inputs", type=int, default=10_000, help="connections for each server")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", help="a JSON file to keep the figures in")
    parser.add_argument("--only", default=",".join(case.name for case in CASES))
    options = parser.parse_args(arguments)
    failed = False
    for case in CASES:
        if case.name not in options.only.split(","):
            continue
        if case.missing:
            print(f"{case.name:18} not run: {case.missing}")
            continue
        with tempfile.TemporaryDirectory() as directory:
            figures, faults = run(case, options.inputs, options.seed, Path(directory))
        print(figures, *(f"\n    {fault}" for fault in faults), flush=True)
        failed = failed or bool(faults)
        if options.results:
            keep(options.results, case.name, figures.partition(" ")[2].strip())
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
