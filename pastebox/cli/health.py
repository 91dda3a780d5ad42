"""``pastebox health``: ask whether requests are served here; for HEALTHCHECK and exec probes.

It runs every few seconds, so it imports sockets and little else: no argparse, no settings table,
no typing. What it needs of the settings it reads from the environment itself; a test holds it to
the table.
"""

from __future__ import annotations

import os
import sys

from pastebox.health.ask import probe_once
from pastebox.health.protocol import HTTP, Protocol
from pastebox.health.target import tcp, unix

TYPE_CHECKING = False  # typing itself costs 6 ms
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    from pastebox.health.result import ProbeResult
    from pastebox.health.target import Target

USAGE = """\
usage: pastebox health [--json] [--timeout S] [--live | --ready | --startup] [URL]

Ask the health port whether requests should be sent here, and say why not.
With a URL ask the application itself, in its server's protocol:

  http://host:port/path    https://host:port/path (towards loopback the certificate is not verified)
  fcgi://host:port/path    scgi://host:port/path    ajp://host:port (CPING) or ajp://host:port/path
  unix:/path    https+unix:/path    fcgi+unix:/path    scgi+unix:/path    ajp+unix:/path

  PASTEBOX_READY_PATH   what to request where the URL has no path
  PASTEBOX_AJP_SECRET   what an AJP server demands; or PASTEBOX_AJP_SECRET_FILE

  --live              is the master alive, and no worker stuck or in a crash loop
  --ready             should requests be sent here (this is the default)
  --startup           has it ever been ready
  --timeout S         seconds to wait for the answer, 2.5 by default
  --health-host HOST  of the health port (PASTEBOX_HEALTH_HOST)
  --health-port PORT  of the health port, or off: ask the application (PASTEBOX_HEALTH_PORT)
  --json              print one JSON object

exit status: 0 yes, 1 no, 2 the command line or the environment cannot be understood
"""

DEFAULTS = {"HEALTH_HOST": "127.0.0.1", "HEALTH_PORT": "9090", "HOST": "127.0.0.1", "PORT": "8080"}
_SCHEMES = {  # protocol and customary port
    "http": ("http", 80),
    "https": ("https", 443),
    "fcgi": ("fastcgi", 9000),
    "scgi": ("scgi", 4000),
    "ajp": ("ajp", 8009),
}
_PAGES = {"--live": "/livez", "--ready": "/readyz", "--startup": "/startupz"}
_VALUES = ("--timeout", "--health-host", "--health-port")
_EXPECTED = "expected http://host:port/path, or https, fcgi, scgi, ajp, or unix:/path"
_JSON_HEADERS = (("Accept", "application/json"),)
_SERVER_ERROR = 500
_SLEEPING = b'"phase sleeping"'


class _Misuse(Exception):  # noqa: N818  # not an error of the program
    """The command line or the environment cannot be understood."""


class _Question:
    """What to ask, and of whom."""

    __slots__ = ("headers", "is_lenient", "path", "protocol", "target")

    def __init__(
        self,
        target: Target,
        path: str,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        is_lenient: bool = False,
        protocol: Protocol = HTTP,
    ) -> None:
        self.target = target
        self.path = path
        self.headers = headers
        self.protocol = protocol
        self.is_lenient = is_lenient  # any answer below 500 will do: nobody said what to ask for


def main(
    argv: Sequence[str],
    environ: Mapping[str, str] | None = None,
    stdout: TextIO | None = None,
) -> int:
    """Run the command; ``argv`` is what follows ``health``, the rest is the process's own.

    Returns:
        The exit status: 0 healthy, 1 not, 2 misuse.
    """
    environ = os.environ if environ is None else environ
    stdout = sys.stdout if stdout is None else stdout
    if "-h" in argv or "--help" in argv:
        stdout.write(USAGE)
        return 0
    try:
        options, url = _read_arguments(argv)
        timeout_s = _seconds(options.get("--timeout", "2.5"))
        question = _question(options, url, environ)
        result = probe_once(
            question.target, question.path, timeout_s, question.headers, question.protocol
        )
    except (_Misuse, ValueError) as error:
        stdout.write(f"error: {error}\n  hint: pastebox health --help\n")
        return 2
    ok = result.ok or (question.is_lenient and 0 < result.status < _SERVER_ERROR)
    reason = "ok" if ok else _reason(result)
    if not ok and _SLEEPING in result.body:  # conventions: diagnosed in peace, not restarted
        ok, reason = True, "ok: sleeping, nothing is served (PASTEBOX_MODE=sleep)"
    if "--json" in options:
        stdout.write(_as_json(ok, reason, question, result))
    else:
        stdout.write(f"{reason}\n")
    return 0 if ok else 1


def _read_arguments(argv: Sequence[str]) -> tuple[dict[str, str], str]:
    options: dict[str, str] = {}
    url = ""
    words = list(argv)
    while words:
        name, mark, value = words.pop(0).partition("=")
        if name in _VALUES:
            if not mark and not words:
                raise _Misuse(f"{name}: expected a value")
            options[name] = value if mark else words.pop(0)
        elif name in _PAGES and not mark:
            options["page"] = _PAGES[name]
        elif name == "--json" and not mark:
            options[name] = ""
        elif name.startswith("-") or url:
            raise _Misuse(f"{name}: is not an argument")
        else:
            url = f"{name}{mark}{value}"
    return options, url


def _question(options: Mapping[str, str], url: str, environ: Mapping[str, str]) -> _Question:
    ready_path = _variable("READY_PATH", environ)
    if url:
        return _of_url(url, ready_path, environ)
    port = options.get("--health-port") or _variable("HEALTH_PORT", environ)
    host = options.get("--health-host") or _variable("HEALTH_HOST", environ)
    if port != "off" or host.startswith("unix:"):
        path = host.removeprefix("unix:")
        target = unix(path) if path != host else tcp(host, _port("HEALTH_PORT", port))
        return _Question(target, options.get("page", "/readyz"), headers=_JSON_HEADERS)
    target = tcp(_variable("HOST", environ), _port("PORT", _variable("PORT", environ)))
    return _Question(target, ready_path or "/", is_lenient=not ready_path)


def _of_url(url: str, ready_path: str, environ: Mapping[str, str]) -> _Question:
    scheme, colon, rest = url.partition(":")
    name, plus, _ = scheme.partition("+unix")
    is_unix = scheme in ("unix", f"{name}+unix")
    name = "http" if scheme == "unix" else name
    if name not in _SCHEMES or not colon or (plus and not is_unix):
        raise _Misuse(f"{url}: {_EXPECTED}")
    protocol, port = _SCHEMES[name]
    if is_unix:
        if not rest.startswith("/"):
            raise _Misuse(f"{url}: {_EXPECTED}")
        target, path = unix(rest), ""
    else:
        target, path = _of_authority(url, rest, port)
    path = path or ready_path
    is_lenient = not path
    if is_lenient and protocol != "ajp":  # which has a question of its own for this
        path = "/"
    return _Question(target, path, is_lenient=is_lenient, protocol=_protocol(protocol, environ))


def _of_authority(url: str, rest: str, port: int) -> tuple[Target, str]:
    """Return where to connect, and the path of the URL, empty where it has none."""
    if not rest.startswith("//"):
        raise _Misuse(f"{url}: {_EXPECTED}")
    authority, slash, path = rest[2:].partition("/")
    host, colon, digits = authority.rpartition(":")
    if not colon or digits.endswith("]"):
        host, digits = authority, str(port)
    if not host:
        raise _Misuse(f"{url}: expected a host")
    return tcp(host, _port(url, digits)), f"{slash}{path.partition('#')[0]}"


def _protocol(name: str, environ: Mapping[str, str]) -> Protocol:
    if name == "http":
        return HTTP
    return Protocol(name, secret=_variable("AJP_SECRET", environ) if name == "ajp" else "")


def _variable(name: str, environ: Mapping[str, str]) -> str:
    """Return the text of ``PASTEBOX_NAME``, or what ``PASTEBOX_NAME_FILE`` holds."""
    variable = f"PASTEBOX_{name}"
    path = environ.get(f"{variable}_FILE")
    if path is None:
        return environ.get(variable, DEFAULTS.get(name, ""))
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise _Misuse(f"{variable}_FILE: {path} cannot be read: {error}") from None


def _port(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:6]) < 1 << 16:
        where = name if "://" in name else f"PASTEBOX_{name}"
        raise _Misuse(f'{where}: found "{text}", expected a port from 1 to 65535')
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:  # noqa: PLR2004  # an hour; infinity and NaN are refused with it
        raise _Misuse(f'--timeout: found "{text}", expected seconds')
    return seconds


def _reason(result: ProbeResult) -> str:
    """Return the reason, and what the health port itself says about it."""
    detail = _detail(result.body) if result.status else ""
    return f"{result.reason}: {detail}" if detail else result.reason


def _detail(body: bytes) -> str:
    """Return the failing checks of a JSON answer, or the first line of a text."""
    text = body.decode("utf-8", "replace").strip()
    if text.startswith("{"):
        text = _from_json(text)
    line = text.partition("\n")[0][:400]
    return "" if line.startswith("<") or not line.isprintable() else line


def _from_json(text: str) -> str:
    import json  # noqa: PLC0415  # only bad news pays for it

    try:
        facts = json.loads(text)
        failed = [
            f"{check['name']}: {check['fact']}"
            for check in facts.get("checks", ())
            if not check["ok"]
        ]
        phase = f"phase {facts['phase']}" if "phase" in facts else ""
        detail = f" ({facts['detail']})" if facts.get("detail") else ""
    except (ValueError, TypeError, LookupError, AttributeError):
        return ""  # some other JSON: the status has to say it
    return "; ".join(failed) or f"{phase}{detail}"


def _as_json(ok: bool, reason: str, question: _Question, result: ProbeResult) -> str:  # noqa: FBT001  # the first fact of four
    import json  # noqa: PLC0415  # only --json pays for it

    facts = {
        "ok": ok,
        "reason": reason,
        "target": f"{question.target}{question.path}",
        "status": result.status,
        "seconds": round(result.seconds, 6),
    }
    return json.dumps(facts) + "\n"
