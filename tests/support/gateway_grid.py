"""A runner of the gateway as a process, with the contract's application."""

from __future__ import annotations

from pathlib import Path

import contract_app
from app_process import AppProcess, free_port

INI = """\
[app:main]
paste.app_factory = contract_app:main
[server:main]
use = egg:PasteScript#{runner}
{options}
"""


def start(directory: Path, runner: str, options: str = "", **settings: str) -> AppProcess:
    """Serve the contract's application by a runner of the gateway on a free port."""
    port = free_port()
    (directory / "contract_app.py").write_text(Path(contract_app.__file__).read_text())
    address = options if "socket" in options else f"host = 127.0.0.1\nport = {port}\n{options}"
    ini = INI.format(runner=runner, options=address)
    process = AppProcess(directory, code=None, ini=ini, **settings)
    process.wait_log(r"listening on (\S+)")
    process.port = port
    return process
