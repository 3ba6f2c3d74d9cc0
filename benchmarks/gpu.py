"""dltui on a CUDA GPU against hand-written loops, a hand-captured graph and Lightning.

    python -m benchmarks.gpu [--data DIR] [--repeats 5] [--only mnist-mlp spiral-relu] [--rows DIR] [--device cuda]

All train the same model on the same batches, which lie on the device, in turns. The hand-written loops do nothing but
train; dltui logs, evaluates, draws and saves, in a process of its own as it always does, and all of that counts. The
table goes to standard output and to docs/benchmarks.md. What can't be measured here is left blank.

A preset takes three to five minutes, half of that with --repeats 2. With --rows each is kept in a file of that folder,
and the table has all that lie there: where a machine is lent for a few minutes at a time, or has no place to keep a
page, measure some presets in each go, carry the folder home, and make the table there: --rows DIR --only
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.gpu_loops import System, Workload, as_graph, dltui, eager, lightning
from benchmarks.tables import keep, machine, ratio
from engine.devices import device_name, resolve_device
from engine.places import data_dir
from engine.text import first_line

EAGER, GRAPH, LIGHTNING, OURS, WITH_SCREEN = "eager loop", "graphed loop", "Lightning", "dltui", "dltui with the screen"
COLUMNS = (
    "preset",
    "eager loop, steps/s",
    "graphed / eager",
    "Lightning / eager",
    "dltui / eager",
    "dltui / graphed",
    "with the screen / without",
)
NOTES = (
    "The same model, batches and optimizer; medians of rounds in turns. Loops by hand are timed for 2 s, runs of dltui "
    "from their third second to their end, some 6 s. Goals: 5 x eager for spiral-relu and mnist-mlp, 0.95 of the "
    "graphed loop, and 0.98 with the screen. cifar10-cnn is trained on a part of CIFAR-10, in bf16."
)

SYSTEMS = (
    System("spiral-relu"),
    System("mnist-mlp"),
    System("fashion-mlp"),
    System("mnist-cnn"),
    System(
        "cifar10-cnn",
        {
            "data": {"kind": "image-folder", "path": "cifar10_subset", "size": 32, "flip": True, "rotate": 10},
            "trainer": {"precision": "bf16"},
        },
    ),
    System("dcgan"),
    System("imdb-lstm"),
)


class Measured(NamedTuple):
    """What was found out about one preset."""

    cells: list[str]
    where: str
    """The machine, and when."""
    failures: dict[str, str]
    """Why a loop has no figure."""


def measure(work: Workload, repeats: int) -> Measured:
    """A row of the table."""
    hand: dict[str, Callable[[], float]] = {EAGER: lambda: eager(work), LIGHTNING: lambda: lightning(work)}
    if work.device.type == "cuda":
        hand[GRAPH] = lambda: as_graph(work)
    ours: dict[str, Callable[[], float]] = {
        OURS: lambda: dltui(work, with_screen=False),
        WITH_SCREEN: lambda: dltui(work, with_screen=True),
    }
    # a first round of the loops in this process warms caches, and says how many epochs a run should have
    failures = _turns(hand, 1)[1]
    speeds, more = _turns({name: run for name, run in {**hand, **ours}.items() if name not in failures}, repeats)

    def times(name: str, other: str) -> str:
        return f"{ratio(speeds[name], speeds[other]):.2f}" if name in speeds and other in speeds else ""

    cells = [
        work.name,
        f"{statistics.median(speeds[EAGER]):,.0f}" if EAGER in speeds else "",
        times(GRAPH, EAGER),
        times(LIGHTNING, EAGER),
        times(OURS, EAGER),
        times(OURS, GRAPH),
        times(WITH_SCREEN, OURS),
    ]
    return Measured(cells, machine(device_name(work.device)), {**failures, **more})


def _turns(runs: Mapping[str, Callable[[], float]], repeats: int) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Speeds of `runs`, all of them once, then all again; and why those have none that could not be timed."""
    speeds: dict[str, list[float]] = {name: [] for name in runs}
    failures: dict[str, str] = {}
    for _ in range(repeats):
        for name in list(speeds):
            try:
                speeds[name].append(runs[name]())
            except Exception as error:  # what one lacks must not cost the others their figures
                failures[name] = first_line(error)
                del speeds[name]
    return speeds, failures


def _measured(system: System, arguments: argparse.Namespace) -> Measured:
    try:
        return measure(Workload(system, arguments.device, arguments.data), arguments.repeats)
    except Exception as error:  # its data is not here, for instance
        cells = [system.preset, f"not measured: {first_line(error)}", *[""] * (len(COLUMNS) - 2)]
        return Measured(cells, machine(device_name(resolve_device(arguments.device))), {})


def main() -> None:
    """Measure what was asked for, and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--data", type=Path, default=data_dir())
    parser.add_argument("--repeats", type=int, default=5)
    names = [system.preset for system in SYSTEMS]
    parser.add_argument("--only", nargs="*", default=names, choices=names, metavar="PRESET")
    parser.add_argument(
        "--rows", type=Path, help="keep each preset's row here, and make the table of all that lie here"
    )
    arguments = parser.parse_args()
    found: dict[str, Measured] = {}
    for system in SYSTEMS:
        file = arguments.rows / f"{system.preset}.json" if arguments.rows else None
        if system.preset in arguments.only:
            found[system.preset] = _measured(system, arguments)
            for name, reason in found[system.preset].failures.items():
                print(f"{system.preset}, {name}: {reason}", flush=True)
            print(" | ".join(found[system.preset].cells), flush=True)
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps(found[system.preset]._asdict()))
        elif file is not None and file.exists():
            found[system.preset] = Measured(**json.loads(file.read_text()))
    if found:
        where = " ".join(dict.fromkeys(measured.where for measured in found.values()))
        keep("gpu", "On a CUDA GPU", NOTES, COLUMNS, [measured.cells for measured in found.values()], where)


if __name__ == "__main__":
    main()
