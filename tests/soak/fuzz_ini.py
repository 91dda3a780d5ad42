"""Send damaged INIs all the way: locate, overlay, interpolate, resolve, load, show.

Each case must end in an application or in a PasteboxError with a sentence, within five
seconds, and leave the mounted directory as it was. As a script it runs both kinds of case::

    python tests/soak/fuzz_ini.py [--cases 10000] [--seed 0]

A failure prints the seed and keeps the directory of the case.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pastebox.config.check import lint, logging_faults, server_fault
from pastebox.config.locate import locate, parse_words
from pastebox.config.read import read, read_leniently
from pastebox.config.server import server_spec
from pastebox.config.source import app_parts, app_source, load_app
from pastebox.errors import PasteboxError
from pastebox.settings import resolve

CORPUS = Path(__file__).resolve().parent.parent / "data" / "ini"
LONGEST_S = 20
ENVIRON = {
    "PORT": "8080",
    "DASHBOARD": "d%(here)s",
    "SITE": "example.org",
    "CKAN_DB_PASSWORD": "50%%(x)s%",
    "EMPTY": "",
    "BROKEN": "two\nlines",
}
SECRETS = ("session", "keystone", "ckan", "token", "db")
SECRET_VALUE = "s3cr3t%(value)s"

APP = """
class App:
    def __init__(self, *inner):
        self.inner = inner

    def __call__(self, environ, start_response):
        start_response("200 OK", [])
        return [b""]

def app(global_conf, **local_conf):
    return App()

def strict(global_conf, size="1"):
    return App()

def composite(loader, global_conf, **local_conf):
    names = [v for k, v in sorted(local_conf.items()) if k.startswith(("/", "app"))]
    return App(*[loader.get_app(name, global_conf=global_conf) for name in names])

def filter_factory(global_conf, **local_conf):
    return App

def filter_app(inner, global_conf, **local_conf):
    return App(inner)

def serve(global_conf, **local_conf):
    return None
"""
ENTRY_POINTS = """
[paste.app_factory]
main = fuzz_app:app
static = fuzz_app:app
strict = fuzz_app:strict
gone = fuzz_gone:app
[paste.composite_factory]
urlmap = fuzz_app:composite
cascade = fuzz_app:composite
[paste.filter_factory]
main = fuzz_app:filter_factory
[paste.filter_app_factory]
prefix = fuzz_app:filter_app
[paste.server_factory]
main = fuzz_app:serve
"""
TOKENS = """
%( )s % %% %(here)s %(__file__)s %(ENV_PORT)s %(ENV_NOT_SET)s %(ENV_BROKEN)s %(ENV_)s %(SECRET_db)s
%(SECRET_)s %(SECRET_../db)s %(SECRET_nosuch)s %(x)s %(who)s %%(ENV_PORT)s [app:main] [DEFAULT] [
] [] [[x]] [server:main] [pipeline:main] [composite:main] [filter-app:main] [loggers] [pastebox]
use filter-with next pipeline get set require = : # ; egg: config: call: egg:Fuzz-App#gone
egg:Nosuch config:nosuch.ini config:app.ini config:app.ini#main config:. config:/ config:%00.ini
call:fuzz_app:App.x call:fuzz_app foo:bar main app:main paste.app_factory
paste.composite_factory keys = here = __file__ = \x00 \x85 \u2028 \ufeff \ud7ff é 😀
""".replace("\n", " ").split(" ")  # a list of a hundred quoted words reads worse


class StuckError(Exception):
    """A case took too long."""


class Bench:
    """A directory of one case after another, with an application that INIs can name."""

    def __init__(self, root: Path) -> None:
        self.etc = root / "etc"
        self.secrets = root / "secrets"
        self.site = root / "site"
        info = self.site / "Fuzz_App-1.0.dist-info"
        for folder in (self.etc / "conf.d", self.secrets, info):
            folder.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Fuzz-App\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(ENTRY_POINTS)
        (self.site / "fuzz_app.py").write_text(APP)
        for name in SECRETS:
            (self.secrets / name).write_text(SECRET_VALUE + "\n")
        for path in CORPUS.glob("*.ini"):
            shutil.copy(path, self.etc)
        self.outcomes: Counter[str] = Counter()

    def run(
        self,
        text: str | bytes,
        *,
        overlay: str | bytes | None = None,
        environ: dict[str, str] | None = None,
        words: Sequence[str] = (),
        sets: Sequence[tuple[str, str]] = (),
        fragment: str = "",
    ) -> None:
        """Run one case; whatever is wrong with pastebox is raised."""
        _write(self.etc / "app.ini", text)
        extra = self.etc / "conf.d" / "10.ini"
        extra.unlink(missing_ok=True)
        if overlay is not None:
            _write(extra, overlay)
        before = _listing(self.etc)
        with _limit(LONGEST_S):
            outcomes = self._all_the_way({**ENVIRON, **(environ or {})}, words, sets, fragment)
        self.outcomes.update(outcomes)
        if _listing(self.etc) != before:
            raise AssertionError("the mounted directory has changed")

    def _all_the_way(
        self,
        environ: dict[str, str],
        words: Sequence[str],
        sets: Sequence[tuple[str, str]],
        fragment: str,
    ) -> list[str]:
        arguments = {"overlay_dir": str(self.etc / "conf.d"), "secrets_dir": str(self.secrets)}
        early = resolve(arguments, {})
        try:
            found = locate(
                f"app.ini{fragment}", early, environ=environ, cwd=str(self.etc), etc_dir="/nowhere"
            )
            assert found.spec is not None
            source = app_source(found.spec, early, parse_words(words), environ, sets)
            config = read_leniently(source, environ)
        except PasteboxError as error:
            return [_sound(error)]

        def settled() -> None:
            late = resolve(arguments, {}, config.pastebox_section())
            fault = server_fault(server_spec(config, late), ("waitress",))
            if fault is not None:
                raise fault

        def shown() -> None:
            if SECRET_VALUE in config.render():
                raise AssertionError("a secret is shown")

        def looked_at() -> None:
            lint(config, {})
            config.digest(found.spec.name)  # type: ignore[union-attr]
            for fault in logging_faults(config):
                raise fault

        steps: tuple[Callable[[], object], ...] = (
            lambda: read(source, environ),
            settled,
            shown,
            looked_at,
            lambda: app_parts(source, environ),
            lambda: load_app(source, environ),
        )
        return [_outcome(step) for step in steps]


def _outcome(step: Callable[[], object]) -> str:
    try:
        step()
    except PasteboxError as error:
        return _sound(error)
    return "fine"


def _sound(error: PasteboxError) -> str:
    """Return the kind of an error, and raise for one that tells a user nothing."""
    text = error.render()
    if len(text) < len("error: ") + 10 or error.exit_code == 1:
        raise AssertionError(f"an error says nothing: {text!r}") from error
    return f"{type(error).__name__} {int(error.exit_code)}"


def _write(path: Path, text: str | bytes) -> None:
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))


def _listing(folder: Path) -> list[tuple[str, int, int]]:
    return sorted(
        (str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")
    )


@contextlib.contextmanager
def _limit(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise StuckError(f"the case took more than {seconds} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def mutated(seed: int) -> dict[str, object]:
    """Return a case: a real-shaped INI, damaged a few times, sometimes with an overlay."""
    chance = random.Random(seed)
    texts = [path.read_bytes() for path in sorted(CORPUS.glob("*.ini"))]
    case: dict[str, object] = {"text": _damaged(chance, chance.choice(texts), texts)}
    if chance.random() < 0.3:
        case["overlay"] = _damaged(chance, chance.choice(texts), texts)
    if chance.random() < 0.3:
        case["words"] = [f"{chance.choice(['http_port', 'debug', 'x', 'who'])}=5%(y)s"]
    if chance.random() < 0.2:
        name = chance.choice(["APP_MAIN__X", "DEFAULT__DEBUG", "SERVER_MAIN__PORT", "NOSUCH__X"])
        case["environ"] = {f"PASTE__{name}": "5%"}
    if chance.random() < 0.2:
        case["sets"] = [(chance.choice(["app:main", "new"]), "use=%(x)s")]
    if chance.random() < 0.2:
        case["fragment"] = chance.choice(["#blog", "#", "#portal", "#main test", "##"])
    return case


def _damaged(chance: random.Random, text: bytes, texts: Sequence[bytes]) -> bytes:
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 8))):
        text = chance.choice(DAMAGES)(chance, text, texts)
    return text


def _bytes_changed(chance: random.Random, text: bytes, _: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(text) + 1)
    return text[:at] + bytes([chance.randrange(256)]) + text[at + chance.randrange(2) :]


def _token_put_in(chance: random.Random, text: bytes, _: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice(TOKENS).encode() + text[at:]


def _value_replaced(chance: random.Random, text: bytes, _: Sequence[bytes]) -> bytes:
    lines = text.split(b"\n")
    at = chance.randrange(len(lines))
    name = lines[at].partition(b"=")[0]
    lines[at] = name + b"= " + b" ".join(chance.choice(TOKENS).encode() for _ in range(2))
    return b"\n".join(lines)


def _word_exchanged(chance: random.Random, text: bytes, _: Sequence[bytes]) -> bytes:
    words = text.split(b" ")
    first, second = chance.randrange(len(words)), chance.randrange(len(words))
    words[first], words[second] = words[second], words[first]
    return b" ".join(words)


def _lines_moved(chance: random.Random, text: bytes, _: Sequence[bytes]) -> bytes:
    lines = text.split(b"\n")
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    kind = chance.randrange(4)
    if kind == 0:
        lines.insert(first, lines[second])
    elif kind == 1:
        del lines[first]
    elif kind == 2:
        lines[first] = b"  " + lines[first]
    else:
        lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


def _section_renamed(chance: random.Random, text: bytes, _: Sequence[bytes]) -> bytes:
    old, new = (chance.choice((b"main", b"app:", b"filter:", b"base", b"use")) for _ in range(2))
    return text.replace(old, new, chance.randrange(1, 4))


def _spliced(chance: random.Random, text: bytes, texts: Sequence[bytes]) -> bytes:
    other = chance.choice(texts)
    return text[: chance.randrange(len(text) + 1)] + other[chance.randrange(len(other) + 1) :]


def _cut(chance: random.Random, text: bytes, _: Sequence[bytes]) -> bytes:
    return text[: chance.randrange(len(text) + 1)]


DAMAGES = (
    _bytes_changed,
    _token_put_in,
    _token_put_in,
    _value_replaced,
    _value_replaced,
    _word_exchanged,
    _lines_moved,
    _section_renamed,
    _spliced,
    _cut,
)

_NAMES = ("main", "a", "b", "f", "blog")
_KINDS = ("app", "application", "composite", "pipeline", "filter-app", "filter", "server")
_sections = st.one_of(
    st.just("DEFAULT"),
    st.builds("{}:{}".format, st.sampled_from(_KINDS), st.sampled_from(_NAMES)),
    st.text(min_size=1, max_size=8),
)
_options = st.one_of(
    st.sampled_from(
        ("use", "pipeline", "next", "filter-with", "set x", "get y", "x", "y", "/", "app1")
    ),
    st.sampled_from(("here", "require", "paste.app_factory", "ENV_PORT", "keys")),
    st.text(max_size=6),
)
_values = st.one_of(
    st.sampled_from(("egg:Fuzz-App", "egg:Fuzz-App#urlmap", "egg:Fuzz-App#prefix", *_NAMES)),
    st.sampled_from(("config:app.ini#a", "config:shared.ini#base", "fuzz_app:app", "f a", "f b a")),
    st.lists(st.sampled_from([token for token in TOKENS if token]), max_size=4).map(" ".join),
    st.text(max_size=12),
)
_blocks = st.tuples(_sections, st.lists(st.tuples(_options, _values), max_size=5))


def _spelled(blocks: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> str:
    lines = []
    for section, rows in blocks:
        lines.append(f"[{section}]")
        lines.extend(f"{option} = {value}" for option, value in rows)
    return "\n".join(lines) + "\n"


inis = st.one_of(st.lists(_blocks, max_size=6).map(_spelled), st.text(max_size=60))
"""INIs that nobody wrote: sections that use each other, and plain noise."""


def run_mutated(bench: Bench, cases: int, seed: int) -> None:
    """Run damaged real INIs; the seed of a failing one is in its note."""
    for number in range(seed, seed + cases):
        try:
            bench.run(**mutated(number))  # type: ignore[arg-type]
        except BaseException as error:
            error.add_note(f"mutation seed {number}")
            raise


def run_generated(bench: Bench, cases: int) -> None:
    """Run INIs that Hypothesis makes up."""

    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize=cases < 2000,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(text=inis, overlay=st.none() | inis, words=st.sampled_from(([], ["x=5%"], ["use=1"])))
    def run(text: str, overlay: str | None, words: list[str]) -> None:
        bench.run(text, overlay=overlay, words=words)

    run()


@contextlib.contextmanager
def prepared(root: Path) -> Iterator[Bench]:
    """Make the directory, and let the process find the application in it."""
    bench = Bench(root)
    sys.path.insert(0, str(bench.site))
    try:
        yield bench
    finally:
        sys.path.remove(str(bench.site))
        sys.modules.pop("fuzz_app", None)


def main() -> int:
    """Run half of the cases as mutations and half as made-up files; print the figures."""
    parser = argparse.ArgumentParser(description="Damaged INIs, all the way.")
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    started = time.monotonic()
    root = Path(tempfile.mkdtemp(prefix="fuzz-ini-"))
    with prepared(root) as bench:
        try:
            run_mutated(bench, arguments.cases // 2, arguments.seed)
            run_generated(bench, arguments.cases - arguments.cases // 2)
        except BaseException:
            print(f"the case is in {bench.etc}", file=sys.stderr)
            raise
    shutil.rmtree(root)
    took = time.monotonic() - started
    print(f"{arguments.cases} INIs, 0 unhandled exceptions, 0 hangs, 0 changed files, {took:.0f} s")
    for outcome, count in bench.outcomes.most_common():
        print(f"  {count:6d} steps {outcome}")
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
