"""The pseudo-terminal that programs are measured in."""

from __future__ import annotations

import sys

import pytest

from benchmarks.terminal import Pty
from tests.e2e.processes import alive

BACKWARDS = "import os, sys; print(*os.get_terminal_size(), flush=True); print(input()[::-1], flush=True); {then}"


def test_what_comes_after_a_key_is_waited_for_and_counted_from_it() -> None:
    with Pty([sys.executable, "-c", BACKWARDS.format(then="input()")], columns=77, lines=22) as terminal:
        assert terminal.seconds_until(rb"77 2+") > 0
        pressed_s = terminal.press(b"olleh\n")
        took_s = terminal.seconds_until(b"hello")
        assert pressed_s < terminal.outputs[-1].at_s <= pressed_s + took_s
        with pytest.raises(TimeoutError, match=r"77' did not come, but .*hello"):
            terminal.seconds_until(b"77", within_s=0)
    assert not alive(terminal.pid)


def test_who_has_ended_is_not_waited_for() -> None:
    with Pty([sys.executable, "-c", BACKWARDS.format(then="sys.exit()")]) as terminal:
        terminal.press(b"x\n")
        with pytest.raises(OSError):
            terminal.watch(600)
