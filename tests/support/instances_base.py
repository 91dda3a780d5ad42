"""What instances have in common, for tests that read their directory."""

from pathlib import Path
from typing import Any

from pastebox.daemon.instances_model import Base


def base_in(directory: Path, run_dir: str, **others: Any) -> Base:
    """Return the least that a daemon says of the instances in ``directory``/instances."""
    least = Base(
        directory=str(directory / "instances"),
        data_dir=str(directory / "data"),
        run_dir=run_dir,
        host="",
        health_host="127.0.0.1",
        health_port=0,
        lock_name="wikis",
        fail="all",
        flags={},
        words={},
        sets=(),
    )
    return least._replace(**others)
