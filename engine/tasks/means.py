"""Means of what steps observed, of many rows of a log at once: a kernel costs as much for one row as for fifty."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor

from engine.tasks.base import Observation

Rows = Sequence[Sequence[Observation]]
"""The observations of each row of the log, at least one."""


def mean_losses(rows: Rows, loss_is_sum: bool = False) -> Tensor:
    """(rows,) the mean loss per sample of each row, whatever its batches' sizes.

    Args:
        rows: Observations with a `loss` and `targets` (N, ...).
        loss_is_sum: Whether that loss is summed over a batch instead of averaged.
    """
    alike = _alike(rows)
    losses = torch.stack([observation["loss"] for row in rows for observation in row])
    parts = torch.split(losses, [count * len(sizes) for sizes, count in alike])
    return torch.cat([_mean_losses(part, sizes, loss_is_sum) for part, (sizes, _) in zip(parts, alike, strict=True)])


def means(values: Tensor, rows: Rows) -> Tensor:
    """(rows,) the mean over each row of (samples, ...) what all rows' samples give, one row after the other."""
    alike = _alike(rows)
    parts = torch.split(values.float(), [count * sum(sizes) for sizes, count in alike])
    return torch.cat([part.reshape(count, -1).mean(1) for part, (_, count) in zip(parts, alike, strict=True)])


def joined(rows: Rows, key: str) -> Tensor:
    """One tensor of a kind that every observation has, along the batch dimension."""
    return torch.cat([observation[key] for row in rows for observation in row])


def _mean_losses(losses: Tensor, sizes: tuple[int, ...], loss_is_sum: bool) -> Tensor:
    """(rows,) of (rows * steps,) losses, where all rows have batches of the same `sizes`."""
    by_row = losses.view(-1, len(sizes))
    if loss_is_sum:
        return by_row.sum(1) / sum(sizes)
    if min(sizes) == max(sizes):
        return by_row.mean(1)
    shares = torch.tensor([size / sum(sizes) for size in sizes], dtype=losses.dtype)
    return (by_row * shares.to(losses.device, non_blocking=True)).sum(1)


def _alike(rows: Rows) -> list[tuple[tuple[int, ...], int]]:
    """The sizes of a row's batches, and how many rows on end have such batches: all, but for an epoch's end."""
    sizes = [tuple([observation["targets"].shape[0] for observation in row]) for row in rows]  # faster than len
    return [(alike, len(list(some))) for alike, some in groupby(sizes)]
