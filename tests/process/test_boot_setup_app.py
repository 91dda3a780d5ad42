"""setup-app: which applications are set up, what their websetup is given, and by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import boot_apps
import pytest
from boot_volume import Volume

pytestmark = pytest.mark.process

RECORD = """
import json, os

def setup_app(command, conf, vars):
    row = {
        "package": __name__,
        "conf": dict(conf),
        "local": conf.local_conf,
        "global": conf.global_conf,
        "filename": conf.filename,
        "protocol": conf.context.protocol,
        "entry_point": conf.context.entry_point_name,
        "verbose": command.verbose,
        "simulate": command.simulate,
        "interactive": command.interactive,
        "option": command.options.anything,
        "vars": vars,
    }
    with open(os.environ["RECORD"], "a") as file:
        file.write(json.dumps(row) + "\\n")
"""

OLD = """
import json, os

def setup_config(command, filename, section, vars):
    with open(os.environ["RECORD"], "a") as file:
        file.write(json.dumps({"filename": filename, "section": section}) + "\\n")
"""

FILTER = """
def main(global_conf, **local_conf):
    return lambda app: app
"""


class Site(Volume):
    """A volume whose websetups write down what they were given."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.record = os.path.join(root, "record")
        self.environ |= {"RECORD": self.record}

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pastebox.cli.main", *arguments],
            env=self.environ,
            cwd=self.root,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def ini_with(self, text: str) -> str:
        with open(self.ini, "w", encoding="utf-8") as file:
            file.write(text)
        return self.ini

    def rows(self) -> list[dict]:
        if not os.path.exists(self.record):
            return []
        with open(self.record, encoding="utf-8") as file:
            return [json.loads(line) for line in file]


@pytest.fixture
def site(tmp_path) -> Site:
    made = Site(str(tmp_path))
    for name in ("demoapp", "second"):
        boot_apps.install(
            made.site,
            name,
            files={f"{name}/__init__.py": boot_apps.APP, f"{name}/websetup.py": RECORD},
        )
    boot_apps.install(
        made.site,
        "thefilter",
        files={"thefilter/__init__.py": FILTER},
        entry_points="[paste.filter_factory]\nmain = thefilter:main\n",
    )
    return made


def packages(site: Site) -> list[str]:
    return [row["package"].partition(".")[0] for row in site.rows()]


def test_a_websetup_is_given_a_real_command_and_conf(site) -> None:
    ini = site.ini_with("[DEFAULT]\nshared = 1\n[app:main]\nuse = egg:demoapp\ntitle = %(word)s\n")
    done = site.run("setup-app", ini, "word=hello")
    assert done.returncode == 0, done.stderr
    (row,) = site.rows()
    assert row["local"] == {"title": "hello"}
    assert row["global"]["shared"] == "1"
    assert row["global"]["word"] == "hello"
    assert row["global"]["__file__"] == ini
    assert row["conf"] == {**row["global"], **row["local"]}
    assert row["filename"] == ini
    assert (row["protocol"], row["entry_point"]) == ("paste.app_factory", "main")
    assert (row["verbose"], row["simulate"], row["interactive"]) == (1, False, True)
    assert row["option"] is None
    assert row["vars"] == {"word": "hello"}


def test_the_old_signature_is_called_with_file_and_section(site) -> None:
    boot_apps.install(
        site.site,
        files={"demoapp/__init__.py": boot_apps.APP, "demoapp/websetup/__init__.py": OLD},
    )
    os.unlink(f"{site.site}/demoapp/websetup.py")
    ini = site.ini_with("[app:wiki]\nuse = egg:demoapp\n")
    done = site.run("setup-app", f"{ini}#wiki")
    assert done.returncode == 0, done.stderr
    assert site.rows() == [{"filename": ini, "section": "app:wiki"}]


def test_the_new_signature_wins_over_the_old_one(site) -> None:
    with open(f"{site.site}/demoapp/websetup.py", "a", encoding="utf-8") as file:
        file.write(OLD)
    site.run("setup-app", site.ini_with("[app:main]\nuse = egg:demoapp\n"))
    assert packages(site) == ["demoapp"]


def test_a_websetup_with_neither_function_is_said(site) -> None:
    with open(f"{site.site}/demoapp/websetup.py", "w", encoding="utf-8") as file:
        file.write("")
    done = site.run("setup-app", site.ini_with("[app:main]\nuse = egg:demoapp\n"))
    assert done.returncode == 0
    assert "demoapp.websetup has neither setup_app() nor setup_config()" in done.stdout


def test_an_application_without_a_websetup_is_said(site) -> None:
    os.unlink(f"{site.site}/demoapp/websetup.py")
    done = site.run("setup-app", site.ini_with("[app:main]\nuse = egg:demoapp\n"))
    assert done.returncode == 0
    assert "nothing to set up: demoapp has no websetup" in done.stdout


SHAPES = [
    pytest.param("[app:main]\nuse = egg:demoapp\nfilter-with = f\n", ["demoapp"], id="filter-with"),
    pytest.param("[pipeline:main]\npipeline = f x\n", ["demoapp"], id="pipeline"),
    pytest.param(
        "[filter-app:main]\nuse = egg:thefilter\nnext = x\n", ["demoapp"], id="filter-app"
    ),
    pytest.param("[app:main]\nuse = x\nfilter-with = f\n", ["demoapp"], id="use of a section"),
    pytest.param("[app:main]\npaste.app_factory = demoapp:main\n", ["demoapp"], id="by object"),
    pytest.param(
        "[composite:main]\npaste.composite_factory = demoapp:composite\n"
        "/ = x\n/two = y\n/again = x\n/p = p\n",
        ["demoapp", "second"],
        id="composite",
    ),
]
PARTS = (
    "\n[filter:f]\nuse = egg:thefilter\n[app:x]\nuse = egg:demoapp\n[app:y]\nuse = egg:second\n"
    "[pipeline:p]\npipeline = f x\n"
)


@pytest.mark.parametrize(("text", "expected"), SHAPES)
def test_every_application_behind_the_section_is_set_up_once(site, text, expected) -> None:
    with open(f"{site.site}/demoapp/__init__.py", "a", encoding="utf-8") as file:
        file.write("\ndef composite(loader, global_conf, **local_conf):\n    return None\n")
    done = site.run("setup-app", site.ini_with(text + PARTS))
    assert done.returncode == 0, done.stderr
    assert packages(site) == expected


@pytest.mark.parametrize(("text", "expected"), SHAPES)
def test_first_boot_sets_up_the_same(site, text, expected) -> None:
    with open(f"{site.site}/demoapp/__init__.py", "a", encoding="utf-8") as file:
        file.write("\ndef composite(loader, global_conf, **local_conf):\n    return None\n")
    site.ini_with(text + PARTS)
    assert site.boot().outcome["steps"] == ["setup-app"]
    assert packages(site) == expected
    assert site.boot().outcome["steps"] == []


def test_a_section_can_be_named_in_two_ways(site) -> None:
    ini = site.ini_with("[app:main]\nuse = egg:demoapp\n[app:y]\nuse = egg:second\n")
    assert site.run("setup-app", f"{ini}#y").returncode == 0
    assert site.run("setup-app", "--name", "app:y", ini).returncode == 0
    assert packages(site) == ["second", "second"]


def test_by_hand_keeps_the_journal(site) -> None:
    ini = site.ini_with("[app:main]\nuse = egg:demoapp\n")
    check = site.run("setup", "--check", ini)
    assert (check.returncode, check.stdout) == (75, "to do: setup-app (first start)\n")
    assert not os.path.exists(site.state)
    assert site.run("setup-app", ini).returncode == 0
    check = site.run("setup", "--check", ini)
    assert (check.returncode, check.stdout) == (0, "nothing to do: journal matches\n")
    assert site.run("setup-app", ini).returncode == 0
    assert len(site.rows()) == 2


def test_by_hand_without_a_usable_volume_still_sets_up(site) -> None:
    site.environ["PASTEBOX_DATA_DIR"] = "/proc/none"
    done = site.run("setup-app", site.ini_with("[app:main]\nuse = egg:demoapp\n"))
    assert done.returncode == 0, done.stderr
    assert "without lock and journal: /proc/none/.pastebox: cannot be created" in done.stdout
    assert packages(site) == ["demoapp"]


def test_a_bad_command_by_hand_is_its_message_and_status(site) -> None:
    with open(f"{site.site}/demoapp/websetup.py", "w", encoding="utf-8") as file:
        file.write("def setup_app(command, conf, vars):\n    raise command.BadCommand('nope', 7)\n")
    done = site.run("setup-app", site.ini_with("[app:main]\nuse = egg:demoapp\n"))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (7, "nope")
    assert site.journal().state == "failed"


ASKING = """
def setup_app(command, conf, vars):
    print("answer", command.ask("sure", default=False), command.challenge("name", "joe"))
"""


@pytest.mark.parametrize(
    ("flags", "stdin", "expected"),
    [
        pytest.param((), "y\nann\n", "answer True ann", id="answered"),
        pytest.param((), "what\nno\n\n", "answer False joe", id="asked again, empty"),
        pytest.param((), "", "answer False joe", id="end of input"),
        pytest.param(("--no-interactive",), "y\nann\n", "answer False joe", id="nobody"),
    ],
)
def test_questions_by_hand(site, flags, stdin, expected) -> None:
    with open(f"{site.site}/demoapp/websetup.py", "w", encoding="utf-8") as file:
        file.write(ASKING)
    ini = site.ini_with("[app:main]\nuse = egg:demoapp\n")
    done = site.run("setup-app", *flags, ini, stdin=stdin)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(expected)


def test_a_failure_by_hand_shows_the_applications_traceback(site) -> None:
    with open(f"{site.site}/demoapp/websetup.py", "w", encoding="utf-8") as file:
        file.write("def setup_app(command, conf, vars):\n    raise KeyError('x')\n")
    done = site.run("setup-app", site.ini_with("[app:main]\nuse = egg:demoapp\n"))
    assert done.returncode == 70
    assert "raise KeyError('x')" in done.stderr
    assert "pastebox/boot" not in done.stderr
    assert site.journal().state == "failed"


def test_setup_repairs_what_a_start_refuses(site) -> None:
    """The command that a refusal prints is run as it is printed."""
    ini = site.ini_with("[app:main]\nuse = egg:demoapp\n")
    site.boot(PASTEBOX_FAULTS="in-setup", PASTEBOX_ALLOW_FAULTS="1")
    refused = site.boot(PASTEBOX_SETUP_ON_PARTIAL="fail")
    command = refused.log.rpartition("repair with: ")[2].split()
    assert command[0] == "pastebox"
    done = site.run(*command[1:])
    assert done.returncode == 0, done.stderr
    assert site.boot(PASTEBOX_SETUP_ON_PARTIAL="fail").code == 0
    assert ini in command


def test_setup_overrules_never_in_the_environment(site) -> None:
    site.environ["PASTEBOX_SETUP"] = "never"
    ini = site.ini_with("[app:main]\nuse = egg:demoapp\n")
    assert site.run("setup", ini).returncode == 0
    assert packages(site) == ["demoapp"]
    assert site.run("setup", "--setup", "never", "--force", ini).returncode == 0
    assert len(site.rows()) == 2


def test_make_config_by_hand(site) -> None:
    made = os.path.join(site.root, "new", "made.ini")
    boot_apps.install(site.site)
    first = site.run("make-config", "demoapp", made)
    assert first.returncode == 0, first.stderr
    assert first.stdout.endswith(f"now look at {made}\n")
    before = read(made)
    kept = site.run("make-config", "demoapp", made, stdin="")
    assert kept.returncode == 0
    assert f"--- {made}" in kept.stdout
    assert "overwrite" in kept.stdout
    assert read(made) == before
    quiet = site.run("make-config", "--no-interactive", "-q", "demoapp", made, stdin="y\n")
    assert quiet.returncode == 0
    assert f"{made} is kept as it is" in quiet.stdout
    assert read(made) == before
    assert site.run("make-config", "demoapp", made, stdin="y\n").returncode == 0
    assert read(made) != before
    assert os.stat(made).st_mode & 0o777 == 0o600


def read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def test_make_config_of_identical_content_says_so_and_writes_nothing(site) -> None:
    made = os.path.join(site.root, "made.ini")
    assert site.run("make-config", "second", made).returncode == 0
    before = os.stat(made)
    again = site.run("make-config", "second", made, "--overwrite")
    assert f"{made} is already what it should be" in again.stdout
    assert os.stat(made).st_ino == before.st_ino


def test_make_config_simulated_writes_nothing(site) -> None:
    made = os.path.join(site.root, "new", "made.ini")
    done = site.run("make-config", "-n", "demoapp", made)
    assert done.returncode == 0
    assert not os.path.exists(os.path.dirname(made))


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        pytest.param(("make-config",), 2, "no application is given", id="nothing"),
        pytest.param(("make-config", "demoapp"), 2, "no file to write is given", id="no file"),
        pytest.param(("make-config", "nosuch", "x.ini"), 78, '"nosuch"', id="unknown"),
        pytest.param(
            ("make-config", "--name", "a", "demoapp#b", "x"), 2, "both given", id="two names"
        ),
        pytest.param(("setup-app", "none.ini"), 78, "none.ini", id="missing INI"),
        pytest.param(("setup-app",), 2, "no INI is given", id="no INI"),
        pytest.param(("setup", "a.ini", "b.ini"), 2, '"b.ini"', id="two INIs"),
    ],
)
def test_misuse(site, arguments, code, text) -> None:
    del site.environ["PASTEBOX_APP"]
    done = site.run(*arguments)
    assert done.returncode == code, done.stderr
    assert text in done.stderr
