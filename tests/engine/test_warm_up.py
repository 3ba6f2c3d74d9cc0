"""A process that waits for a run has done what the run would wait for, and left nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.helpers import collect, last_weights, make_run, same_bits

CODE = "from engine.warm_up import warm_up; warm_up(); from tests.engine.test_warm_up import train; train()"

TEAM = """
import os, time
from engine import warm_up
warm_up.default_threads = lambda: 3

def threads():
    return len(os.listdir("/proc/self/task"))

before, until = threads(), time.monotonic() + 20
warm_up._take_steps()
with_team = threads()
warm_up.warm_up()
while threads() > with_team and time.monotonic() < until:
    time.sleep(0.01)
print(with_team - before, threads() - with_team)
"""


def train() -> None:
    """Train the run named on the command line, in this process."""
    from engine.host import train as train_run

    sys.exit(train_run(Path(sys.argv[1])))


async def test_a_run_of_a_warm_process_has_the_same_bits(tmp_path: Path) -> None:
    cold, warm = make_run(tmp_path / "cold"), make_run(tmp_path / "warm")
    await collect(cold.config(), cold)
    subprocess.run([sys.executable, "-c", CODE, str(warm.path)], check=True, timeout=120)
    assert same_bits(last_weights(cold), last_weights(warm))


def test_what_lives_as_long_as_the_process_is_no_garbage() -> None:
    code = "import gc; from engine.warm_up import warm_up; warm_up(); print(gc.get_freeze_count())"
    frozen = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120)
    assert int(frozen.stdout) > 10_000


@pytest.mark.skipif(sys.platform != "linux", reason="how many threads a process has is read from /proc")
def test_no_team_of_threads_is_left_waiting_beside_that_of_the_run() -> None:
    found = subprocess.run([sys.executable, "-c", TEAM], check=True, capture_output=True, text=True, timeout=120)
    of_main_thread, left_by_warm_up = map(int, found.stdout.split())
    assert of_main_thread >= 2  # a team lives as long as the thread that it is for
    assert left_by_warm_up == 0
