"""Samples that fit on the device lie there, others come from main memory; batches are the same."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
import torch

from engine.batches import Batches, evaluation_batches
from engine.data.augmentation import Augmentation
from engine.data.bundle import DataBundle, Split
from engine.placing import placed

ELSEWHERE = torch.device("meta")


def pictures(rows: int = 30) -> DataBundle:
    split = Split(torch.zeros(rows, 3, 8, 8, dtype=torch.uint8), torch.zeros(rows, dtype=torch.int64))
    return DataBundle(split, split, (3, 8, 8), 2, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2))


def bytes_of(data: DataBundle) -> int:
    return 2 * (data.train.inputs.nbytes + data.train.targets.nbytes)


def test_data_lies_on_the_device_if_it_takes_half_of_the_room_at_most(caplog: pytest.LogCaptureFixture) -> None:
    data = pictures()
    with caplog.at_level(logging.INFO):
        there = placed(data, ELSEWHERE, lambda device: 2 * bytes_of(data))
    assert there.val is not None
    assert {there.train.inputs.device, there.val.targets.device} == {ELSEWHERE}
    assert not caplog.records


def test_data_that_does_not_fit_stays_with_a_word(caplog: pytest.LogCaptureFixture) -> None:
    data = pictures()
    with caplog.at_level(logging.INFO):
        here = placed(data, ELSEWHERE, lambda device: 2 * bytes_of(data) - 1)
    assert here is data
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "the data set stays in main memory and is sent in pieces"
    ]


def test_a_device_that_shares_the_hosts_memory_has_room() -> None:
    data = pictures()
    assert placed(data, torch.device("cpu")).train.inputs is data.train.inputs


@pytest.mark.parametrize("batch_size", [7, "full"])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("flip", [True, False])
def test_batches_come_to_the_device_from_main_memory(batch_size: int | str, shuffle: bool, flip: bool) -> None:
    data = replace(pictures(), augmentation=Augmentation(flip=flip, rotate=10.0 if flip else 0.0))
    seen = list(Batches(data, batch_size, 0, shuffle, ELSEWHERE).epoch(0))
    assert sum(len(inputs) for inputs, _ in seen) == 30
    assert {tensor.device for batch in seen for tensor in batch} == {ELSEWHERE}
    assert {inputs.dtype for inputs, _ in seen} == {torch.float32}
    evaluated = list(evaluation_batches(data, data.train, ELSEWHERE))
    assert {tensor.device for batch in evaluated for tensor in batch} == {ELSEWHERE}
