"""dltui against a bare PyTorch loop: `python -m benchmarks.throughput [--device cuda] [--data DIR] [--repeats 5]`.

Both train the same model on the same resident data with the same batches and optimizer, in one process, in turns. The
bare loop does nothing else: no log, no checkpoint, no evaluation, no `.item()`. dltui does all it always does: logs,
evaluates, draws its figures, and saves checkpoints. The figure is the ratio of their steps per second, the median over
the repeats, so that noise of the machine hits both alike. The table goes to standard output and to docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import nn

import engine
from engine import events as ev
from engine.batches import mix_seed
from engine.data import load_data
from engine.devices import default_threads, device_name, resolve_device
from engine.models import build_model
from engine.places import data_dir
from engine.schema import RunConfig, overlay, validate
from presets import load_preset

EPOCHS = {
    "linear-regression-synthetic": 100,
    "spiral-relu": 1000,
    "digits-mlp": 60,
    "fashion-mlp": 3,
    "mnist-mlp": 2,
}
RESULTS = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def bare_steps_per_s(config: RunConfig, data_folder: Path) -> float:
    """Steps per second of a hand-written loop: resident data, fused optimizer, nothing but training."""
    device = resolve_device(config.trainer.device)
    torch.set_num_threads(config.trainer.threads or default_threads())
    torch.manual_seed(config.trainer.seed)
    data = load_data(config.data, config.trainer.seed, data_folder).to(device)
    model = build_model(config.model, data).to(device)
    optimizer = _bare_optimizer(config, model)
    loss_of: Callable[..., torch.Tensor] = nn.CrossEntropyLoss() if data.class_names else nn.MSELoss()
    rows = len(data.train)
    size = rows if isinstance(config.trainer.batch_size, str) else config.trainer.batch_size
    inputs, targets = data.prepare(data.train.inputs), data.train.targets
    steps, began_s = 0, time.perf_counter()
    for epoch in range(config.trainer.epochs):
        generator = torch.Generator().manual_seed(mix_seed(0, epoch))
        order = torch.randperm(rows, generator=generator).to(device)
        for first in range(0, rows, size):
            chosen = order[first : first + size]
            optimizer.zero_grad(set_to_none=True)
            loss_of(model(inputs[chosen]), targets[chosen]).backward()
            optimizer.step()
            steps += 1
    if device.type == "cuda":
        torch.cuda.synchronize()
    return steps / (time.perf_counter() - began_s)


def _bare_optimizer(config: RunConfig, model: nn.Module) -> torch.optim.Optimizer:
    settings = config.optimizer
    if settings.kind == "sgd":
        return torch.optim.SGD(model.parameters(), settings.lr, momentum=settings.momentum, fused=True)
    return torch.optim.Adam(model.parameters(), settings.lr, weight_decay=settings.weight_decay, fused=True)


async def dltui_steps_per_s(config: RunConfig, data_folder: Path) -> float:
    """Steps per second of the engine with everything it does, in its worker thread."""
    async for event in engine.run(config, data_dir=data_folder):
        if isinstance(event, ev.RunFailed):
            raise RuntimeError(event.error)
        if isinstance(event, ev.RunFinished):
            return event.step / event.elapsed_s
    raise RuntimeError("the run did not finish")


def measure(name: str, device: str, data_folder: Path, repeats: int) -> tuple[float, float, float]:
    """Median steps per second of the bare loop and of dltui, and the median ratio of their pairs."""
    trainer = {"device": device, "epochs": EPOCHS[name], "log_every": 0}
    config = validate(overlay(load_preset(name).tree, {"trainer": trainer}))
    pairs = []
    for _ in range(repeats + 1):
        bare = bare_steps_per_s(config, data_folder)
        pairs.append((bare, asyncio.run(dltui_steps_per_s(config, data_folder))))
    pairs = pairs[1:]  # the first pair warms caches and allocators
    ratios = [ours / bare for bare, ours in pairs]
    bares, ours = zip(*pairs, strict=True)
    return statistics.median(bares), statistics.median(ours), statistics.median(ratios)


def main() -> None:
    """Measure every preset whose data is here, print the table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--data", type=Path, default=data_dir())
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    lines = [
        f"### {device_name(device)}, {datetime.now(UTC):%Y-%m-%d}",
        "",
        f"torch {torch.__version__}, Python {platform.python_version()}; medians of {arguments.repeats} runs in turns.",
        "",
        "| preset | bare loop, steps/s | dltui, steps/s | ratio |",
        "|---|---|---|---|",
    ]
    for name in EPOCHS:
        try:
            bare, ours, ratio = measure(name, arguments.device, arguments.data, arguments.repeats)
            lines.append(f"| {name} | {bare:,.0f} | {ours:,.0f} | {ratio:.2f} |")
        except Exception as error:  # a data set that is not here must not cost the others' figures
            lines.append(f"| {name} | | | not measured: {error} |")
        print(lines[-1], flush=True)
    keep(f"{device.type}", "\n".join(lines))


def keep(section: str, table: str) -> None:
    """Put a table into docs/benchmarks.md in place of the last one of the same section."""
    begin, end = f"<!-- {section} -->", f"<!-- /{section} -->"
    text = RESULTS.read_text("utf-8") if RESULTS.exists() else "# Benchmarks\n"
    block = f"{begin}\n{table}\n{end}"
    if begin in text and end in text:
        text = text[: text.index(begin)] + block + text[text.index(end) + len(end) :]
    else:
        text = f"{text.rstrip()}\n\n{block}\n"
    RESULTS.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
