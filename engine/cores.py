"""How many cores a process may keep busy: those it is allowed on, or fewer where its control group has a quota."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class Cores(NamedTuple):
    """What this process may compute with."""

    allowed: int
    """Cores it may be scheduled on."""
    quota: float | None
    """How many cores' worth of time it gets, as a container or a service may be limited; None if that is not so."""

    @property
    def usable(self) -> int:
        """Whole cores it can keep busy."""
        return self.allowed if self.quota is None else max(1, min(self.allowed, int(self.quota)))


def find_cores(root: Path = Path("/")) -> Cores:
    """What this process may compute with, as the system below `root` says."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Cores(allowed, min(_quotas(root), default=None))


def _quotas(root: Path) -> list[float]:
    """Of the process's own control group and of all around it, in both versions of control groups."""
    found = []
    for folder in _groups(root):
        # missing where nothing is limited, and everywhere but on Linux
        with suppress(OSError, ValueError):
            limit, period_us = (folder / "cpu.max").read_text().split()
            found.append(int(limit) / int(period_us))  # "max" is no number
        with suppress(OSError, ValueError):
            limit_us = int((folder / "cpu.cfs_quota_us").read_text())
            if limit_us > 0:
                found.append(limit_us / int((folder / "cpu.cfs_period_us").read_text()))
    return found


def _groups(root: Path) -> list[Path]:
    """Folders of the control groups that this process is in. A container may see its own as the topmost one."""
    mounts = {"": root / "sys/fs/cgroup", "cpu": root / "sys/fs/cgroup/cpu"}
    folders = list(mounts.values())
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            mount = mounts.get("cpu" if "cpu" in controllers.split(",") else controllers)
            inside = PurePosixPath(path.lstrip("/"))
            if mount is not None and ".." not in inside.parts:
                folders += [mount / part for part in (inside, *inside.parents)]
    return folders
