"""A change is seen, by events and by polling, however it is made; on real files."""

import os
import select
import sys

import pytest

from pastebox.watch import scan
from pastebox.watch.backends import Backends
from pastebox.watch.globs import patterns
from pastebox.watch.interest import Interest
from pastebox.watch.polling import SWEEP_TICKS, Poller
from pastebox.watch.scan import Scanner

PATIENCE_MS = 20_000


class Seen:
    """An interest with one of the backends, which waits for what it sees."""

    def __init__(self, mode, files=(), trees=(), words=(), directory="/"):
        self.interest = Interest(patterns(words, str(directory), None))
        self.interest.add_files(str(path) for path in files)
        self.interest.add_trees(str(path) for path in trees)
        self.scanner = Scanner(self.interest)
        self.complaints = []
        self.backends = Backends(mode, self.interest, self.scanner, self.complaints.append)
        self.scanner.begin(self.interest.roots())
        self.backends.add(self.scanner.take_new())

    def changes(self):
        """Return what has changed after something did."""
        if self.backends.events is None:
            found = [path for _ in range(SWEEP_TICKS) for path in self.backends.poller.tick()]
        else:
            poll = select.poll()
            poll.register(self.backends.events.fileno(), select.POLLIN)
            found = []
            while poll.poll(PATIENCE_MS if not found else 20):
                for directory in self.backends.events.read().directories:
                    found += self.scanner.look(directory)
        self.backends.add(self.scanner.take_new())
        return sorted(set(found))


modes = pytest.mark.parametrize("mode", ["events", "poll"])


@pytest.fixture
def tree(tmp_path):
    package = tmp_path / "wiki"
    (package / "templates").mkdir(parents=True)
    (package / "views.py").write_text("one")
    (package / "templates" / "page.pt").write_text("one")
    return package


@modes
def test_write_in_place(mode, tree):
    seen = Seen(mode, files=[tree / "views.py"])
    (tree / "views.py").write_text("two")
    assert seen.changes() == [f"{tree}/views.py"]


@modes
def test_replacement_by_rename(mode, tree):
    seen = Seen(mode, files=[tree / "views.py"])
    (tree / "new~").write_text("two")
    (tree / "new~").rename(tree / "views.py")
    assert seen.changes() == [f"{tree}/views.py"]


@modes
def test_touch_back_in_time(mode, tree):
    seen = Seen(mode, files=[tree / "views.py"])
    os.utime(tree / "views.py", ns=(0, 0))
    assert seen.changes() == [f"{tree}/views.py"]


@modes
def test_removal_and_return(mode, tree):
    seen = Seen(mode, files=[tree / "views.py"])
    (tree / "views.py").unlink()
    assert seen.changes() == [f"{tree}/views.py"]
    (tree / "views.py").write_text("one")
    assert seen.changes() == [f"{tree}/views.py"]


@modes
def test_file_that_was_not_there(mode, tree):
    seen = Seen(mode, files=[tree / "later.py"])
    (tree / "later.py").touch()
    assert seen.changes() == [f"{tree}/later.py"]


@modes
def test_data_in_a_package_and_in_directories_that_come(mode, tree):
    seen = Seen(mode, trees=[tree])
    (tree / "templates" / "page.pt").write_text("two")
    assert seen.changes() == [f"{tree}/templates/page.pt"]
    (tree / "new").mkdir()
    (tree / "new" / "a.pt").touch()
    assert f"{tree}/new/a.pt" in seen.changes()
    (tree / "new" / "a.pt").write_text("x")
    assert seen.changes() == [f"{tree}/new/a.pt"]


@modes
def test_pattern(mode, tree):
    seen = Seen(mode, words=("data/**/*.csv",), directory=tree)
    (tree / "data" / "deep").mkdir(parents=True)
    (tree / "data" / "deep" / "a.csv").touch()
    assert f"{tree}/data/deep/a.csv" in seen.changes()


@modes
def test_swap_of_a_configmap(mode, tmp_path):
    """Kubernetes: app.ini -> ..data/app.ini, ..data -> ..v1, and ..data is renamed over."""
    for number in (1, 2):
        (tmp_path / f"..v{number}").mkdir()
        (tmp_path / f"..v{number}" / "app.ini").write_text(str(number))
    (tmp_path / "..data").symlink_to("..v1")
    (tmp_path / "app.ini").symlink_to("..data/app.ini")
    seen = Seen(mode, files=[tmp_path / "app.ini"])
    (tmp_path / "..data_tmp").symlink_to("..v2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    assert seen.changes() == [f"{tmp_path}/app.ini"]
    (tmp_path / "..v2" / "app.ini").write_text("two in place")
    assert seen.changes() == [f"{tmp_path}/app.ini"]


@modes
def test_swap_of_a_directory_on_the_way(mode, tmp_path):
    """A deployment: current -> releases/1."""
    for number in (1, 2):
        (tmp_path / f"r{number}" / "wiki").mkdir(parents=True)
        (tmp_path / f"r{number}" / "wiki" / "a.py").write_text("same")
    (tmp_path / "current").symlink_to("r1")
    seen = Seen(mode, files=[tmp_path / "current" / "wiki" / "a.py"])
    (tmp_path / "next").symlink_to("r2")
    (tmp_path / "next").rename(tmp_path / "current")
    assert seen.changes() == [f"{tmp_path}/current/wiki/a.py"]
    (tmp_path / "r2" / "wiki" / "a.py").write_text("other")
    assert seen.changes() == [f"{tmp_path}/current/wiki/a.py"]


@modes
def test_directory_that_is_made_anew(mode, tree):
    """What a checkout of another branch and back does."""
    seen = Seen(mode, files=[tree / "templates" / "page.pt"])
    (tree / "templates").rename(tree / "away")
    assert seen.changes() == [f"{tree}/templates/page.pt"]
    (tree / "templates").mkdir()
    (tree / "templates" / "page.pt").write_text("again")
    assert seen.changes() == [f"{tree}/templates/page.pt"]
    (tree / "templates" / "page.pt").write_text("and again")
    assert seen.changes() == [f"{tree}/templates/page.pt"]


def test_log_beside_the_code_wakes_for_nothing(tree):
    seen = Seen("events", files=[tree / "views.py"])
    (tree / "app.log").write_text("line")
    (tree / "__pycache__").mkdir()
    (tree / "__pycache__" / "views.pyc").touch()
    (tree / "views.py").write_text("two")
    poll = select.poll()
    poll.register(seen.backends.events.fileno(), select.POLLIN)
    assert poll.poll(PATIENCE_MS)
    hints = seen.backends.events.read()
    assert hints.directories == {str(tree)}
    assert seen.scanner.look(str(tree)) == [f"{tree}/views.py"]


def test_poller_sees_a_file_that_was_edited_before_at_every_tick(tmp_path):
    interest = Interest()
    for number in range(20):
        directory = tmp_path / f"d{number:02}"
        directory.mkdir()
        for file in range(20):
            (directory / f"{file}.py").touch()
            interest.add_files([f"{directory}/{file}.py"])
    scanner = Scanner(interest)
    scanner.begin(interest.roots())
    poller = Poller(scanner)
    poller.add(scanner.take_new())
    path = tmp_path / "d19" / "7.py"
    path.write_text("first edit")
    assert [one for _ in range(SWEEP_TICKS) for one in poller.tick()] == [str(path)]
    for _ in range(SWEEP_TICKS):
        path.write_text(path.read_text() + "more")
        assert poller.tick() == [str(path)]


def test_too_many_files_are_refused_with_the_place(tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "MOST_FILES", 10)
    for number in range(11):
        (tmp_path / f"{number}.csv").touch()
    interest = Interest(patterns(("**/*.csv",), str(tmp_path), None))
    scanner = Scanner(interest)
    scanner.begin(interest.roots())
    assert f"the last was {tmp_path}" in scanner.overflow
    assert scanner.files == 0


def test_beyond_the_bound_named_and_known_files_are_followed(tmp_path, monkeypatch):
    (tmp_path / "known.csv").touch()
    interest = Interest(patterns(("**/*.csv",), str(tmp_path), None))
    scanner = Scanner(interest)
    scanner.begin(interest.roots())
    monkeypatch.setattr(scan, "MOST_FILES", 1)
    (tmp_path / "wild").mkdir()
    for number in range(9):
        (tmp_path / "wild" / f"{number}.csv").touch()
    assert not scanner.look(str(tmp_path))
    assert "the last was" in scanner.overflow
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "named.py").touch()
    (tmp_path / "app" / "other.csv").touch()
    named = str(tmp_path / "app" / "named.py")
    scanner.begin(interest.add_files([named]))
    for _ in range(2):
        assert not scanner.look(str(tmp_path / "app"))
        assert not scanner.look(str(tmp_path))
    (tmp_path / "app" / "named.py").write_text("changed")
    (tmp_path / "known.csv").write_text("changed")
    assert scanner.look(str(tmp_path / "app")) == [named]
    assert scanner.look(str(tmp_path)) == [str(tmp_path / "known.csv")]


def test_directories_without_files_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "MOST_DIRECTORIES", 5)
    for number in range(9):
        (tmp_path / str(number) / "below").mkdir(parents=True)
    interest = Interest(patterns(("**/*.csv",), str(tmp_path), None))
    scanner = Scanner(interest)
    scanner.begin(interest.roots())
    assert scanner.overflow


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_exhausted_watches_fall_back_to_polling_and_say_so_once(tree, monkeypatch):
    from pastebox.watch.inotify import Inotify

    def watch(self, directory, *, names_only=False):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Inotify, "watch", watch)
    seen = Seen("events", files=[tree / "views.py", tree / "templates" / "page.pt"])
    assert seen.complaints == [
        "polling, since events are not to be had: the limit fs.inotify.max_user_watches is reached"
    ]
    (tree / "templates" / "page.pt").write_text("two")
    assert seen.changes() == [f"{tree}/templates/page.pt"]


def test_auto_polls_where_the_type_says_that_nothing_is_told(tree, monkeypatch):
    from pastebox.watch import mounts

    monkeypatch.setattr(mounts, "read_mounts", lambda: [("/", "ext4"), (str(tree), "nfs4")])
    seen = Seen("auto", files=[tree / "views.py", tree.parent / "app.ini"])
    told = seen.backends.told(2)
    assert "1 directories by events (ext4)" in told
    assert "1 directories by polling (nfs4)" in told


def test_auto_probes_what_it_does_not_know(tree, monkeypatch):
    from pastebox.watch import mounts

    monkeypatch.setattr(mounts, "read_mounts", lambda: [("/", "novelfs")])
    seen = Seen("auto", files=[tree / "views.py"])
    assert "by events (novelfs)" in seen.backends.told(1)
    assert sorted(os.listdir(tree)) == ["templates", "views.py"]
