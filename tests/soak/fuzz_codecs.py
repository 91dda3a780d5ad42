"""Damaged bytes for every codec of ``pastebox.health``: an answer or a ProtocolError, in time.

    python tests/soak/fuzz_codecs.py [--cases 1000000] [--seed 0] [--only fastcgi,scgi,ajp,http]

For each codec as many inputs as ``--cases`` says: messages of both directions, damaged a few
times, whole or in pieces. Both sides read each of them: the server's readers and the client's
parser. Anything but a result or a ProtocolError fails, and so does an input that takes long, an
outcome that depends on how the input was cut, and a memory that grows.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from pastebox.health import ajp, ajp_client, fastcgi, fastcgi_client, http, scgi
from pastebox.health.cgi import response_head
from pastebox.health.http import ProtocolError

LONGEST_S = 1.0
GROWTH_LIMIT = 4 << 20
TOKENS = (
    b"\0",
    b"\xff",
    b"\xff\xff",
    b"\xff\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"\x7f\xff\xff\xff",
    b"\x12\x34",
    b"\x124\xff\xff",
    b"AB",
    b"\xa0\x0f",
    b"\x01\x01\x00\x01",
    b"\r\n",
    b"\n\n",
    b"\r\n\r\n",
    b":",
    b",",
    b"-1",
    b"0",
    b"00",
    b"99999999999999999999",
    b"CONTENT_LENGTH",
    b"Content-Length: ",
    b"Transfer-Encoding: chunked\r\n",
    b"SCGI\x001\0",
    b"HTTP/1.1 ",
    b"Status: ",
)

HEADERS = [("Content-Type", "text/html"), ("Set-Cookie", "a=b"), ("X-Y", "z" * 200)]
LONG = (("Accept", "x" * 300), ("X-A", ""), ("Cookie", "a=b"))
CGI_ANSWERS = (
    response_head("200 OK", HEADERS) + b"body " * 30,
    response_head("503 Busy", [("Content-Length", "4")]) + b"busy",
    b"Location: /\n\n",
    b"HTTP/1.1 404 Not Found\r\n\r\n",
)

FASTCGI = (
    fastcgi_client.request_bytes("/ready?a=b", "localhost:9000", LONG),
    fastcgi.begin_request(7, fastcgi.AUTHORIZER, fastcgi.KEEP_CONN)
    + fastcgi.stream(fastcgi.PARAMS, 7, fastcgi.encode_pairs([("A", "b" * 500), ("C", "")]))
    + fastcgi.record(fastcgi.PARAMS, 7)
    + fastcgi.stream(fastcgi.STDIN, 7, b"upload " * 50)
    + fastcgi.record(fastcgi.ABORT_REQUEST, 7),
    fastcgi.get_values([fastcgi.MAX_CONNS, fastcgi.MPXS_CONNS, "X"]),
    fastcgi.unknown_type(99),
    *(
        fastcgi.stream(fastcgi.STDERR, 1, b"oh")
        + fastcgi.stream(fastcgi.STDOUT, 1, answer)
        + fastcgi.record(fastcgi.STDOUT, 1)
        + fastcgi.end_request(1)
        for answer in CGI_ANSWERS
    ),
)
SCGI = (
    scgi.request_bytes("/ready?a=b", "localhost:4000", LONG),
    scgi.encode([("REQUEST_METHOD", "POST"), ("A", "b" * 500)], 350) + b"upload " * 50,
    b"24:CONTENT_LENGTH\x000\0SCGI\x001\0,",
    *CGI_ANSWERS,
)
AJP = (
    ajp_client.request_bytes("/ready?a=b", "localhost:8009", LONG, secret="open"),
    ajp.encode_forward_request(
        ajp.ForwardRequest(
            "BREW",
            "/pot",
            is_ssl=True,
            headers=[("Host", "h"), ("Content-Length", "7"), ("X-A", "b")],
            attributes={"ssl_key_size": "256", "remote_user": "me", "ssl_cert": "x" * 300},
            request_attributes={"AJP_REMOTE_PORT": "1234"},
        )
    )
    + ajp.body_packet(b"upload " * 50)
    + ajp.body_packet(b""),
    *(
        ajp.cpong()
        + ajp.get_body_chunk(8186)
        + ajp.send_headers(status, "OK", HEADERS)
        + ajp.send_body_chunk(b"body " * 30)
        + ajp.end_response(reuse=True)
        for status in (200, 503)
    ),
)
HTTP = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nA: b\r\n\r\nbody",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nbody\r\n1f\r\n"
    + b"x" * 31
    + b"\r\n0\r\n\r\n",
)


def answered(parser: object, pieces: Sequence[bytes]) -> object:
    """Feed a client's parser to the end; return what tells two answers apart."""
    for piece in (*pieces, b""):
        response = parser.feed(piece)  # type: ignore[attr-defined]
        if response is not None:
            return (response.status, response.body, sorted(response.headers.items()))
    raise AssertionError("the end of the stream was no end")


def fastcgi_server(pieces: Sequence[bytes]) -> object:
    """Read as a server does."""
    reader, pairs = fastcgi.RecordReader(), fastcgi.PairsReader(limit=4096, count=50)
    found: list[object] = []
    for piece in (*pieces, b""):
        for kind, number, content in reader.feed(piece):
            found.append((kind, number, content))
            found.append(fastcgi_read(pairs, kind, content))
    if len(reader._buffer) > 65535 + 255 + 8:
        raise AssertionError("the reader keeps more than a record")
    return found


def fastcgi_read(pairs: fastcgi.PairsReader, kind: int, content: bytes) -> object:
    """Read the content of one record."""
    if kind == fastcgi.PARAMS:
        return pairs.feed(content)
    if kind == fastcgi.BEGIN_REQUEST:
        return fastcgi.read_begin_request(content)
    if kind == fastcgi.END_REQUEST:
        return fastcgi.read_end_request(content)
    if kind == fastcgi.UNKNOWN_TYPE:
        return fastcgi.read_unknown_type(content)
    if kind == fastcgi.GET_VALUES:
        return fastcgi.get_values_result(content, {fastcgi.MAX_CONNS: "1"})
    return None


def scgi_server(pieces: Sequence[bytes]) -> object:
    """Read as a server does."""
    reader, head, body = scgi.HeadReader(limit=4096, count=50), None, b""
    for piece in pieces:
        if head is not None:
            body += piece
            continue
        head = reader.feed(piece)
        body = head.rest if head else b""
    return head and (head.headers, head.content_length, body)


def ajp_server(pieces: Sequence[bytes]) -> object:
    """Read as a server does."""
    reader = ajp.PacketReader()
    found: list[list[object]] = []
    for piece in (*pieces, b""):
        for payload in reader.feed(piece):
            if payload == bytes([ajp.CPING]):
                found.append([ajp.CPING])
            elif payload[:1] == b"\x02":
                request = ajp.decode_forward_request(payload)
                found.append([getattr(request, name) for name in request.__slots__])
            else:
                found.append([ajp.read_body_packet(payload)])
    if len(reader._buffer) > ajp.PACKET_LIMIT:
        raise AssertionError("the reader keeps more than a packet")
    return found


Reader = Callable[[Sequence[bytes]], object]
CODECS: dict[str, tuple[tuple[bytes, ...], tuple[Reader, ...]]] = {
    "fastcgi": (
        FASTCGI,
        (fastcgi_server, lambda pieces: answered(fastcgi_client.ResponseParser(), pieces)),
    ),
    "scgi": (SCGI, (scgi_server, lambda pieces: answered(scgi.ResponseParser(), pieces))),
    "ajp": (AJP, (ajp_server, lambda pieces: answered(ajp_client.ResponseParser(), pieces))),
    "http": (HTTP, (lambda pieces: answered(http.ResponseParser(), pieces),)),
}


def damaged(chance: random.Random, corpus: Sequence[bytes]) -> bytes:
    """Return one of the messages, damaged a few times."""
    data = bytearray(chance.choice(corpus))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(8)
        if kind < 3 and at < len(data):  # lengths stand near the beginning of things
            data[at if kind else at % 40 % len(data)] = chance.choice(
                (0, 1, 127, 128, 255, at & 255)
            )
        elif kind == 3:
            data[at:at] = chance.choice(TOKENS)
        elif kind == 4:
            token = chance.choice(TOKENS)
            data[at : at + len(token)] = token
        elif kind == 5:
            del data[at : at + chance.randrange(1, 20)]
        elif kind == 6:
            other = chance.choice(corpus)
            data[at:] = other[chance.randrange(len(other)) :]
        else:
            del data[at:]
    return bytes(data)


def cut(chance: random.Random, data: bytes) -> list[bytes]:
    """Return the data in up to four pieces, none of them empty."""
    places = sorted({0, len(data), *(chance.randrange(len(data) + 1) for _ in range(3))})
    return [data[start:end] for start, end in itertools.pairwise(places)]


def outcome(read: Reader, pieces: Sequence[bytes]) -> object:
    """Return what was read, or the kind of the refusal."""
    try:
        return read(pieces)
    except ProtocolError as error:
        if not str(error):
            raise AssertionError("a refusal says nothing") from error
        return ProtocolError


def compare(whole: object, in_pieces: object) -> None:
    """Refuse an outcome that depends on how the input was cut."""
    if whole != in_pieces:
        raise AssertionError(f"in pieces: {in_pieces!r}, else: {whole!r}")


def run(name: str, cases: int, seed: int) -> Counter[str]:
    """Run the inputs of one codec; what fails has its seed and its bytes in a note."""
    corpus, readers = CODECS[name]
    counts: Counter[str] = Counter()
    for number in range(seed, seed + cases):
        chance = random.Random(number)
        data = damaged(chance, corpus)
        began = time.perf_counter()
        try:
            for read in readers:
                found = outcome(read, [data] if data else [])
                counts["refused" if found is ProtocolError else "read"] += 1
                if number % 4 == 0:
                    compare(found, outcome(read, cut(chance, data)))
        except BaseException as error:
            error.add_note(f"{name}, seed {number}: {data!r}")
            raise
        if time.perf_counter() - began > LONGEST_S:
            raise AssertionError(f"{name}, seed {number} took more than {LONGEST_S} s: {data!r}")
    return counts


def memory() -> int:
    """Return the bytes of this process that are in memory."""
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def keep(path: str, name: str, figures: str) -> None:
    """Put the figures of one codec into a file of results."""
    file = Path(path)
    results = json.loads(file.read_text()) if file.exists() else {}
    results.setdefault("codecs", {})[name] = figures
    file.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


def main() -> int:
    """Run every codec and print the figures."""
    parser = argparse.ArgumentParser(description="Damaged bytes for every codec.")
    parser.add_argument("--cases", type=int, default=1_000_000, help="inputs for each codec")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", help="a JSON file to keep the figures in")
    parser.add_argument("--only", default=",".join(CODECS))
    arguments = parser.parse_args()
    is_grown = False
    for name in arguments.only.split(","):
        run(name, min(10_000, arguments.cases), arguments.seed)  # so that caches are filled
        before, descriptors, began = memory(), len(os.listdir("/proc/self/fd")), time.monotonic()
        counts = run(name, arguments.cases, arguments.seed)
        seconds, growth = time.monotonic() - began, memory() - before
        opened = len(os.listdir("/proc/self/fd")) - descriptors
        is_grown = is_grown or growth > GROWTH_LIMIT or opened > 0
        figures = (
            f"{arguments.cases} inputs, 0 crashes, 0 hangs,"
            f" memory {growth / 1024:+.0f} KiB, descriptors {opened:+d}, {seconds:.0f} s"
            f" ({counts['read']} read, {counts['refused']} refused)"
        )
        print(f"{name:8} {figures}", flush=True)
        if arguments.results:
            keep(arguments.results, name, figures)
    return int(is_grown)


if __name__ == "__main__":
    sys.exit(main())
