"""How large a table is, counted without reading its numbers. No torch and no NumPy here: the form calls this."""

from __future__ import annotations

import gzip
import io
import zlib
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import BinaryIO, cast

from engine.own_file import read_own

COUNTED_BYTES = 64 << 20
"""A larger file is not counted while somebody types."""
LINE_LIMIT_BYTES = 1 << 20
DELIMITERS = ",;\t"


def csv_shape(path: Path) -> tuple[int, int]:
    """Rows (without a header line) and columns of a .csv or .csv.gz file. Counting a file again costs nothing.

    Raises:
        OSError: it is missing or can't be read.
        ValueError: it is too large to be counted in passing, or is no table.
    """
    stat = path.stat()
    return _counted(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=32)
def _counted(path: Path, mtime_ns: int, size: int) -> tuple[int, int]:
    try:
        with open_table(path) as file:
            return _count(file)
    except (EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is damaged: {error}") from None


def _count(file: BinaryIO) -> tuple[int, int]:
    taken, rows, first = 0, 0, b""
    while line := file.readline(LINE_LIMIT_BYTES):
        taken += len(line)
        if taken > COUNTED_BYTES or (len(line) == LINE_LIMIT_BYTES and not line.endswith(b"\n")):
            raise ValueError("too large to be counted in passing")
        if line.strip():
            rows += 1
            first = first or line
    if not rows:
        raise ValueError("empty")
    cells = split_cells(first.decode("utf-8-sig"))
    return rows - is_header(cells), len(cells)


def open_table(path: Path) -> BinaryIO:
    """A table's bytes, unpacked if its name ends in .gz. A pipe or a device is no table."""
    file = read_own(path, follow=True)
    return cast(BinaryIO, io.BufferedReader(gzip.open(file))) if path.suffix == ".gz" else file


def split_cells(line: str) -> list[str]:
    """Cells of a line, without quotes and blanks around them."""
    return [cell.strip().strip('"').strip() for cell in line.strip("\r\n").split(delimiter_of(line))]


def delimiter_of(line: str) -> str:
    """What parts the cells of a line: comma, semicolon or tab, whichever is there most often."""
    return max(DELIMITERS, key=line.count)


def is_header(cells: list[str]) -> bool:
    """Whether a table's first line names its columns: none of its cells is a number, and it has any."""
    return any(cells) and not any(is_number(cell) for cell in cells)


def is_number(cell: str) -> bool:
    """Whether a cell holds a number, finite or not."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def held_out_rows(rows: int, share: float) -> int:
    """How many of `rows` (at least 2) are held out at `share`: at least one, and not all."""
    return min(max(1, ceil(rows * share)), rows - 1)
