"""How lines of rows look: all but their digits is known beforehand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine import events as ev
from engine.columns import Ints
from engine.event_lines import RowsLogged

MOST_DIGITS = 16
"""Of a number that is worked out, before and after the point; two words hold them."""
MOST_OF_SECONDS = 10
"""Digits before the point: whatever has no more is a valid time."""
MOST_UNREAD = 18
"""Digits of a count that is not worked out: whatever has no more is valid."""
MOST_OF_LR = 300
"""Digits of learning rates, of which the last alone is worked out: schedules make them as long as floats can be."""
MOST_NAMED = 100
"""Different runs of digits in names: each is looked for on its own."""

STEPS, LR, STEP, ELAPSED_S, AT, VALUES = 0, 1, 3, 4, 6, 8
"""Roles of runs of digits. Of a float it is that before the point, and the next role is that behind it; the metrics'
follow each other, and then come digits in names."""
ALONE = 0
"""The sort of lines of a row for itself. Of lines of several rows it is twice their number, and one more where learning
rates and numbers of steps are columns, too."""
_FIELDS = {"steps": STEPS, "lr": LR, "step": STEP, "elapsed_s": ELAPSED_S, "at": AT}
_DIGITS = re.compile(rb"[0-9]+")
Roles = NDArray[np.uint16]
T = TypeVar("T", bound=np.generic)


class Layout(NamedTuple):
    """What is known of lines but for their digits, and signs. Places are those among all runs of digits."""

    lines: int
    """How many these are."""
    rest: bytes
    """What is left of them without."""
    gaps: Ints
    """(runs,) how far each is from the end of the one before it, the first from where the lines begin."""
    roles: Roles
    """(runs,)"""
    begins: NDArray[np.bool_]
    """(runs,) whether it begins a number."""
    floats: Ints
    """(floats to be worked out,) the places of the digits before their points."""
    steps: Ints
    """(rows,) the places of their steps."""
    rates: Ints
    """(learning rates,) the places of the digits before their points."""
    after: int
    """Characters after the last run."""

    def first(self, lines: int) -> Layout:
        """That of the first of these lines, which are all of a sort."""

        def of_first(part: NDArray[T]) -> NDArray[T]:
            return part[: len(part) // self.lines * lines]

        return Layout(
            lines=lines,
            rest=self.rest[: len(self.rest) // self.lines * lines],
            gaps=of_first(self.gaps),
            roles=of_first(self.roles),
            begins=of_first(self.begins),
            floats=of_first(self.floats),
            steps=of_first(self.steps),
            rates=of_first(self.rates),
            after=self.after,
        )


class _Sort(NamedTuple):
    """What is known of a line, arrays as their bytes: those of many lines are joined, which is a copy and no more."""

    rest: bytes
    gaps: bytes
    """The first from the last run of a line of the same sort."""
    roles: bytes
    begins: bytes
    is_float: bytes
    runs: int
    after: int


class LineSorts:
    """Lines as an engine writes them for rows of the metrics `keys`.

    Raises:
        ValueError: their names have too many runs of digits.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = tuple(keys)
        names = msgspec.json.encode(self._keys)
        self.varying = b"0123456789" + b"-" * (b"-" not in names)
        """What lines of a sort differ in."""
        self.named = list(dict.fromkeys(_DIGITS.findall(names)))
        """Digits that stand in names, by their roles."""
        if len(self.named) > MOST_NAMED:
            raise ValueError(f"{len(self.named)} runs of digits in names")
        self.first_named = VALUES + 2 * len(keys)
        self._sorts = dict[int, _Sort]()
        roles = self.first_named + len(self.named)
        floats = [ELAPSED_S, AT, *range(VALUES, self.first_named, 2)]
        self._is_float, self._begins = np.zeros((2, roles), np.bool_)
        self._is_float[floats] = self._begins[[*floats, STEPS, LR, STEP]] = True
        self.most = np.full(roles, MOST_DIGITS)
        """The digits that a run may have, by its role."""
        self.most[[ELAPSED_S, AT]], self.most[STEPS] = MOST_OF_SECONDS, MOST_UNREAD
        self.most[[LR, LR + 1]] = MOST_OF_LR
        self.most[self.first_named :] = [len(name) for name in self.named]
        self._alone: Layout | None = None
        """Of many rows, each for itself: most blocks have no other."""

    def rest_of(self, sort: int) -> bytes:
        """What is left of a line without what varies."""
        return self._sort(sort).rest

    def layout(self, sorts: Ints) -> Layout:
        """Of lines of these sorts: (lines,)."""
        if sorts.any():
            return self._laid_out(sorts)
        if self._alone is None or self._alone.lines < len(sorts):
            self._alone = self._laid_out(np.full(2 * len(sorts), ALONE))
        return self._alone.first(len(sorts))

    def _laid_out(self, sorts: Ints) -> Layout:
        known = {sort: self._sort(sort) for sort in set(sorts.tolist())}
        kinds = [known[sort] for sort in sorts.tolist()]
        gaps = np.frombuffer(bytearray().join([kind.gaps for kind in kinds]), np.int64)
        if len({kind.after for kind in known.values()}) > 1:
            after = np.array([kind.after for kind in kinds])
            gaps[np.cumsum([0, *(kind.runs for kind in kinds[:-1])])] += np.append(after[0], after[:-1]) - after
        gaps[0] -= kinds[0].after
        roles = np.frombuffer(b"".join([kind.roles for kind in kinds]), np.uint16)
        return Layout(
            lines=len(sorts),
            rest=b"".join([kind.rest for kind in kinds]),
            gaps=gaps,
            roles=roles,
            begins=np.frombuffer(b"".join([kind.begins for kind in kinds]), np.bool_),
            floats=np.flatnonzero(np.frombuffer(b"".join([kind.is_float for kind in kinds]), np.bool_)),
            steps=np.flatnonzero(roles == STEP),
            rates=np.flatnonzero(roles == LR),
            after=kinds[-1].after,
        )

    def _sort(self, sort: int) -> _Sort:
        if sort not in self._sorts:
            line, its_roles = self._line_of_zeros(sort)
            roles = np.array(its_roles, np.uint16)
            spans = [match.span() for match in _DIGITS.finditer(line)]
            after = len(line) - spans[-1][1]
            gaps = [start - end for (_, end), (start, _) in pairwise([(0, -after), *spans])]
            self._sorts[sort] = _Sort(
                rest=line.translate(None, self.varying),
                gaps=np.array(gaps, np.int64).tobytes(),
                roles=roles.tobytes(),
                begins=self._begins[roles].tobytes(),
                is_float=self._is_float[roles].tobytes(),
                runs=len(spans),
                after=after,
            )
        return self._sorts[sort]

    def _line_of_zeros(self, sort: int) -> tuple[bytes, list[int]]:
        """A line whose numbers are zeros, and the role of each run of digits in it."""
        rows, is_steady = sort // 2, sort % 2 == 0
        kind = RowsLogged if rows else ev.MetricsLogged
        parts, roles = [b'{"event":"' + kind.__name__.encode() + b'"'], list[int]()

        def put(role: int, count: int) -> bytes:
            """A number, or a column of so many."""
            zero, its = (b"0", [role]) if role in (STEP, STEPS) else (b"0.0", [role, role + 1])
            roles.extend(its * max(1, count))
            return b"[" + b",".join([zero] * count) + b"]" if count else zero

        for field in msgspec.structs.fields(kind):
            if field.name != "values":
                is_one = field.name == "at" or (is_steady and field.name in ("steps", "lr"))
                number = put(_FIELDS[field.name], 0 if is_one else rows)
                parts.append(msgspec.json.encode(field.name) + b":" + number)
                continue
            cells = []
            for role, key in enumerate(self._keys):
                name = msgspec.json.encode(key)
                roles += [self.first_named + self.named.index(digits) for digits in _DIGITS.findall(name)]
                cells.append(name + b":" + put(VALUES + 2 * role, rows))
            parts.append(b'"values":{' + b",".join(cells) + b"}")
        return b",".join(parts) + b"}\n", roles
