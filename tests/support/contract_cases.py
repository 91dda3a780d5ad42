"""What the contract suite knows of each runner: how an INI selects it, its honest exceptions."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from contract_gateways import Ajp, FastCgi, Scgi
from contract_wire import Http


class Case(NamedTuple):
    """One runner.

    Attributes:
        name: its name in the registry.
        use: how an INI selects it.
        module: what must be installed for it.
        tcp: options of a TCP address, with ``{host}`` and ``{port}``.
        unix: options of a unix socket, with ``{path}``; empty where there is none.
        bad_type: an option with a value that is not of its type.
        more: options that every test has.
        exceptions: name of a test to the reason why it cannot hold here.
        client: makes a client of its protocol for a place.
        forks: it serves one request at a time in each of several processes.
        says_close: it can be told to close the connections that it keeps open.
    """

    name: str
    use: str
    module: str
    tcp: str = "host = {host}\nport = {port}"
    unix: str = ""
    bad_type: str = "port = eighty"
    more: str = ""
    exceptions: dict[str, str] = {}  # noqa: RUF012  # never changed
    client: Callable[..., Any] = Http
    forks: bool = False
    says_close: bool = True

    def section(self, address: str, *more: str) -> str:
        """Return the text of ``[server:main]``."""
        selected = self.use if "=" in self.use else f"use = {self.use}"
        return "\n".join(filter(None, ("[server:main]", selected, address, *more)))

    @property
    def missing(self) -> str:
        """What is not installed; empty if nothing."""
        found = importlib.util.find_spec(self.module) if self.module else True
        return "" if found else f"{self.module} is not installed"


TO_BUILD = frozenset({"bjoern"})
"""What pip has to compile against headers of the system: never required, tested where it is."""
_ITS_OWN = {
    "test_hup_refuses_no_connection": "it binds by itself, so nothing listens meanwhile",
    "test_unknown_option_is_78_and_named_with_its_line": "it checks its options by itself",
    "test_value_of_the_wrong_type_is_78": "likewise",
}
_ALL_PEERS = "allowedServers = 127.0.0.1 ::1"


def need(case: Case) -> None:
    """Skip the test where the case's server is missing; fail it where runners are required."""
    if case.missing:
        required = os.environ.get("PASTEBOX_REQUIRE", "").replace(",", " ").split()
        if "runners" in required and case.module not in TO_BUILD:
            pytest.fail(case.missing)
        pytest.skip(f"needs runners: {case.missing}")


def ini_of(case: Case, more: str | None = None) -> str:
    """Return an INI of ``theapp`` behind a case's server, on a port that the kernel chooses."""
    address = case.tcp.format(host="127.0.0.1", port=0)
    section = case.section(address, case.more if more is None else more)
    return f"[app:main]\npaste.app_factory = theapp:main\n\n{section}\n"


CASES = (
    Case(
        "waitress",
        "egg:waitress#main",
        "waitress",
        unix="unix_socket = {path}",
        bad_type="threads = many",
    ),
    Case(
        "gunicorn",
        "egg:gunicorn#main",
        "gunicorn",
        unix="bind = unix:{path}",
        bad_type="workers = many",
        more="worker_class = gthread\nthreads = 4\nworkers = 1",
    ),
    Case(
        "gunicorn_gevent",
        "egg:gunicorn#main",
        "gevent",
        unix="bind = unix:{path}",
        bad_type="workers = many",
        more="worker_class = gevent\nworkers = 1",
    ),
    Case(
        "gunicorn_sync",
        "egg:gunicorn#main",
        "gunicorn",
        unix="bind = unix:{path}",
        bad_type="workers = many",
        more="worker_class = sync\nworkers = 3",
        exceptions={
            "test_keep_alive": "this worker class closes each connection, so that it can go on",
            "test_slow_headers_and_idle_connections_keep_nobody_waiting": (
                "this worker class serves one connection at a time, and is meant for front ends"
            ),
        },
        forks=True,
    ),
    Case(
        "granian",
        "egg:pastebox#granian",
        "granian",
        unix="uds = {path}",
        exceptions={
            "test_error_after_the_first_byte_does_not_look_complete": (
                "its bridge ends the chunks of a body whatever ended it, and shows no connection"
            ),
        },
    ),
    Case("http", "egg:Paste#http", "waitress", bad_type="threadpool_workers = many"),
    Case("twisted", "egg:PasteScript#twisted", "twisted"),
    Case("wsgiutils", "egg:PasteScript#wsgiutils", "cheroot"),
    Case(
        "cherrypy",
        "egg:PasteScript#cherrypy",
        "cheroot",
        unix="host = {path}",
        bad_type="numthreads = many",
    ),
    Case(
        "wsgiref",
        "egg:pyramid#wsgiref",
        "",
        exceptions={"test_keep_alive": "the standard library's server speaks HTTP/1.0"},
    ),
    Case(
        "external",
        "paste.server_runner = waitress:serve_paste",
        "waitress",
        exceptions={
            "test_hup_refuses_no_connection": "it binds by itself, so nothing listens meanwhile",
            "test_unknown_option_is_78_and_named_with_its_line": "it checks its options by itself",
            "test_value_of_the_wrong_type_is_78": "likewise",
            "test_unix_socket": "waitress's own option is tested with waitress",
        },
        says_close=False,
    ),
    Case(
        "bjoern",
        "paste.server_runner = pastebox.runners.bridges:bjoern",
        "bjoern",
        unix="socket = {path}",
        exceptions={
            **_ITS_OWN,
            "test_term_finishes_the_running_request": "it writes its own Connection: keep-alive",
            "test_write_comes_before_what_is_returned": "it has no write callable",
            "test_http_1_0_client_gets_a_body_that_ends": "likewise",
        },
        forks=True,  # one request at a time, and its environ says so
    ),
    Case(
        "uwsgi",
        "paste.server_runner = pastebox.runners.bridges:uwsgi",
        "pyuwsgi",
        unix="socket = {path}",
        more="socket_timeout = 1",  # it lingers on each connection that long
        exceptions={
            **_ITS_OWN,
            "test_chunked_upload_arrives_whole": "chunks are read by a call of its own API only",
            "test_error_after_the_first_byte_does_not_look_complete": (
                "the end of the connection is the end of the body (unbit/uwsgi#1572)"
            ),
            "test_slow_headers_and_idle_connections_keep_nobody_waiting": "threads read heads",
        },
    ),
    *(
        Case(
            f"flup_{protocol}_{kind}",
            f"egg:PasteScript#flup_{protocol}_{kind}",
            "",
            unix="socket = {path}" if protocol == "fcgi" else "",
            more="" if protocol == "fcgi" else _ALL_PEERS,
            client=client,
            forks=kind == "fork",
        )
        for protocol, client in (("fcgi", FastCgi), ("scgi", Scgi), ("ajp", Ajp))
        for kind in ("thread", "fork")
    ),
)
