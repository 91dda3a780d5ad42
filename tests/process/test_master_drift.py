"""The configuration changes under a running service: seen, told, followed as the policy says."""

import os
import threading
from pathlib import Path

import pytest
from app_process import Answer, Call, free_port, wait_until

pytestmark = pytest.mark.process

POLICIES = ("ignore", "warn", "reload", "exit")


def in_place(ini, text):
    ini.write_text(text)


def renamed_over(ini, text):
    new = ini.with_name("new.ini")
    new.write_text(text)
    new.rename(ini)


def swapped(ini, text):
    """As kubelet does with a ConfigMap or a Secret."""
    directory = ini.parent
    if not ini.is_symlink():
        (directory / "..v1").mkdir()
        ini.rename(directory / "..v1" / ini.name)
        (directory / "..data").symlink_to("..v1")
        ini.symlink_to(f"..data/{ini.name}")
    number = len(list(directory.glob("..v*"))) + 1
    (directory / f"..v{number}").mkdir()
    (directory / f"..v{number}" / ini.name).write_text(text)
    (directory / "..data_tmp").symlink_to(f"..v{number}")
    (directory / "..data_tmp").rename(directory / "..data")


def same_size_and_time(ini, text):
    """As a copy that keeps times, over a file of the same length."""
    before = ini.stat()
    padded = text.ljust(before.st_size, "\n")[: before.st_size]
    ini.write_text(padded)
    os.utime(ini, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES = [
    pytest.param(change, id=change.__name__)
    for change in (in_place, renamed_over, swapped, same_size_and_time)
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("policy", ["warn", "reload"])
def test_each_kind_of_change_is_seen(serve, change, policy):
    app = serve(app="word = aaaa", health=True, PASTEBOX_ON_CONFIG_CHANGE=policy)
    assert app.metric("config_drift") == 0
    change(app.ini, app.ini.read_text().replace("aaaa", "bbbb"))
    app.wait_log(r"the configuration has changed.*: \[app:main\] word")
    if policy == "reload":
        wait_until(lambda: app.get().text == "bbbb", "the new word")
        wait_until(lambda: app.metric("config_drift") == 0, "the end of the drift")
        assert app.metric("config_drifts_total") == 1
    else:
        assert app.get().text == "aaaa"
        assert app.metric("config_drift") == 1
        told = app.health("/readyz?verbose")
        assert told.status == 200
        assert "[~]configuration changed since it was loaded: [app:main] word" in told.text
        change(app.ini, app.ini.read_text().replace("bbbb", "aaaa"))
        app.wait_log("the configuration is again the one that is served")
        assert app.metric("config_drift") == 0
    assert app.stop() == 0


def test_policy_ignore_looks_at_nothing(serve):
    app = serve(app="word = aaaa", health=True, PASTEBOX_ON_CONFIG_CHANGE="ignore")
    app.ini.write_text(app.ini.read_text().replace("aaaa", "bbbb"))
    assert app.metric("config_drift") == 0
    assert "has changed" not in app.log()
    assert app.stop() == 0


def test_policy_exit_drains_and_ends_with_0(serve, tmp_path):
    app = serve(app="word = aaaa", PASTEBOX_ON_CONFIG_CHANGE="exit")
    call = Call(app.get, f"/slow?s=300&mark={tmp_path}/mark&until={tmp_path}/until")
    wait_until((tmp_path / "mark").exists, "the request to run")
    app.ini.write_text(app.ini.read_text().replace("aaaa", "bbbb"))
    app.wait_log("draining reason=configuration")
    (tmp_path / "until").touch()
    assert call.result().text == "slow"
    assert app.wait_exit() == 0


@pytest.mark.parametrize("policy", ["warn", "reload", "exit"])
def test_configuration_that_cannot_be_served_harms_nobody(serve, policy):
    app = serve(app="word = aaaa", health=True, PASTEBOX_ON_CONFIG_CHANGE=policy)
    good = app.ini.read_text()
    app.ini.write_text(good.replace("[app:main]", "[app:main"))
    app.wait_log("the configuration has changed and cannot be served: .*app.ini")
    assert app.get().text == "aaaa"
    assert "cannot be served" in app.health("/readyz?verbose").text
    app.ini.write_text(good)
    wait_until(lambda: app.metric("config_drift") == 0, "the end of the drift")
    assert app.get().text == "aaaa"
    assert app.stop() == 0


def test_comment_is_no_change(serve):
    app = serve(app="word = aaaa", PASTEBOX_ON_CONFIG_CHANGE="reload")
    text = app.ini.read_text()
    app.ini.write_text("# a remark\n" + text)
    app.ini.write_text("# a remark\n" + text.replace("aaaa", "bbbb"))
    app.wait_log("generation 2 serves")
    assert app.log().count("reloading") == 1
    assert app.stop() == 0


def test_overlay_secret_and_value_file_are_watched(serve, tmp_path):
    overlays, secrets, value = tmp_path / "conf.d", tmp_path / "secrets", tmp_path / "level"
    overlays.mkdir()
    secrets.mkdir()
    (secrets / "word").write_text("hush-one")
    value.write_text("info\n")
    app = serve(
        app="word = %(SECRET_word)s",
        PASTEBOX_OVERLAY_DIR=str(overlays),
        PASTEBOX_SECRETS_DIR=str(secrets),
        PASTEBOX_LOG_LEVEL_FILE=str(value),
        PASTEBOX_ON_CONFIG_CHANGE="reload",
    )
    assert app.get().text == "hush-one"
    renamed_over(secrets / "word", "hush-two")
    wait_until(lambda: app.get().text == "hush-two", "the new secret")
    app.wait_log("generation 1 drained")
    (overlays / "10.ini").write_text("[app:main]\nword = overlaid\n")
    wait_until(lambda: app.get().text == "overlaid", "the overlay")
    app.wait_log("generation 2 drained")
    value.write_text("debug\n")
    app.wait_log("has changed: PASTEBOX_LOG_LEVEL_FILE")
    app.wait_log("generation 4 serves")
    assert "hush" not in app.log()
    assert app.stop() == 0


def test_masters_logging_follows(serve):
    app = serve(more="[pastebox]\nlog_format = text\n", PASTEBOX_ON_CONFIG_CHANGE="reload")
    app.ini.write_text(app.ini.read_text().replace("log_format = text", "log_format = json"))
    app.wait_log(r'^\{.*"generation 1 drained')
    assert app.stop() == 0


def test_application_that_refuses_the_change_leaves_the_old_one(serve, tmp_path):
    app = serve(app="word = aaaa", health=True, PASTEBOX_ON_CONFIG_CHANGE="reload")
    good = app.ini.read_text()
    app.ini.write_text(good.replace("theapp:main", "theapp:nothing"))
    app.wait_log("failed to load, the one before goes on")
    assert app.get().text == "aaaa"
    assert app.metric("config_drift") == 1
    app.ini.write_text(good.replace("aaaa", "cccc"))
    wait_until(lambda: app.get().text == "cccc", "the mended configuration")
    wait_until(lambda: app.metric("config_drift") == 0, "the end of the drift")
    assert app.stop() == 0


def test_changes_under_load_lose_nothing(serve):
    """A tenth of the full number, which is in tests/soak."""
    app = serve(app="word = w0", PASTEBOX_ON_CONFIG_CHANGE="reload")
    over = threading.Event()
    calls = [Call(hammer, app, over), Call(keep_alive, app, over)]
    for number in range(1, 6):
        renamed_over(app.ini, app.ini.read_text().replace(f"w{number - 1}", f"w{number}"))
        wait_until(lambda number=number: app.get().text == f"w{number}", "the new word")
    over.set()
    assert all(call.result() > 10 for call in calls)
    assert app.stop() == 0


def hammer(app, over):
    count = 0
    while not over.is_set():
        answer = app.get()
        assert answer.status == 200
        count += 1
    return count


def keep_alive(app, over):
    count, connection = 0, app.connection()
    while not over.is_set():
        connection.request("GET", "/")
        answer = Answer(connection.getresponse())
        assert answer.status == 200
        if answer.says_close:
            connection.close()
        count += 1
    connection.close()
    return count


def test_setting_that_takes_a_restart_is_told_until_then(serve):
    app = serve(app="word = aaaa", health=True, PASTEBOX_ON_CONFIG_CHANGE="reload")
    good = app.ini.read_text()
    changed = good.replace("aaaa", "bbbb") + "[pastebox]\nworker_restarts = 6\n"
    app.ini.write_text(changed)
    app.wait_log("takes a restart, and stays as it is: worker_restarts")
    told = "[~]configuration takes a restart: worker_restarts"
    wait_until(lambda: told in app.health("/readyz?verbose").text, "the page to name it")
    assert app.get().text == "bbbb"
    assert app.metric("config_drift") == 1
    app.ini.write_text(good)
    wait_until(lambda: app.metric("config_drift") == 0, "the end of the drift")
    assert app.log().count("takes a restart") == 1
    assert app.stop() == 0


def test_changed_port_is_followed(serve):
    app = serve(PASTEBOX_ON_CONFIG_CHANGE="reload")
    port = free_port()
    app.ini.write_text(app.ini.read_text().replace("port = 0", f"port = {port}"))
    app.wait_log(f"listening on 127.0.0.1:{port} from now on")
    assert app.get(port=port).text == "one"
    assert app.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_mount_of_a_single_file_that_was_replaced_outside_is_told(serve, tmp_path):
    import shutil

    if shutil.which("unshare") is None:
        pytest.skip("no unshare")
    outside = tmp_path / "outside.ini"
    app = serve(
        app="word = aaaa",
        wrapper=(
            "unshare",
            "--mount",
            "sh",
            "-c",
            f'cp app.ini {outside} && mount --bind {outside} app.ini && exec "$@"',
            "sh",
        ),
    )
    renamed_over(outside, app.ini.read_text().replace("aaaa", "bbbb"))
    app.wait_log("app.ini was replaced outside, and a mount of a single file cannot follow")
    assert app.get().text == "aaaa"
    assert Path(app.ini).exists()
    assert app.stop() == 0
