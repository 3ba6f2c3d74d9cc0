"""A process that waits for a run has done what the run would wait for, and left nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.engine.helpers import collect, last_weights, make_run, same_bits

CODE = "from engine.warm_up import warm_up; warm_up(); from tests.engine.test_warm_up import train; train()"


def train() -> None:
    """Train the run named on the command line, in this process."""
    from engine.host import train as train_run

    sys.exit(train_run(Path(sys.argv[1]), is_warm=True))


async def test_a_run_of_a_warm_process_has_the_same_bits(tmp_path: Path) -> None:
    cold, warm = make_run(tmp_path / "cold"), make_run(tmp_path / "warm")
    await collect(cold.config(), cold)
    subprocess.run([sys.executable, "-c", CODE, str(warm.path)], check=True, timeout=120)
    assert same_bits(last_weights(cold), last_weights(warm))


def test_what_lives_as_long_as_the_process_is_no_garbage() -> None:
    code = "import gc; from engine.warm_up import tidy_up; tidy_up(); print(gc.get_freeze_count())"
    frozen = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120)
    assert int(frozen.stdout) > 10_000
