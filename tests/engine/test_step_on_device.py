"""A step reads nothing from its device: torch's meta device has no numbers, so whoever asks for one fails.

What a CUDA device would wait for, and what a CUDA graph could not capture, is found here without either.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.capturable import make_capturable
from engine.data import load_data
from engine.schema import RunConfig
from engine.tasks import Task, build_task
from presets import load_preset
from tests.engine.data_files import write_reviews
from tests.engine.helpers import config

NOWHERE = torch.device("meta")
DIGITS: dict[str, Any] = {"data": {"kind": "digits"}}
LSTM: dict[str, Any] = {"kind": "lstm", "embedding": 8, "hidden": 8, "head": 8}
REVIEWS = {"kind": "tsv", "path": "imdb/train.tsv.gz", "length": 12}
SYSTEMS: dict[str, dict[str, Any]] = {
    "classes": {},
    "pictures": {**DIGITS, "model": {"kind": "cnn", "kernel": 3, "padding": "same", "norm": "batch", "hidden": [32]}},
    "gan": {**DIGITS, "task": {"kind": "gan"}, "model": {"kind": "dcgan", "ngf": 16, "ndf": 16}},
    "texts": {"data": REVIEWS, "model": {**LSTM, "cell": "by-hand"}},
    "texts, library": {"data": REVIEWS, "model": {**LSTM, "cell": "library"}},
}
PRESETS = ("linear-regression", "linear-regression-scratch", "weight-decay", "regression-1d", "xor", "rnn-hello")
RULES = ("sgd", "adam", "adamw", "rmsprop", "nadam", "radam", "adagrad")
CLIPPED = {"clip_norm": 1.0}


@pytest.fixture(autouse=True)
def _as_on_cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Updates in the form that they have there. Fused ones, which torch has not for the meta device, do nothing."""
    module = import_module("torch.optim.optimizer")  # torch.optim has hidden it
    anywhere = [*module._get_fused_kernels_supported_devices(), NOWHERE.type]
    monkeypatch.setattr(module, "_get_fused_kernels_supported_devices", lambda: anywhere)
    for rule in ("adam", "adamw", "nadam", "radam", "rmsprop"):
        itself = import_module(f"torch.optim.{rule}")
        if hasattr(itself, "_get_capturable_supported_devices"):
            monkeypatch.setattr(itself, "_get_capturable_supported_devices", lambda *_, **__: anywhere)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # there is none for this device
    with torch.library._scoped_library("aten", "IMPL") as library:
        for update in ("sgd", "adam", "adamw", "adagrad"):
            packet = getattr(torch.ops.aten, f"_fused_{update}_")
            for overload in packet.overloads():
                library.impl(getattr(packet, overload), lambda *_, **__: None, "Meta")
        yield


def whole_of(name: str) -> RunConfig:
    return config(**SYSTEMS[name], trainer=CLIPPED) if name in SYSTEMS else load_preset(name).config


def take_steps(whole: RunConfig, folder: Path) -> Task:
    """Eager steps, and then some in the form that is captured; whatever reads a number raises."""
    write_reviews(folder)
    here = build_task(whole, load_data(whole.data, 0, folder), torch.device("cpu"))  # has looked at its data
    task = build_task(whole, here.data.to(NOWHERE), NOWHERE)
    rows = whole.trainer.batch_size if isinstance(whole.trainer.batch_size, int) else len(task.data.train)
    batch = task.data.prepare(task.data.train.inputs[:rows]), task.data.train.targets[:rows]
    for capturable in (False, True):
        if capturable:
            make_capturable(task.optimizers.values(), NOWHERE)
        for step in range(3):
            task.set_lr(whole.optimizer.lr / (1 + step))
            observation = task.train_step(*batch)
    assert {observed.device for observed in observation.values()} == {NOWHERE}
    gauged = task.gauged()
    numbers = task.measure_rows([[observation], [observation]])
    gauges = task.gauges(torch.stack([gauged, gauged])) if gauged is not None else {}
    assert {number.device for number in [*numbers.values(), *gauges.values()]} == {NOWHERE}
    return task


@pytest.mark.parametrize("name", [*SYSTEMS, *PRESETS])
def test_a_step_reads_nothing_from_its_device(name: str, tmp_path: Path) -> None:
    take_steps(whole_of(name), tmp_path)


@pytest.mark.parametrize("kind", RULES)
def test_neither_does_an_update(kind: str, tmp_path: Path) -> None:
    task = take_steps(config(optimizer={"kind": kind, "lr": 0.01}, trainer=CLIPPED), tmp_path)
    for optimizer in task.optimizers.values():
        assert all(group["lr"].device == NOWHERE for group in optimizer.param_groups)


def test_whoever_reads_one_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def clip(parameters: list[Tensor], norm: float) -> None:
        assert float(sum(parameter.norm() for parameter in parameters)) < norm

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clip)
    with pytest.raises(RuntimeError, match="meta"):
        take_steps(whole_of("classes"), tmp_path)
