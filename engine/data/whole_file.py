"""Files that are read whole, without filling the memory."""

from __future__ import annotations

import gzip
from contextlib import nullcontext
from pathlib import Path
from typing import NoReturn

import psutil

from engine.data.bundle import DataError
from engine.own_file import read_own
from engine.text import plain

PIECE_BYTES = 16 << 20


def read_whole(path: Path, copies: int) -> bytes:
    """What is in a file, unpacked if its name ends in .gz. A pipe or a device, which may have no end, is no file.

    Args:
        path: The file, or a link to it.
        copies: How many times its bytes will be in memory, in one form or another, until they are data.

    Raises:
        DataError: it takes more memory than is free, such as a few bytes that unpack to very many.
        OSError, EOFError, zlib.error: it is missing, damaged, or can't be read.
    """
    pieces, taken, free = list[bytes](), 0, 0
    with read_own(path, follow=True) as file, gzip.open(file) if path.suffix == ".gz" else nullcontext(file) as content:
        try:
            while piece := content.read(PIECE_BYTES):
                pieces.append(piece)
                taken += len(piece)
                if len(pieces) > 1:  # of the many small files of a folder none is worth the question
                    free = free or psutil.virtual_memory().available
                    if taken * copies > free:
                        wanted = f"more than {taken * copies / 1e9:,.1f} GB of memory"
                        _refuse(path, f"{wanted}, and {free / 1e9:,.1f} GB are free")
            return b"".join(pieces)
        except MemoryError:  # where a limit is set for the process, however much is free
            _refuse(path, "more memory than this process is given")


def _refuse(path: Path, what: str) -> NoReturn:
    raise DataError(f"{plain(str(path))} takes {what}: take a smaller file, or free some memory") from None
