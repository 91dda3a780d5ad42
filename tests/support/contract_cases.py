"""What the contract suite knows of each runner: how an INI selects it, its honest exceptions."""

from __future__ import annotations

import importlib.util
from typing import NamedTuple


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
    """

    name: str
    use: str
    module: str
    tcp: str = "host = {host}\nport = {port}"
    unix: str = ""
    bad_type: str = "port = eighty"
    more: str = ""
    exceptions: dict[str, str] = {}  # noqa: RUF012  # never changed

    def section(self, address: str, *more: str) -> str:
        """Return the text of ``[server:main]``."""
        return "\n".join(filter(None, ("[server:main]", f"use = {self.use}", address, *more)))

    @property
    def missing(self) -> str:
        """What is not installed; empty if nothing."""
        found = importlib.util.find_spec(self.module) if self.module else True
        return "" if found else f"{self.module} is not installed"


CASES = (
    Case(
        "waitress",
        "egg:waitress#main",
        "waitress",
        unix="unix_socket = {path}",
        bad_type="threads = many",
    ),
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
)
