"""What runs at the start, and what an update keeps, adds and removes."""

from __future__ import annotations

import os
import tempfile

import pytest
from instances_base import base_in

from pastebox.daemon.instances import HEALTH
from pastebox.daemon.instances_start import Instances
from pastebox.daemon.instances_state import read_state
from pastebox.errors import ConfigError, ExitCode


@pytest.fixture
def run_dir():
    with tempfile.TemporaryDirectory(prefix="pb-") as path:  # a socket's path is short
        yield path


@pytest.fixture
def base(tmp_path, run_dir):
    return base_in(tmp_path, run_dir, health_port=9090)


@pytest.fixture
def write(tmp_path):
    (tmp_path / "instances").mkdir()

    def write(name, server="port = 0"):
        path = tmp_path / f"instances/{name}.ini"
        path.write_text(f"[app:main]\nuse = egg:x\n[server:main]\nuse = egg:waitress\n{server}\n")
        return path

    return write


def names(loaded):
    return [one.name for one in loaded.programs]


def test_the_start_makes_places_and_tells_the_health_program(base, write, tmp_path):
    write("a")
    loaded = Instances(base).load({})
    assert names(loaded) == [HEALTH, "a"]
    assert loaded.programs[0].command[-3:] == (base.run_dir, "127.0.0.1", "9090")
    assert loaded.stop_s == 20
    assert os.path.isdir(tmp_path / "data/a")
    state = read_state(base.run_dir)
    assert [one.name for one in state.instances] == ["a"]
    assert os.stat(f"{base.run_dir}/instances.json").st_mode & 0o777 == 0o600


def test_without_a_health_port_nobody_tells(base, write):
    write("a")
    assert names(Instances(base._replace(health_port=None)).load({})) == ["a"]


def test_of_all_one_that_is_wrong_keeps_nobody_from_starting(base, write):
    write("a")
    write("b", "port = none")
    loaded = Instances(base).load({})
    assert names(loaded) == [HEALTH, "a"]
    assert [one.name for one in loaded.refused] == ["b"]


@pytest.mark.parametrize("fail", ["any", "all"])
def test_a_start_with_nothing_left_is_refused(base, write, fail):
    write("b", "port = none")
    if fail == "any":
        write("a")
    with pytest.raises(ConfigError, match="none") as caught:
        Instances(base._replace(fail=fail)).load({})
    assert caught.value.exit_code == ExitCode.CONFIG


def test_an_update_changes_only_what_has_changed(base, write, tmp_path):
    for name in ("a", "b", "c"):
        write(name)
    instances = Instances(base)
    before = {one.name: one for one in instances.load({}).programs}
    os.unlink(tmp_path / "instances/a.ini")
    write("b", "port = 0\nthreads = 2")
    write("d")
    after = {one.name: one for one in instances.load({}).programs}
    assert sorted(after) == ["b", "c", "d", HEALTH]
    assert after["c"] == before["c"]
    assert after[HEALTH] == before[HEALTH]
    assert after["b"] != before["b"] == after["b"]._replace(digest=before["b"].digest)
    assert not os.path.exists(f"{base.run_dir}/instances/a")
    assert os.path.isdir(tmp_path / "data/a")


def test_an_update_leaves_alone_what_is_wrong_now(base, write):
    write("a")
    instances = Instances(base._replace(fail="any"))
    before = instances.load({})
    write("a", "port = none")
    write("b", "port = none")
    after = instances.load({})
    assert after.programs == before.programs
    assert [one.name for one in after.refused] == ["a", "b"]
    write("a")
    assert [one.name for one in instances.load({}).refused] == ["b"]


def test_a_data_directory_that_cannot_be_made_harms_no_other(base, write, tmp_path):
    write("a")
    write("b")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/b").write_text("in the way")
    loaded = Instances(base).load({})
    assert names(loaded) == [HEALTH, "a"]
    assert "data/b" in loaded.refused[0].error
