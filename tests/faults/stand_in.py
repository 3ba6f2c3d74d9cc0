"""Processes of `dltui` on a machine that is not quite this one: a disk without locks, another host, another user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NO_FLOCK = """
import errno, fcntl
def flock(fd, operation):
    raise OSError(errno.ENOLCK, "No locks available")
fcntl.flock = flock
"""
"""As on a network disk whose server keeps no locks."""
FLOCK_OF_ONE_MACHINE = """
import fcntl
fcntl.flock = lambda fd, operation: None
"""
"""As seen from a second machine, where a disk keeps locks among the processes of one."""
QUICK = "import engine.run_lock as r; r.BEAT_EVERY_S, r.WATCH_S, r.SETTLE_S = 0.1, 3.0, 0.1"
"""An engine that beats ten times a second."""


def on_host(name: str) -> str:
    """As on a host of that name."""
    return f"import socket\nsocket.gethostname = lambda: {name!r}\n"


def altered(folder: Path, *changes: str) -> dict[str, str]:
    """An environment in which Python starts with `changes` made. `folder` is to be that environment's own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text("\n".join(changes))
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


NOBODY, ANOTHER = 65534, 65533


def as_user(uid: int) -> list[str]:
    """What to put before a command to have it run by `uid`; skips the test where that can't be done."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("becoming another user takes root and setpriv")
    prefix = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    probe = [*prefix, sys.executable, "-P", "-c", "import engine, tui"]
    if subprocess.run(probe, capture_output=True, timeout=120).returncode:
        pytest.skip("another user can't read this checkout and its environment")
    return prefix


def without_privileges() -> list[str]:
    """What to put before a command so that root has to keep to permission bits as well; skips where that can't be."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root passes over permissions, and there is no setpriv to prevent that")
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("root passes over permissions, and may not give that up here")
    return prefix
