"""The real `dltui` in a real terminal, used the way a person uses it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import events as ev
from engine.places import runs_dir
from engine.run_folder import RunFolder
from tests.cli.conftest import make_run
from tests.e2e.processes import DLTUI, SLOW, alive, events_of, shown, wait_for_step, wait_until
from tests.e2e.screen import Screen
from tests.engine.test_run_state import evaluated, logged, started

RUN = "spiral-relu-1"


@pytest.fixture
def run() -> Iterator[Path]:
    """Where the first run of spiral-relu will be; whatever trains it is ended with the test."""
    yield runs_dir() / RUN
    if (runs_dir() / RUN).exists() and RunFolder(runs_dir() / RUN).holder():
        subprocess.run([*DLTUI, "stop", RUN], capture_output=True, timeout=60)


def configure(screen: Screen, preset: str) -> None:
    """From Home to the form of `preset`."""
    screen.wait_for(r"Presets")
    screen.press("/", preset)
    screen.wait_for(r" 1 of \d+ ")
    screen.press("enter")
    screen.wait_for(r"ready to start")


def fill_in(screen: Screen, path: str, value: str) -> None:
    """Go to the form's field at `path`, from one that is no text, and write `value` over what stands there."""
    screen.press("/", path)
    screen.wait_for(rf"⏎ {re.escape(path)}")
    screen.press("enter")
    wait_until(lambda: _focused(screen.look(0.05)) == path, f"the focus on {path}", 10)
    screen.press("ctrl+u", value)
    screen.wait_for(rf"● {re.escape(path.partition('.')[2])} .*{re.escape(value)}")


def _focused(text: str) -> str:
    """The field whose description stands beside the form."""
    found = re.search(r"[│┃][│┃] ([a-z]+\.\w+) ", text)
    return found[1] if found else ""


def train_loss(screen: Screen) -> float:
    """The loss above its chart."""
    return float(screen.wait_for(r"loss +● train ([0-9.e+-]+)")[1])


def test_choose_change_start_watch_pause_continue_quit_and_reattach(run: Path) -> None:
    with Screen() as screen:
        configure(screen, "spiral-relu")
        fill_in(screen, "optimizer.lr", "0.003")
        fill_in(screen, "trainer.epochs", "100000")
        screen.press("f5")
        screen.wait_for(rf"running +{RUN}")
        first = train_loss(screen)
        wait_for_step(run, 300)
        wait_until(lambda: train_loss(screen) < first / 2, f"a loss below half of {first}")

        screen.press("space")
        screen.wait_for(rf"paused +{RUN}")
        assert shown(RUN)["state"] == "paused"
        paused_at = shown(RUN)["steps"]
        screen.press("space")
        screen.wait_for(rf"running +{RUN}")
        wait_for_step(run, paused_at + 50)
        screen.press("+")
        screen.wait_for(r"lr 0\.0037[78]")

        screen.press("q")
        screen.wait_for(rf"running +{RUN} +.*%")
        screen.press("q")
        assert screen.wait_for_end() == 0
        assert f"{RUN} goes on; back to it: dltui attach" in screen.look(0)

    (begun,) = [event for event in events_of(run) if isinstance(event, ev.RunStarted)]
    assert alive(begun.pid)
    left_at = shown(RUN)["steps"]
    wait_for_step(run, left_at + 50)

    with Screen(["attach"]) as screen:
        screen.wait_for(rf"running +{RUN}")
        screen.wait_for(r"learning rate 0\.003 → 0\.00377")
        screen.press("s")
        screen.wait_for(r"Stop this run\?")
        screen.press("s")
        screen.wait_for(rf"stopped +{RUN}")
        screen.press("q", "q")
        assert screen.wait_for_end() == 0

    config = RunFolder(run).config()
    assert (config.optimizer.lr, config.trainer.epochs) == (0.003, 100_000)
    assert shown(RUN)["state"] == "stopped"
    assert shown(RUN)["steps"] > left_at
    assert not RunFolder(run).holder()


def test_nothing_that_happens_to_the_screen_reaches_the_run(run: Path) -> None:
    subprocess.run([*DLTUI, "train", "spiral-relu", *SLOW, "--detach"], check=True, capture_output=True)
    for blow in (signal.SIGHUP, signal.SIGTERM, signal.SIGKILL):
        with Screen(["attach", RUN]) as screen:
            screen.wait_for(rf"running +{RUN}")
            os.killpg(os.getpgid(screen.process.pid), blow)
            screen.wait_for_end()
        before = shown(RUN)["steps"]
        wait_for_step(run, before + 20)
    assert shown(RUN)["state"] == "running"


def test_a_run_of_yesterday_opens_with_nobody_training_it() -> None:
    make_run(
        "old",
        started(),
        *(logged(step, 1 / step) for step in range(1, 40)),
        evaluated(40, 0.9),
        ev.RunFinished(step=40, elapsed_s=4.0),
    )
    with Screen(["attach", "old"], columns=80, lines=24) as screen:
        screen.wait_for(r"finished +old")
        screen.press("q")
        screen.wait_for(r"Presets")
        screen.press("ctrl+q")
        assert screen.wait_for_end() == 0


def test_a_progress_line_redraws_itself_and_ctrl_c_ends_it_with_130(run: Path) -> None:
    with Screen(["train", "spiral-relu", *SLOW, "--json"], columns=100) as screen:
        screen.wait_for(r"spiral-relu-1  epoch \d+/1000000 .* ETA [\d:]+")
        wait_for_step(run, 60)
        screen.press("ctrl+c")
        assert screen.wait_for_end() == 130
        lines = screen.look(0).split("\n")
    assert sum("ETA" in line for line in lines) <= 2, "one line, and where Ctrl+C broke it"
    start = next(index for index, line in enumerate(lines) if "{" in line)
    result = json.loads("".join(line.ljust(100) for line in lines[start:]))
    assert result["state"] == "stopped"
