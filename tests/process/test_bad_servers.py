"""A wrong server section ends the start with one error that names its place, for every family."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess

import pytest
from app_process import INI, free_port
from contract_cases import CASES

pytestmark = pytest.mark.process

BY_NAME = {case.name: case for case in CASES if not case.missing}
TCP = [name for name in BY_NAME if name not in ("gunicorn_gevent", "gunicorn_sync")]
UNIX = [name for name in TCP if BY_NAME[name].unix]


def section(case, address: str, *more: str) -> str:
    return "[app:main]\npaste.app_factory = theapp:main\n" + case.section(address, case.more, *more)


def refused(app, status: int, option: str, *told: str) -> None:
    """The start has ended with ``status`` and one error about ``option``, at its line."""
    assert app.wait_exit() == status
    lines = app.log().splitlines()
    (error,) = [line for line in lines if line.startswith("error: ")]
    assert "Traceback" not in app.log()
    number, named = re.match(r"error: \S+/app\.ini:(\d+) \[server:main\] (\S+): ", error).groups()
    assert named == option
    written = app.ini.read_text().splitlines()[int(number) - 1]
    assert written.replace(" ", "").startswith(f"{option}=")
    for words in told:
        assert words in app.log()


@pytest.mark.parametrize("name", TCP)
def test_a_host_that_does_not_resolve(start, name):
    case = BY_NAME[name]
    address = case.tcp.format(host="no.such.host.invalid", port=free_port())
    refused(start(ini=section(case, address)), 78, "host", "cannot be resolved", "  hint: ")


@pytest.mark.parametrize("name", UNIX)
@pytest.mark.parametrize("kind", ["too long", "a directory", "alive"])
def test_a_path_that_cannot_be_a_socket(start, tmp_path, name, kind):
    case, path = BY_NAME[name], tmp_path / "s"
    option = case.unix.split(" ")[0]
    if kind == "too long":
        path = tmp_path / ("x" * 108)
        app = start(ini=section(case, case.unix.format(path=path)))
        refused(app, 78, option, "is too long", "expected at most 107")
    elif kind == "a directory":
        path.mkdir()
        app = start(ini=section(case, case.unix.format(path=path)))
        refused(app, 73, option, "a directory is there", "  hint: remove it")
    else:
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
            other.listen()
            app = start(ini=section(case, case.unix.format(path=path)))
            refused(app, 73, option, "another process listens on it", "  hint: stop that process")
            other.settimeout(10)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))


@pytest.mark.parametrize("name", UNIX)
def test_a_stale_socket_is_replaced(start, tmp_path, name):
    case, path = BY_NAME[name], tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    app = start(ini=section(case, case.unix.format(path=path)))
    app.wait_log(r"listening on (\S+)")
    assert app.stop() == 0


def test_a_server_that_nobody_knows(start):
    ini = INI.format(app="", server="", more="").replace("egg:waitress#main", "egg:waitres#main")
    refused(start(ini=ini), 78, "use", 'found "egg:waitres#main"', "hint: did you mean waitress?")


def test_web_server_addresses_that_are_none(start):
    case = BY_NAME["flup_fcgi_thread"]
    ini = section(case, case.tcp.format(host="127.0.0.1", port=free_port()))
    app = start(ini=ini, FCGI_WEB_SERVER_ADDRS="10.0.0.1,web")
    assert app.wait_exit() == 78
    told = 'error: FCGI_WEB_SERVER_ADDRS: found "10.0.0.1,web", expected addresses'
    assert told in app.log()


EXTRAS = {"gunicorn": "gunicorn", "granian": "granian", "twisted": "twisted", "cherrypy": "cheroot"}


@pytest.mark.parametrize("name", EXTRAS)
def test_an_extra_that_is_not_installed(start, tmp_path, name):
    hidden = tmp_path / "sitecustomize.py"
    hidden.write_text(
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] == '{EXTRAS[name]}':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
    )
    case = BY_NAME[name]
    app = start(ini=section(case, case.tcp.format(host="127.0.0.1", port=free_port())))
    refused(app, 69, "use", "is not installed", f'hint: pip install "pastebox[{name}]"')


TLS = {
    "cherrypy": ("ssl_pem = {pem}", "ssl_pem"),
    "gunicorn": ("certfile = {certificate}\nkeyfile = {key}", "keyfile"),
    "granian": ("ssl_cert = {certificate}\nssl_key = {key}", "ssl_key"),
}


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Two pairs of a key and its certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    directory = tmp_path_factory.mktemp("keys")
    for number in (1, 2):
        words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
        files = ["-keyout", directory / f"key{number}", "-out", directory / f"certificate{number}"]
        subprocess.run([*words.split(), *files], check=True, capture_output=True, timeout=60)
    return directory


def tls(name: str, keys, tmp_path, key: str):
    options, option = TLS[name]
    pem = tmp_path / "pem"
    if (keys / key).exists():
        pem.write_text((keys / key).read_text() + (keys / "certificate1").read_text())
    said = options.format(pem=pem, certificate=keys / "certificate1", key=keys / key)
    case = BY_NAME[name]
    return section(case, case.tcp.format(host="127.0.0.1", port=free_port()), said), option


@pytest.mark.parametrize("name", TLS)
def test_a_key_of_another_certificate(start, keys, tmp_path, name):
    ini, option = tls(name, keys, tmp_path, "key2")
    refused(start(ini=ini), 78, option, "values mismatch")


@pytest.mark.parametrize("name", TLS)
def test_a_key_that_is_not_there(start, keys, tmp_path, name):
    ini, option = tls(name, keys, tmp_path, "key3")
    refused(start(ini=ini), 78, option, "cannot be read")


@pytest.mark.parametrize("name", TLS)
def test_readiness_asks_in_tls(start, keys, tmp_path, name):
    ini = tls(name, keys, tmp_path, "key1")[0]
    app = start(ini=ini, health=True, PASTEBOX_READY_PATH="/")
    app.wait_log(r"listening on (\S+)")
    assert app.health("/readyz").status == 200
    told = app.health("/readyz?verbose").text
    assert app.stop() == 0, told
