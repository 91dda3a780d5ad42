"""Workers on CPUs of their own: by every server with one interpreter in a process, for good."""

import contextlib
import importlib.util
import os

import pytest
from app_process import children_of, wait_until

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no CPU masks here"),
]

RUNNERS = [
    pytest.param("egg:waitress#main", "", id="waitress"),
    pytest.param("egg:pyramid#wsgiref", "", id="wsgiref"),
    pytest.param("egg:PasteScript#twisted", "twisted", id="twisted"),
    pytest.param("egg:PasteScript#cherrypy", "cheroot", id="cherrypy"),
    pytest.param("egg:pastebox#granian", "granian", id="granian"),
    pytest.param("egg:PasteScript#flup_scgi_thread", "", id="scgi"),
]


def ini(use):
    return (
        "[app:main]\npaste.app_factory = theapp:main\n"
        f"[server:main]\nuse = {use}\nhost = 127.0.0.1\nport = 0\n"
    )


def masks(app):
    """Return the CPUs of each worker that has one of its own."""
    found = []
    for pid in app.children():
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            found.append(os.sched_getaffinity(pid))
    return sorted(min(mask) for mask in found if len(mask) == 1)


@pytest.mark.parametrize(("use", "module"), RUNNERS)
def test_each_worker_has_a_cpu_and_none_more_than_its_share(start, use, module):
    if module and importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    cpus = sorted(os.sched_getaffinity(0))
    workers = min(len(cpus), 2) + 1
    app = start(ini=ini(use), PASTEBOX_WORKERS=str(workers), PASTEBOX_CPU_AFFINITY="auto")
    told = app.wait_log(r"cpu_affinity=auto: (.*) workers=(\d+) cpus=(\S+)")
    assert told[3] == ",".join(map(str, cpus))
    assert told[1] == ("several workers on one" if workers > len(cpus) else told[1])
    app.wait_log(r"listening on")
    found = wait_until(lambda: len(m := masks(app)) == workers and m, "masks of all workers")
    assert set(found) <= set(cpus)
    share = -(-workers // len(cpus))
    assert max(found.count(cpu) for cpu in cpus) <= share
    assert app.stop() == 0


def test_a_successor_has_the_cpu_of_the_worker_before_it(serve):
    app = serve(PASTEBOX_WORKERS="3", PASTEBOX_CPU_AFFINITY="auto", PASTEBOX_MAX_REQUESTS="20")
    cpus = {pid: os.sched_getaffinity(pid) for pid in app.children()}
    for number in range(1, 5):
        while app.log().count("worker recycled") < number:
            app.get()
        found = app.wait_log(r"worker recycled pid=(\d+) successor=(\d+)", count=number)
        before, after = int(found[1]), int(found[2])
        cpus[after] = os.sched_getaffinity(after)
        assert cpus[after] == cpus[before]
    assert app.stop() == 0


def test_children_of_a_forking_server_use_all_cpus(start):
    app = start(ini=ini("egg:PasteScript#flup_scgi_fork"), PASTEBOX_CPU_AFFINITY="auto")
    app.wait_log("cpu_affinity=auto: no effect with flup_scgi_fork, whose processes are its own")
    app.wait_log("listening on")
    (parent,) = app.children()
    children = wait_until(lambda: children_of(parent), "the server's own children")
    for pid in (parent, *children):
        assert os.sched_getaffinity(pid) == os.sched_getaffinity(0)
    assert app.stop() == 0


def test_what_first_boot_delays_is_told_all_the_same(start, tmp_path):
    hook = tmp_path / "hooks" / "pre-serve" / "10-nothing.sh"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    app = start(
        PASTEBOX_SETUP="auto",
        PASTEBOX_HOOKS_DIR=str(tmp_path / "hooks"),
        PASTEBOX_CPU_AFFINITY="auto",
    )
    app.wait_log("listening on")
    assert app.log().count("cpu_affinity=auto: each worker on one of its own workers=1") == 1
    assert app.stop() == 0
