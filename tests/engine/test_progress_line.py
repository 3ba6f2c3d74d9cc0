"""What a run in the foreground says of itself, on a terminal and into a file."""

from __future__ import annotations

import io
import os

import pytest

from engine import events as ev
from engine.progress_line import Progress, progress_line
from engine.run_state import RunState
from tests.engine.test_run_state import logged, started

DAY_S = 86_400


class Terminal(io.StringIO):
    """A stream that takes itself for a terminal."""

    def isatty(self) -> bool:
        return True


class Follower:
    """Somebody who watches a run's progress through `stream`, by a clock of their own."""

    def __init__(self, stream: io.StringIO, only_evaluations: bool = False) -> None:
        self.now_s = 1000.0
        self.told_at: list[float] = []
        self.state = RunState()
        self._stream = stream
        self._progress = Progress("one", stream, only_evaluations, lambda: self.now_s)

    def begin(self) -> None:
        """The run starts now."""
        self.state.apply(started())
        self._began_s = self.now_s

    def at(self, seconds: float, evaluated: bool = False) -> None:
        """Something happens so long after the start."""
        self.now_s = self._began_s + seconds
        before = len(self._stream.getvalue())
        self._progress.show(self.state, evaluated)
        if len(self._stream.getvalue()) > before:
            self.told_at.append(seconds)


@pytest.fixture
def file() -> Follower:
    """Whoever reads the file that `dltui train … > log` writes."""
    follower = Follower(io.StringIO())
    follower.begin()
    return follower


def test_a_file_gets_a_line_soon_and_a_days_log_stays_small(file: Follower) -> None:
    for second in range(DAY_S):
        file.at(second)
    assert file.told_at[:4] == [3, 13, 23, 33]
    silences = [after - before for before, after in zip(file.told_at, file.told_at[1:], strict=False)]
    assert silences == sorted(silences), "less and less often"
    assert silences[-1] == 60
    assert len(file.told_at) < 1500


def test_a_line_says_how_far_the_run_is() -> None:
    stream = io.StringIO()
    file = Follower(stream)
    file.begin()
    file.at(0)
    file.state.apply(logged(15, 0.25, elapsed_s=3))
    file.at(3)
    assert stream.getvalue() == "one  epoch 2/4  38 %  train/loss 0.25  5 steps/s  ETA 0:05\n"


WHOLE = "spiral-1  epoch 2/4  38 %  train/loss 4.218e-07  val/loss 1.234e-06  5 steps/s  ETA 0:05"


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (88, WHOLE),
        (87, "spiral-1  epoch 2/4  38 %  train/loss 4.218e-07  val/loss 1.234e-06  ETA 0:05"),
        (76, "spiral-1  epoch 2/4  38 %  train/loss 4.218e-07  5 steps/s  ETA 0:05"),
        (57, "spiral-1  epoch 2/4  38 %  train/loss 4.218e-07  ETA 0:05"),
        (47, "epoch 2/4  38 %  train/loss 4.218e-07  ETA 0:05"),
        (40, "epoch 2/4  38 %  train/loss 4.218e-07"),
        (8, "38 %"),
        (1, ""),
    ],
)
def test_where_there_is_no_room_whole_fields_are_left_out(columns: int, line: str) -> None:
    """Half a number would be another number."""
    state = RunState()
    state.apply(started(metric="val/loss"))
    state.apply(logged(15, 4.218e-07, elapsed_s=3))
    state.latest["val/loss"] = 1.234e-06
    assert progress_line("spiral-1", state) == WHOLE
    assert progress_line("spiral-1", state, columns) == line


def test_a_terminal_gets_a_line_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(terminal, "fileno", lambda: 1)
    monkeypatch.setattr(os, "get_terminal_size", lambda fd: os.terminal_size((17, 24)))
    follower = Follower(terminal)
    follower.begin()
    follower.state.apply(logged(15, 4.218e-07, elapsed_s=3))
    follower.at(3)
    assert terminal.getvalue() == "\repoch 2/4  38 %"


def test_names_from_a_log_are_shown_as_plain_text() -> None:
    """A run that a stranger has made may be resumed, with whatever it calls its losses."""
    file = Follower(io.StringIO())
    file.begin()
    file.state.apply(ev.MetricsLogged(step=1, steps=1, elapsed_s=1, lr=0.1, values={"train/loss\x1b[2J": 0.5}))
    line = progress_line("one\n\x1b[31m", file.state)
    assert "train/loss\ufffd[2J 0.5" in line
    assert "\x1b" not in line and "\n" not in line


def test_nothing_is_said_of_a_run_that_has_not_begun_or_is_paused() -> None:
    file = Follower(io.StringIO())
    file._began_s = file.now_s
    file.at(100)
    file.begin()
    file.state.apply(ev.RunPaused(step=0))
    file.at(200)
    assert file.told_at == []


def test_evaluations_are_told_as_they_come_whatever_was_said_before_them(file: Follower) -> None:
    file.at(1, evaluated=True)
    file.at(4)
    file.at(5.9, evaluated=True)
    file.at(6, evaluated=True)
    file.at(16)
    file.at(17, evaluated=True)
    assert file.told_at == [1, 6, 16, 17]


def test_a_program_is_told_of_evaluations_only() -> None:
    file = Follower(io.StringIO(), only_evaluations=True)
    file.begin()
    for second in range(1000):
        file.at(second, evaluated=second % 250 == 0)
    assert file.told_at == [0, 250, 500, 750]


def test_a_terminal_sees_its_line_five_times_a_second() -> None:
    terminal = Follower(Terminal(), only_evaluations=True)
    terminal.begin()
    for eighth in range(9):
        terminal.at(eighth / 8)
    assert terminal.told_at == [0, 0.25, 0.5, 0.75, 1]
