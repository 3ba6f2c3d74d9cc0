"""Metrics over a run, in columns: what is logged together keeps its steps and times but once."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence

# more than any run has: a log from a stranger must not fill the memory
SERIES_LIMIT = 1000
_WAYS_KEPT = 100
"""Of `SERIES_LIMIT` keys at most."""


class Track:
    """Rows of the same metrics, in columns of equal length; steps never fall."""

    __slots__ = ("columns", "cuts", "elapsed_s", "steps")

    def __init__(self) -> None:
        self.steps = array("q")
        self.elapsed_s = array("d")
        self.columns: dict[str, array[float]] = {}
        self.cuts = 0

    def part(self, keys: Sequence[str]) -> Track:
        """Take the columns `keys` out, into a track of their own."""
        other = Track()
        other.steps, other.elapsed_s, other.cuts = self.steps[:], self.elapsed_s[:], self.cuts
        other.columns = {key: self.columns.pop(key) for key in keys}
        return other

    def cut(self, step: int) -> bool:
        """Forget what lies after `step`; whether there was anything."""
        keep = bisect_right(self.steps, step)
        if keep == len(self.steps):
            return False
        self.cuts += 1
        del self.steps[keep:], self.elapsed_s[keep:]
        for column in self.columns.values():
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
        return self._track.steps

    @property
    def elapsed_s(self) -> array[float]:
        """The training time of each value."""
        return self._track.elapsed_s

    @property
    def values(self) -> array[float]:
        """NaN where the value was not finite."""
        return self._track.columns[self._key]

    @property
    def cuts(self) -> int:
        """How often values have been taken back: who remembers how far it has read, begins anew when this changes."""
        return self._track.cuts

    def __len__(self) -> int:
        return len(self._track.steps)


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
            track.steps.append(step)
            track.elapsed_s.append(elapsed_s)
            for key, column in track.columns.items():
                value = values[key]
                column.append(float("nan") if value is None else value)

    def extend(self, steps: array[int], elapsed_s: array[float], values: Mapping[str, array[float]]) -> None:
        """Add rows, in columns of equal length; they may not lie before the last."""
        for track in self._tracks(tuple(values)):
            track.steps.extend(steps)
            track.elapsed_s.extend(elapsed_s)
            for key, column in track.columns.items():
                column.extend(values[key])

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
            others = [key for key in track.columns if key not in together]
            if others:
                other = track.part(others)
                for key in others:
                    self._series[key]._track = other
                self._ways.clear()
        new = [key for key in keys if key not in self._series][: SERIES_LIMIT - len(self._series)]
        if new:
            track = Track()
            track.columns = {key: array("d") for key in new}
            self._series.update({key: Series(track, key) for key in new})
        return self._holding(keys)

    def _holding(self, keys: Iterable[str]) -> tuple[Track, ...]:
        tracks = [self._series[key]._track for key in keys if key in self._series]
        return tuple({id(track): track for track in tracks}.values())
