"""What a GAN's step does, what it measures, and which pictures it leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine import events as ev
from engine.data.bundle import DataBundle, DataError, Split
from engine.meters import Meter, NotFinite
from engine.models.dcgan import build_dcgan
from engine.optimizers import lean_step
from engine.run_state import RunState
from engine.schema.image_model import Dcgan
from engine.tasks import Task, build_task
from engine.tasks.gan import MOST_KEPT, GanTask, from_minus_one_to_one
from tests.engine.helpers import collect, make_run
from tests.engine.test_tasks import CPU, make

GAN: dict[str, Any] = {
    "task": {"kind": "gan", "samples": 6},
    "data": {"kind": "digits"},
    "model": {"kind": "dcgan", "latent": 5, "ngf": 4, "ndf": 4},
    "optimizer": {"kind": "adam", "lr": 0.01, "beta1": 0.5},
    "schedule": {"kind": "constant"},
    "trainer": {"batch_size": 512},
}


def batches(task: Task, rows: int = 16) -> Iterator[Tensor]:
    """Prepared training pictures, again and again."""
    inputs = task.data.prepare(task.data.train.inputs)
    while True:
        yield from torch.split(inputs[: 8 * rows], rows)


def states(task: Task) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": value.clone()
        for name, module in task.modules.items()
        for key, value in module.state_dict().items()
    }


def update(rule: torch.optim.Optimizer) -> None:
    with torch.no_grad():
        lean_step(rule)()  # the optimizer's own method would import dynamo, for many seconds


def plain_step(pair: Any, rules: list[torch.optim.Optimizer], pictures: Tensor, latent: int) -> dict[str, float]:
    """A GAN's step as anybody would write it."""
    generator, discriminator = pair
    real, made = torch.ones(len(pictures)), torch.zeros(len(pictures))
    fakes = generator(torch.randn(len(pictures), latent, 1, 1))
    on_real, on_fake = discriminator(pictures).flatten(), discriminator(fakes.detach()).flatten()
    loss_d = F.binary_cross_entropy_with_logits(on_real, real) + F.binary_cross_entropy_with_logits(on_fake, made)
    rules[1].zero_grad()
    loss_d.backward()  # type: ignore[no-untyped-call]
    update(rules[1])
    loss_g = F.binary_cross_entropy_with_logits(discriminator(fakes).flatten(), real)
    rules[0].zero_grad()
    loss_g.backward()  # type: ignore[no-untyped-call]
    update(rules[0])
    return {
        "loss_d": loss_d.item(),
        "loss_g": loss_g.item(),
        "d_real": on_real.sigmoid().mean().item(),
        "d_fake": on_fake.sigmoid().mean().item(),
    }


def test_steps_are_those_of_a_plain_loop() -> None:
    task, _, config = make(GAN)
    torch.manual_seed(config.trainer.seed)
    pair = build_dcgan(Dcgan(latent=5, ngf=4, ndf=4), (1, 8, 8))
    rules = [torch.optim.Adam(network.parameters(), 0.01, (0.5, 0.999)) for network in pair]
    ours, theirs = [], []
    torch.manual_seed(1)
    for pictures, _ in zip(batches(task), range(6), strict=False):
        measured = task.measure([task.train_step(pictures, torch.zeros(len(pictures)))])
        ours.append({key: value.item() for key, value in measured.items()})
    torch.manual_seed(1)
    for pictures, _ in zip(batches(task), range(6), strict=False):
        theirs.append(plain_step(pair, rules, pictures, 5))
    for mine, plain in zip(ours, theirs, strict=True):
        assert mine == pytest.approx(plain, abs=1e-5)
    for module, network in zip(task.modules.values(), pair, strict=True):
        for key, value in network.state_dict().items():
            assert torch.allclose(module.state_dict()[key], value, atol=1e-5), key


def test_a_step_leaves_neither_gradients_nor_frozen_weights() -> None:
    task, _, _ = make(GAN)
    observation = task.train_step(next(batches(task)), torch.zeros(16))
    parameters = [p for module in task.modules.values() for p in module.parameters()]
    assert all(p.grad is None and p.requires_grad for p in parameters)
    assert all(not tensor.requires_grad for tensor in observation.values())


def test_both_networks_have_an_optimizer_and_follow_the_learning_rate() -> None:
    task, _, _ = make(GAN)
    assert list(task.optimizers) == ["generator.adam", "discriminator.adam"]
    task.set_lr(0.25)
    assert [rule.param_groups[0]["lr"] for rule in task.optimizers.values()] == [0.25, 0.25]
    assert task.parameter_count() == sum(value.numel() for m in task.modules.values() for value in m.parameters())


def flat(parameters: list[nn.Parameter]) -> Tensor:
    return torch.cat([parameter.detach().reshape(-1) for parameter in parameters])


def test_clipping_bounds_the_step_of_each_network() -> None:
    over: dict[str, Any] = {"optimizer": {"kind": "sgd", "lr": 1.0}, "trainer": {"clip_norm": 1e-3}}
    task, _, _ = make(GAN, **over)
    parameters = {name: list(module.parameters()) for name, module in task.modules.items()}
    before = {name: flat(ps) for name, ps in parameters.items()}
    task.train_step(next(batches(task)), torch.zeros(16))
    for name, ps in parameters.items():
        moved = (flat(ps) - before[name]).norm().item()
        assert moved == pytest.approx(1e-3, rel=0.05), name


def test_at_bf16_losses_are_still_float32() -> None:
    task, _, _ = make(GAN, trainer={"precision": "bf16"})
    observation = task.train_step(next(batches(task)), torch.zeros(16))
    assert {tensor.dtype for tensor in observation.values()} == {torch.float32}
    exact, _, _ = make(GAN)
    torch.manual_seed(0)
    rough = task.train_step(next(batches(task)), torch.zeros(16))["real"]
    assert torch.isfinite(rough).all()
    assert not torch.equal(rough, exact.train_step(next(batches(exact)), torch.zeros(16))["real"])


def test_every_sample_counts_the_same_whatever_the_batches() -> None:
    task, _, _ = make(GAN)
    logits = torch.randn(3, 10)
    whole = [{"real": logits[0], "fake": logits[1], "fooled": logits[2]}]
    parts = [{key: value[cut] for key, value in whole[0].items()} for cut in (slice(0, 7), slice(7, 10))]
    measured = task.measure(whole)
    assert {key: value.item() for key, value in task.measure(parts).items()} == pytest.approx(
        {key: value.item() for key, value in measured.items()}
    )
    assert measured["d_real"].item() == pytest.approx(logits[0].sigmoid().mean().item())


def test_a_loss_that_is_not_finite_is_noticed() -> None:
    task, _, _ = make(GAN)
    meter = Meter(task, 10, 1, lambda *rows: None)
    meter.add(task.train_step(next(batches(task)), torch.zeros(16)), 1, 0.0, 0.1)
    with torch.no_grad():
        next(task.modules["generator"].parameters()).fill_(float("nan"))
    meter.add(task.train_step(next(batches(task)), torch.zeros(16)), 2, 0.0, 0.1)
    with pytest.raises(NotFinite, match="step 2"):
        meter.flush_all(2, 0.0, 0.1)


# -- pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mean", [(0.0,), (0.3, 0.4, 0.5)])
def test_pixels_lie_between_minus_one_and_one_whatever_the_data_does(mean: tuple[float, ...]) -> None:
    pictures = torch.arange(256, dtype=torch.uint8).repeat(3).reshape(1, 3, 16, 16)
    data = DataBundle(Split(pictures, torch.zeros(1)), None, (3, 16, 16), 1, mean=mean, std=mean or (1.0,))
    prepared = from_minus_one_to_one(replace(data, std=(0.2,) * len(mean))).prepare(pictures)
    assert prepared.min().item() == -1 and prepared.max().item() == pytest.approx(1)


def test_pictures_of_floats_become_bytes_and_keep_their_range() -> None:
    pictures = torch.linspace(0, 1, 64).reshape(1, 1, 8, 8)
    split = Split(pictures, torch.zeros(1))
    data = from_minus_one_to_one(DataBundle(split, split, (1, 8, 8), 1))
    assert data.val is not None and data.val.inputs.dtype == torch.uint8
    assert torch.allclose(data.prepare(data.train.inputs), 2 * pictures - 1, atol=1 / 255)
    assert data.black(pictures) == -1


def test_pictures_that_are_not_finite_are_refused() -> None:
    pictures = torch.full((1, 1, 8, 8), float("nan"))
    with pytest.raises(DataError, match="not finite"):
        from_minus_one_to_one(DataBundle(Split(pictures, torch.zeros(1)), None, (1, 8, 8), 1))


@pytest.mark.parametrize("call", ["figures", "end_epoch", "evaluate"])
def test_looking_leaves_no_trace(call: str) -> None:
    task, data, _ = make(GAN)
    task.train_step(next(batches(task)), torch.zeros(16))
    before, random, numpy_random = states(task), torch.get_rng_state(), np.random.get_state(legacy=True)[1]
    first = look(task, call, data)
    assert first == look(task, call, data)
    assert torch.equal(torch.get_rng_state(), random)
    assert (np.random.get_state(legacy=True)[1] == numpy_random).all()
    assert all(torch.equal(value, before[key]) for key, value in states(task).items())
    assert all(layer.training for module in task.modules.values() for layer in module.modules())
    task.train_step(next(batches(task)), torch.zeros(16))
    assert not torch.equal(states(task)["generator.norm1.running_mean"], before["generator.norm1.running_mean"])


def look(task: Task, call: str, data: DataBundle) -> list[Any]:
    if call == "evaluate":
        return [value.tolist() for value in task.evaluate(next(batches(task)), torch.zeros(16)).values()]
    figures = task.figures(data.train) if call == "figures" else task.end_epoch(0)
    return [figure.arrays["images_0"].tolist() for figure in figures]


def test_samples_are_what_the_generator_makes_of_the_same_noise() -> None:
    task, data, _ = make(GAN)
    (figure,) = task.figures(data.train)
    assert (figure.name, figure.kind) == ("samples", "gallery")
    images = figure.arrays["images_0"]
    assert images.shape == (6, 8, 8) and images.dtype == np.uint8
    other, _, _ = make(GAN)
    assert (other.figures(data.train)[0].arrays["images_0"] == images).all()
    another, _, _ = make(GAN, trainer={"seed": 1})
    assert (another.figures(data.train)[0].arrays["images_0"] != images).any()


def test_samples_are_in_colour_where_the_data_is() -> None:
    _, _, config = make(GAN)
    pictures = torch.randint(0, 256, (12, 3, 16, 16), dtype=torch.uint8)
    task = build_task(config, DataBundle(Split(pictures, torch.zeros(12)), None, (3, 16, 16), 10), CPU)
    (figure,) = task.figures(task.data.train)
    assert figure.arrays["images_0"].shape == (6, 16, 16, 3)


@pytest.mark.parametrize(("epochs", "every"), [(1, 0), (5, 0), (150, 0), (200, 1), (5000, 1), (1999, 3), (10**7, 1)])
def test_a_long_run_keeps_few_pictures_evenly_spread(epochs: int, every: int) -> None:
    task, _, config = make(GAN, trainer={"epochs": epochs, "eval_every": every})
    assert isinstance(task, GanTask)
    interval = config.trainer.eval_interval()
    asked = [epoch for epoch in range(min(epochs, 20_000) + 1) if epoch % interval == 0 or epoch == epochs]
    kept = [epoch for epoch in asked if task.keeps(epoch)]
    assert kept[0] == 0
    if epochs <= 20_000:
        assert kept[-1] == epochs and len(kept) <= MOST_KEPT + 2
        assert len(kept) == len(asked) or len(kept) > MOST_KEPT / 2
    else:
        assert len(kept) <= 2


# -- whole runs ------------------------------------------------------------------------------------------------------


async def test_a_run_has_no_best_and_keeps_each_epochs_picture(tmp_path: Path) -> None:
    folder = make_run(tmp_path, **GAN | {"trainer": {"epochs": 2, "batch_size": 512}})
    state = RunState()
    state.apply_all(await collect(folder.config(), folder))
    assert isinstance(state.ending, ev.RunFinished), state.ending
    assert state.started is not None and state.started.metric == ""
    assert state.best is None
    assert sorted(path.name for path in folder.checkpoints.iterdir() if path.name[0] != ".") == ["last"]
    stepped = {"train/loss_d", "train/loss_g", "train/d_real", "train/d_fake"}
    assert set(state.series) == {*stepped, "val/loss_d", "val/d_real"}
    assert [drawn.epoch for drawn in state.kept["samples"]] == [0, 1, 2]
    assert all((folder.path / drawn.file).is_file() for drawn in state.kept["samples"])
    assert state.figures["samples"].epoch is None


async def test_without_held_out_pictures_nothing_is_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "engine.tasks.gan.from_minus_one_to_one", lambda data: replace(from_minus_one_to_one(data), val=None)
    )
    folder = make_run(tmp_path, **GAN | {"trainer": {"epochs": 2, "batch_size": 512}})
    events = await collect(folder.config(), folder)
    assert isinstance(events[-1], ev.RunFinished)
    assert not [event for event in events if isinstance(event, ev.Evaluated)]
    assert len([event for event in events if isinstance(event, ev.EpochEnded)]) == 2
