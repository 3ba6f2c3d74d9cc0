"""Batches: every sample once an epoch, in an order that follows from seed and epoch alone."""

from __future__ import annotations

from itertools import chain

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.batches import Batches, evaluation_batches, evaluation_rows, mix_seed
from engine.data.bundle import DataBundle, Split


def bundle(rows: int, images: bool = False) -> DataBundle:
    inputs = (
        torch.arange(rows, dtype=torch.uint8).view(rows, 1, 1, 1)
        if images
        else torch.arange(rows).float().view(rows, 1)
    )
    return DataBundle(Split(inputs, torch.arange(rows)), None, (1,), rows)


def flat(batches: list[list[int]]) -> list[int]:
    return list(chain.from_iterable(batches))


def targets_of(batches: Batches, epoch: int, start: int = 0) -> list[list[int]]:
    return [targets.tolist() for _, targets in batches.epoch(epoch, start)]


@settings(max_examples=60)
@given(rows=st.integers(1, 300), batch_size=st.integers(1, 320), epoch=st.integers(0, 5))
def test_every_sample_once_an_epoch(rows: int, batch_size: int, epoch: int) -> None:
    batches = Batches(bundle(rows), batch_size, seed=3, shuffle=True)
    seen = targets_of(batches, epoch)
    assert len(seen) == len(batches)
    assert sorted(flat(seen)) == list(range(rows))
    assert all(len(batch) == min(batch_size, rows) for batch in seen[:-1])


@settings(max_examples=40)
@given(start=st.integers(0, 13))
def test_starting_in_the_middle_gives_the_rest_of_the_same_order(start: int) -> None:
    batches = Batches(bundle(100), 8, seed=1, shuffle=True)
    assert targets_of(batches, 4, start) == targets_of(batches, 4)[start:]


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = targets_of(Batches(bundle(1000), 7, seed=0, shuffle=True), 2)
    monkeypatch.setattr("engine.batches.CHUNK_BYTES", 100)
    assert targets_of(Batches(bundle(1000), 7, seed=0, shuffle=True), 2) == whole


def test_orders_differ_between_epochs_and_seeds() -> None:
    orders = {
        tuple(flat(targets_of(Batches(bundle(50), 10, seed=seed, shuffle=True), epoch)))
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(orders) == 9


def test_without_shuffling_the_order_stays() -> None:
    assert flat(targets_of(Batches(bundle(10), 4, seed=0, shuffle=False), 1)) == list(range(10))


def test_a_full_batch_is_one_batch_and_is_not_repeated_after_a_resume() -> None:
    batches = Batches(bundle(10), "full", seed=0, shuffle=True)
    assert len(batches) == 1
    assert targets_of(batches, 0) == [list(range(10))]
    assert targets_of(batches, 0, start=1) == []


def test_images_are_prepared_as_floats_between_0_and_1() -> None:
    inputs, _ = next(Batches(bundle(200, images=True), 50, seed=0, shuffle=False).epoch(0))
    assert inputs.dtype == torch.float32
    assert torch.allclose(inputs.flatten(), torch.arange(50) / 255)


def test_images_of_several_channels_are_prepared_by_channel() -> None:
    pictures = torch.randint(0, 256, (20, 3, 4, 4), dtype=torch.uint8)
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)
    data = DataBundle(Split(pictures, torch.arange(20)), None, (3, 4, 4), 20, mean=mean, std=std)
    inputs = torch.cat([inputs for inputs, _ in Batches(data, 6, seed=0, shuffle=False).epoch(0)])
    for channel in range(3):
        expected = (pictures[:, channel] / 255 - mean[channel]) / std[channel]
        assert torch.allclose(inputs[:, channel], expected, atol=1e-6)


def test_evaluation_covers_a_split_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.batches.EVALUATION_BYTES", 40)
    data = bundle(25)
    parts = [targets.tolist() for _, targets in evaluation_batches(data, data.train, torch.device("cpu"))]
    assert len(parts) == 3
    assert flat(parts) == list(range(25))


@pytest.mark.parametrize(
    ("shape", "expected"), [((2,), 262_144), ((784,), 668), ((3, 64, 64), 128), ((3, 224, 224), 27), ((5_000_000,), 1)]
)
def test_on_a_cpu_pieces_are_small_but_not_of_few_rows(shape: tuple[int, ...], expected: int) -> None:
    assert evaluation_rows(torch.empty(0, *shape), torch.device("cpu")) == expected
    assert evaluation_rows(torch.empty(0, *shape), torch.device("cuda")) >= expected


def test_every_part_of_a_seed_tells() -> None:
    seeds = {mix_seed(a, b) for a in (0, 1, 2**31 - 1) for b in range(1000)}
    assert len(seeds) == 3000
    assert all(0 <= seed < 2**32 for seed in seeds)
