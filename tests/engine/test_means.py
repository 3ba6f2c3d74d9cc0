"""Means of many rows at once are those of each row alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.tasks.base import Observation
from engine.tasks.means import Rows, joined, mean_losses, means

SIZES = [[[4, 4], [4, 4], [4, 2], [4, 4]], [[3]], [[2], [2]], [[5, 1], [5, 1]], [[4, 4], [4]]]


def rows_of(sizes: list[list[int]]) -> Rows:
    """Batches of such sizes, each sample with two numbers."""
    torch.manual_seed(0)
    return [[observed(torch.rand(size, 2)) for size in row] for row in sizes]


def observed(values: Tensor, is_sum: bool = False) -> Observation:
    return {"loss": values.sum() if is_sum else values.mean(), "targets": values}


def samples(row: list[Observation] | tuple[Observation, ...]) -> Tensor:
    return torch.cat([observation["targets"] for observation in row])


@pytest.mark.parametrize("sizes", SIZES)
def test_every_sample_of_a_row_counts_the_same(sizes: list[list[int]]) -> None:
    rows = rows_of(sizes)
    expected = [samples(list(row)).mean().item() for row in rows]
    assert mean_losses(rows).tolist() == pytest.approx(expected)
    assert means(joined(rows, "targets"), rows).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("sizes", SIZES)
def test_a_loss_that_is_a_sum_is_shared_out_among_the_samples(sizes: list[list[int]]) -> None:
    rows = [[observed(samples([one]), is_sum=True) for one in row] for row in rows_of(sizes)]
    expected = [(samples(row).sum() / len(samples(row))).item() for row in rows]
    assert mean_losses(rows, loss_is_sum=True).tolist() == pytest.approx(expected)


def test_a_number_that_is_not_finite_stays_in_its_row() -> None:
    rows = rows_of([[2], [2], [2]])
    rows[1][0]["targets"][0] = torch.nan
    assert means(joined(rows, "targets"), rows).isnan().tolist() == [False, True, False]
