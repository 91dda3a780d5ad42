"""The directory of instances: names, addresses, places; what is wrong harms no other."""

from __future__ import annotations

import os
import tempfile

import pytest
from instances_base import base_in

from pastebox.config.model import Bind
from pastebox.daemon.instances import base_of, check_name, find, leave_out, make_places
from pastebox.daemon.instances_state import State, StateFile, read_state, write_state
from pastebox.daemon.instances_taken import moving, overlap
from pastebox.errors import ConfigError, ExitCode
from pastebox.master.request import ServeRequest
from pastebox.settings import resolve

INI = """\
[app:main]
use = egg:none
[server:main]
use = egg:waitress#main
{server}
[pastebox]
{own}
"""


@pytest.fixture
def directory(tmp_path):
    found = tmp_path / "instances"
    found.mkdir()
    return found


@pytest.fixture
def run_dir():
    with tempfile.TemporaryDirectory(prefix="pb-") as path:  # a socket's path is short
        yield path


@pytest.fixture
def base(tmp_path, directory, run_dir):
    return base_in(tmp_path, run_dir)


@pytest.fixture
def write(directory):
    def write(name, server="port = 0", own=""):
        path = directory / f"{name}.ini"
        path.write_text(INI.format(server=server, own=own))
        return path

    return write


def names(found):
    return [one.name for one in found.instances], [one.name for one in found.refused]


def test_each_file_is_an_instance_with_places_of_its_own(base, write, tmp_path, run_dir):
    for name in ("two", "one", "wiki.example.org"):
        write(name)
    (tmp_path / "instances/README").write_text("no INI")
    (tmp_path / "instances/.hidden.ini").write_text("no INI")
    found = find(base, {})
    assert names(found) == (["one", "two", "wiki.example.org"], [])
    one = found.instances[0]
    assert one.programs[0].environment == {
        "PASTEBOX_MODE": "foreground",
        "PASTEBOX_DATA_DIR": f"{tmp_path}/data/one",
        "PASTEBOX_RUN_DIR": f"{run_dir}/instances/one",
        "PASTEBOX_HEALTH_HOST": f"unix:{run_dir}/instances/one/health.sock",
        "PASTEBOX_LOCK_NAME": "wikis-one",
    }
    make_places(one)
    assert os.path.isdir(tmp_path / "data/one")
    assert os.stat(f"{run_dir}/instances/one").st_mode & 0o777 == 0o700


def test_a_directory_that_is_not_there_holds_nothing(base, directory):
    directory.rmdir()
    assert names(find(base, {})) == ([], [])


def test_what_its_own_section_says_has_its_way(base, write, tmp_path):
    write("one", own="data_dir = /elsewhere\nhost = 127.0.0.2\ndrain_timeout = 50\nport = 8093")
    write("two", own="data_dir = beside")
    one, two = find(base._replace(host="127.0.0.1"), {}).instances
    assert one.programs[0].environment["PASTEBOX_DATA_DIR"] == "/elsewhere"
    assert "PASTEBOX_HOST" not in one.programs[0].environment
    assert one.binds == (Bind("tcp", "127.0.0.2", 8093),)
    assert one.stop_s == 50
    assert two.programs[0].environment["PASTEBOX_DATA_DIR"] == f"{tmp_path}/instances/beside"
    assert two.programs[0].environment["PASTEBOX_HOST"] == "127.0.0.1"


def test_an_address_for_one_server_is_not_that_of_all(base, write):
    write("one", "host = 127.0.0.1\nport = 8091")
    environ = {"PASTEBOX_PORT": "8080", "PASTEBOX_HEALTH_PORT_FILE": "/x", "PASTEBOX_SETUP": "auto"}
    assert leave_out(environ) == {"PASTEBOX_SETUP": "auto"}
    (one,) = find(base, environ).instances
    assert one.binds == (Bind("tcp", "127.0.0.1", 8091),)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "-x",
        "a b",
        "a:b",
        "a%2Fb",
        "..%2f..",
        "a\nb",
        "é",
        "a" * 64,
        "\udcff",
        "a\\b",
    ],
)
def test_a_name_that_is_no_plain_word_is_refused(name):
    with pytest.raises(ConfigError, match="the name") as caught:
        check_name(name, f"/etc/{name}.ini")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["all", "ALL", "pastebox-health", "supervisord"])
def test_a_name_of_ours_is_refused(name):
    with pytest.raises(ConfigError, match="taken by pastebox"):
        check_name(name, f"/etc/{name}.ini")


def test_a_bad_name_harms_no_other(base, write):
    write("a b")
    write("good")
    found = find(base, {})
    assert names(found) == (["good"], ["a b"])
    assert found.refused[0].code == ExitCode.CONFIG


def test_names_that_differ_in_case_only_collide(base, write):
    write("Wiki")
    write("wiki")
    found = find(base, {})
    assert names(found) == (["Wiki"], ["wiki"])
    assert "program of Wiki.ini" in found.refused[0].error


def test_a_program_of_one_has_no_name_of_another(base, write):
    worker = "\n[pastebox:program:worker]\ncommand = true\n"
    write("a-worker")
    write("a", own=worker)
    write("b", own=worker + "[pastebox:program:web]\npriority = 5\n")
    found = find(base, {"PATH": os.environ["PATH"]})
    assert names(found) == (["a", "b"], ["a-worker"])
    serving, worker = found.instances[1].programs
    assert (serving.name, serving.priority, worker.name) == ("b", 5, "b-worker")
    assert serving.command[-2:] == ("serve", found.instances[1].path)
    assert worker.environment["PASTEBOX_DATA_DIR"] == found.instances[1].data_dir


@pytest.mark.parametrize("fail", ["any", "all"])
def test_each_is_essential_where_any_may_fail_the_whole(base, write, fail):
    write("a")
    (one,) = find(base._replace(fail=fail), {}).instances
    assert one.programs[0].essential
    assert one.programs[0].together == ("" if fail == "any" else "instances")


def test_of_two_on_one_port_the_first_has_it(base, write):
    write("a", "host = 127.0.0.1\nport = 8091")
    write("b", "host = 0.0.0.0\nport = 8091")
    write("c", "host = 127.0.0.1\nport = 8092")
    found = find(base, {})
    assert names(found) == (["a", "c"], ["b"])
    assert "listens on 0.0.0.0:8091, and so does a.ini" in found.refused[0].error
    assert "port = ..." in found.refused[0].hint


def test_a_running_instance_keeps_its_port_from_a_newcomer(base, write):
    write("b", "host = 127.0.0.1\nport = 8091")
    running = find(base, {}).instances
    write("a", "host = 127.0.0.1\nport = 8091")
    assert names(find(base, {}, running)) == (["b"], ["a"])


def test_a_running_instance_whose_file_is_broken_keeps_its_port(base, write):
    write("b", "host = 127.0.0.1\nport = 8091")
    running = find(base, {}).instances
    write("b", "host = 127.0.0.1\nport = none")
    write("a", "host = 127.0.0.1\nport = 8091")
    assert names(find(base, {}, running)) == ([], ["a", "b"])


def test_who_moves_to_the_port_of_another_is_refused(base, write):
    write("a", "host = 127.0.0.1\nport = 8091")
    write("b", "host = 127.0.0.1\nport = 8092")
    running = find(base, {}).instances
    write("a", "host = 127.0.0.1\nport = 8092")
    assert names(find(base, {}, running)) == (["b"], ["a"])


@pytest.mark.parametrize(
    ("health", "server"),
    [
        ({"health_port": 9090}, "host = 0.0.0.0\nport = 9090"),
        ({"health_host": "unix:/run/wikis"}, "unix_socket = /run/wikis"),
    ],
)
def test_nobody_has_the_address_where_all_are_asked_for(base, write, health, server):
    write("a", "host = 127.0.0.1\nport = 9091")
    write("b", server)
    found = find(base._replace(**health), {})
    assert names(found) == (["a"], ["b"])
    told = found.refused[0]
    assert "and so does the health port of all instances (" in told.error
    assert "b.ini" in told.error
    assert "PASTEBOX_HEALTH_PORT" in told.hint


def test_those_that_swap_or_follow_each_other_are_known(base, write):
    for name, port in (("a", 8091), ("b", 8092), ("c", 8093), ("d", 8094)):
        write(name, f"port = {port}")
    old = [program for one in find(base, {}).instances for program in one.programs]
    assert moving(old, old) == frozenset()
    write("a", "port = 8092")
    write("b", "port = 8091")
    write("d", "port = 8095")
    os.unlink(os.path.join(base.directory, "c.ini"))
    write("e", "port = 8093")
    new = [program for one in find(base, {}).instances for program in one.programs]
    assert moving(old, new) == {"a", "b", "c", "e"}


def test_words_of_the_daemon_reach_every_instance(base, write, tmp_path):
    (tmp_path / "timeout").write_text("9s")
    write("one", "port = %(number)s")
    request = ServeRequest(
        None,
        {"drain_timeout": "7s", "host": "127.0.0.1", "instances_dir": base.directory},
        {"number": "8094"},
        (("server:main", "threads=2"),),
        {},
    )
    environ = {"PASTEBOX_DRAIN_TIMEOUT_FILE": f"{tmp_path}/timeout"}
    settings = resolve(request.arguments, environ)
    base = base_of(request, settings, base.run_dir)
    (one,) = find(base, environ).instances
    assert one.binds == (Bind("tcp", "127.0.0.1", 8094),)
    assert one.stop_s == 7
    serving = one.programs[0]
    assert serving.command[-4:] == ("number=8094", "--set", "server:main", "threads=2")
    assert serving.environment["PASTEBOX_DRAIN_TIMEOUT"] == "7s"


@pytest.mark.parametrize(
    ("one", "other", "is_one"),
    [
        (Bind("tcp", "127.0.0.1", 80), Bind("tcp", "127.0.0.2", 80), False),
        (Bind("tcp", "127.0.0.1", 80), Bind("tcp", "", 80), True),
        (Bind("tcp", "::", 80), Bind("tcp", "127.0.0.1", 80), True),
        (Bind("tcp", "127.0.0.1", 0), Bind("tcp", "127.0.0.1", 0), False),
        (Bind("unix", path="/run/a"), Bind("unix", path="/run/./a"), True),
        (Bind("unix", path="/run/a"), Bind("tcp", "", 80), False),
    ],
)
def test_addresses_overlap(one, other, is_one):
    assert overlap(one, other) is is_one
    assert overlap(other, one) is is_one


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(lambda path: path.mkdir(), "found a directory", id="directory"),
        pytest.param(lambda path: path.symlink_to("gone"), "symbolic link to gone", id="dangling"),
        pytest.param(os.mkfifo, "a pipe", id="pipe"),
        pytest.param(lambda path: path.write_bytes(b"\xff"), "UTF-8", id="bytes"),
        pytest.param(lambda path: path.write_text("[a\n"), "bad.ini:1", id="syntax"),
        pytest.param(
            lambda path: path.write_text("[server:main]\nuse = egg:absent#x\n"),
            "absent",
            id="server",
        ),
        pytest.param(
            lambda path: path.write_text("[pastebox]\ndrian_delay = 1\n"),
            "drian_delay",
            id="setting",
        ),
        pytest.param(
            lambda path: path.write_text("[app:main]\nuse = egg:x\nk = %(ENV_GONE)s\n"),
            "ENV_GONE",
            id="reference",
        ),
    ],
)
def test_a_file_that_cannot_be_served_harms_no_other(base, write, directory, make, said):
    write("good")
    make(directory / "bad.ini")
    found = find(base, {})
    assert names(found) == (["good"], ["bad"])
    assert said in found.refused[0].error


def test_a_file_that_may_not_be_read_harms_no_other(base, tmp_path):
    """Whoever may read everything is somebody else for a moment."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        for name in ("a", "b"):
            with open(os.path.join(place, f"{name}.ini"), "w") as file:
                file.write(INI.format(server="port = 0", own=""))
        base = base._replace(directory=place)
        assert names(find(base, {})) == (["a", "b"], [])
        os.chmod(os.path.join(place, "b.ini"), 0)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65534)
        try:
            found = find(base, {})
        finally:
            if is_root:
                os.seteuid(0)
    assert names(found) == (["a"], ["b"])
    told = found.refused[0]
    assert told.code == ExitCode.NO_PERMISSION
    assert f"{place}/b.ini" in told.error
    assert "may not be read" in told.error
    assert "chmod" in told.hint


def test_a_socket_path_that_is_too_long_is_told_before_the_start(base, write, tmp_path):
    write("one")
    found = find(base._replace(run_dir=f"/{'r' * 100}"), {})
    assert "longer name" in found.refused[0].error
    assert "PASTEBOX_RUN_DIR" in found.refused[0].hint


def test_the_digest_follows_what_the_file_says(base, write):
    write("one")
    before = find(base, {}).instances[0].programs[0].digest
    path = write("one")
    path.write_text(f"# a remark\n{path.read_text()}")
    assert find(base, {}).instances[0].programs[0].digest == before
    write("one", own="drain_delay = 1")
    assert find(base, {}).instances[0].programs[0].digest != before


def test_the_state_survives_its_file(base, write):
    write("one", "host = 127.0.0.1\nport = 8091")
    write("a b")
    found = find(base, {})
    state = State(base, found.instances, found.refused)
    write_state(state)
    assert read_state(base.run_dir) == state
    file = StateFile(base.run_dir)
    assert file.read() is file.read()
    write_state(state._replace(refused=()))
    assert file.read().refused == ()


def test_no_state_is_told(tmp_path):
    with pytest.raises(ConfigError, match="no daemon with instances"):
        read_state(str(tmp_path))
