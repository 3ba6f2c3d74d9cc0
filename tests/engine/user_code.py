"""A user's own files, written for a test and trained on."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from engine.events import AnyEvent, RunFailed
from engine.run_folder import RunFolder, create_run
from engine.schema import RunConfig, overlay, validate
from tests.engine.helpers import collect

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, input_shape, outputs, width=8):
        super().__init__()
        self.hidden = nn.Linear(input_shape[0], width)
        self.norm = nn.BatchNorm1d(width)
        self.output = nn.Linear(width, outputs)

    def forward(self, x):
        return self.output(self.norm(self.hidden(x).tanh()))

def load(seed, rows=60):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 2, generator=generator)
    y = (x.norm(dim=1) > 1).long()
    return (x[20:], y[20:]), (x[:20], y[:20])
"""
"""A network and a data set that work."""

TREE: dict[str, Any] = {
    "task": {"kind": "classification"},
    "optimizer": {"kind": "adam", "lr": 0.01},
    "trainer": {"epochs": 2, "batch_size": 16, "log_every": 1, "device": "cpu", "threads": 1},
}


def write(folder: Path, source: str, name: str = "my_net.py") -> Path:
    """A file of the user's in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(textwrap.dedent(source))
    return path


def custom(
    file: Path, model: dict[str, Any] | None = None, data: dict[str, Any] | None = None, **over: Any
) -> RunConfig:
    """A small run of `Net` on `load`, both from `file`; or on spiral points, or of another model."""
    tree = {
        **TREE,
        "data": data or {"kind": "custom", "target": f"{file}:load"},
        "model": model or {"kind": "custom", "target": f"{file}:Net"},
    }
    return validate(overlay(tree, over))


SPIRAL: dict[str, Any] = {"kind": "spiral", "points": 20}


async def train(folder: Path, config: RunConfig) -> tuple[RunFolder, list[AnyEvent]]:
    """The run's folder, and all that happened."""
    run = create_run(folder / "runs", config, folder / "data")
    return run, await collect(config, run)


async def failure(folder: Path, config: RunConfig) -> RunFailed:
    """How a run that must fail did; what it says is one line."""
    _, events = await train(folder, config)
    ending = events[-1]
    assert isinstance(ending, RunFailed), ending
    assert "\n" not in ending.error + ending.cure
    return ending
