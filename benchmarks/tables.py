"""Figures that hold on a noisy machine, and the page where the last ones are kept."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def in_turns(runs: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """What each of `runs` measures, `repeats` times: all of them once, then all again, so that noise hits all alike.

    A first round, which warms caches and allocators, is left out.
    """
    rounds = [{name: measure() for name, measure in runs.items()} for _ in range(repeats + 1)]
    return {name: [one[name] for one in rounds[1:]] for name in runs}


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of what was measured in the same round."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


def keep(
    section: str,
    title: str,
    notes: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    where: str = "",
) -> None:
    """Print a table and put it into docs/benchmarks.md, in place of the last one of the same section.

    Args:
        section: Names the place; the page has it between `<!-- section -->` and `<!-- /section -->`.
        title: The table's heading.
        notes: Machine-independent words on how it was measured, one paragraph. Machine and date are added.
        columns: Their names.
        rows: Cells, an empty one where nothing was measured.
        where: What it was measured on, and when, as `machine` says it; by default this machine's CPU, and now.
    """
    lines = ["| " + " | ".join(cells) + " |" for cells in (columns, ["---"] * len(columns), *rows)]
    table = "\n".join([f"### {title}", "", f"{notes} {where or machine()}", "", *lines])
    print(table, flush=True)
    begin, end = f"<!-- {section} -->", f"<!-- /{section} -->"
    text = PAGE.read_text("utf-8") if PAGE.exists() else "# Benchmarks\n"
    block = f"{begin}\n{table}\n{end}"
    if begin in text and end in text:
        text = text[: text.index(begin)] + block + text[text.index(end) + len(end) :]
    else:
        text = f"{text.rstrip()}\n\n{block}\n"
    PAGE.write_text(text, "utf-8")


def machine(device: str = "") -> str:
    """What it was measured on, and when."""
    import torch  # not before it is needed: some figures are of processes that must not have it

    from engine.devices import default_threads, device_name

    where = device or f"{device_name(torch.device('cpu'))}, {default_threads()} compute threads"
    versions = f"torch {torch.__version__}, Python {platform.python_version()}"
    return f"{where}; {versions}; {datetime.now(UTC):%Y-%m-%d}."
