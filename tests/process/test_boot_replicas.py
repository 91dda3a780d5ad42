"""Whole first boots of replicas that share a lock and no volume."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boot_apps
import pytest
from boot_volume import Ended, Volume, finish
from fake_kubernetes import FakeKubernetes
from postgres_server import PostgresServer

pytestmark = pytest.mark.process

SEED = "a seed of thirty-two characters or more"
TEMPLATE = boot_apps.TEMPLATE.replace("%(here)s", "${effects}")
"""As an application's in a container, where the data is at one path in all replicas."""


class Replicas:
    """An application, and starts of it in pods with an empty volume each."""

    def __init__(self, root: Path, pod: dict[str, str]) -> None:
        self.volume = Volume(str(root))
        self.pod = pod
        self.older = self.volume.site
        self.newer = str(root / "newer")
        self._count = 0
        for site, version in ((self.older, "1.0"), (self.newer, "2.0")):
            boot_apps.install(site, version=version)
            template = Path(site, "demoapp", "config", "deployment.ini_tmpl")
            template.write_text(TEMPLATE, encoding="utf-8")

    @property
    def lasts(self) -> str:
        """The path of the last replica's volume."""
        return os.path.join(self.volume.root, f"data{self._count}")

    def start(self, data: str = "", **environ: str) -> subprocess.Popen[str]:
        """Start one more, or one on a volume that is there."""
        if not data:
            self._count += 1
            data = self.lasts
            os.mkdir(data)
        words = [] if os.path.exists(self.volume.ini) else [f"effects={self.volume.data}"]
        return self.volume.start(*words, **self.pod, PASTEBOX_DATA_DIR=data, **environ)

    def boot(self, data: str = "", **environ: str) -> Ended:
        """The same, to its end."""
        return finish(self.start(data, **environ))

    def tokens(self) -> list[str]:
        """The fencing token of each run of the setup."""
        return _lines(os.path.join(self.volume.data, "runs"))

    def inis(self) -> set[bytes]:
        """The different INIs that the replicas have."""
        found = Path(self.volume.root).glob("data*/.pastebox/app.ini")
        return {path.read_bytes() for path in found}


def _lines(path: str) -> list[str]:
    if not os.path.exists(path):
        return []
    return Path(path).read_text(encoding="utf-8").splitlines()


@pytest.fixture
def replicas(tmp_path: Path, pod: dict[str, str]) -> Replicas:
    """Replicas of which each has its INI mounted."""
    made = Replicas(tmp_path, pod)
    made.volume.write_ini()
    return made


@pytest.fixture
def bare(tmp_path: Path, pod: dict[str, str]) -> Replicas:
    """Replicas without an INI, and with a seed where the lock is no place for one."""
    if pod["PASTEBOX_LOCK"] == "lease":
        pod["PASTEBOX_INSTANCE_SEED"] = SEED
    return Replicas(tmp_path, pod)


class Server:
    """The lock's server: away at will."""

    def __init__(self, server: FakeKubernetes | PostgresServer) -> None:
        self._server = server
        self._is_away = False

    def go_away(self) -> None:
        """Answer nobody."""
        self._is_away = True
        if isinstance(self._server, FakeKubernetes):
            self._server.control(status=503)
        else:
            self._server.stop()

    def come_back(self) -> None:
        """Answer again."""
        if not self._is_away:
            return
        self._is_away = False
        if isinstance(self._server, FakeKubernetes):
            self._server.control(status=0)
        else:
            self._server.start()


@pytest.fixture
def server(pod: dict[str, str], request: pytest.FixtureRequest) -> Iterator[Server]:
    name = "kubernetes" if pod["PASTEBOX_LOCK"] == "lease" else "postgres"
    made = Server(request.getfixturevalue(name))
    yield made
    made.come_back()


BRIEF = {"LEASE_LASTS_S": "9"}
"""For a start that will be gone: who waits for it, waits as long as its Lease lasts."""


# Once, whatever happens


def test_pods_without_a_shared_volume_set_up_once(replicas: Replicas):
    starts = [replicas.start() for _ in range(5)]
    ended = [finish(process) for process in starts]
    assert [one.code for one in ended] == [0] * 5, ended
    assert len(replicas.tokens()) == 1
    late = replicas.boot()
    assert (late.code, late.outcome["steps"]) == (0, [])
    assert len(replicas.tokens()) == 1


def test_a_leader_that_is_killed_is_followed_by_another(replicas: Replicas):
    killed = replicas.start(PASTEBOX_FAULTS="after-setup", PASTEBOX_ALLOW_FAULTS="1", **BRIEF)
    assert finish(killed).code == -signal.SIGKILL
    starts = [replicas.start() for _ in range(2)]
    ended = [finish(process) for process in starts]
    assert [one.code for one in ended] == [0, 0], ended
    first, second = replicas.tokens()
    assert int(first.split()[1]) < int(second.split()[1])


def test_clocks_that_are_an_hour_off_and_step_do_no_harm(replicas: Replicas):
    starts = [replicas.start(CLOCK_SKEW_S=skew) for skew in ("-3600", "0", "3600")]
    ended = [finish(process) for process in starts]
    assert [one.code for one in ended] == [0] * 3, ended
    assert len(replicas.tokens()) == 1


# Upgrades


def test_an_upgrade_migrates_once_and_is_known_to_pods_with_an_empty_volume(replicas: Replicas):
    assert replicas.boot().outcome["steps"] == ["setup-app"]
    starts = [replicas.start(PYTHONPATH=replicas.newer) for _ in range(3)]
    ended = [finish(process) for process in starts]
    assert [one.code for one in ended] == [0] * 3, ended
    assert len(replicas.tokens()) == 2
    assert replicas.boot(PYTHONPATH=replicas.newer).outcome["steps"] == []
    refused = replicas.boot()
    assert refused.code == 78
    assert "set up by a newer version of the application" in refused.log


def test_two_versions_at_once_end_with_the_newer_one(replicas: Replicas):
    """An older one sets up before the newer one, or it is refused; it never comes after it."""
    sites = [replicas.older, replicas.newer] * 2
    starts = [replicas.start(PYTHONPATH=site) for site in sites]
    ended = [finish(process) for process in starts]
    assert [ended[1].code, ended[3].code] == [0, 0], ended
    for older in (ended[0], ended[2]):
        assert older.code in (0, 78), older
        assert older.code == 0 or "by a newer version of the application" in older.log
    assert len(replicas.tokens()) in (1, 2)
    assert replicas.boot(PYTHONPATH=replicas.newer).outcome["steps"] == []


# The server of the lock


def test_a_server_that_is_away_at_the_start_is_waited_for(replicas: Replicas, server: Server):
    server.go_away()
    starting = replicas.start()
    assert starting.stderr is not None
    assert starting.stderr.readline().startswith("waiting: waiting for the ")
    server.come_back()
    ended = finish(starting)
    assert (ended.code, ended.outcome["steps"]) == (0, ["setup-app"]), ended.log


def test_a_server_that_stays_away_is_named_in_time(replicas: Replicas, server: Server):
    server.go_away()
    ended = replicas.boot(PASTEBOX_LOCK_TIMEOUT="300ms")
    assert ended.code == 69
    assert " did not answer about the " in ended.log
    assert "PASTEBOX_LOCK_TIMEOUT says how long to wait" in ended.log
    server.come_back()
    assert replicas.boot().code == 0


def test_a_lock_that_is_lost_ends_the_setup_before_another_one_begins(
    replicas: Replicas, server: Server
):
    replicas.volume.write_ini("hang")
    losing = replicas.start(**BRIEF)
    assert losing.stdout is not None
    assert losing.stdout.readline() == "hanging\n"
    children = _children(losing.pid)
    server.go_away()
    ended = finish(losing)
    assert ended.code == 75, ended.log
    assert not any(os.path.exists(f"/proc/{pid}") for pid in children)
    server.come_back()
    replicas.volume.write_ini()
    after = replicas.boot()
    assert (after.code, after.outcome["steps"]) == (0, ["setup-app"]), after.log
    first, second = replicas.tokens()
    assert int(first.split()[1]) < int(second.split()[1])


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


# An INI that is made


def test_replicas_without_an_ini_make_the_same_one_and_set_up_once(bare: Replicas):
    starts = [bare.start() for _ in range(4)]
    ended = [finish(process) for process in starts]
    assert [one.code for one in ended] == [0] * 4, ended
    late = bare.boot()
    assert (late.code, late.outcome["steps"]) == (0, []), late.log
    assert len(bare.tokens()) == 1
    (ini,) = bare.inis()
    assert b"\nsecret = " in ini
    made = os.path.join(bare.lasts, ".pastebox", "app.ini")
    assert os.stat(made).st_mode & 0o777 == 0o600
    again = bare.boot(bare.lasts)
    assert (again.code, again.outcome["steps"]) == (0, []), again.log


@pytest.mark.parametrize("point", ["after-make-config", "after-setup"])
def test_a_start_that_is_killed_leaves_no_second_ini(bare: Replicas, point: str):
    killed = bare.start(PASTEBOX_FAULTS=point, PASTEBOX_ALLOW_FAULTS="1", **BRIEF)
    assert finish(killed).code == -signal.SIGKILL
    volume = bare.lasts
    others = [finish(process) for process in [bare.start() for _ in range(2)]]
    assert [one.code for one in others] == [0, 0], others
    back = bare.boot(volume)
    assert back.code == 0, back.log
    assert len(bare.inis()) == 1
    assert len(bare.tokens()) == (2 if point == "after-setup" else 1)


def test_an_upgrade_of_an_application_keeps_its_secret(bare: Replicas):
    assert bare.boot().code == 0
    (ini,) = bare.inis()
    newer = bare.boot(PYTHONPATH=bare.newer)
    assert newer.outcome["steps"], newer.log
    assert bare.inis() == {ini}
    assert len(bare.tokens()) == 2


def test_who_waits_for_the_setup_gets_the_ini_as_well(bare: Replicas):
    waiting = bare.start(PASTEBOX_SETUP="wait")
    assert waiting.stderr is not None
    assert waiting.stderr.readline().startswith("waiting: waiting for another start to set up")
    assert bare.boot().code == 0
    ended = finish(waiting)
    assert (ended.code, ended.outcome["steps"]) == (0, []), ended.log
    assert len(bare.inis()) == 1


def test_a_lease_keeps_no_secret(tmp_path: Path, kubernetes: FakeKubernetes):
    pod = {
        **kubernetes.environ,
        "POD_ACCOUNT_DIR": kubernetes.account,
        "PASTEBOX_LOCK": "lease",
    }
    replicas = Replicas(tmp_path, pod)
    first = replicas.boot()
    assert first.code == 0, first.log
    (ini,) = replicas.inis()
    secret = _secret(ini)
    assert secret not in json.dumps(kubernetes.lease)
    shared = replicas.lasts
    refused = replicas.boot()
    assert refused.code == 78
    assert "another start has made one, with secrets that must be the same in all" in refused.log
    assert "PASTEBOX_INSTANCE_SEED_FILE" in refused.log
    assert replicas.boot(shared).outcome["steps"] == []
    assert replicas.inis() == {ini}


def test_a_database_keeps_it_beside_the_journal_and_not_in_it(
    tmp_path: Path, postgres: PostgresServer
):
    import psycopg  # with the server, or not at all

    pod = {"PASTEBOX_LOCK": "postgresql", "PASTEBOX_LOCK_URL": postgres.url}
    replicas = Replicas(tmp_path, pod)
    assert replicas.boot().code == 0
    (ini,) = replicas.inis()
    with psycopg.connect(postgres.url) as connection:
        kept = connection.execute("SELECT ini FROM pastebox_made").fetchall()
        journal = connection.execute("SELECT journal FROM pastebox_setup").fetchall()
    assert kept == [(ini,)]
    assert _secret(ini).encode() not in journal[0][0]


def test_an_ini_that_was_changed_in_one_replica_is_put_aside_and_told(
    tmp_path: Path, postgres: PostgresServer
):
    pod = {"PASTEBOX_LOCK": "postgresql", "PASTEBOX_LOCK_URL": postgres.url}
    replicas = Replicas(tmp_path, pod)
    assert replicas.boot().code == 0
    made = Path(replicas.lasts, ".pastebox", "app.ini")
    kept = made.read_bytes()
    made.write_bytes(kept + b"# mine\n")
    ended = replicas.boot(replicas.lasts)
    assert (ended.code, ended.outcome["steps"]) == (0, []), ended.log
    assert f"warning: {made} was not the INI that all starts share" in ended.log
    assert made.read_bytes() == kept
    assert Path(f"{made}.replaced").read_bytes() == kept + b"# mine\n"


def _secret(ini: bytes) -> str:
    found = re.search(rb"^secret = (.{43})$", ini, re.MULTILINE)
    assert found
    return found[1].decode()
