"""Reading a run while it goes on."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from engine import events as ev
from engine import run_log
from engine.run_folder import RunFolder, RunLock
from tests.tui import scripted as s
from tui.run_follower import RunFollower

NOW = s.BEGAN_AT + 10


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run that has not begun."""
    return s.make_run(tmp_path, "a-run", s.SPIRAL)


def follow(folder: RunFolder, now: float = NOW) -> RunFollower:
    return RunFollower(folder, lambda: now)


def rows(first: int, last: int) -> list[ev.AnyEvent]:
    return [
        ev.MetricsLogged(
            step=step, at=s.BEGAN_AT + step, steps=1, elapsed_s=float(step), lr=0.1, values={"train/loss": 1.0}
        )
        for step in range(first, last + 1)
    ]


async def test_it_takes_in_what_is_appended(folder: RunFolder) -> None:
    follower = follow(folder)
    await follower.poll()
    assert follower.state.started is None
    s.write_events(folder, [s.started(), *rows(1, 3)])
    await follower.poll()
    assert follower.state.step == 3
    s.write_events(folder, rows(4, 5))
    await follower.poll()
    assert follower.state.step == 5
    assert len(follower.state.series["train/loss"]) == 5


async def test_a_half_written_line_waits_for_its_end(folder: RunFolder) -> None:
    follower = follow(folder)
    s.write_events(folder, [s.started()], damage=ev.encode(rows(1, 1)[0])[:20])
    await follower.poll()
    assert follower.state.step == 0
    s.write_events(folder, [], damage=ev.encode(rows(1, 1)[0])[20:] + b"\n")
    await follower.poll()
    assert follower.state.step == 1
    assert follower.damages == []


async def test_a_long_log_is_opened_in_steps(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "CHUNK_BYTES", 4096)
    monkeypatch.setattr("tui.run_follower.CHUNK_BYTES", 4096)
    s.write_events(folder, [s.started(), *rows(1, 200)])
    follower = follow(folder)
    shares = []
    while not follower.is_caught_up:
        await follower.poll()
        shares.append(follower.read_share)
    assert len(shares) > 3
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.5
    assert follower.state.step == 200


async def test_damaged_lines_are_named_and_the_rest_opens(folder: RunFolder) -> None:
    s.write_events(folder, [s.started()], damage=b"\x00\xff nonsense\n")
    s.write_events(folder, rows(1, 2))
    follower = follow(folder)
    await follower.poll()
    assert follower.state.step == 2
    assert [str(damage).startswith("events.jsonl, line 2:") for damage in follower.damages] == [True]


async def test_a_log_that_was_replaced_is_read_from_its_start(folder: RunFolder) -> None:
    follower = follow(folder)
    s.write_events(folder, [s.started(), *rows(1, 50)])
    await follower.poll()
    log = folder.path / "events.jsonl"
    shorter = log.with_suffix(".new")
    shorter.write_bytes(b"".join(ev.encode(event) + b"\n" for event in [s.started(), *rows(1, 7)]))
    shorter.replace(log)
    await follower.poll()
    assert follower.state.step == 7
    assert len(follower.state.series["train/loss"]) == 7


async def test_a_folder_that_goes_away_is_told_of_and_may_come_back(folder: RunFolder) -> None:
    s.write_events(folder, [s.started(), *rows(1, 2)])
    follower = follow(folder)
    await follower.poll()
    elsewhere = folder.path.with_name("elsewhere")
    shutil.move(folder.path, elsewhere)
    await follower.poll()
    assert "is gone: moved or deleted" in follower.lost
    assert follower.state.step == 2
    shutil.move(elsewhere, folder.path)
    await follower.poll()
    assert follower.lost == ""


async def test_a_run_whose_process_has_gone_has_died_and_is_not_waited_for(folder: RunFolder) -> None:
    (folder.path / "console.log").write_text("no such module\n")
    follower = follow(folder, now=(folder.path / "config.toml").stat().st_mtime)
    await follower.poll()
    assert follower.status == "starting"
    follower.has_no_engine, follower._status_due_s = True, 0.0
    await follower.poll()
    assert (follower.status, follower.console) == ("died", ("no such module",))


async def test_status_follows_events_and_lock(folder: RunFolder) -> None:
    lock = RunLock(folder)
    follower = follow(folder)
    await follower.poll()
    assert follower.status == "starting"
    s.write_events(folder, [s.started(), *rows(1, 2)])
    await follower.poll()
    assert follower.status == "running"
    s.write_events(folder, [ev.RunPaused(step=2, at=NOW)])
    await follower.poll()
    assert follower.status == "paused"
    s.write_events(folder, [ev.RunStopped(step=2, at=NOW, elapsed_s=2.0, reason="asked")])
    await follower.poll()
    assert follower.status == "stopped", "an engine that tidies up after its last event is not starting again"
    lock.release()
    follower = follow(folder, now=NOW + 3600)
    await follower.poll()
    assert follower.status == "stopped"


async def test_a_dead_engine_leaves_its_last_words(folder: RunFolder) -> None:
    s.write_events(folder, [s.started(), *rows(1, 2)])
    (folder.path / "console.log").write_bytes(b"Loading\n\x1b[31mKilled\xff\n")
    follower = follow(folder)
    await follower.poll()
    assert follower.status == "died"
    assert follower.console[0] == "Loading"
    assert "\x1b" not in "".join(follower.console)


async def test_a_run_whose_engine_never_began_is_dead_after_a_while(folder: RunFolder) -> None:
    (folder.path / "console.log").write_text("ImportError: no torch\n")
    follower = follow(folder, now=s.BEGAN_AT + 3600)
    await follower.poll()
    assert follower.status == "died"
    assert follower.console == ("ImportError: no torch",)


async def test_time_begins_with_the_first_row(folder: RunFolder) -> None:
    follower = follow(folder, now=NOW)
    lock = RunLock(folder)
    s.write_events(folder, [s.started()])
    await follower.poll()
    assert (follower.status, follower.elapsed_s) == ("running", 0.0)
    lock.release()


async def test_time_goes_on_between_events(folder: RunFolder) -> None:
    now = NOW
    follower = RunFollower(folder, lambda: now)
    lock = RunLock(folder)
    s.write_events(folder, [s.started(), *rows(1, 8)])
    await follower.poll()
    assert follower.elapsed_s == 8.0
    now += 3
    assert follower.elapsed_s == 11.0
    assert follower.silent_s == pytest.approx(now - (s.BEGAN_AT + 8))
    lock.release()


async def test_the_clock_stands_until_a_new_engine_has_spoken_and_trained(folder: RunFolder) -> None:
    now, host = NOW, socket.gethostname()
    follower = RunFollower(folder, lambda: now)
    s.write_events(folder, [s.started(host=host), *rows(1, 8), ev.RunPaused(step=8, at=NOW)])
    await follower.poll()
    assert follower.status == "died"
    lock = RunLock(folder)  # as an engine of this process has it
    now += 30
    follower._status_due_s = 0.0
    await follower.poll()
    assert (follower.status, follower.is_resuming, follower.elapsed_s) == ("starting", True, 8.0)
    s.write_events(folder, [s.started(step=4, at=now, host=host, pid=os.getpid(), elapsed_s=4.0)])
    await follower.poll()
    assert (follower.status, follower.is_resuming) == ("running", False)
    now += 3
    assert follower.elapsed_s == 4.0
    s.write_events(folder, rows(5, 5))
    await follower.poll()
    now += 3
    assert follower.elapsed_s == 8.0
    lock.release()


async def test_an_engine_that_was_started_is_waited_for_until_it_speaks_but_not_for_ever(folder: RunFolder) -> None:
    now = NOW + 100

    async def look() -> str:
        follower._status_due_s = 0.0
        await follower.poll()
        return follower.status

    s.write_events(folder, [s.started(), ev.RunStopped(step=2, at=NOW, elapsed_s=2.0, reason="asked")])
    follower = RunFollower(folder, lambda: now)
    assert await look() == "stopped"
    follower.expect_engine(now)
    assert follower.is_resuming
    assert await look() == "starting"
    now += 61
    assert await look() == "stopped"
    follower.expect_engine(now)
    assert await look() == "starting"
    s.write_events(folder, [ev.RunFailed(step=2, at=now + 1, error="no", cure="", traceback="")])
    assert await look() == "failed"


async def test_refusals_of_before_are_not_told_again(folder: RunFolder) -> None:
    refused = ev.CommandRejected(step=1, at=NOW, command="Pause", reason="paused already")
    s.write_events(folder, [s.started(), refused])
    follower = follow(folder)
    await follower.poll()
    assert follower.rejections == []
    s.write_events(folder, [refused])
    await follower.poll()
    assert follower.rejections == [refused]


async def test_a_damaged_configuration_is_a_line_not_an_end(folder: RunFolder) -> None:
    (folder.path / "config.toml").write_text("[data\n")
    follower = follow(folder)
    await follower.open()
    assert follower.config is None
    assert "config.toml is damaged" in follower.config_problem
