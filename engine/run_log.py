"""Append-only JSON lines: written by one process, read by any number while it grows."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import msgspec

from engine.own_file import open_own, read_own
from engine.text import plain

T = TypeVar("T")

CHUNK_BYTES = 4 << 20
"""Most that one `read` takes from the file, so that a viewer of a huge log stays responsive."""
LINE_LIMIT_BYTES = 1 << 20
"""A longer line is damage, not data."""
SKIP_BYTES = 16 * CHUNK_BYTES
"""Most that one `read` passes over while it finds nothing."""

TOO_LONG = f"longer than {LINE_LIMIT_BYTES >> 20} MiB"


class Damage(NamedTuple):
    """A line that could not be understood, and where it stands."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.reason}"


class LogWriter:
    """Appends whole lines to a file; safe for several processes at once (one write call per batch, O_APPEND)."""

    def __init__(self, path: Path) -> None:
        self._fd = open_own(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._torn = _ends_mid_line(path)
        self._has_name = os.fstat(self._fd).st_nlink > 0  # some disks don't count

    def append(self, *lines: bytes) -> None:
        """Write `lines` (without line ends).

        Raises:
            OSError: they could not be written whole, for instance on a full disk; nothing of them stays, or what
                does is fenced off by the next append.
        """
        data = (b"\n" if self._torn else b"") + b"".join(line + b"\n" for line in lines)
        stat = os.fstat(self._fd)
        if self._has_name and stat.st_nlink == 0:  # written to the end of days, and read by nobody
            raise FileNotFoundError(errno.ENOENT, "it has been deleted")
        began_at, written = stat.st_size, 0
        while written < len(data):
            try:
                written += os.write(self._fd, data[written:])
            except OSError:
                self._torn = not self._take_back(began_at, written) or self._torn
                raise
        self._torn = False

    def _take_back(self, began_at: int, written: int) -> bool:
        """Cut off what was written of lines that did not fit; whether nothing of them is left."""
        if written and os.fstat(self._fd).st_size == began_at + written:
            with suppress(OSError):
                os.ftruncate(self._fd, began_at)
                return True
        return not written

    def sync(self) -> int:
        """Have everything on disk that was appended, as far as the disk goes along; the file's size in bytes.

        Raises:
            OSError: the disk failed.
        """
        with suppress(OSError):  # some network disks can't; what the system holds outlives this process all the same
            os.fsync(self._fd)
        return os.fstat(self._fd).st_size

    def close(self) -> None:
        """Give the file back; further appends fail."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _ends_mid_line(path: Path) -> bool:
    with read_own(path) as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


class LogReader(Generic[T]):
    """Reads what has been appended since the last `read`. A half-written last line waits for its end.

    Args:
        path: The file; need not exist.
        decode: Says what a line tells: most often one item.
        rereads: Whether a file that was replaced or cut is read again from its start, or only what comes after.
    """

    def __init__(self, path: Path, decode: Callable[[bytes], Iterable[T]], rereads: bool = True) -> None:
        self.path = path
        self.damages: list[Damage] = []
        self.offset = 0
        """Bytes consumed, always a line's start."""
        self._decode, self._rereads = decode, rereads
        self._line = 0
        self._skipping = False
        self._identity: tuple[int, int] | None = None

    def read(self) -> list[T]:
        """Items of the next `CHUNK_BYTES` that hold any.

        Empty at the file's end, while there is no file, and where `SKIP_BYTES` hold nothing: then `offset` has moved.

        Raises:
            OSError: the file exists but can't be read.
        """
        began_at = self.offset
        while True:
            before = self.offset
            items = self._take(self._chunk())
            if items or self.offset == before or self.offset - began_at >= SKIP_BYTES:
                return items

    def _chunk(self) -> bytes:
        try:
            with read_own(self.path) as file:
                stat = os.fstat(file.fileno())
                self._notice_replacement((stat.st_dev, stat.st_ino), stat.st_size)
                file.seek(self.offset)
                return file.read(CHUNK_BYTES)
        except FileNotFoundError:
            return b""

    def read_all(self) -> Iterator[T]:
        """Items up to the file's present end, chunk by chunk.

        Raises:
            OSError: the file exists but can't be read.
        """
        while True:
            before = self.offset
            items = self.read()
            yield from items
            if not items and self.offset == before:
                return

    def _notice_replacement(self, identity: tuple[int, int], size: int) -> None:
        if self._identity not in (None, identity) or size < self.offset:
            self.offset, self._line = (0 if self._rereads else size), 0
            self._skipping = False
        self._identity = identity

    def _take(self, data: bytes) -> list[T]:
        end = data.rfind(b"\n") + 1
        if end == 0:
            if len(data) >= LINE_LIMIT_BYTES:
                if not self._skipping:
                    self._damaged(self._line + 1, TOO_LONG)
                self._skipping = True
                self.offset += len(data)
            return []
        self.offset += end
        begin = 0
        if self._skipping:
            self._skipping = False
            self._line += 1
            begin = data.index(b"\n") + 1
        return self._items(data, begin, end) if begin < end else []

    def _items(self, data: bytes, begin: int, end: int) -> list[T]:
        """What the lines from `begin` to `end` say; each has its end."""
        decode, items = self._decode, list[T]()
        lines = data[begin : end - 1].split(b"\n")
        for number, line in enumerate(lines, self._line + 1):
            if not line:
                continue
            if len(line) > LINE_LIMIT_BYTES:
                self._damaged(number, TOO_LONG)
                continue
            try:
                items += decode(line)
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                self._damaged(number, plain(str(error))[:300])
        self._line += len(lines)
        return items

    def _damaged(self, line: int, reason: str) -> None:
        if len(self.damages) < 1000:
            self.damages.append(Damage(self.path.name, line, reason))


def pieces(data: bytes, begin: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """Where pieces of whole lines begin and end: of at most `size` bytes, or else one line."""
    while begin < end:
        stop = data.rfind(b"\n", begin, min(end, begin + size)) + 1 or data.index(b"\n", begin) + 1
        yield begin, stop
        begin = stop
