"""Steering: what is asked, what answers, and what is said of a run that can't answer."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from engine import commands as cmd
from engine import events as ev
from engine.run_folder import RunFolder
from tests.cli.conftest import Dltui, make_run, record
from tests.engine.test_run_state import logged, started
from tui import steer

Refused = Callable[..., str]


@contextmanager
def engine(folder: RunFolder, *answer: ev.AnyEvent, asked: list[cmd.AnyCommand] | None = None) -> Iterator[None]:
    """Holds the run's lock and answers the next command with `answer`."""
    reader, done = folder.read_commands(), threading.Event()
    list(reader.read_all())  # what was asked before is not this engine's business; who sees the lock asks this one
    lock = folder.lock()

    def obey() -> None:
        while not done.is_set():
            if commands := reader.read():
                if asked is not None:
                    asked.extend(commands)
                record(folder, *answer)
                if isinstance(answer[-1], ev.ENDINGS):
                    lock.release()
                return
            time.sleep(0.01)

    thread = threading.Thread(target=obey)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        lock.release()


@pytest.fixture
def live() -> RunFolder:
    """A run at step 10 whose engine is about to be there."""
    return make_run("live", started(), logged(10))


def checkpoint(step: int) -> ev.CheckpointSaved:
    return ev.CheckpointSaved(step=step, folder=f"checkpoints/step-{step}", reason="asked", took_s=0.1)


@pytest.mark.parametrize(
    ("argv", "command", "answer", "said"),
    [
        (["pause", "live"], cmd.Pause, [checkpoint(1234), ev.RunPaused(step=1234)], "live paused at step 1,234\n"),
        (
            ["stop", "live"],
            cmd.Stop,
            [ev.RunStopped(step=12, elapsed_s=1.0, reason="asked")],
            "live stopped at step 12; it goes on with: dltui resume live\n",
        ),
        (["stop", "live"], cmd.Stop, [ev.RunFinished(step=40, elapsed_s=4.0)], "live had finished, at step 40\n"),
        (
            ["set", "live", "optimizer.lr=0.003"],
            cmd.SetLearningRate,
            [ev.LearningRateChanged(step=12, old=0.001, new=0.003)],
            "live changed optimizer.lr from 0.001 to 0.003 at step 12\n",
        ),
    ],
)
def test_one_line_says_what_came_of_it(
    dltui: Dltui, live: RunFolder, argv: list[str], command: type, answer: list[ev.AnyEvent], said: str
) -> None:
    asked: list[cmd.AnyCommand] = []
    with engine(live, *answer, asked=asked):
        assert dltui(*argv) == (0, said, "")
    assert [type(one) for one in asked] == [command]


def test_a_checkpoint_says_where_it_is(dltui: Dltui, live: RunFolder) -> None:
    with engine(live, checkpoint(12)):
        assert dltui("checkpoint", "live").out == f"live saved {live.path / 'checkpoints' / 'step-12'}\n"


def test_answers_to_others_are_passed_over(dltui: Dltui, live: RunFolder) -> None:
    on_schedule = ev.CheckpointSaved(step=11, folder="checkpoints/last", reason="schedule", took_s=0.1)
    with engine(live, on_schedule, checkpoint(12)):
        assert "step-12" in dltui("checkpoint", "live").out
    changed = [ev.LearningRateChanged(step=step, old=0.1, new=new) for step, new in ((13, 0.2), (14, 0.003))]
    with engine(live, *changed):
        assert "to 0.003 at step 14" in dltui("set", "live", "optimizer.lr=0.003").out


def test_a_checkpoint_that_can_not_be_written_is_an_error(dltui: Dltui, live: RunFolder) -> None:
    with engine(live, ev.LineLogged(step=12, level="warning", text="checkpoint could not be written")):
        done = dltui("checkpoint", "live")
    assert (done.status, done.err) == (1, "dltui: run 'live': checkpoint could not be written\n")


def test_a_paused_run_continues_and_is_not_paused_again(dltui: Dltui, live: RunFolder) -> None:
    record(live, ev.RunPaused(step=12))
    with engine(live, ev.RunContinued(step=12)):
        assert dltui("pause", "live").out == "live is paused already, at step 12\n"
        assert dltui("continue", "live").out == "live continued from step 12\n"
    with engine(live, ev.RunContinued(step=12)):
        assert dltui("continue", "live").out == "live is not paused: it is at step 12\n"


def test_a_refusal_and_an_end_in_between_are_told(dltui: Dltui, live: RunFolder) -> None:
    with engine(live, ev.CommandRejected(step=12, command="pause", reason="not now")):
        assert dltui("pause", "live") == (1, "", "dltui: run 'live': not now\n")
    with engine(live, ev.RunFinished(step=40, elapsed_s=4.0)):
        assert dltui("pause", "live") == (1, "", "dltui: run 'live' ended at step 40 before it could answer\n")


def test_an_engine_that_does_not_answer_is_told_of(
    dltui: Dltui, live: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steer, "ANSWER_WITHIN_S", 0.3)
    lock = live.lock()
    done = dltui("pause", "live")
    lock.release()
    assert done.status == 1
    assert done.err.startswith("dltui: run 'live' has not answered within 0.3 s; it will when its present step is done")
    assert "kill" not in done.err


def test_of_an_engine_that_does_not_stop_it_is_said_how_to_end_it(
    dltui: Dltui, live: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steer, "ANSWER_WITHIN_S", 0.3)
    lock = live.lock()
    done = dltui("stop", "live")
    lock.release()
    assert done.status == 1
    host = socket.gethostname()
    assert done.err.endswith(
        f"; if it never does, end it on {host}: kill -9 {os.getpid()} (the last checkpoint stays)\n"
    )


def test_an_engine_that_is_only_just_starting_is_waited_for(dltui: Dltui) -> None:
    folder = make_run("new")
    holding = engine(folder, started(), ev.RunPaused(step=0))
    timer = threading.Timer(0.3, holding.__enter__)
    timer.start()
    assert dltui("pause", "new").out == "new paused at step 0\n"
    holding.__exit__(None, None, None)


@pytest.mark.parametrize("command", ["pause", "continue", "stop", "checkpoint"])
@pytest.mark.parametrize(
    ("ending", "standing"),
    [
        (ev.RunFinished(step=40, elapsed_s=4.0), "run 'over' is finished, at step 40; for a longer one: dltui train "),
        (
            ev.RunStopped(step=20, elapsed_s=2.0, reason="asked"),
            "run 'over' was stopped at step 20 and is not going on",
        ),
        (ev.RunFailed(step=20, error="x"), "run 'over' failed at step 20 and is not going on; resume it first: dltui "),
        (None, "run 'over' died at step 10 and is not going on; resume it first: dltui resume over"),
    ],
)
def test_a_run_that_nobody_trains_says_how_it_stands(
    refused: Refused, command: str, ending: ev.AnyEvent | None, standing: str
) -> None:
    folder = make_run("over", started(), logged(10), *([ending] if ending else []))
    assert refused(command, "over").startswith(standing)
    assert refused("set", "over", "optimizer.lr=0.1").startswith(standing)
    assert (folder.path / "commands.jsonl").read_bytes() == b"", "nothing is asked of nobody"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (
            "optimizer.momentum=0.9",
            "'optimizer.momentum' can't change while a run goes on; optimizer.lr can: ",
        ),
        ("nonsense", "'nonsense' can't change while a run goes on; optimizer.lr can"),
        ("\x1b[2J=1", "'\N{REPLACEMENT CHARACTER}[2J' can't change"),
        ("optimizer.lr", "optimizer.lr must be a number above 0, at most 100 (got '')"),
        ("optimizer.lr=", "optimizer.lr must be a number above 0, at most 100 (got '')"),
        ("optimizer.lr=fast", "optimizer.lr must be a number above 0, at most 100 (got 'fast')"),
        ("optimizer.lr=0", "optimizer.lr must be a number above 0, at most 100 (got '0')"),
        ("optimizer.lr=-1", "optimizer.lr must be a number above 0, at most 100 (got '-1')"),
        ("optimizer.lr=nan", "optimizer.lr must be a number above 0, at most 100 (got 'nan')"),
        ("optimizer.lr=inf", "optimizer.lr must be a number above 0, at most 100 (got 'inf')"),
    ],
)
def test_only_a_learning_rate_that_can_be_is_set(refused: Refused, assignment: str, message: str) -> None:
    assert refused("set", "live", assignment).startswith(message)


def test_both_names_of_the_learning_rate_will_do() -> None:
    assert steer.parse_assignment(" lr = 3e-3 ", "x") == steer.parse_assignment("optimizer.lr=0.003", "x") == 0.003
