"""How many cores a process may keep busy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.cores import Cores, find_cores
from engine.devices import default_threads


def quota_of(root: Path, files: dict[str, str]) -> float | None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return find_cores(root).quota


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ({"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        (
            {
                "proc/self/cgroup": "0::/work.slice/runs.service\n",
                "sys/fs/cgroup/work.slice/cpu.max": "200000 100000\n",
                "sys/fs/cgroup/work.slice/runs.service/cpu.max": "max 100000\n",
            },
            2.0,
        ),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/cpu.max": "200000 100000\n",
                "sys/fs/cgroup/a/b/cpu.max": "50000 50000\n",
            },
            1.0,
        ),
        ({"proc/self/cgroup": "0::/../../elsewhere\n", "elsewhere/cpu.max": "100000 100000\n"}, None),
        (
            {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"},
            None,
        ),
        (
            {
                "proc/self/cgroup": "12:memory:/x\n3:cpu,cpuacct:/docker/1a\n0::/x\n",
                "sys/fs/cgroup/cpu/docker/1a/cpu.cfs_quota_us": "400000\n",
                "sys/fs/cgroup/cpu/docker/1a/cpu.cfs_period_us": "100000\n",
            },
            4.0,
        ),
        ({"proc/self/cgroup": "nonsense\n", "sys/fs/cgroup/cpu.max": "nonsense\n"}, None),
    ],
)
def test_a_quota_is_that_of_the_control_group_or_of_one_around_it(
    tmp_path: Path, files: dict[str, str], quota: float | None
) -> None:
    assert quota_of(tmp_path, files) == quota


@pytest.mark.parametrize(
    ("allowed", "quota", "usable"),
    [(8, None, 8), (8, 4.0, 4), (8, 4.9, 4), (8, 0.5, 1), (2, 16.0, 2)],
)
def test_whole_cores_are_used(allowed: int, quota: float | None, usable: int) -> None:
    assert Cores(allowed, quota).usable == usable


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes can't be kept on a core here")
def test_one_core_fewer_computes_than_may_be_used() -> None:
    cores = os.sched_getaffinity(0)
    assert default_threads() == max(1, find_cores().usable - 1)
    try:
        os.sched_setaffinity(0, {min(cores)})
        assert find_cores().allowed == 1
        assert default_threads() == 1
    finally:
        os.sched_setaffinity(0, cores)
