"""What is asked of an engine that gives no answer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.run_state import RunState
from tests.engine.helpers import make_run
from tui.run_follower import RunFollower
from tui.screens import run_asks
from tui.screens.run_asks import ANSWER_WITHIN_S, Ask
from tui.screens.run_steering import Steering


@pytest.mark.parametrize(
    ("ask", "word"), [(run_asks.stop(0), "stopping…"), (run_asks.scale_lr(RunState(), 2, 0), "lr up…")]
)
def test_no_answer_is_told_of_once_and_to_a_stop_with_a_way_out(tmp_path: Path, ask: Ask, word: str) -> None:
    folder, now = make_run(tmp_path), [0.0]
    steering = Steering(RunFollower(folder), lambda: now[0])
    lock = folder.lock()
    assert steering.ask(ask) == ""
    now[0] = ANSWER_WITHIN_S
    assert (steering.settle(), steering.word) == ([], word)
    now[0] += 1
    (warning,) = steering.settle()
    lock.release()
    assert warning.startswith(f"no answer from the engine yet ({word})")
    assert (f"kill -9 {os.getpid()} " in warning) == (word == "stopping…")
    assert steering.settle() == []
