"""The pure parts of watching: names, marks, bursts, patterns, mounts, modules."""

import os
import sys
import types

import pytest

from pastebox.errors import ConfigError
from pastebox.watch.ahead import import_ahead, worth_importing
from pastebox.watch.bytecode import is_fresh
from pastebox.watch.git import is_locked
from pastebox.watch.globs import patterns
from pastebox.watch.interest import ASSET, CODE, DORMANT, Interest
from pastebox.watch.marks import Mark, differences, mark
from pastebox.watch.modules import (
    files_of_failure,
    files_of_missing,
    library_directories,
    look,
    package_of,
)
from pastebox.watch.mounts import parse_mountinfo, tells, type_of
from pastebox.watch.noise import is_noise, is_noisy_directory
from pastebox.watch.quiet import LONGEST_S, MANY_S, ONE_S, Burst

NOISE = [
    "views.py~",
    ".views.py.swp",
    ".views.py.swx",
    "4913",
    ".#views.py",
    "#views.py#",
    "views.pyc",
    "views.py___jb_tmp___",
    ".goutputstream-X1Y2Z3",
    "views.py.orig",
    "page.pt.bak",
    ".nfs00000001a2b3c4d5",
]
WORK = ["views.py", "page.pt", "4914.txt", "Makefile", "de.mo", "swp.py", ".env", "tmp.py"]


@pytest.mark.parametrize("name", NOISE)
def test_what_editors_leave_is_noise(name):
    assert is_noise(name)


@pytest.mark.parametrize("name", WORK)
def test_what_somebody_wrote_is_none(name):
    assert not is_noise(name)


def test_caches_and_hidden_directories_are_not_looked_into():
    assert all(is_noisy_directory(one) for one in ("__pycache__", ".git", "node_modules"))
    assert not is_noisy_directory("templates")


def test_mark_sees_a_clock_that_goes_backwards(tmp_path):
    path = tmp_path / "a"
    path.write_text("x")
    before = mark(str(path))
    os.utime(path, ns=(0, before.mtime_ns - 10**9))
    assert mark(str(path)) != before


def test_mark_sees_a_replaced_file_with_the_same_time_and_size(tmp_path):
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_text("x")
    other.write_text("y")
    before = mark(str(path))
    os.utime(other, ns=(before.mtime_ns, before.mtime_ns))
    other.rename(path)
    assert mark(str(path)) != before


def test_mark_of_nothing_is_none(tmp_path):
    assert mark(str(tmp_path / "nothing")) is None
    assert mark("a\0b") is None


def test_differences_name_what_came_went_and_changed():
    before = {"gone": Mark(1, 1, 1), "same": Mark(1, 1, 2), "other": Mark(1, 1, 3)}
    after = {"new": Mark(1, 1, 1), "same": Mark(1, 1, 2), "other": Mark(2, 1, 3)}
    assert differences(before, after) == ["gone", "new", "other"]


def test_one_file_is_acted_on_soon_and_many_a_little_later():
    burst = Burst()
    assert burst.wait_s(0.0) is None
    burst.add(["/a"], 10.0)
    assert burst.wait_s(10.0) == pytest.approx(ONE_S)
    burst.add(["/b"], 10.01)
    assert burst.wait_s(10.01) == pytest.approx(MANY_S)
    assert burst.wait_s(10.2) == 0
    assert burst.take() == ["/a", "/b"]
    assert burst.wait_s(10.2) is None


def test_burst_of_five_hundred_is_one():
    burst, now = Burst(), 0.0
    for number in range(500):
        now += 0.01
        burst.add([f"/{number}"], now)
        assert burst.wait_s(now) > 0
    assert burst.wait_s(now + MANY_S) == 0
    assert len(burst.take()) == 500


def test_lock_extends_a_burst_but_not_for_ever():
    burst = Burst()
    burst.add(["/a"], 0.0)
    assert burst.wait_s(1.0, is_locked=True) > 0
    assert burst.wait_s(LONGEST_S, is_locked=True) == 0


def test_burst_without_an_end_is_acted_on_in_the_end():
    burst = Burst()
    for tenth in range(1, 101):
        burst.add(["/log", "/other"], tenth / 10)
    assert burst.wait_s(LONGEST_S + 0.1) == 0


MATCHES = [
    pytest.param("*.txt", "/app/a.txt", True, id="star"),
    pytest.param("*.txt", "/app/b/a.txt", False, id="a star is no slash"),
    pytest.param("**/*.txt", "/app/a.txt", True, id="two stars may be nothing"),
    pytest.param("**/*.txt", "/app/b/c/a.txt", True, id="two stars are directories"),
    pytest.param("data/**", "/app/data/b/c", True, id="all below"),
    pytest.param("data/**", "/app/database", False, id="not a longer name"),
    pytest.param("a?.txt", "/app/ab.txt", True, id="question mark"),
    pytest.param("a[!b].txt", "/app/ab.txt", False, id="not one of"),
    pytest.param("a+b.txt", "/app/a+b.txt", True, id="no regular expression"),
    pytest.param("../other/*.cfg", "/other/a.cfg", True, id="beside"),
    pytest.param("/srv/x/*.cfg", "/srv/x/a.cfg", True, id="absolute"),
]


@pytest.mark.parametrize(("word", "path", "expected"), MATCHES)
def test_patterns(word, path, expected):
    (pattern,) = patterns((word,), "/app", None)
    assert (pattern.regex.fullmatch(path) is not None) is expected


@pytest.mark.parametrize("word", ["/**", "/*", "/etc/*", "/**/*.py", "../../**", "/usr/*/x"])
def test_patterns_that_begin_at_the_root_are_refused(word):
    with pytest.raises(ConfigError, match="is not watched") as caught:
        patterns((word,), "/app", None)
    assert caught.value.exit_code == 78


def test_directory_as_a_pattern_is_all_below_it(tmp_path):
    (tmp_path / "data").mkdir()
    (pattern,) = patterns(("data",), str(tmp_path), None)
    assert pattern.regex.fullmatch(f"{tmp_path}/data/a/b.bin")
    assert pattern.base == f"{tmp_path}/data"


def test_interest_knows_what_a_file_is_worth():
    interest = Interest(patterns(("extra/*.bin",), "/src", None))
    interest.add_files(["/src/wiki/views.py", "/etc/app.ini"])
    interest.add_trees(["/src/wiki"])
    worth = {
        ("/src/wiki", "views.py"): CODE,
        ("/src/wiki", "unused.py"): DORMANT,
        ("/src/wiki/templates", "page.pt"): CODE,
        ("/src/wiki/static", "page.css"): ASSET,
        ("/src/wiki", "views.py~"): "",
        ("/src/wiki", "wiki.sqlite"): "",
        ("/src/extra", "a.bin"): CODE,
        ("/src/extra", "a.txt"): "",
        ("/etc", "app.ini"): CODE,
        ("/etc", "passwd"): "",
    }
    assert {place: interest.kind(*place) for place in worth} == worth


MOUNTINFO = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:25 / /src rw - fuse.sshfs host:/src rw
31 22 0:26 / /src/cache rw - tmpfs tmpfs rw
32 22 0:27 / /with\\040space rw - nfs4 server:/ rw
33 22 0:28 / /src/cache rw master:1 - 9p drvfs rw
"""


def test_type_of_the_deepest_and_latest_mount_counts():
    mounts = parse_mountinfo(MOUNTINFO)
    assert type_of("/nowhere/at/all", mounts) == "ext4"
    assert type_of("/src/wiki", mounts) == "fuse.sshfs"
    assert type_of("/src/cache/x", mounts) == "9p"
    assert type_of("/srcs", mounts) == "ext4"
    assert type_of("/with space", mounts) == "nfs4"


TYPES = {
    True: ["ext4", "xfs", "btrfs", "tmpfs", "overlay"],
    False: ["fuse.sshfs", "fuse.grpcfuse", "nfs4", "9p", "virtiofs", "fakeowner", "cifs"],
    None: ["", "somethingnew"],
}


@pytest.mark.parametrize(("kind", "answer"), [(k, a) for a, ks in TYPES.items() for k in ks])
def test_file_systems_that_tell(kind, answer):
    assert tells(kind) is answer


def module(name, path, **attributes):
    made = types.ModuleType(name)
    made.__file__ = path
    for key, value in attributes.items():
        setattr(made, key, value)
    return made


def test_edited_modules_are_told_from_installed_ones(tmp_path):
    package = tmp_path / "src" / "wiki"
    package.mkdir(parents=True)
    modules = {
        "os": os,
        "wiki": module("wiki", f"{package}/__init__.py", __path__=[str(package)]),
        "wiki.views": module("wiki.views", f"{package}/views.py"),
        "alone": module("alone", "/home/me/alone.py"),
        "lib": module("lib", "/venv/lib/python3.11/site-packages/lib/__init__.py"),
        "deb": module("deb", "/usr/lib/python3/dist-packages/deb.py"),
        "pastebox.errors": sys.modules["pastebox.errors"],
        "builtin": types.ModuleType("builtin"),
    }
    found = look(modules, library_directories())
    assert found.files == [f"{package}/__init__.py", f"{package}/views.py", "/home/me/alone.py"]
    assert found.trees == [str(package)]
    assert found.others == ["os", "lib", "deb", "pastebox.errors", "builtin"]
    assert found.names == ["wiki", "alone"]


def test_failure_names_the_file_that_does_not_compile(tmp_path, monkeypatch):
    broken = tmp_path / "broken_module_of_a_test.py"
    broken.write_text("def x(:\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SyntaxError) as caught:
        __import__("broken_module_of_a_test")
    assert str(broken) in files_of_failure(caught.value, library_directories())


def test_missing_module_may_appear_where_somebody_edits():
    library = library_directories()
    found = files_of_missing("wiki.new", ["/src", library[0], "/x/site-packages"], library)
    assert found == ["/src/wiki/new.py", "/src/wiki/new/__init__.py"]


FRESH = [
    pytest.param(0, 999, True, id="this second"),
    pytest.param(0, 1005, True, id="ahead"),
    pytest.param(0, 990, False, id="aged"),
    pytest.param(1, 999, False, id="by its hash"),
]


@pytest.mark.parametrize(("flags", "mtime", "expected"), FRESH)
def test_bytecode_of_a_fresh_source_is_not_kept(flags, mtime, expected):
    header = b"magi" + flags.to_bytes(4, "little") + mtime.to_bytes(4, "little") + bytes(4)
    assert is_fresh(header, 1000.5) is expected


def test_outermost_package_of_a_file(tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "a" / "__init__.py").touch()
    (inner / "__init__.py").touch()
    assert package_of(f"{inner}/c.py") == f"{tmp_path}/a"
    assert package_of(f"{tmp_path}/c.py") == ""


@pytest.mark.parametrize("is_worktree", [False, True])
def test_lock_of_git_is_seen_from_below(tmp_path, is_worktree):
    work, store = tmp_path / "work" / "deep", tmp_path / "store"
    work.mkdir(parents=True)
    store.mkdir()
    if is_worktree:
        (tmp_path / "work" / ".git").write_text(f"gitdir: {store}\n")
    else:
        store = tmp_path / "work" / ".git"
        store.mkdir()
    assert not is_locked([f"{work}/a.py", f"{work}/b.py"])
    (store / "index.lock").touch()
    assert is_locked([f"{work}/a.py", f"{work}/b.py"])


def test_ahead_imports_what_is_installed_and_never_what_is_edited(tmp_path, monkeypatch):
    """A plugin that imports the application would bring its old code; nothing of it stays."""
    (tmp_path / "ahead_lib.py").write_text("A = 1\n")
    (tmp_path / "ahead_plugin").mkdir()
    (tmp_path / "ahead_plugin" / "__init__.py").write_text("from ahead_plugin import part\n")
    (tmp_path / "ahead_plugin" / "part.py").write_text("import ahead_app\n")
    (tmp_path / "ahead_app.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    names = ["ahead_nothing", "ahead_plugin", "ahead_lib", "ahead_late"]
    import_ahead(names, ["ahead_app"], lambda: "ahead_lib" in sys.modules)
    assert {name for name in sys.modules if name.startswith("ahead_")} == {"ahead_lib"}
    monkeypatch.delitem(sys.modules, "ahead_lib")
    import ahead_app

    assert ahead_app is not None
    monkeypatch.delitem(sys.modules, "ahead_app")


def test_nothing_comes_before_what_patches_the_library():
    assert worth_importing(["os", "gevent", "ssl"]) == []
    assert worth_importing(["os", "twisted.internet.reactor", "ssl"]) == ["os", "ssl"]
