"""How many threads to compute with on a machine that others use too: `python -m benchmarks.threads [--data DIR]`.

The bare loop and dltui train mnist-mlp with one thread fewer than there are cores and with as many, alone and beside a
process that does nothing but compute, and with OpenMP's threads waiting actively (its default) and passively. How they
wait is settled when a process starts, so each way has a process of its own; all are measured in turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import torch

from benchmarks import throughput
from benchmarks.systems import System, load_system
from benchmarks.tables import in_turns, keep, ratio
from benchmarks.throughput import BARE, DLTUI, Row
from engine.cores import find_cores
from engine.places import data_dir

LOOPS = {BARE: "bare", DLTUI: "dltui"}
ROWS = 16_000
"""Of the bare loop; dltui trains a whole epoch, whatever it costs."""
POLICIES = {"": "", "OMP_WAIT_POLICY=PASSIVE: ": "PASSIVE"}
BUSY = "import os\nwhile os.getppid() == {parent}: pass"
"""A process that keeps one core busy, for as long as whoever measures beside it is there."""


class Place(NamedTuple):
    """What is measured: one cell of the table."""

    loop: str
    threads: int
    policy: str
    has_neighbour: bool

    def __str__(self) -> str:
        return f"{self.loop}, {self.threads}, {self.policy}{'busy' if self.has_neighbour else 'alone'}"


def speed(loop: str, threads: int, data_folder: Path) -> float:
    """Steps per second of a loop, in a process that is kept for such measurements."""
    return throughput.speed(Row(loop, LOOPS[loop], _system(data_folder).head(ROWS)), threads)


@cache
def _system(data_folder: Path) -> System:
    return load_system("mnist-mlp", data_folder, {"device": "cpu", "epochs": 1, "log_every": 0})


@contextmanager
def busy_neighbour() -> Iterator[None]:
    """One core is kept busy meanwhile."""
    with subprocess.Popen([sys.executable, "-c", BUSY.format(parent=os.getpid())]) as process:
        try:
            yield
        finally:
            process.kill()


@contextmanager
def process_with(policy: str) -> Iterator[ProcessPoolExecutor]:
    """A process whose OpenMP threads wait by `policy`; empty is the default."""
    before = os.environ.pop("OMP_WAIT_POLICY", None)
    if policy:
        os.environ["OMP_WAIT_POLICY"] = policy
    try:
        executor = ProcessPoolExecutor(1, get_context("spawn"), torch.set_num_threads, (1,))
        executor.submit(os.getpid).result()  # it starts now, and with it what it has of the environment
    finally:
        os.environ.pop("OMP_WAIT_POLICY", None)
        if before is not None:
            os.environ["OMP_WAIT_POLICY"] = before
    with executor:
        yield executor


def measure(threads: Sequence[int], data_folder: Path, repeats: int) -> dict[str, list[float]]:
    """Steps per second of every place, by its words, in each round."""
    with ExitStack() as stack:
        processes = {name: stack.enter_context(process_with(policy)) for name, policy in POLICIES.items()}

        def one(place: Place) -> float:
            with busy_neighbour() if place.has_neighbour else nullcontext():
                return processes[place.policy].submit(speed, place.loop, place.threads, data_folder).result()

        return in_turns({str(place): partial(one, place) for place in places(threads)}, repeats)


def places(threads: Sequence[int]) -> list[Place]:
    """All that is measured."""
    return [
        Place(loop, count, policy, has_neighbour)
        for loop in LOOPS
        for count in threads
        for policy in POLICIES
        for has_neighbour in (False, True)
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_dir(), help="folder with MNIST")
    parser.add_argument("--repeats", type=int, default=5, help="rounds, after one that does not count")
    chosen = parser.parse_args(arguments)
    cores = find_cores().usable
    threads = sorted({max(1, cores - 1), cores})
    speeds = measure(threads, chosen.data, chosen.repeats)
    unit = speeds[str(Place(BARE, threads[0], "", False))]
    cells = {name: f"{ratio(own, unit):.2f} ({statistics.median(own):,.0f}/s)" for name, own in speeds.items()}
    rows = [
        [f"{loop}, {count} thread{'s' * (count > 1)}"]
        + [cells[str(place)] for place in places([count]) if place.loop == loop]
        for loop in LOOPS
        for count in threads
    ]
    columns = [
        "mnist-mlp",
        *(f"{policy}{where}" for policy in POLICIES for where in ("alone", "beside a busy process")),
    ]
    notes = (
        f"Steps per second as shares of the bare loop's, alone with {threads[0]} thread{'s' * (threads[0] > 1)} of "
        f"{cores} cores; medians of {chosen.repeats} rounds in turns. The busy process keeps one core busy."
    )
    keep("threads", "Threads, alone and beside others", notes, columns, rows)


if __name__ == "__main__":
    main()
