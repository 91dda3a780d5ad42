"""The number of workers from fake control groups, version 1 and 2."""

import os

import pytest

from pastebox.master.prepare import worker_count
from pastebox.master.sizing import MOST, size
from pastebox.option import Given
from pastebox.process.cgroup import Limits, read_limits
from pastebox.settings import Settings

GB = 1 << 30
MB = 1 << 20

V1 = "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n2:cpuset:/docker/abc\n0::/\n"

TREES = [
    pytest.param("0::/\n", {}, (8, None, None), id="nothing is limited"),
    pytest.param("", {}, (8, None, None), id="no cgroups at all"),
    pytest.param("0::/../../x\n", {"memory.max": "1024"}, (8, None, 1024), id="v2 from outside"),
    pytest.param(
        "0::/\n",
        {"cpu.max": "garbage", "memory.max": "-1", "cpuset.cpus.effective": "3-x"},
        (8, None, None),
        id="v2 nonsense limits nothing",
    ),
    pytest.param("0::/\n", {"cpu.max": "25000 100000"}, (8, 0.25, None), id="v2 a quarter"),
    pytest.param(
        "0::/\n",
        {"cpu.max": "150000 100000", "memory.max": str(512 * MB)},
        (8, 1.5, 512 * MB),
        id="v2 as a container sees it",
    ),
    pytest.param(
        "0::/\n", {"cpu.max": "max 100000", "memory.max": "max"}, (8, None, None), id="v2 max"
    ),
    pytest.param(
        "0::/kubepods/pod1/c1\n",
        {
            "kubepods/pod1/c1/cpu.max": "400000 100000",
            "kubepods/pod1/cpu.max": "200000 100000",
            "kubepods/pod1/c1/memory.max": str(2 * GB),
            "kubepods/memory.max": str(1 * GB),
        },
        (8, 2.0, GB),
        id="v2 the least on the way up",
    ),
    pytest.param("0::/\n", {"cpuset.cpus.effective": "0-1,4"}, (3, None, None), id="v2 cpuset"),
    pytest.param("0::/\n", {"cpuset.cpus.effective": ""}, (8, None, None), id="v2 empty cpuset"),
    pytest.param(
        V1,
        {
            "cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "50000",
            "cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000",
            "memory/docker/abc/memory.limit_in_bytes": str(256 * MB),
            "cpuset/docker/abc/cpuset.cpus": "2",
        },
        (1, 0.5, 256 * MB),
        id="v1 as the host sees it",
    ),
    pytest.param(
        V1,
        {
            "cpu/cpu.cfs_quota_us": "300000",
            "cpu/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": "9223372036854771712",
        },
        (8, 3.0, None),
        id="v1 in a container, memory without a limit",
    ),
    pytest.param(
        V1,
        {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
        (8, None, None),
        id="v1 without a quota",
    ),
    pytest.param("0::/\n", {"cpu.max": "rubbish", "memory.max": "x"}, (8, None, None), id="junk"),
    pytest.param("rubbish\n", {"cpu.max": "100000 100000"}, (8, 1.0, None), id="junk membership"),
]


@pytest.mark.parametrize(("membership", "files", "expected"), TREES)
def test_limits_of_a_tree(tmp_path, membership, files, expected):
    root = tmp_path / "cgroup"
    root.mkdir()
    (tmp_path / "membership").write_text(membership)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert read_limits(str(root), str(tmp_path / "membership"), cpus=8) == expected


def test_limits_of_this_process_are_sane():
    limits = read_limits()
    assert 1 <= limits.cpus <= (os.cpu_count() or 1)
    assert limits.quota is None or limits.quota > 0


SIZES = [
    pytest.param((4, None, None), 1, 4, "workers=4 from cpus 4", id="one for each cpu"),
    pytest.param((4, None, None), 2, 8, "workers=8 from cpus 4", id="two for each cpu"),
    pytest.param(
        (8, 1.5, 512 * MB), 2, 3, "workers=3 from cpu quota 1.5, memory 512 MB", id="quota"
    ),
    pytest.param((8, 0.1, None), 1, 1, "workers=1 from cpu quota 0.1", id="never none"),
    pytest.param((2, 8.0, None), 1, 2, "workers=2 from cpus 2", id="quota above the cpus"),
    pytest.param((8, None, 256 * MB), 1, 3, "workers=3 from cpus 8, memory 256 MB", id="memory"),
    pytest.param((8, None, 32 * MB), 1, 1, "workers=1 from cpus 8, memory 32 MB", id="tiny"),
    pytest.param((64, None, None), 2, MOST, "workers=12 from cpus 64, at most 12", id="capped"),
]


@pytest.mark.parametrize(("limits", "per_cpu", "workers", "why"), SIZES)
def test_size(limits, per_cpu, workers, why):
    assert size(Limits(*limits), per_cpu=per_cpu) == (workers, why)


COUNTS = [
    pytest.param(None, None, False, 1, "", id="one for our own servers"),
    pytest.param("3", None, False, 3, "", id="as set"),
    pytest.param("auto", None, False, 8, "workers=8 from cpus 8", id="auto for our own"),
    pytest.param(None, None, True, 8, "workers=8 from cpus 8", id="auto is the default of others"),
    pytest.param(None, "5", True, 5, "", id="the server's own option"),
    pytest.param(
        None, "auto", True, 8, "workers=8 from cpus 8", id="the server's own option is auto"
    ),
    pytest.param("3", "5", True, 3, "", id="the setting replaces the option"),
    pytest.param("W3", "5", True, 5, "", id="the option wins over WEB_CONCURRENCY"),
    pytest.param("W3", None, True, 3, "", id="WEB_CONCURRENCY for others"),
    pytest.param("W3", "5", False, 3, "", id="WEB_CONCURRENCY for our own servers"),
    pytest.param(
        "auto", "5", True, 8, "workers=8 from cpus 8", id="auto replaces the option as well"
    ),
]


@pytest.mark.parametrize(("setting", "option", "many", "workers", "why"), COUNTS)
def test_who_says_how_many(setting, option, many, workers, why):
    origin = "environment WEB_CONCURRENCY" if (setting or "").startswith("W") else "argument"
    given = {} if setting is None else {"workers": Given(setting.lstrip("W"), origin)}
    settings = Settings(given)
    found = worker_count(
        settings, option, is_multiprocess=many, per_cpu=1.0, limits=lambda: Limits(8, None, None)
    )
    assert found == (workers, why)
