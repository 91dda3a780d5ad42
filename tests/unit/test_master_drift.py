"""The watch on the configuration: what it does after it has acted, and what cannot follow."""

from types import SimpleNamespace

import pytest

from pastebox.config.locate import locate
from pastebox.errors import ConfigError
from pastebox.master.drift import Drift
from pastebox.master.prepare import prepare
from pastebox.master.reload import FIXED
from pastebox.master.request import ServeRequest
from pastebox.observe.drift import DriftNote
from pastebox.settings import options, resolve

INI = """\
[app:main]
paste.app_factory = nowhere:main
word = one
[server:main]
use = egg:waitress#main
[pastebox]
on_config_change = exit
"""

FOLLOW = {
    # where the INI is found and read; looked up at each reload
    *("ini", "set", "overlay_dir", "secrets_dir"),
    # hooks that are yet to run
    *("hooks_dir", "hook_timeout"),
    # of a generation
    *("server", "host", "port", "workers", "cpu_affinity", "max_requests", "max_requests_jitter"),
    *("stuck_after", "access_log", "log_format", "log_level", "drain_delay", "drain_timeout"),
    # asked for when they are needed
    *("on_config_change", "reload_wait", "reload_ahead", "ready_path"),
    # of tests
    *("faults", "allow_faults"),
}


def test_every_setting_follows_or_is_named():
    assert sorted([*FIXED, *FOLLOW]) == sorted(row.name for row in options())


class FakeLoop:
    """Keeps what is to come instead of waiting for it."""

    def __init__(self):
        self.later = []

    def call_later(self, _seconds, callback):
        timer = SimpleNamespace(callback=callback, cancel=lambda: setattr(timer, "callback", None))
        self.later.append(timer)
        return timer

    def turn(self):
        """Call what has been asked for so far."""
        due, self.later = self.later, []
        for timer in due:
            if timer.callback is not None:
                timer.callback()


class Watched:
    """An INI, a drift that looks at it, and what it has done."""

    def __init__(self, directory):
        self.ini = directory / "app.ini"
        self.ini.write_text(INI)
        self.request = ServeRequest(str(self.ini), {}, {}, (), {})
        self.loop, self.note = FakeLoop(), DriftNote()
        self.done, self.stays = [], []
        self.after_reading = lambda: None
        self.served = self.read()
        status = SimpleNamespace(drift=self.note, trouble=lambda _text: None)
        self.drift = Drift(
            self.loop,
            status,
            self.served,
            {},
            prepare=lambda _served: self.read(),
            stays=lambda _served: self.stays,
            reload=lambda: self.done.append("reload"),
            end=self.end,
        )
        self.look()

    def read(self):
        settings = resolve({}, {})
        located = locate(str(self.ini), settings, environ={}, cwd="/")
        found = prepare(self.request, located.spec, settings)
        self.after_reading()
        return found

    def end(self, reason):
        self.done.append(reason)
        self.drift.stop()  # as the service does when it begins to end

    def save(self, old, new):
        self.ini.write_text(self.ini.read_text().replace(old, new))
        self.look()

    def look(self):
        """Look, and look again when it has settled."""
        for _ in range(2):
            self.loop.turn()


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path)


def test_change_while_the_service_ends_does_not_end_it_harder(watched):
    """To end it a second time means at once, and would cut requests off."""
    watched.save("one", "two")
    watched.save("two", "three")
    assert watched.done == ["configuration"]


def test_change_that_is_taken_back_is_acted_on_once(watched):
    watched.ini.write_text(INI.replace("exit", "reload"))
    watched.look()
    watched.look()
    assert watched.done == ["reload"]
    watched.save("reload", "exit")
    assert not watched.note.text


def test_each_change_of_one_option_is_acted_on(watched):
    """The first may have failed to load, and the second mends it."""
    watched.ini.write_text(INI.replace("exit", "reload"))
    watched.look()
    watched.save("one", "two")
    watched.save("two", "three")
    assert watched.done == ["reload"] * 3


def test_change_right_after_the_reading_is_seen(watched):
    text = INI.replace("exit", "reload")

    def save_again():
        watched.after_reading = lambda: None
        watched.ini.write_text(text.replace("one", "two"))

    watched.after_reading = save_again
    watched.ini.write_text(text)
    watched.look()
    watched.look()
    assert watched.done == ["reload"] * 2


def test_what_took_no_effect_stays_a_drift(watched):
    watched.save("on_config_change = exit", "on_config_change = warn\nhealth_port = 9191")
    assert "health_port" in watched.note.text
    watched.stays = ["health_port"]
    watched.drift.serves(watched.read())
    watched.look()
    assert watched.note.text == "takes a restart: health_port"
    assert watched.note.count == 1


@pytest.mark.parametrize("harm", ["gone", "directory", "bytes", "syntax"])
def test_configuration_that_cannot_be_read_harms_nothing(watched, harm):
    watched.ini.unlink()
    if harm == "directory":
        watched.ini.mkdir()
    elif harm == "bytes":
        watched.ini.write_bytes(b"[app:main]\nword = \xff\xfe\0\n")
    elif harm == "syntax":
        watched.ini.write_text("[app:main\n")
    with pytest.raises(ConfigError):
        watched.read()
    watched.look()
    assert watched.note.text.startswith("changed, and cannot be served: ")
    assert watched.done == []


def test_include_that_cannot_be_read_harms_nothing_until_it_can(watched, tmp_path):
    include = tmp_path / "include.ini"
    watched.save("paste.app_factory = nowhere:main", f"use = config:{include}")
    assert f"cannot be served: {include}: " in watched.note.text
    assert watched.done == []
    include.write_text("[app:main]\npaste.app_factory = nowhere:main\n")
    watched.look()
    assert watched.done == ["configuration"]


def test_include_that_goes_away_harms_nothing(watched, tmp_path):
    include = tmp_path / "include.ini"
    include.write_text("[app:main]\npaste.app_factory = nowhere:main\n")
    watched.ini.write_text(
        INI.replace("paste.app_factory = nowhere:main", f"use = config:{include}")
    )
    watched.drift.serves(watched.read())
    watched.look()
    include.unlink()
    watched.look()
    assert f"cannot be served: {include}: " in watched.note.text
    assert watched.done == []


def test_include_that_changes_before_the_first_look_has_changed(watched, tmp_path):
    """What counts is what was loaded, not what is found later."""
    include = tmp_path / "include.ini"
    include.write_text("[app:main]\npaste.app_factory = nowhere:main\nword = one\n")
    watched.ini.write_text(
        INI.replace("paste.app_factory = nowhere:main", f"use = config:{include}")
    )
    watched.drift.serves(watched.read())
    include.write_text("[app:main]\npaste.app_factory = nowhere:main\nword = two\n")
    watched.look()
    assert watched.done == ["configuration"]


def test_text_that_only_looks_like_an_include_is_in_nobodys_way(watched):
    watched.save("word = one", "word = config:/no/such/file.ini")
    assert watched.done == ["configuration"]
