"""How often the faults are tried, with which draws, and what they came to."""

from __future__ import annotations

import os
import random
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from engine.run_folder import RunFolder

COUNTS = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- counts -->", "<!-- /counts -->"
QUICK_SEED = 4
HOST = (sys.executable, "-P", "-m", "engine.host")
_tallies: Counter[str] = Counter()
_longest: dict[str, float] = {}


@pytest.fixture
def times(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """How many tries: `times(quick, full)`, the second in `make torture`."""
    torture = request.config.getoption("--torture")
    return lambda quick, full: full if torture else quick


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> random.Random:
    """Random draws: the same ones in every `make test`, others in every `make torture`, which prints the seed."""
    seed = secrets.randbits(32) if request.config.getoption("--torture") else QUICK_SEED
    print(f"seed {seed}")  # shown where a test fails
    return random.Random(seed)


@pytest.fixture
def tally(record_property: Callable[[str, Any], None]) -> Callable[[str, int], None]:
    """`tally("engine killed and resumed: same bits", 50)` adds so many to a row of the table at the end."""
    return lambda promise, count: record_property("tally", (promise, count))


@pytest.fixture
def measured(record_property: Callable[[str, Any], None]) -> Callable[[str, float], None]:
    """`measured("from a kill to the word died", 1.2)`: seconds, of which the most are shown at the end."""
    return lambda what, seconds: record_property("measured", (what, seconds))


@pytest.fixture
def host() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a process that trains a run; it is killed with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(run: RunFolder, *prefix: str, **options: Any) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([*prefix, *HOST, str(run.path)], start_new_session=True, **options))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up what tests that passed have tried; runs where all reports arrive, also with several processes."""
    if report.when == "teardown" or not report.passed:
        return
    for key, value in report.user_properties:
        if key == "tally" and report.when == "call":
            _tallies[value[0]] += value[1]
        elif key == "measured" and report.when == "call":
            _longest[value[0]] = max(value[1], _longest.get(value[0], 0.0))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the tables; after a full run without failures, keep them in docs/reliability.md."""
    if not _tallies:
        return
    tables = _tables()
    terminalreporter.section("faults")
    terminalreporter.write_line(tables)
    is_whole = [Path(name).name for name in config.args] == ["faults"] and not config.getoption("keyword")
    if config.getoption("--torture") and is_whole and not terminalreporter.stats.get("failed") and COUNTS.exists():
        text = COUNTS.read_text("utf-8")
        before, _, rest = text.partition(BEGIN)
        COUNTS.write_text(f"{before}{BEGIN}\n{tables}\n{END}{rest.partition(END)[2]}", "utf-8")


def _tables() -> str:
    """What was tried how often, and what took how long at most while everything else was being tried as well."""
    counts = [f"| {promise} | {count:,} |" for promise, count in sorted(_tallies.items())]
    times = [f"| {what} | {seconds:.2f} s |" for what, seconds in sorted(_longest.items())]
    when = f"On {date.today()}, on {os.cpu_count()} cores:"
    if times:
        times = ["", "Longest times meanwhile, with all cores busy:", "", "| | at most |", "|---|---:|", *times]
    return "\n".join([when, "", "| tried | times |", "|---|---:|", *counts, *times])
