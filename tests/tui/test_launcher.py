"""Real engine hosts, started as the UI starts them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.run_folder import RunFolder, create_run
from engine.run_summary import summarize
from engine.schema import RunConfig, validate
from tui.launcher import Launcher, last_words

PATIENCE_S = 90.0


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    """A launcher that is closed when the test is over."""
    launcher = Launcher()
    yield launcher
    launcher.close()


@pytest.fixture
def config() -> RunConfig:
    """A line through three points, in three steps."""
    tree = {
        "task": {"kind": "regression"},
        "data": {"kind": "points"},
        "model": {"kind": "linear"},
        "trainer": {"epochs": 3, "batch_size": "full", "device": "cpu", "threads": 1},
    }
    return validate(tree)


@pytest.fixture
def folder(tmp_path: Path, config: RunConfig) -> RunFolder:
    """A run that nobody trains yet."""
    return create_run(tmp_path / "runs", config, tmp_path / "data", "line")


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until `condition` holds; importing torch takes seconds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "still waiting"
        time.sleep(0.05)


def test_a_warm_host_takes_the_run_and_is_replaced(launcher: Launcher, folder: RunFolder) -> None:
    launcher.warm_up()
    warm = launcher._warm
    assert warm is not None
    launcher.warm_up()
    assert launcher._warm is warm, "one is enough"
    launcher.spawn(folder)
    assert [run.name for run in launcher.training()] == ["line"]
    assert launcher._warm is not None
    assert launcher._warm is not warm
    wait_for(lambda: warm.poll() is not None)
    assert warm.returncode == 0
    assert summarize(folder).status == "finished"
    assert launcher.deaths() == []
    assert launcher.training() == []
    unused = launcher._warm
    assert os.getsid(unused.pid) == unused.pid, "a session of its own: no terminal takes it along"
    launcher.close()
    assert unused.wait(PATIENCE_S) == 0


def test_a_warm_host_that_dies_with_the_run_in_hand_is_replaced(launcher: Launcher, folder: RunFolder) -> None:
    """Killed for memory, say, while it still imports."""
    launcher.warm_up()
    warm = launcher._warm
    assert warm is not None
    launcher.spawn(folder)
    warm.send_signal(signal.SIGKILL)
    warm.wait()
    assert launcher.deaths() == []
    assert [run.name for run in launcher.training()] == ["line"], "a cold host has taken over"
    wait_for(lambda: summarize(folder).status == "finished")


def test_a_host_that_says_nothing_leaves_its_last_words(launcher: Launcher, folder: RunFolder) -> None:
    """A cold one, because the warm one has died meanwhile."""
    launcher.warm_up()
    assert launcher._warm is not None
    launcher._warm.send_signal(signal.SIGKILL)
    launcher._warm.wait()
    (folder.path / "config.toml").write_text("[data\n")
    launcher.spawn(folder)
    deaths = []
    wait_for(lambda: deaths.extend(launcher.deaths()) or deaths)
    assert [death.folder.name for death in deaths] == ["line"]
    assert "config.toml is damaged" in deaths[0].reason
    assert launcher.deaths() == [], "told once"


def test_a_run_goes_on_without_the_launcher(folder: RunFolder, run_python: Callable[[str], str]) -> None:
    """The process that started it has gone before torch is imported."""
    run_python(
        "from pathlib import Path; from engine.run_folder import RunFolder; from tui.launcher import Launcher;"
        f"launcher = Launcher(); launcher.spawn(RunFolder(Path({str(folder.path)!r})));"
        "launcher.close()"
    )
    wait_for(lambda: summarize(folder).status == "finished")


@pytest.mark.parametrize(
    ("text", "words"), [("", ""), ("one\ntwo \n\n", "two"), ("\x1b[31mred\n", "\N{REPLACEMENT CHARACTER}[31mred")]
)
def test_last_words(folder: RunFolder, text: str, words: str) -> None:
    (folder.path / "console.log").write_text(text)
    assert last_words(folder) == words


def test_last_words_of_a_run_without_a_log(folder: RunFolder) -> None:
    (folder.path / "console.log").unlink()
    assert last_words(folder) == ""


def test_a_crash_is_told_before_what_python_prints_after_it(tmp_path: Path) -> None:
    console = tmp_path / "console.log"
    console.write_text("Fatal Python error: Segmentation fault\n\nThread 1:\n  File x\nExtension modules: a\n")
    assert last_words(RunFolder(tmp_path)) == "Fatal Python error: Segmentation fault"
    console.write_text("one\ntwo\n")
    assert last_words(RunFolder(tmp_path)) == "two"
