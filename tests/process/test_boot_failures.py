"""Everything that can go wrong in first boot: one clear error, its exit code, no half state."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time

import boot_apps
import pytest
from boot_volume import DRIVER, Volume

from pastebox.boot import journal as journals

pytestmark = pytest.mark.process


@pytest.fixture
def volume(tmp_path) -> Volume:
    return Volume(str(tmp_path))


def test_a_setup_that_raises_ends_with_its_own_traceback(volume) -> None:
    volume.write_ini("raise")
    ended = volume.boot()
    assert ended.code == 70
    assert 'raise RuntimeError("no such table")' in ended.log
    assert "pastebox/boot" not in ended.log
    assert "error: setup-app raised RuntimeError: no such table" in ended.log
    journal = volume.journal()
    assert (journal.state, journal.step) == ("failed", "setup-app")
    assert journal.error == "setup-app raised RuntimeError: no such table"


@pytest.mark.parametrize("how", ["exit3", "exit1"])
def test_a_setup_that_raises_system_exit_is_a_failure(volume, how) -> None:
    volume.write_ini(how)
    ended = volume.boot()
    assert ended.code == 70
    assert f"setup-app raised SystemExit({how[4:]})" in ended.log
    assert volume.journal().state == "failed"


def test_a_setup_that_raises_system_exit_zero_counts_as_done_and_is_said(volume) -> None:
    volume.write_ini("exit0")
    ended = volume.boot()
    assert ended.code == 0
    assert "warning: the application raised SystemExit(0), which counts as done" in ended.log
    assert volume.journal().state == "done"


def test_a_bad_command_is_its_message(volume) -> None:
    volume.write_ini("bad")
    ended = volume.boot()
    assert ended.code == 70
    assert (
        "setup-app failed: the schema is of somebody else (BadCommand, exit status 9)" in ended.log
    )
    assert "Traceback" not in ended.log


def test_a_setup_that_hangs_is_stopped_at_its_limit(volume) -> None:
    volume.write_ini("hang")
    began = time.monotonic()
    ended = volume.boot(PASTEBOX_SETUP_TIMEOUT="300ms")
    assert ended.code == 70
    assert time.monotonic() - began < 5
    assert "setup-app did not end within 0.3 s, and was stopped" in ended.log
    assert "PASTEBOX_SETUP_TIMEOUT" in ended.log
    assert volume.journal().state == "failed"


def test_a_failed_setup_is_repeated_and_then_done(volume) -> None:
    volume.write_ini("raise")
    volume.boot()
    volume.write_ini("well")
    ended = volume.boot()
    assert ended.code == 0
    assert volume.journal()._replace(holder=None).state == "done"
    assert volume.journal().attempt == 2
    assert volume.journal().error == ""


def test_an_application_that_cannot_be_imported_ends_with_its_traceback(volume) -> None:
    boot_apps.install(
        volume.site,
        files={
            "demoapp/__init__.py": "import no_such_module\n",
            "demoapp/websetup.py": boot_apps.WEBSETUP,
        },
    )
    volume.write_ini()
    ended = volume.boot()
    assert ended.code == 70
    assert "ModuleNotFoundError: No module named 'no_such_module'" in ended.log
    assert f'File "{volume.site}/demoapp/__init__.py", line 1' in ended.log
    assert "pastebox/boot" not in ended.log
    assert volume.journal().state == "failed"


def test_a_secret_in_an_error_is_not_journalled(volume) -> None:
    secrets = os.path.join(volume.root, "secrets")
    os.makedirs(secrets)
    with open(os.path.join(secrets, "pw"), "w", encoding="utf-8") as file:
        file.write("hunter2hunter2\n")
    websetup = "def setup_app(command, conf, vars):\n    raise OSError(conf['url'])\n"
    boot_apps.install(
        volume.site,
        files={"demoapp/__init__.py": boot_apps.APP, "demoapp/websetup.py": websetup},
    )
    with open(volume.ini, "w", encoding="utf-8") as file:
        file.write("[app:main]\nuse = egg:demoapp\nurl = db://me:%(SECRET_pw)s@db/\n")
    assert volume.boot(PASTEBOX_SECRETS_DIR=secrets).code == 70
    assert b"hunter2" not in volume.read("my.journal.json")
    assert "db://me:" in volume.journal().error


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"schema": 1, "state": "do', id="torn"),
        pytest.param(b"\0" * 300, id="zeros"),
    ],
)
def test_a_journal_that_cannot_be_read_is_refused_with_the_repair(volume, content) -> None:
    ini = volume.write_ini()
    os.makedirs(volume.state)
    path = os.path.join(volume.state, "my.journal.json")
    with open(path, "wb") as file:
        file.write(content)
    ended = volume.boot()
    assert ended.code == 78
    assert f"the journal {path} cannot be understood" in ended.log
    assert f"pastebox setup {ini} --force" in ended.log
    assert volume.runs() == 0


def test_a_journal_of_a_newer_schema_is_refused(volume) -> None:
    volume.write_ini()
    assert volume.boot().code == 0
    data = json.loads(volume.read("my.journal.json")) | {"schema": 2}
    with open(os.path.join(volume.state, "my.journal.json"), "w", encoding="utf-8") as file:
        json.dump(data, file)
    ended = volume.boot()
    assert ended.code == 78
    assert "was written by a newer pastebox (schema 2, this is schema 1)" in ended.log


def test_an_upgrade_sets_up_again_and_a_downgrade_is_refused(volume) -> None:
    ini = volume.write_ini()
    assert volume.boot().outcome["steps"] == ["setup-app"]
    os.rename(f"{volume.site}/demoapp-1.0.dist-info", f"{volume.root}/old")
    boot_apps.install(volume.site, version="1.1")
    upgraded = volume.boot()
    assert upgraded.outcome["steps"] == ["setup-app"], upgraded.log
    assert volume.journal().applications == (("demoapp", "1.1"),)
    os.rename(f"{volume.site}/demoapp-1.1.dist-info", f"{volume.root}/new")
    os.rename(f"{volume.root}/old", f"{volume.site}/demoapp-1.0.dist-info")
    refused = volume.boot()
    assert refused.code == 78
    assert "set up by a newer version of the application" in refused.log
    assert f"pastebox setup {ini} --force" in refused.log
    assert volume.boot(PASTEBOX_SETUP="never").code == 0


def test_a_changed_configuration_sets_up_again(volume) -> None:
    volume.write_ini()
    volume.boot()
    with open(volume.ini, "a", encoding="utf-8") as file:
        file.write("[app:other]\nuse = egg:demoapp\n")
    assert volume.boot().outcome["steps"] == []  # not what the application depends on
    with open(volume.ini, "r+", encoding="utf-8") as file:
        text = file.read().replace("how = well", "how = well\nnew = 1")
        file.seek(0)
        file.write(text)
    assert volume.boot().outcome["steps"] == ["setup-app"]


def test_setup_never_writes_nothing(volume) -> None:
    volume.write_ini()
    ended = volume.boot(PASTEBOX_SETUP="never")
    assert (ended.code, ended.outcome["steps"], ended.outcome["ready"]) == (0, [], True)
    assert os.listdir(volume.data) == []


def test_setup_only_ends_after_the_setup(volume) -> None:
    ended = volume.boot(PASTEBOX_SETUP="only")
    assert (ended.code, ended.outcome["ready"]) == (0, False)
    again = volume.boot(PASTEBOX_SETUP="only")
    assert (again.code, again.outcome["steps"], again.outcome["ready"]) == (0, [], False)


def test_setup_always_sets_up_at_every_start(volume) -> None:
    for _ in range(3):
        assert volume.boot(PASTEBOX_SETUP="always").outcome["steps"][-1] == "setup-app"
    assert volume.runs() == 3
    assert volume.effect() == ["effect"]


def test_nothing_mounted_and_no_application_explains_itself(volume) -> None:
    ended = volume.boot(PASTEBOX_APP="nosuchapp")
    assert ended.code == 78
    assert "nosuchapp" in ended.log
    assert "demoapp" in ended.log
    assert os.listdir(volume.data) == []


def test_two_applications_and_no_name_are_listed(volume) -> None:
    for name in ("another", "demoapp"):
        package = f"[paste.app_factory]\nmain = {name}:main\n"
        installer = "[paste.app_install]\nmain = paste.script.appinstall:Installer\n"
        boot_apps.install(volume.site, name, entry_points=package + installer)
    del volume.environ["PASTEBOX_APP"]
    ended = volume.boot()
    assert ended.code == 78
    assert "there is no INI (looked at " in ended.log
    assert "several installed distributions offer an application: another, demoapp" in ended.log
    assert "PASTEBOX_APP=another" in ended.log
    assert os.listdir(volume.data) == []


def test_never_without_an_ini_says_that_there_is_nothing_to_serve(volume) -> None:
    ended = volume.boot(PASTEBOX_SETUP="never")
    assert ended.code == 78
    assert "nothing to serve" in ended.log


def test_a_template_variable_without_a_value_names_file_and_line(volume) -> None:
    template = boot_apps.TEMPLATE + "\nmail = ${mail_host}\n"
    files = {
        "demoapp/__init__.py": boot_apps.APP,
        "demoapp/config/deployment.ini_tmpl": template,
    }
    boot_apps.install(volume.site, files=files)
    ended = volume.boot()
    assert ended.code == 78, ended.log
    line = template.splitlines().index("mail = ${mail_host}") + 1
    assert f"demoapp/config/deployment.ini_tmpl:{line}: " in ended.log
    assert "mail_host=VALUE" in ended.log
    assert not os.path.exists(os.path.join(volume.state, "app.ini"))
    assert volume.journal().state == "failed"


def test_words_reach_the_template_and_global_conf(volume) -> None:
    websetup = boot_apps.WEBSETUP.replace(
        'how = conf.get("how", "well")', 'how = conf.global_conf["how"]'
    )
    boot_apps.install(
        volume.site,
        files={
            "demoapp/__init__.py": boot_apps.APP,
            "demoapp/websetup.py": websetup,
            "demoapp/config/deployment.ini_tmpl": boot_apps.TEMPLATE + "\ngreeting = ${how}\n",
        },
    )
    done = subprocess.run(
        [sys.executable, DRIVER, "how=well"],
        env=volume.environ,
        cwd=volume.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"greeting = well" in volume.read("app.ini")
    assert volume.effect() == ["effect"]


# root overrules file modes by two capabilities, which the launcher gives away before exec.
LAUNCHER = (
    "import ctypes, os, sys;"
    "os.getuid() or [ctypes.CDLL(None).prctl(24, number, 0, 0, 0) for number in (1, 2)];"
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


def boot_without_rights(volume: Volume, **environ: str) -> subprocess.CompletedProcess[str]:
    arguments = [volume.ini] if os.path.exists(volume.ini) else []
    return subprocess.run(
        [sys.executable, "-c", LAUNCHER, DRIVER, *arguments],
        env={**volume.environ, **environ},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("has_ini", [True, False], ids=["mounted INI", "no INI"])
def test_a_volume_that_cannot_be_written_says_what_to_do(volume, has_ini) -> None:
    if has_ini:
        volume.write_ini()
    os.chmod(volume.data, 0o555)
    ended = boot_without_rights(volume)
    assert ended.returncode == 77, ended.stderr
    uid, gid = os.getuid(), os.getgid()
    assert f"cannot be written by uid {uid}" in ended.stderr
    assert f"chown {uid}:{gid} {volume.data}" in ended.stderr
    assert f"securityContext.fsGroup: {gid or uid}" in ended.stderr
    assert "PASTEBOX_DATA_DIR" in ended.stderr
    assert os.listdir(volume.data) == []


def test_a_volume_that_cannot_be_written_is_no_matter_for_never(volume) -> None:
    volume.write_ini()
    os.chmod(volume.data, 0o555)
    assert boot_without_rights(volume, PASTEBOX_SETUP="never").returncode == 0


def test_an_application_with_nothing_to_set_up_needs_no_volume(volume) -> None:
    os.unlink(os.path.join(volume.site, "demoapp", "websetup.py"))
    volume.write_ini()
    os.chmod(volume.data, 0o555)
    ended = boot_without_rights(volume)
    assert ended.returncode == 0, ended.stderr
    assert "nothing to do: nothing to set up" in ended.stderr


def test_a_set_up_volume_needs_no_right_to_write(volume) -> None:
    volume.write_ini()
    assert volume.boot().code == 0
    os.chmod(volume.data, 0o555)
    os.chmod(volume.state, 0o555)
    os.chmod(os.path.join(volume.state, "my.journal.json"), 0o444)
    ended = boot_without_rights(volume)
    assert ended.returncode == 0, ended.stderr
    assert "nothing to do: journal matches" in ended.stderr


@pytest.mark.parametrize("has_ini", [True, False], ids=["mounted INI", "no INI"])
def test_a_full_disk_is_said_and_nothing_is_half_written(volume, has_ini) -> None:
    """A limit on file size stands in for the disk: the write comes back short, then fails."""
    if has_ini:
        volume.write_ini()
    os.makedirs(volume.state)
    code = (
        "import resource, signal, runpy, sys;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY));"
        f"sys.argv[1:] = {[volume.ini] if has_ini else []!r};"
        f"runpy.run_path({DRIVER!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        env=volume.environ,
        cwd=volume.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 73, done.stderr
    assert "cannot be created: File too large" in done.stderr
    assert sorted(os.listdir(volume.state)) == [f"{volume.stem}.lock"]
    assert volume.boot().code == 0
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_read_only_volume_is_said(volume, monkeypatch) -> None:
    """The operating system's answer is made up: mounting needs rights that a test has not."""
    from pastebox.errors import CannotCreateError
    from pastebox.process import atomic

    def refuse(*_args, **_options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(atomic.os, "open", refuse)
    with pytest.raises(CannotCreateError) as caught:
        journals.write(os.path.join(volume.data, "x"), journals.render(_journal()))
    assert "Read-only file system" in str(caught.value)
    assert "PASTEBOX_DATA_DIR" in (caught.value.hint or "")


def _journal() -> journals.Journal:
    from pastebox.boot.identity import present_holder

    return journals.Journal("done", (), "", "", "setup-app", 1, 1, present_holder(), "")


def test_a_killed_step_is_said(volume) -> None:
    websetup = (
        "import os, signal\ndef setup_app(*args):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    boot_apps.install(
        volume.site,
        files={"demoapp/__init__.py": boot_apps.APP, "demoapp/websetup.py": websetup},
    )
    volume.write_ini()
    ended = volume.boot()
    assert ended.code == 70
    assert "setup-app was killed by SIGKILL" in ended.log
    assert volume.journal().state == "failed"
