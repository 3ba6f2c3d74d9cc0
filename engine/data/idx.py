"""The IDX format of MNIST and its relatives."""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np

from engine.data.bundle import DataError
from engine.data.whole_file import read_whole
from engine.text import plain

UINT8 = 0x08
COPIES = 2
"""Bytes, and the array."""


def read_idx(path: Path) -> np.ndarray:
    """The uint8 array in an IDX file, unpacked on the way if its name ends in .gz.

    Raises:
        DataError: it is missing, damaged, cut short, too large, or holds something else.
    """
    try:
        data = read_whole(path, COPIES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(path, str(error)) from None
    except OSError as error:
        raise DataError(f"{plain(str(path))} can't be read: {error.strerror}") from None
    if len(data) < 4 or data[:3] != bytes((0, 0, UINT8)) or not 1 <= data[3] <= 4:
        raise _damaged(path, "not an IDX file of bytes")
    header_bytes = 4 + 4 * data[3]
    if len(data) < header_bytes:
        raise _damaged(path, "cut short")
    shape = struct.unpack(f">{data[3]}I", data[4:header_bytes])
    if len(data) - header_bytes != prod(shape):
        raise _damaged(path, f"{len(data) - header_bytes:,} bytes where {prod(shape):,} are announced")
    # a copy: torch wants memory that may be written
    return np.frombuffer(data, np.uint8, offset=header_bytes).reshape(shape).copy()


def _damaged(path: Path, reason: str) -> DataError:
    return DataError(f"{plain(str(path))} is damaged ({plain(reason)}): delete it, and it is downloaded again")
