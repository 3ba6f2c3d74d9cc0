"""Factors on the learning rate: pure functions of the step."""

from __future__ import annotations

from math import cos, pi, pow, sqrt

from engine.schema import schedule as schema


def lr_factor(schedule: schema.Schedule, step: int, steps_per_epoch: int, epochs: int) -> float:
    """The factor with which the step after `step` others is taken. Past the run's end, schedules stay where they ended.

    With warm-up, the first step has 1/n of the factor, and the n-th the whole of it.

    Args:
        schedule: What the factor should do.
        step: Steps taken so far, from 0.
        steps_per_epoch: Steps in an epoch.
        epochs: Epochs of the whole run.
    """
    total = steps_per_epoch * epochs
    warmup = round(schedule.warmup * total)
    climb = min(1.0, (step + 1) / warmup) if warmup else 1.0
    epoch = step / steps_per_epoch
    match schedule:
        case schema.Constant():
            return climb
        case schema.Step():
            return climb * pow(schedule.gamma, step // steps_per_epoch // schedule.every)
        case schema.Exponential():
            return climb * pow(schedule.gamma, epoch)
        case schema.Cosine():
            return climb * _cosine(_share(step - warmup, total - warmup), 1.0, schedule.floor)
        case schema.CosineRestarts():
            return climb * _cosine(_place_in_cycle(epoch, schedule.first, schedule.grow), 1.0, schedule.floor)
        case schema.OneCycle():
            return climb * _one_cycle(schedule, _share(step, total))
        case schema.Cyclic():
            height = 1 - abs(2 * (epoch / schedule.period % 1) - 1)
            return climb * (schedule.floor + (1 - schedule.floor) * height)
        case schema.InverseSqrt():
            return climb * sqrt(min(1.0, max(warmup, 1) / (step + 1)))


def _share(steps: int, of: int) -> float:
    """How far along a stretch is, from 0 to 1."""
    return min(1.0, max(0, steps) / of) if of > 0 else 1.0


def _cosine(share: float, start: float, end: float) -> float:
    return end + (start - end) * (1 + cos(pi * share)) / 2


def _one_cycle(schedule: schema.OneCycle, share: float) -> float:
    if share < schedule.rise:
        return _cosine(share / schedule.rise, schedule.start, 1.0)
    return _cosine((share - schedule.rise) / (1 - schedule.rise), 1.0, schedule.floor)


def _place_in_cycle(epoch: float, first: int, grow: float) -> float:
    """How far along its cycle an epoch is, from 0 to 1, where each cycle is `grow` times longer than the last."""
    length = float(first)
    if grow == 1:
        return epoch % length / length
    while epoch >= length:
        epoch -= length
        length *= grow
    return epoch / length
