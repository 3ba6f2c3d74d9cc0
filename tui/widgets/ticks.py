"""Where an axis is marked, and how the marks read."""

from __future__ import annotations

import math
from typing import NamedTuple

_TIME_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)

_LONGEST_S = 1e12
_EXPONENT_LIMIT = 330
"""No float has a logarithm beyond it."""


class Tick(NamedTuple):
    """A mark on an axis."""

    at: float
    label: str


def linear_ticks(low: float, high: float, count: int) -> list[Tick]:
    """About `count` round numbers between `low` and `high`."""
    if not _is_range(low, high) or count < 1:
        return []
    step = _round_step((high - low) / count)
    if step <= 0:
        return []
    first, last = _indices(low, high, step)
    if last - first < min(2, count - 1):
        step = _round_step((high - low) / (2 * count)) or step
        first, last = _indices(low, high, step)
    if last - first > 100:
        return []
    # an index times a rounded step, never a sum of steps: 3 * 0.1 must read 0.3
    unit = _unit(max(abs(low), abs(high)), step)
    ticks = [Tick(index * step, number_label(index * step, step, unit)) for index in range(first, last + 1)]
    return _inside(ticks, low, high)


def log_ticks(low: float, high: float, count: int) -> list[Tick]:
    """About `count` marks between the logarithms (base 10) `low` and `high`; `at` is a logarithm too."""
    if not _is_range(low, high) or count < 1 or low < -_EXPONENT_LIMIT or high > _EXPONENT_LIMIT:
        return []
    slack = 1e-9 * (high - low)
    decades = list(range(math.ceil(low - slack), math.floor(high + slack) + 1))
    if len(decades) <= 2 and count >= 4 and high - low < 3:
        around = range(math.floor(low), math.floor(high) + 1)
        ticks = [tick for decade in around for tick in _within_decade(decade, low, high)]
        if len(ticks) >= 3:
            return ticks
    if len(decades) >= 2:
        stride = max(1, -(-len(decades) // count))
        return [Tick(float(decade), power_label(decade)) for decade in decades if decade % stride == 0]
    if high > 300 or low < -300:
        return [Tick(float(decade), power_label(decade)) for decade in decades]
    values = linear_ticks(10**low, 10**high, count)
    return [Tick(math.log10(at), label) for at, label in values if at > 0 and low <= math.log10(at) <= high]


def _within_decade(decade: int, low: float, high: float) -> list[Tick]:
    """1, 2 and 5 times a power of ten."""
    ticks = []
    for factor in (1, 2, 5):
        at = decade + math.log10(factor)
        if low <= at <= high:
            label = power_label(decade)
            ticks.append(Tick(at, label.replace("1", str(factor), 1)))
    return ticks


def time_ticks(low: float, high: float, count: int) -> list[Tick]:
    """About `count` round durations between `low` and `high` seconds."""
    if not _is_range(low, high) or count < 1:
        return []
    wanted = (high - low) / count
    if wanted < 1 or max(-low, high) > _LONGEST_S:
        return [Tick(at, f"{label}s") for at, label in linear_ticks(low, high, count)]
    step = next((step for step in _TIME_STEPS_S if step >= wanted), 86400 * max(1, math.ceil(wanted / 86400)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    ticks = [Tick(float(index * step), duration_label(index * step)) for index in range(first, last + 1)]
    return _inside(ticks, low, high)


def _indices(low: float, high: float, step: float) -> tuple[int, int]:
    """The first and the last multiple of `step` between `low` and `high`."""
    return math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)


def _inside(ticks: list[Tick], low: float, high: float) -> list[Tick]:
    """Without those that rounding put outside: far from zero, floats are coarser than a short range."""
    slack = 1e-6 * (high - low)
    return [tick for tick in ticks if low - slack <= tick.at <= high + slack]


def _is_range(low: float, high: float) -> bool:
    return low < high and math.isfinite(high - low)


def _round_step(raw: float) -> float:
    """The least of 1, 2 and 5 times a power of ten that is not below `raw`."""
    if raw <= 1e-300:
        return 0.0
    exponent = math.floor(math.log10(raw))
    for factor in (1, 2, 5, 10):
        # by way of text, because 2 * 10**-1 and 0.2 are not always the same float
        step = float(f"{factor}e{exponent}")
        if step >= raw * (1 - 1e-9):
            return step
    return float(f"1e{exponent + 1}")


def _unit(largest: float, step: float) -> tuple[float, str]:
    """What the numbers of an axis are counted in, the same for all of them."""
    for unit, suffix in ((1e6, "M"), (1e3, "k")):
        if largest >= 10 * unit and step >= unit / 10:
            return unit, suffix
    return 1.0, ""


def number_label(value: float, step: float, unit: tuple[float, str] = (1.0, "")) -> str:
    """`value` with as many digits as tell it from `value + step`."""
    if abs(value) < abs(step) / 2 or value == 0:
        return "0"
    size = abs(value)
    if size >= 1e9 or (size < 1e-3 and step < 1e-3):
        return _exponential(value, step)
    return f"{value / unit[0]:,.{min(_decimals(step / unit[0]), 8)}f}{unit[1]}"


def _decimals(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9))


def _exponential(value: float, step: float) -> str:
    exponent = math.floor(math.log10(abs(value)) + 1e-12)
    digits = min(6, max(0, exponent - math.floor(math.log10(step) + 1e-9)))
    mantissa, _, power = f"{value:.{digits}e}".partition("e")
    return f"{mantissa}e{int(power)}"


def power_label(exponent: int) -> str:
    """10 to the power `exponent`: 0.01, 0.1, 1, 10, 100, 1,000, and 1e-3, 1e4 beyond."""
    if exponent < -2 or exponent > 3:
        return f"1e{exponent}"
    return f"{10**exponent:,}" if exponent >= 0 else f"{10.0**exponent:.{-exponent}f}"


def duration_label(seconds: int) -> str:
    """A duration in its two largest units: 45s, 2m, 1m30s, 1h05m, 2d12h."""
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    for large, small, letters in ((86400, 3600, "dh"), (3600, 60, "hm"), (60, 1, "ms")):
        if seconds >= large:
            rest = seconds % large // small
            return f"{sign}{seconds // large}{letters[0]}" + (f"{rest:02d}{letters[1]}" if rest else "")
    return f"{sign}{seconds}s"
