"""What stands in a run's lock: who holds it, in words for people and in marks that tell any two holds apart."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from engine.text import plain

ENTRY_BYTES = 256
"""Entries have one length, so that each replaces the one before in a single write and needs no new space on disk."""

_ENTRY = re.compile(r"(pid (\d{1,19}) on [^\n]*)\n(\w*) (\w*) (\d*)")


class Entry(NamedTuple):
    """What an engine writes into the lock."""

    name: str
    """`pid 123 on host`."""
    pid: int
    token: str
    """Differs between any two holds."""
    place: str
    """The machine, or the container on it, whose pids these are; empty where that can't be told."""
    born: str
    """When the process began, in the kernel's own count, so that another with its pid is not taken for it."""

    @property
    def is_ours(self) -> bool:
        """Whether the kernel here knows all about the process: flock tells, and pids mean something."""
        return self.place == _place()

    def lives(self) -> bool | None:
        """Whether the engine lives; None if that can't be told from here."""
        if not self.is_ours or not self.place:
            return None
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:  # there is such a process, of another user
            pass
        born = _born(self.pid)
        return None if not born or not self.born else born == self.born


def engine_name(pid: int, host: str) -> str:
    """What an engine is called, in its entry and to people."""
    return f"pid {pid} on {plain(host)}"


def own_entry() -> Entry:
    """A new entry for this process."""
    pid = os.getpid()
    return Entry(engine_name(pid, socket.gethostname()), pid, secrets.token_hex(8), _place(), _born(pid))


def entry_in(fd: int) -> Entry | None:
    """The entry that the file holds, None if it is blank or not to be understood."""
    match = _ENTRY.match(os.pread(fd, ENTRY_BYTES, 0).decode("utf-8", "replace"))
    return Entry(plain(match[1]), int(match[2]), match[3], match[4], match[5]) if match else None


def read_entry(folder: int) -> Entry | None:
    """The entry in the folder's lock, opened anew: only then does a network disk show what others wrote.

    Raises:
        OSError: it can't be read.
    """
    fd = os.open("lock", os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        return entry_in(fd)
    finally:
        os.close(fd)


def mtime_ns(folder: int) -> int:
    """When the folder's lock was touched, by the disk's clock."""
    return os.stat("lock", dir_fd=folder).st_mtime_ns


def write_entry(fd: int, entry: Entry | None) -> None:
    """Replace what the lock says; with nothing for None."""
    text = f"{entry.name}\n{entry.token} {entry.place} {entry.born}" if entry else ""
    os.pwrite(fd, text.encode("utf-8", "replace")[: ENTRY_BYTES - 1].ljust(ENTRY_BYTES - 1) + b"\n", 0)
    with suppress(OSError):  # some disks refuse, and what is written shows all the same
        os.fsync(fd)


@cache
def _place() -> str:
    """What tells this machine since its last start, and this container on it, from all others; empty if unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        container = os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    return hashlib.blake2b(f"{socket.gethostname()} {boot} {container}".encode(), digest_size=8).hexdigest()


def _born(pid: int) -> str:
    """When process `pid` began, in ticks since the machine did; empty if that can't be told, "0" if it is dead."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return "0" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return ""
