"""Who still holds a lock whose taker is dead."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_FLOCK = re.compile(r"^lock:.* FLOCK +\w+ +WRITE +(\d+) ", re.MULTILINE)


def orphans_of(fd: int) -> list[int]:
    """Processes that hold the flock on the file open at `fd` without having taken it: forks of the one that did.

    Empty where none of them may be looked at, or this system does not tell.
    """
    file = os.fstat(fd)
    return sorted(pid for pid in _pids() if any(_is_heir(pid, path) for path in _opened(pid, file.st_dev, file.st_ino)))


def _pids() -> Iterator[int]:
    with suppress(OSError):
        yield from (int(name) for name in os.listdir("/proc") if name.isascii() and name.isdigit())


def _opened(pid: int, device: int, inode: int) -> Iterator[Path]:
    """What the kernel says of each descriptor by which process `pid` has the file open."""
    with suppress(OSError):  # it has ended, or is another user's
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                file = os.stat(f"/proc/{pid}/fd/{name}")
                if (file.st_dev, file.st_ino) == (device, inode):
                    yield Path(f"/proc/{pid}/fdinfo/{name}")


def _is_heir(pid: int, path: Path) -> bool:
    try:
        taken = _FLOCK.search(path.read_text("ascii", "replace"))
    except OSError:
        return False
    return taken is not None and int(taken[1]) != pid
