"""dltui against a bare loop, the tutorial's loop and the usual trainers, on the CPU.

    python -m benchmarks.throughput [--data DIR] [--repeats 5] [--quick]

All train the same model on the same data with the same batch size and optimizer, in one process, in turns; the figures
are ratios of what was measured in the same round. What a loop does before its first step and after its last does not
count, nor does its warm-up; with dltui everything counts, to its last checkpoint. A trainer that is not installed
(`pip install --group bench`) leaves its row blank. The tables go to standard output and to docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import gc
import statistics
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.loops import NotInstalledError, Trained, find_loop
from benchmarks.systems import System, load_system
from benchmarks.tables import in_turns, keep, ratio
from engine.cores import find_cores
from engine.data import DataError
from engine.devices import default_threads
from engine.places import data_dir

BARE, TUTORIAL, DLTUI = "bare loop", "the tutorial's loop", "dltui"
FLOOR = "bare loop, one batch over and over"
EVERY_STEP = "dltui, a row for every step"
PEERS = {
    "Lightning": "lightning",
    "Lightning, barebones": "lightning.train_barebones",
    "HF Trainer": "huggingface",
    "accelerate": "accelerated",
    "skorch": "skorched",
    "Keras on torch": "keras",
}
PRESETS = {"spiral-relu": 1000, "digits-mlp": 60, "fashion-mlp": 3}
"""Epochs of those that are measured against the bare loop only."""
NOTES = (
    "The same model, data, batch size and optimizer for all; data is resident and optimizers are fused, but for the "
    "tutorial's and Keras's own. Medians of {repeats} rounds in turns. "
    "Peers log, save, evaluate and show nothing, and their warm-up, start and end do not count; dltui does all it "
    "always does, and all of it counts."
)
Speeds = dict[str, list[float]]


class Row(NamedTuple):
    """One loop of a table."""

    name: str
    loop: str
    system: System


def mnist_rows(data_folder: Path, is_quick: bool) -> list[Row]:
    """Five layers on MNIST, batches of 64: arithmetic counts for more than bookkeeping."""
    whole = load_system("mnist-mlp", data_folder, _trainer(1 if is_quick else 2))
    part = whole.trained_otherwise(epochs=1).head(6_400 if is_quick else 25_600)
    return [
        Row(BARE, "bare", whole),
        Row(FLOOR, "bare.train_on_one_batch", part),
        Row(TUTORIAL, "tutorial", part.head(12_800)),
        *(Row(name, loop, part) for name, loop in PEERS.items()),
        Row(DLTUI, "dltui", whole),
    ]


def linear_rows(data_folder: Path, is_quick: bool) -> list[Row]:
    """Three numbers, batches of ten: nothing but bookkeeping."""
    whole = load_system("linear-regression-synthetic", data_folder, _trainer(20 if is_quick else 60))
    part = whole.trained_otherwise(epochs=5 if is_quick else 10)
    return [
        Row(BARE, "bare", whole),
        Row(FLOOR, "bare.train_on_one_batch", part),
        Row(TUTORIAL, "tutorial", part),
        *(Row(name, loop, part) for name, loop in PEERS.items()),
        Row(DLTUI, "dltui", whole),
        Row(EVERY_STEP, "dltui", whole.trained_otherwise(log_every=1)),
    ]


def _trainer(epochs: int) -> dict[str, object]:
    return {"device": "cpu", "epochs": epochs, "log_every": 0}


def train(row: Row, threads: int) -> Trained:
    """Train a row's system once, with so many threads: a team of them that ends with it, as `engine.warm_up` has it.
    Whoever calls this computes with one thread, and so has no team that would slow down that of the row."""
    gc.collect()

    def work() -> Trained:
        torch.set_num_threads(threads)
        return find_loop(row.loop)(row.system.trained_otherwise(threads=threads))

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def measure(rows: Iterable[Row], threads: int, repeats: int) -> Speeds:
    """Steps per second of each row, by its name, in each round."""
    return in_turns({row.name: partial(speed, row, threads) for row in rows}, repeats)


def speed(row: Row, threads: int) -> float:
    """Steps per second of a row's loop."""
    return train(row, threads).steps_per_s


def find_obstacle(row: Row) -> str:
    """Why a row can't be measured; empty if it can. Its loop is tried on a few batches."""
    try:
        train(row._replace(system=row.system.trained_otherwise(epochs=1).head(4 * row.system.batch_size)), 1)
    except NotInstalledError as error:
        return str(error)
    except Exception as error:  # one trainer that has changed must not cost the others' figures
        return f"failed: {type(error).__name__}"
    return ""


def compare(preset: str, rows: Sequence[Row], repeats: int, with_accuracy: bool) -> None:
    """Measure all rows with the default number of threads, the chief ones with all cores too, and keep the table."""
    print(f"measuring {preset}", flush=True)
    obstacles = {row.name: find_obstacle(row) for row in rows if row.loop in PEERS.values()}
    runnable = [row for row in rows if not obstacles.get(row.name)]
    counts = sorted({default_threads(), find_cores().usable})
    speeds = [measure(runnable, counts[0], repeats)]
    speeds += [measure([row for row in rows if row.name not in PEERS], count, repeats) for count in counts[1:]]
    columns = ["loop"]
    for count in counts:
        columns += [f"{count} thread{'s' * (count > 1)}: steps/s", "of bare", "of the tutorial's", "µs/step over bare"]
    table = []
    for row in rows:
        figures = [cells(row.name, one) if row.name in one else [""] * 4 for one in speeds]
        figures[0][0] = figures[0][0] or obstacles[row.name]
        table.append([row.name, *chain(*figures)])
    if with_accuracy:
        columns.append(f"accuracy after {rows[0].system.epochs} epochs")
        accuracies = accuracies_of(rows)
        table = [[*line, accuracies.get(line[0], "")] for line in table]
    keep(f"throughput-{preset}", f"Training throughput: {preset}", NOTES.format(repeats=repeats), columns, table)


def cells(name: str, speeds: Speeds) -> list[str]:
    """What a table says of one row at one number of threads."""
    own, bare = speeds[name], speeds[BARE]
    over_s = statistics.median(1 / mine - 1 / theirs for mine, theirs in zip(own, bare, strict=True))
    return [
        f"{statistics.median(own):,.0f}",
        f"{ratio(own, bare):.2f}",
        f"{ratio(own, speeds[TUTORIAL]):.1f}",
        f"{over_s * 1e6:+,.0f}",
    ]


def accuracies_of(rows: Iterable[Row]) -> dict[str, str]:
    """What the bare loop, the tutorial's and dltui reach on the held-out rows, in as many epochs of all rows."""
    by_name = {row.name: row for row in rows}
    whole = by_name[BARE].system
    found = {}
    for name in (BARE, TUTORIAL, DLTUI):
        trained = train(by_name[name]._replace(system=whole), default_threads())
        found[name] = f"{accuracy(trained.outputs, whole):.4f}"
    return found


def accuracy(outputs: Callable[[Tensor], Tensor], system: System) -> float:
    """Share of held-out rows whose highest score is that of their class."""
    assert system.data.val is not None
    with torch.no_grad():
        guesses = outputs(system.data.prepare(system.data.val.inputs)).argmax(1)
    return (guesses == system.data.val.targets).float().mean().item()


def compare_presets(data_folder: Path, repeats: int, is_quick: bool) -> None:
    """dltui against the bare loop on other presets, and keep the table."""
    table = []
    for preset, epochs in PRESETS.items():
        try:
            system = load_system(preset, data_folder, _trainer(max(1, epochs // 3) if is_quick else epochs))
        except DataError as error:
            table.append([preset, "", "", f"not measured: {error}"])
            continue
        print(f"measuring {preset}", flush=True)
        speeds = measure([Row(BARE, "bare", system), Row(DLTUI, "dltui", system)], default_threads(), repeats)
        medians = [f"{statistics.median(speeds[name]):,.0f}" for name in (BARE, DLTUI)]
        table.append([preset, *medians, f"{ratio(speeds[DLTUI], speeds[BARE]):.2f}"])
    columns = ["preset", "bare loop, steps/s", "dltui, steps/s", "of bare"]
    notes = f"As above, with the default number of threads; medians of {repeats} rounds in turns."
    keep("cpu", "Training throughput: other presets", notes, columns, table)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all, print the tables and keep them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_dir(), help="folder with MNIST and FashionMNIST")
    parser.add_argument("--repeats", type=int, default=5, help="rounds, after one that does not count")
    parser.add_argument("--quick", action="store_true", help="two short rounds, to see that everything works")
    chosen = parser.parse_args(arguments)
    repeats = 2 if chosen.quick else chosen.repeats
    torch.set_num_threads(1)
    try:
        compare("mnist-mlp", mnist_rows(chosen.data, chosen.quick), repeats, with_accuracy=not chosen.quick)
    except DataError as error:  # a data set that is not here must not cost the others' figures
        print(f"mnist-mlp is not measured: {error}", flush=True)
    compare("linear-regression-synthetic", linear_rows(chosen.data, chosen.quick), repeats, with_accuracy=False)
    compare_presets(chosen.data, repeats, chosen.quick)


if __name__ == "__main__":
    main()
