"""A user's own table of numbers."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import NoReturn

import numpy as np

from engine.csv_shape import delimiter_of, is_header, split_cells
from engine.data.bundle import DataBundle, DataError, Split
from engine.data.draws import floats
from engine.data.splits import hold_out, standardised
from engine.data.whole_file import read_whole
from engine.places import expanded
from engine.schema import data as schema
from engine.text import plain

FLOAT32_MAX = float(np.finfo(np.float32).max)
COPIES = 4
"""Bytes, text, lines, and the numbers."""


def load_csv(data: schema.Csv, seed: int, data_dir: Path) -> DataBundle:
    """The table's rows, split; every column but the target is a feature.

    Raises:
        DataError: the file is missing, empty or damaged, or a cell is not what it should be; the message names it.
    """
    path = data_dir / expanded(data.path)
    table, first_line = _read(path)
    rows, width = table.shape
    column = _target_column(data.target, width, path)
    if data.targets == "binary":
        _check_binary(table[:, column], column, first_line, path)
    if rows < 2:
        raise DataError(f"{_shown(path)} has one row: two at least are needed, one of them to be held out")
    train, val = hold_out(rows, data.val_share, table[:, column] if data.targets == "binary" else None)
    features = np.delete(table, column, axis=1)
    inputs = floats(standardised(features, train) if data.standardise else features)
    targets = floats(table[:, [column]])
    return DataBundle(
        train=Split(inputs[train], targets[train]),
        val=Split(inputs[val], targets[val]),
        input_shape=(width - 1,),
        outputs=1,
        class_names=("0", "1") if data.targets == "binary" else (),
    )


def _read(path: Path) -> tuple[np.ndarray, list[int]]:
    """The table's numbers, and the line of the file on which each row stands."""
    lines = _lines(path)
    if not lines:
        raise DataError(f"{_shown(path)} is empty: it needs rows of numbers")
    header = split_cells(lines[0][1])
    width, delimiter = len(header), delimiter_of(lines[0][1])
    if is_header(header):
        lines = lines[1:]
        if not lines:
            raise DataError(f"{_shown(path)} has a header and no rows: it needs rows of numbers")
    if width < 2:
        raise DataError(f"{_shown(path)} has one column: a target and at least one feature are needed")
    try:
        table = np.loadtxt([text for _, text in lines], delimiter=delimiter, quotechar='"', comments=None, ndmin=2)
    except ValueError:
        _blame(lines, width, delimiter, path)
    if table.shape[1] != width or not (np.abs(table) <= FLOAT32_MAX).all():
        _blame(lines, width, delimiter, path)
    return table, [number for number, _ in lines]


def _lines(path: Path) -> list[tuple[int, str]]:
    try:
        text = read_whole(path, COPIES).decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{_shown(path)} is not there: set data.path to a .csv or .csv.gz file") from None
    except UnicodeDecodeError:
        raise DataError(f"{_shown(path)} is not UTF-8 text: save it as CSV in UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{_shown(path)} can't be read ({plain(reason)}): put a whole file in its place") from None
    # not splitlines(), which parts them at form feeds too, and at others that no editor counts
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _blame(lines: list[tuple[int, str]], width: int, delimiter: str, path: Path) -> NoReturn:
    """Name the first line or cell that is not as it should be."""
    for number, line in lines:
        if line.count('"') % 2:
            raise DataError(f"{_shown(path)}, line {number}: a quotation mark without a second one that closes it")
        cells = [cell.strip().strip('"').strip() for cell in line.split(delimiter)]
        if len(cells) != width:
            raise DataError(f"{_shown(path)}, line {number}: {len(cells)} columns, where the first line has {width}")
        for column, cell in enumerate(cells, 1):
            if reason := _fault(cell):
                raise DataError(f"{_shown(path)}, line {number}, column {column}: {reason}")
    raise DataError(f"{_shown(path)} is no table of numbers: one row per line, cells parted by '{delimiter}'")


def _fault(cell: str) -> str:
    """What is wrong with a cell, empty if nothing is."""
    if not cell:
        return "the cell is empty: fill it, or leave the row out"
    try:
        if "_" in cell or not cell.isascii():  # a number in Python, and nowhere else
            raise ValueError
        value = float(cell)
    except ValueError:
        return f"'{plain(cell)[:40]}' is not a number"
    return "" if abs(value) <= FLOAT32_MAX else f"'{plain(cell)[:40]}' is not a finite number"


def _target_column(target: int, width: int, path: Path) -> int:
    """The target's column, counted from 0."""
    if not -width <= target < width:
        raise DataError(f"{_shown(path)} has {width} columns: data.target {target} is none of {-width} to {width - 1}")
    return target % width


def _check_binary(values: np.ndarray, column: int, lines: list[int], path: Path) -> None:
    wrong = np.flatnonzero((values != 0) & (values != 1))
    if len(wrong):
        raise DataError(
            f"{_shown(path)}, line {lines[wrong[0]]}, column {column + 1}: {values[wrong[0]]:g} is neither 0 nor 1; "
            "name another column with data.target, or set data.targets to numbers and task to regression"
        )


def _shown(path: Path) -> str:
    return plain(str(path))
