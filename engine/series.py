"""Metrics over a run, in columns: what is logged together keeps its steps and times but once."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

# more than any run has: a log from a stranger must not fill the memory
SERIES_LIMIT = 1000
_WAYS_KEPT = 100
"""Of `SERIES_LIMIT` keys at most."""
PARTS_KEPT = 300
"""So many parts of a long log are put together at once: arrays that grow by one after another are copied all the time,
which took 0.1 s of a log of a million rows."""


class Table(NamedTuple):
    """Columns of equal length."""

    steps: array[int]
    elapsed_s: array[float]
    values: dict[str, array[float]]
    """By their keys."""


class Track:
    """Rows of the same metrics; steps never fall."""

    __slots__ = ("_parts", "_table", "cuts")

    def __init__(self, keys: Iterable[str]) -> None:
        self._table = Table(array("q"), array("d"), {key: array("d") for key in keys})
        self._parts: list[Table] = []
        self.cuts = 0

    @property
    def keys(self) -> Collection[str]:
        """Which metrics."""
        return self._table.values.keys()

    @property
    def table(self) -> Table:
        """All of them."""
        if self._parts:
            self._put_together()
        return self._table

    def add(self, step: int, elapsed_s: float, values: Mapping[str, float | None]) -> None:
        """Add a row; `values` may have more metrics than these."""
        table = self.table
        table.steps.append(step)
        table.elapsed_s.append(elapsed_s)
        for key, column in table.values.items():
            value = values[key]
            column.append(float("nan") if value is None else value)

    def extend(self, part: Table) -> None:
        """Add rows which nobody changes any more; they may have more metrics than these."""
        self._parts.append(part)
        if len(self._parts) >= PARTS_KEPT:
            self._put_together()

    def _put_together(self) -> None:
        parts, self._parts = self._parts, []
        self._table.steps.frombytes(b"".join([part.steps for part in parts]))
        self._table.elapsed_s.frombytes(b"".join([part.elapsed_s for part in parts]))
        for key, column in self._table.values.items():
            column.frombytes(b"".join([part.values[key] for part in parts]))

    def part(self, keys: Sequence[str]) -> Track:
        """Take the metrics `keys` out, into a track of their own."""
        other, table = Track(()), self.table
        other._table = Table(table.steps[:], table.elapsed_s[:], {key: table.values.pop(key) for key in keys})
        other.cuts = self.cuts
        return other

    def cut(self, step: int) -> bool:
        """Forget what lies after `step`; whether there was anything."""
        table = self.table
        keep = bisect_right(table.steps, step)
        if keep == len(table.steps):
            return False
        self.cuts += 1
        del table.steps[keep:], table.elapsed_s[keep:]
        for column in table.values.values():
            del column[keep:]
        return True


class Series:
    """One metric over a run, in columns of equal length; steps never fall. Columns may be read, not changed."""

    __slots__ = ("__weakref__", "_key", "_track")

    def __init__(self, track: Track, key: str) -> None:
        self._track, self._key = track, key

    @property
    def steps(self) -> array[int]:
        """The step of each value."""
        return self._track.table.steps

    @property
    def elapsed_s(self) -> array[float]:
        """The training time of each value."""
        return self._track.table.elapsed_s

    @property
    def values(self) -> array[float]:
        """NaN where the value was not finite."""
        return self._track.table.values[self._key]

    @property
    def cuts(self) -> int:
        """How often values have been taken back: who remembers how far it has read, begins anew when this changes."""
        return self._track.cuts

    def __len__(self) -> int:
        return len(self._track.table.steps)


class SeriesBook(Mapping[str, Series]):
    """All metrics of a run by their keys, in the order of their first values; at most `SERIES_LIMIT`."""

    def __init__(self) -> None:
        self._series: dict[str, Series] = {}
        self._ways: dict[tuple[str, ...], tuple[Track, ...]] = {}
        """For keys that were logged together: the tracks that hold these and no others."""

    def __getitem__(self, key: str) -> Series:
        return self._series[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._series)

    def __len__(self) -> int:
        return len(self._series)

    def add(self, step: int, elapsed_s: float, values: Mapping[str, float | None]) -> None:
        """Add a row; it may not lie before the last."""
        for track in self._tracks(tuple(values)):
            track.add(step, elapsed_s, values)

    def extend(self, steps: array[int], elapsed_s: array[float], values: dict[str, array[float]]) -> None:
        """Add rows, in columns of equal length that nobody changes any more; they may not lie before the last."""
        part = Table(steps, elapsed_s, values)
        for track in self._tracks(tuple(values)):
            track.extend(part)

    def cut(self, step: int) -> list[str]:
        """Forget what lies after `step`; the keys of what lost any."""
        shortened = {id(track) for track in self._holding(self._series) if track.cut(step)}
        return [key for key, series in self._series.items() if id(series._track) in shortened]

    def _tracks(self, keys: tuple[str, ...]) -> tuple[Track, ...]:
        tracks = self._ways.get(keys)
        if tracks is None:
            tracks = self._find_tracks(keys)
            if len(self._ways) >= _WAYS_KEPT:
                self._ways.clear()
            if len(keys) <= SERIES_LIMIT:
                self._ways[keys] = tracks
        return tracks

    def _find_tracks(self, keys: tuple[str, ...]) -> tuple[Track, ...]:
        """As `_tracks`; tracks that hold others too are parted, and new keys get one of their own."""
        together = set(keys)
        for track in self._holding(keys):
            others = [key for key in track.keys if key not in together]
            if others:
                other = track.part(others)
                for key in others:
                    self._series[key]._track = other
                self._ways.clear()
        new = [key for key in keys if key not in self._series][: SERIES_LIMIT - len(self._series)]
        if new:
            track = Track(new)
            self._series.update({key: Series(track, key) for key in new})
        return self._holding(keys)

    def _holding(self, keys: Iterable[str]) -> tuple[Track, ...]:
        tracks = [self._series[key]._track for key in keys if key in self._series]
        return tuple({id(track): track for track in tracks}.values())
