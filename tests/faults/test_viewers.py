"""Viewers of one run: how soon they see that its engine died, several at once, stopped ones, and a folder that goes."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from engine import events as ev
from engine.places import runs_dir
from tests.cli.conftest import make_run
from tests.e2e.processes import SLOW, alive, dltui, events_of, shown, wait_for_step, wait_until
from tests.e2e.screen import DLTUI, Screen
from tests.engine.test_run_state import logged, started

CTRL_Z = "\x1a"


@pytest.fixture(scope="module")
def runs_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a run `r` that goes on in the background: importing torch for each test would take minutes."""
    runs = tmp_path_factory.mktemp("viewed")
    flags = ("--checkpoint-every-s", "0.2", "--name", "r", "--detach", "--runs", str(runs))
    dltui("train", "spiral-relu", *SLOW, *flags)
    yield runs
    if alive(pid_of(runs / "r")):
        os.kill(pid_of(runs / "r"), signal.SIGKILL)


@pytest.fixture
def run(runs_of_module: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run `r` that goes on."""
    monkeypatch.setenv("DLTUI_RUNS", str(runs_of_module))
    path = runs_of_module / "r"
    if shown("r")["state"] == "paused":
        dltui("continue", "r")
    wait_for_step(path, 40)
    return path


def pid_of(path: Path) -> int:
    """The process that trained the run last."""
    return [event.pid for event in events_of(path) if isinstance(event, ev.RunStarted)][-1]


def test_viewers_see_within_seconds_that_the_engine_died_and_r_goes_on(
    run: Path,
    times: Callable[[int, int], int],
    tally: Callable[[str, int], None],
    measured: Callable[[str, float], None],
) -> None:
    with Screen(["attach", "r"]) as watching, Screen() as home:
        home.wait_for(r"▶ running +r ")
        for _ in range(times(1, 10)):
            watching.wait_for(r"▶ running +r ")
            wait_until((run / "checkpoints" / "last").exists, "a checkpoint")
            os.kill(pid_of(run), signal.SIGKILL)
            died_s = time.monotonic()
            watching.wait_for(r"† Died +the engine went away at step .* · r resumes")
            measured("from `kill -9` of an engine to the word died in its run screen", time.monotonic() - died_s)
            home.wait_for(r"† died +r ")
            measured("from `kill -9` of an engine to the word died in Home", time.monotonic() - died_s)
            assert shown("r")["state"] == "died"
            before = len(starts(run))
            watching.press("r")
            wait_until(lambda before=before: len(starts(run)) > before, "the new engine")
            assert starts(run)[-1] > 0, "from a checkpoint"
            wait_for_step(run, starts(run)[-1] + 20)
            home.wait_for(r"▶ running +r ")
            tally("engine killed under a run screen and Home: both said so, r resumed it", 1)


def starts(path: Path) -> list[int]:
    """Steps at which engines have begun."""
    return [event.step for event in events_of(path) if isinstance(event, ev.RunStarted)]


def test_all_viewers_see_the_same_and_each_can_steer(
    run: Path, times: Callable[[int, int], int], tally: Callable[[str, int], None]
) -> None:
    for count in dict.fromkeys((2, times(2, 5))):
        with ExitStack() as stack:
            viewers = [stack.enter_context(Screen(["attach", "r"])) for _ in range(count)]
            for viewer in viewers:
                viewer.wait_for(r"▶ running +r ")
            for number, viewer in enumerate(viewers):
                viewer.press("+")
                wait_until(lambda number=number: len(rates(run)) > number, "a new learning rate")
                rate = f"{rates(run)[-1]:.4g}"
                viewer.press("space")
                for other in viewers:
                    other.wait_for(r"‖ paused +r ")
                    other.wait_for(rf"→ {re.escape(rate)} at step")
                viewers[number - 1].press("space")
                for other in viewers:
                    other.wait_for(r"▶ running +r ")
                tally("one of several viewers steered, and all saw it", 1)
            before = shown("r")["steps"]
            viewers[0].process.kill(signal.SIGKILL)
            wait_for_step(run, before + 20)
            viewers[-1].press("+")
            wait_until(lambda count=count: len(rates(run)) > count, "the rate, set by a viewer that is left")
        dltui("set", "r", "optimizer.lr=0.001")


def rates(path: Path) -> list[float]:
    """Learning rates that viewers have set since the last that was set by name."""
    found: list[float] = []
    for event in events_of(path):
        if isinstance(event, ev.LearningRateChanged):
            found = [] if event.new == 0.001 else [*found, event.new]
    return found


def test_stopped_viewers_catch_up(
    run: Path, draw: random.Random, times: Callable[[int, int], int], tally: Callable[[str, int], None]
) -> None:
    for way in draw.sample([stopped_with_ctrl_z, stopped_by_sigstop], times(1, 2)):
        way(run, times(3, 60))
        tally("viewer stopped and continued: it caught up", 1)
        dltui("continue", "r")


def stopped_with_ctrl_z(run: Path, stopped_s: float) -> None:
    """Back to the shell, and on with fg."""
    with Screen(["--norc", "-i"], program=("bash",)) as shell:
        shell.process.send(" ".join([*DLTUI, "attach", "r"]) + "\r")
        shell.wait_for(r"▶ running +r ")
        (viewer,) = [child for child in psutil.Process(shell.process.pid).children() if "tui.cli" in child.cmdline()]
        shell.press(CTRL_Z)
        shell.wait_for(r"Stopped .*tui\.cli")
        assert_catches_up(run, shell, viewer, stopped_s, lambda: shell.process.send("fg\r"))


def stopped_by_sigstop(run: Path, stopped_s: float) -> None:
    """As by a machine that is put to sleep."""
    with Screen(["attach", "r"]) as screen:
        screen.wait_for(r"▶ running +r ")
        viewer = psutil.Process(screen.process.pid)
        viewer.suspend()
        assert_catches_up(run, screen, viewer, stopped_s, viewer.resume)


def assert_catches_up(
    run: Path, screen: Screen, viewer: psutil.Process, stopped_s: float, go_on: Callable[[], object]
) -> None:
    """Leave the viewer stopped for a while, and see that it then shows what it missed, and steers."""
    wait_until(lambda: viewer.status() == psutil.STATUS_STOPPED, "the viewer stopped")
    before = shown("r")["steps"]
    time.sleep(stopped_s)  # what is tried is to be away for so long
    wait_for_step(run, before + 20)
    assert viewer.status() == psutil.STATUS_STOPPED
    missed = last_step(run)
    go_on()
    wait_until(lambda: step_on(screen) >= missed, "the steps that were missed")
    screen.press("space")
    screen.wait_for(r"‖ paused +r ")
    wait_until(lambda: step_on(screen) == last_step(run), "the step at which it paused")


def step_on(screen: Screen) -> int:
    """The step in the header of the run screen, 0 while there is none."""
    found = re.search(r"step ([0-9,]+) ", screen.look(0.1))
    return int(found[1].replace(",", "")) if found else 0


def last_step(path: Path) -> int:
    """The latest step in the log."""
    return max(event.step for event in events_of(path) if isinstance(event, ev.MetricsLogged))


def test_a_folder_that_is_renamed_is_told_of_and_found_again(run: Path, tally: Callable[[str, int], None]) -> None:
    elsewhere = run.with_name("elsewhere")
    with Screen(["attach", "r"]) as watching, Screen() as home:
        watching.wait_for(r"▶ running +r ")
        home.wait_for(r"▶ running +r ")
        run.rename(elsewhere)
        watching.wait_for(r"✗ Lost +\S+/r is gone: moved or deleted; q goes back")
        home.wait_for(r"▶ running +elsewhere ")
        before = last_step(elsewhere)
        wait_for_step(elsewhere, before + 50)  # the engine holds what it writes to
        watching.press("space")
        watching.wait_for(r"the run's folder can't be reached")
        assert watching.process.isalive()
        elsewhere.rename(run)
        wait_until(lambda: "Lost" not in watching.look(0.1) and step_on(watching) > before, "the run, found again")
        watching.press("space")
        watching.wait_for(r"‖ paused +r ")
        home.wait_for(r"‖ paused +r ")
        tally("run folder renamed under viewers, and back", 1)


def test_a_folder_that_is_deleted_leaves_screens_that_can_be_used(tally: Callable[[str, int], None]) -> None:
    folder = make_run("r", started(), logged(1), logged(9, 0.5), ev.RunStopped(step=9, elapsed_s=1.0, reason="asked"))
    with Screen(["attach", "r"]) as watching, Screen() as home:
        watching.wait_for(r"■ stopped +r ")
        home.wait_for(r"■ stopped +r ")
        shutil.rmtree(folder.path)
        watching.wait_for(r"✗ Lost +\S+/r is gone: moved or deleted; q goes back")
        for key in ("space", "c", "+", "r", "f", "o"):
            watching.press(key)
        home.wait_for(r"No runs yet")
        watching.press("q")
        watching.wait_for(r"No runs yet")
        for screen in (watching, home):
            screen.press("ctrl+q")
            assert screen.wait_for_end() == 0
        tally("run folder deleted under viewers", 1)


def test_viewers_open_fast_among_ten_thousand_runs(
    times: Callable[[int, int], int], tally: Callable[[str, int], None], measured: Callable[[str, float], None]
) -> None:
    count = times(2_000, 10_000)
    make_many(count)
    began_s = time.monotonic()
    assert dltui("runs").count("\n") == 1 + 200
    measured(f"for `dltui runs` among {count:,}", time.monotonic() - began_s)
    began_s = time.monotonic()
    with Screen() as home:
        home.wait_for(r"† died +run-\d+ ")
        measured(f"to Home's list of {count:,} runs", time.monotonic() - began_s)
        home.wait_for(rf"† died +run-{count - 1:05} ")
        home.press("/", "run-00007")
        home.wait_for(r"† died +run-00007 ")
        began_s = time.monotonic()
        home.press("enter")
        home.wait_for(r"† Died ")
        measured(f"from Home into a run, one of {count:,}", time.monotonic() - began_s)
    began_s = time.monotonic()
    with Screen(["attach"]) as screen:
        screen.wait_for(rf"† died +run-{count - 1:05} ")
        measured(f"for `dltui attach` among {count:,}", time.monotonic() - began_s)
    tally("runs in one folder that Home, `dltui runs` and `dltui attach` opened", count)


def make_many(count: int) -> None:
    """As many runs that died, cheaply: they share one configuration and one log."""
    losses = [logged(step, 1 / step) for step in range(1, 100)]
    first = make_run("run-00000", started(epochs=20), *losses).path
    log = (first / "events.jsonl").read_bytes()
    now = int(time.time())
    for number in range(1, count):
        folder = runs_dir() / f"run-{number:05}"
        folder.mkdir()
        os.link(first / "config.toml", folder / "config.toml")
        (folder / "events.jsonl").write_bytes(log)
        os.utime(folder / "events.jsonl", (now - count + number,) * 2)
    assert len(list(runs_dir().iterdir())) == count
    os.utime(first / "events.jsonl", (now - count,) * 2)
