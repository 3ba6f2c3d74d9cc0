"""What the command line prints is made of: columns, ages, and colour where it is wanted."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TextIO

from rich.cells import cell_len, set_cell_size

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
STATUS_STYLES = {
    "starting": "dim",
    "running": "cyan",
    "paused": "yellow",
    "finished": "green",
    "stopped": "dim",
    "failed": "red",
    "died": "red",
}
WIDTH_UNLIMITED = 10_000


def prepare_streams() -> None:
    """Let stdout and stderr replace what their encoding lacks, instead of raising; one that is closed leads nowhere."""
    _open_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _open_closed() -> None:
    """Open what was closed, as by `2>&-`: else Python has no such stream, and the next file that is opened takes its
    number, and whatever is printed."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        with suppress(OSError):
            if getattr(sys, name) is None:
                setattr(sys, name, open(os.devnull, "w" if fd else "r", encoding="utf-8"))  # noqa: SIM115
        with suppress(OSError):
            try:
                os.fstat(fd)
            except OSError:
                os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
                os.set_inheritable(fd, True)


def styled(text: str, style: str, stream: TextIO | None = None) -> str:
    """`text` in a style of `_CODES` if `stream` (stdout if absent) is a terminal that wants colour."""
    stream = stream or sys.stdout
    wanted = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if wanted and text else text


def can_show(text: str) -> bool:
    """Whether stdout's encoding has every character of `text`."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def width() -> int:
    """Columns of the terminal; unlimited where stdout is none, so that pipes get whole lines."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH_UNLIMITED


def table(header: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str] = ()) -> str:
    """Rows in columns, cut to the terminal's width.

    Args:
        header: Names of the columns.
        rows: Cells, without control characters.
        styles: One per row, for its second cell.
    """
    widths = [max(map(cell_len, column)) for column in zip(header, *rows, strict=True)]
    limit = width()
    lines = [styled(_row(header, widths, limit), "bold")]
    for index, row in enumerate(rows):
        line = _row(row, widths, limit)
        if styles:
            line = line.replace(f"  {row[1]}", f"  {styled(row[1], styles[index])}", 1)
        lines.append(line)
    return "\n".join(lines)


def _row(cells: Sequence[str], widths: Sequence[int], limit: int) -> str:
    line = "  ".join(set_cell_size(cell, size) for cell, size in zip(cells, widths, strict=True)).rstrip()
    return line if cell_len(line) <= limit else set_cell_size(line, limit).rstrip()


def print_json(value: Any, stream: TextIO | None = None) -> None:
    """Print `value` to `stream` (or stdout) as indented JSON, in ASCII: a path may hold bytes that are no text."""
    print(json.dumps(value, indent=2), file=stream)


def ago(seconds: float) -> str:
    """How long ago something was, in words: `just now`, `5 min ago`, `3 days ago`."""
    for unit, size in (("day", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''} ago"
    return "just now" if seconds < 10 else f"{int(seconds)} s ago"
