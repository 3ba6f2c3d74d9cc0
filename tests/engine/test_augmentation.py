"""Pictures mirrored and turned, each by its own draw, as torchvision mirrors and turns one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.batches import Batches, evaluation_batches
from engine.data import load_data
from engine.data.augmentation import NO_AUGMENTATION, Augmentation
from engine.data.bundle import DataBundle, Split
from engine.schema.image_data import Cifar10, Digits, FashionMnist, Mnist
from tests.engine.data_files import write_cifar10, write_mnist

MEAN, STD = (0.2, 0.5, 0.9), (0.1, 0.4, 0.25)
BOTH = Augmentation(flip=True, rotate=30)


def bundle(augmentation: Augmentation, rows: int = 24, shape: tuple[int, ...] = (3, 9, 9)) -> DataBundle:
    pictures = torch.randint(0, 256, (rows, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    split = Split(pictures, torch.arange(rows))
    norm: dict[str, Any] = {"mean": MEAN, "std": STD} if shape[0] == 3 else {}
    return DataBundle(split, split, shape, rows, augmentation=augmentation, **norm)


def epoch(data: DataBundle, number: int = 0, start: int = 0, batch_size: int = 8, shuffle: bool = False) -> Tensor:
    """All of an epoch's pictures, in the order of their targets."""
    batches = list(Batches(data, batch_size, seed=5, shuffle=shuffle).epoch(number, start))
    return torch.cat([inputs for inputs, _ in batches])


def drawn(*pairs: tuple[bool, float]) -> Tensor:
    """Draws: whether mirrored, and degrees clockwise."""
    return torch.tensor([[-1.0 if mirrored else 1.0, math.radians(angle)] for mirrored, angle in pairs])


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 15, 15), (3, 12, 20)])
def test_each_is_mirrored_then_turned_as_torchvision_does(shape: tuple[int, ...]) -> None:
    from torchvision.transforms import InterpolationMode, functional

    pairs = [(False, 0.0), (True, 0.0), (False, 10.0), (True, 10.0), (False, -33.3), (True, 90.0), (True, 179.0)]
    pictures = torch.randn((len(pairs), *shape), generator=torch.Generator().manual_seed(1))
    ours = Augmentation(flip=True, rotate=180).apply(pictures, drawn(*pairs), 0.0)
    for picture, (mirrored, angle), turned in zip(pictures, pairs, ours, strict=True):
        before = functional.hflip(picture) if mirrored else picture
        theirs = functional.rotate(before, -angle, InterpolationMode.BILINEAR)
        assert torch.allclose(turned, theirs, atol=1e-4)


def test_mirroring_alone_moves_pixels_and_changes_none() -> None:
    pictures = torch.randn(2, 3, 4, 5)
    mirrored = Augmentation(flip=True).apply(pictures, drawn((False, 0), (True, 0)), 0.0)
    assert torch.equal(mirrored, torch.stack([pictures[0], pictures[1].flip(2)]))


def test_corners_from_outside_are_black_in_every_channel() -> None:
    data = bundle(Augmentation(rotate=45))
    black = data.prepare(torch.zeros(1, 3, 1, 1, dtype=torch.uint8))
    white = data.prepare(torch.full((1, 3, 9, 9), 255, dtype=torch.uint8))
    turned = data.augmentation.apply(white, drawn((False, 45)), data.black(white))
    corners = turned[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert torch.allclose(corners, black[..., 0].expand_as(corners), atol=1e-5)
    assert torch.allclose(turned[..., 4, 4], white[..., 4, 4], atol=1e-5)
    # on the slanted edge, a share of white and the rest of black: the same share in every channel
    shares = (turned - black) / (white - black)
    assert torch.allclose(shares, shares[:, :1].expand_as(shares), atol=1e-5)
    assert ((shares > 0.1) & (shares < 0.9)).any()


def test_floats_that_lie_in_memory_have_their_black_at_0() -> None:
    data = load_data(Digits(rotate=45), 0, Path("/nowhere"))
    assert data.black(data.train.inputs) == 0.0


def test_every_picture_has_its_own_draw() -> None:
    same = torch.arange(81, dtype=torch.uint8).view(1, 9, 9).expand(64, 1, 9, 9).contiguous()
    data = DataBundle(Split(same, torch.arange(64)), None, (1, 9, 9), 64, augmentation=Augmentation(rotate=20))
    assert len({tuple(picture.flatten().tolist()) for picture in epoch(data)}) == 64


def test_draws_keep_to_their_range_and_mirror_every_other() -> None:
    draws = BOTH.draw(10_000, torch.Generator().manual_seed(0))
    assert draws[:, 1].abs().max() <= math.radians(30)
    assert draws[:, 1].abs().max() > math.radians(29)
    assert abs(draws[:, 1].mean()) < 0.01
    assert draws[:, 0].unique().tolist() == [-1, 1]
    assert abs(draws[:, 0].mean()) < 0.05
    assert (Augmentation(rotate=30).draw(100, torch.Generator())[:, 0] == 1).all()
    assert (Augmentation(flip=True).draw(100, torch.Generator())[:, 1] == 0).all()


def test_draws_differ_between_epochs_and_repeat_for_the_same() -> None:
    data = bundle(BOTH)
    assert torch.equal(epoch(data, 3), epoch(data, 3))
    assert not torch.isclose(epoch(data, 3), epoch(data, 4)).all(1).all(1).all(1).any()


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("start", [1, 2])
def test_the_rest_of_an_epoch_is_the_same_after_a_resume(
    shuffle: bool, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bundle(BOTH)
    whole = epoch(data, shuffle=shuffle)
    assert torch.equal(epoch(data, start=start, shuffle=shuffle), whole[start * 8 :])
    monkeypatch.setattr("engine.batches.CHUNK_BYTES", 1)
    assert torch.equal(epoch(data, shuffle=shuffle), whole)


def test_one_batch_of_all_is_drawn_anew_each_epoch() -> None:
    data = bundle(BOTH)
    assert torch.equal(epoch(data, 0, batch_size=24), epoch(data, 0, batch_size=24))
    assert not torch.equal(epoch(data, 0, batch_size=24), epoch(data, 1, batch_size=24))
    assert torch.allclose(epoch(data, 0, batch_size=24), epoch(data, 0, batch_size=8))


def test_what_is_evaluated_stays_as_it_is() -> None:
    data = bundle(BOTH)
    inputs, _ = next(evaluation_batches(data, data.train, torch.device("cpu")))
    assert torch.equal(inputs, data.prepare(data.train.inputs))


def test_stored_pictures_are_not_touched() -> None:
    data = bundle(BOTH)
    before = data.train.inputs.clone()
    assert epoch(data).dtype == torch.float32
    assert torch.equal(data.train.inputs, before)
    assert data.train.inputs.dtype == torch.uint8


def test_fields_of_every_image_data_set_arrive(tmp_path: Path) -> None:
    for name in ("MNIST", "FashionMNIST"):
        write_mnist(tmp_path, name)
    write_cifar10(tmp_path)
    for kind in (Mnist, FashionMnist, Cifar10, Digits):
        assert load_data(kind(flip=True, rotate=10), 0, tmp_path).augmentation == Augmentation(True, 10)
        assert load_data(kind(), 0, tmp_path).augmentation == NO_AUGMENTATION
    assert not NO_AUGMENTATION
