"""Reads an event log for whoever folds it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from engine import events as ev
from engine.rows import HistoryItem, Rows, history_of
from engine.run_log import LogReader, pieces

if TYPE_CHECKING:
    from engine.row_blocks import BlockDecoder

BLOCK_BYTES = 512 << 10
"""What is taken together: a few milliseconds."""
FIRST_BYTES = 16 << 10
"""What shows which metrics there are; taken one by one."""
KEPT_BYTES = 16 << 20
"""The C library of Linux gives memory back above twice the largest block that was ever handed back to it. One of this
size, never touched, spares a long log 70,000 page faults, a tenth of its time: the next piece needs as much again."""
SMALL_BYTES = 4 << 10
"""Less is as quickly taken one by one."""


class HistoryReader(LogReader[HistoryItem]):
    """Most rows come in columns, everything else as events, in order.

    A log whose rows are all of the same metrics, as those of a run are, is read many times as fast as event by event.
    Folded it gives the same.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, lambda line: (history_of(line),))
        self._keys: tuple[str, ...] = ()
        self._decoder: BlockDecoder | None = None

    def _items(self, data: bytes, begin: int, end: int) -> list[HistoryItem]:
        items: list[HistoryItem] = []
        if end - begin > BLOCK_BYTES:
            _have_memory_kept()
        while begin < end:
            start, begin = next(pieces(data, begin, end, BLOCK_BYTES if self._keys else FIRST_BYTES))
            items += self._items_of_block(data, start, begin)
        return items

    def _items_of_block(self, data: bytes, begin: int, end: int) -> Sequence[HistoryItem]:
        if self._keys and SMALL_BYTES < end - begin <= BLOCK_BYTES:
            told = self._decoder_of_blocks().decode(memoryview(data)[begin:end])
            if told is not None:
                items, lines = told
                self._line += lines
                return items
        items = super()._items(data, begin, end)
        last = next((item for item in reversed(items) if isinstance(item, (ev.MetricsLogged, Rows))), None)
        self._keys = tuple(last.values) if last is not None else self._keys
        return items

    def _decoder_of_blocks(self) -> BlockDecoder:
        from engine.row_blocks import BlockDecoder  # brings numpy, not before a long log is read

        if self._decoder is None or self._decoder.keys != self._keys:
            self._decoder = BlockDecoder(self._keys)
        return self._decoder


@cache
def _have_memory_kept() -> None:
    bytes(KEPT_BYTES)  # given back at once
