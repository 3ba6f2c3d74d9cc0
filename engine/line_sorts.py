"""How lines of rows look: all but their digits is known beforehand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine import events as ev
from engine.columns import Ints
from engine.event_lines import RowsLogged

STEPS, LR, STEP, ELAPSED_S, AT, VALUES = 0, 1, 3, 4, 6, 8
"""Roles of runs of digits. Of a float it is that before the point, and the next role is that behind it; the metrics'
follow each other, and then come digits in names."""
ALONE = 0
"""The sort of lines of a row for itself. Of lines of several rows it is twice their number, and one more where learning
rates and numbers of steps are columns, too."""
_FIELDS = {"steps": STEPS, "lr": LR, "step": STEP, "elapsed_s": ELAPSED_S, "at": AT}
_DIGITS = re.compile(rb"[0-9]+")
Roles = NDArray[np.uint16]


class Layout(NamedTuple):
    """What is known of lines but for their digits, and signs."""

    rest: bytes
    """What is left of them without."""
    roles: Roles
    """(runs of digits,)"""
    gaps: NDArray[np.uint16]
    """(runs of digits,) how far each is from the end of the one before it, or from where its line begins."""
    last: Ints
    """(lines,) the last run of each."""
    after: Ints
    """(lines,) characters after the last run."""


class _Sort(NamedTuple):
    rest: bytes
    roles: bytes
    gaps: bytes
    runs: int
    after: int


class LineSorts:
    """Lines as an engine writes them for rows of the metrics `keys`."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = tuple(keys)
        names = msgspec.json.encode(self._keys)
        self.varying = b"0123456789" + b"-" * (b"-" not in names)
        """What lines of a sort differ in."""
        self.named = list(dict.fromkeys(_DIGITS.findall(names)))
        """Digits that stand in names, by their roles."""
        self.first_named = VALUES + 2 * len(keys)
        self._sorts = dict[int, _Sort]()

    def rest_of(self, sort: int) -> bytes:
        """What is left of a line without what varies."""
        return self._sort(sort).rest

    def layout(self, sorts: Ints) -> Layout:
        """Of lines of these sorts: (lines,)."""
        begins = np.flatnonzero(np.diff(sorts, prepend=-1))
        lines = np.diff(begins, append=len(sorts))
        kinds = [self._sort(sort) for sort in sorts[begins].tolist()]
        stretches = list(zip(kinds, lines.tolist(), strict=True))
        return Layout(
            rest=b"".join([kind.rest * count for kind, count in stretches]),
            roles=np.frombuffer(b"".join([kind.roles * count for kind, count in stretches]), np.uint16),
            gaps=np.frombuffer(b"".join([kind.gaps * count for kind, count in stretches]), np.uint16),
            last=np.cumsum(np.repeat([kind.runs for kind in kinds], lines)) - 1,
            after=np.repeat([kind.after for kind in kinds], lines),
        )

    def _sort(self, sort: int) -> _Sort:
        if sort not in self._sorts:
            line, roles = self._line_of_zeros(sort)
            spans = [match.span() for match in _DIGITS.finditer(line)]
            gaps = [start - end for (_, end), (start, _) in pairwise([(0, 0), *spans])]
            self._sorts[sort] = _Sort(
                rest=line.translate(None, self.varying),
                roles=np.array(roles, np.uint16).tobytes(),
                gaps=np.array(gaps, np.uint16).tobytes(),
                runs=len(spans),
                after=len(line) - spans[-1][1],
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
