"""How long the run screen takes from a key to the picture that the key asks for.

Keys are written to a pseudo-terminal at moments drawn at random, and all that comes back is stamped. Only afterwards is
it put on a screen: what a key changes for good (frame and name of the pane in use, the words for axis, scale and
smoothing, the window of keys) is compared from output to output, and the key's time ends with the one from which on it
stays as it is when the next key is pressed.
"""

from __future__ import annotations

import random
import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

import pyte

from benchmarks.terminal import DLTUI, UNKNOWN_TO_PYTE, Output, Pty
from tui.screens.run_panes import WIDE

PAUSES_S = (0.2, 0.5)
"""Shortest and longest time between two keys."""
_CORNERS = re.compile("[┏╭]")
_WORDS = re.compile(r"log y|by (?:step|epoch|time)|smooth 0\.\d+|▸\d")

Signature = tuple[tuple[str, ...], ...]
"""Per line what only keys change."""


class Repaint(NamedTuple):
    """One key's time."""

    key: str
    took_s: float | None
    """None if nothing changed before the next key."""


def repaints(run: str, keys: int, columns: int, lines: int, seed: int = 0) -> list[Repaint]:
    """Press `keys` keys in the run screen of `run` while it is trained."""
    draws = random.Random(seed)
    with Pty([*DLTUI, "attach", run], columns, lines) as terminal:
        terminal.seconds_until(b"by step")
        terminal.watch(3)
        pressed = []
        for key in _some_keys(draws, keys, columns >= WIDE):
            pressed.append((key, terminal.press(key.encode())))
            terminal.watch(draws.uniform(*PAUSES_S))
    return _times(pressed, terminal.outputs, columns, lines)


def _some_keys(draws: random.Random, count: int, all_panes_are_seen: bool) -> list[str]:
    """Keys that each change something that can be seen: the pane in use, a chart on screen, a window; help is rare."""
    keys: list[str] = []
    pane = "1"
    while len(keys) < count:
        key = draws.choice("pppppplllxxxsssszz?")
        if key == "p":
            pane = draws.choice([other for other in "123" if other != pane])
            keys.append(pane)
        elif key in "z?":
            keys += [key, "z" if key == "z" else "q"]
        elif all_panes_are_seen or pane == "1":
            keys += ["]", "["] if key == "s" else [key]
    return keys


def _times(pressed: list[tuple[str, float]], outputs: list[Output], columns: int, lines: int) -> list[Repaint]:
    seen = list(_signatures(outputs, columns, lines))
    arrived_at_s = [one.at_s for one in seen]
    ends_at_s = [at_s for _, at_s in pressed[1:]] + [float("inf")]
    times = []
    for (key, at_s), end_at_s in zip(pressed, ends_at_s, strict=True):
        first, end = bisect_left(arrived_at_s, at_s), bisect_left(arrived_at_s, end_at_s)
        before, last = seen[first - 1].signature, seen[end - 1].signature
        settled = end
        while settled > first and seen[settled - 1].signature == last:
            settled -= 1
        times.append(Repaint(key, seen[settled].at_s - at_s if last != before else None))
    return times


class _Seen(NamedTuple):
    at_s: float
    signature: Signature


def _signatures(outputs: list[Output], columns: int, lines: int) -> Iterator[_Seen]:
    """The screen's signature after each output."""
    screen = pyte.Screen(columns, lines)
    stream = pyte.ByteStream(screen)
    rows: list[tuple[str, ...]] = [()] * lines
    for at_s, data in outputs:
        stream.feed(UNKNOWN_TO_PYTE.sub(b"", data))
        for line in screen.dirty:
            text = "".join(screen.buffer[line][column].data for column in range(columns))
            corners = [f"{found[0]}{found.start()}" for found in _CORNERS.finditer(text)]
            rows[line] = (*corners, *_WORDS.findall(text))
        screen.dirty.clear()
        yield _Seen(at_s, tuple(rows))
