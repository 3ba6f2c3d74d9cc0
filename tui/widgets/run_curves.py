"""Curves of a run, from what is known of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence

from engine.run_state import RunState
from engine.series import Series
from tui.widgets.curves import CYCLE, GLYPHS, Curve, Floats, Role
from tui.widgets.extents import Mark, Scale
from tui.widgets.thinning import Thinner

_SPLITS = {"train": Role.TRAIN, "val": Role.VAL}
_WORDS = {"loss_d": "D loss", "loss_g": "G loss", "d_real": "D(x)", "d_fake": "D(G(z))"}
"""Metrics that have a better name than their key, as papers on adversarial networks write them."""
_RAW = {Role.TRAIN: Role.RAW_TRAIN, Role.VAL: Role.RAW_VAL}


def run_curves(state: RunState, keys: Sequence[str], scale: Scale, smoothing: float, thinner: Thinner) -> list[Curve]:
    """Curves of the metrics `keys` of a run, thinned out; those it has no values of are left out.

    With `smoothing` the raw curves lie behind the smoothed ones.
    """
    labels, roles = labels_of(keys), roles_of(keys)
    raw, shown = [], []
    for key in keys:
        series = state.series.get(key)
        if not series:
            continue
        shown.append(Curve(labels[key], *_points(state, series, scale, smoothing, thinner), roles[key]))
        if smoothing > 0:
            role = _RAW.get(roles[key], Role.RAW_TRAIN)
            raw.append(Curve("", *_points(state, series, scale, 0.0, thinner), role))
    # the training curve is the wilder one: it lies behind
    return [*raw, *shown]


def overlay_curve(
    state: RunState, keys: Sequence[str], scale: Scale, smoothing: float, thinner: Thinner
) -> Curve | None:
    """The curve of another run to compare with: its held-out one, or else that of the first of `keys` it has.

    Its name says which of them it is, after the sign of curves that lie behind.
    """
    labels = labels_of(keys)
    for key in sorted(keys, key=lambda key: not key.startswith("val/")):
        series = state.series.get(key)
        if series:
            label = f"{GLYPHS[Role.OVERLAY]} {labels[key]}"
            return Curve(label, *_points(state, series, scale, smoothing, thinner), Role.OVERLAY)
    return None


def run_marks(state: RunState, scale: Scale) -> list[Mark]:
    """What was done to the run, placed on the axis `scale`."""
    labels: dict[int, list[str]] = {}
    for marker in state.markers:
        if marker.step <= state.step:  # others will come again, after a crash
            labels.setdefault(marker.step, []).append(marker.label)
    if not labels:
        return []
    series = max(state.series.values(), key=len, default=None)
    if scale == "time" and not series:
        return []
    marks = []
    for step, at_step in labels.items():
        x = float(step)
        if scale == "epochs":
            x /= _steps_per_epoch(state)
        elif scale == "time" and series:
            x = _elapsed_at(series, step)
        marks.append(Mark(x, ", ".join(dict.fromkeys(at_step))))
    return marks


def _elapsed_at(series: Series, step: int) -> float:
    """The training time at `step`, between those of the values before and after it."""
    after = bisect_left(series.steps, step)
    if after in (0, len(series)):
        return series.elapsed_s[min(after, len(series) - 1)]
    first, last = series.steps[after - 1], series.steps[after]
    began_s, ended_s = series.elapsed_s[after - 1], series.elapsed_s[after]
    return began_s + (ended_s - began_s) * (step - first) / (last - first)


def _points(state: RunState, series: Series, scale: Scale, smoothing: float, thinner: Thinner) -> tuple[Floats, Floats]:
    x, y = thinner.points(series, scale == "time", smoothing)
    return x / _steps_per_epoch(state) if scale == "epochs" else x, y


def _steps_per_epoch(state: RunState) -> int:
    return max(1, state.started.steps_per_epoch if state.started else 1)


def labels_of(keys: Sequence[str]) -> dict[str, str]:
    """Short names: the split of train/loss, the last part of param/w; the whole key where that is not enough.

    Where several metrics share a chart it is the metric that tells them apart: D loss, val D loss.
    """
    several = len({key.partition("/")[2] for key in keys if key.partition("/")[0] in _SPLITS}) > 1
    short = {key: _short(key, several) for key in keys}
    taken = list(short.values())
    return {key: label if taken.count(label) == 1 else key for key, label in short.items()}


def _short(key: str, is_one_of_several: bool) -> str:
    split, _, name = key.partition("/")
    if split not in _SPLITS:
        return key.rpartition("/")[2]
    word = _WORDS.get(name, name)
    return split if not is_one_of_several else word if split == "train" else f"{split} {word}"


def roles_of(keys: Sequence[str]) -> dict[str, Role]:
    """A role for each key: train and val have their own."""
    splits = [key.partition("/")[0] for key in keys]
    if set(splits) <= set(_SPLITS) and len(set(splits)) == len(splits):
        return {key: _SPLITS[split] for key, split in zip(keys, splits, strict=True)}
    return {key: CYCLE[index % len(CYCLE)] for index, key in enumerate(keys)}


def fingerprint(state: RunState, keys: Sequence[str]) -> Hashable:
    """Changes whenever curves or marks of `keys` do."""
    ends = []
    for key in keys:
        series = state.series.get(key)
        ends.append((len(series), series.steps[-1], repr(series.values[-1])) if series else None)
    return (*ends, len(state.markers), state.started.steps_per_epoch if state.started else 0)
