"""Five wikis in one container: set up once each, apart, and one comes and one goes under load."""

from __future__ import annotations

import http.client
import shutil
from pathlib import Path

import pytest
from app_process import wait_until
from rolling_load import Load
from wiki_reader import Reader, assert_apart

EXAMPLE = Path(__file__).parents[2] / "examples/instances"
FIVE = ("blog", "docs", "news", "shop", "team")


@pytest.fixture
def wikis(start, front_end_image, readable):
    """The example with its five wikis and a broken one, whose INIs are in ``instances``."""
    shutil.copytree(EXAMPLE / "instances", readable / "instances")
    add(readable / "instances", "broken", url="nonsense")
    (readable / "keys").mkdir()
    for name in (*FIVE, "more", "broken"):
        (readable / f"keys/{name}").write_text(f"the-secret-of-{name}-0123456789")
    return start(
        "examples/instances/compose.yaml",
        NGINX_IMAGE=front_end_image,
        INSTANCES_DIR=str(readable / "instances"),
        SECRETS_DIR=str(readable / "keys"),
    )


def add(directory: Path, name: str, *, url: str = "sqlite") -> None:
    """Add a wiki like the first one; it gives up at once if it cannot be set up."""
    text = (directory / "blog.ini").read_text().replace("blog", name).replace("sqlite", url)
    text += "\n[pastebox:program:web]\nrestarts = 0\n"
    (directory / f"{name}.ini").write_text(text)


def by_host(address: str, host: str, path: str) -> int:
    """Ask for a path by the name of a host; return the status."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
    connection.request("GET", path, headers={"Host": host})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


@pytest.mark.timeout(600)
def test_five_wikis_in_one_container_while_one_comes_and_one_goes(wikis, readable):
    address = wikis.url("nginx")
    port = int(address.rpartition(":")[2])
    bases = [f"{address}/{name}" for name in FIVE]
    for base in bases:
        answers(base)
    assert_apart(bases)
    assert by_host(address, "docs.localhost", "/page/Only1") == 200
    assert by_host(address, "blog.localhost", "/page/Only1") == 404
    assert '"ok": true' in wikis.do("exec --no-TTY wikis pastebox health --json")
    loads = [Load(port, prefix=f"/{name}", writers=1).start() for name in ("blog", "docs")]
    try:
        for load in loads:
            load.wait_for(20)
        add(readable / "instances", "more")
        (readable / "instances/team.ini").unlink()
        told = wikis.do("exec --no-TTY wikis pastebox ctl update")
        answers(f"{address}/more")
        for load in loads:
            load.wait_for(20)
    finally:
        for load in loads:
            load.finish()
    assert [load.failures for load in loads] == [[], []], wikis.logs()
    assert "added: more" in told
    assert "removed: team" in told
    assert Reader(f"{address}/team").read("/")[0] == 502
    wikis.do("exec --no-TTY wikis pastebox ctl restart news")
    answers(f"{address}/news")
    lines = [line.partition(" | ")[2] for line in wikis.logs().splitlines()]
    assert any("the others go on name=broken exit=70 " in line for line in lines)
    for name in FIVE:
        own = [line for line in lines if line.startswith(f"{name} | ")]
        assert sum("setup: tables are there" in line for line in own) == 1, own
        starts = sum(f"program started name={name} " in line for line in lines)
        assert starts == (2 if name == "news" else 1)
    wikis.do("stop")
    assert set(wikis.do("ps --all --format '{{.ExitCode}}'").split()) == {"0"}, wikis.logs()


def answers(base: str) -> None:
    """Wait until a wiki answers."""
    wait_until(lambda: Reader(base).read("/")[0] == 200, base, 90)
