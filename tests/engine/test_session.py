"""A session keeps its promises when the disk does not."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import shutil
import threading
from pathlib import Path

import pytest

from engine import commands as cmd
from engine import events as ev
from engine.checkpoint import Checkpoint, CheckpointStore, load_checkpoint
from engine.data import load_data
from engine.run_folder import RunFolderError
from engine.run_log import LogWriter
from engine.run_state import RunState
from engine.session import Session
from tests.engine.helpers import collect, config, make_run, recorded


class FullDisk:
    """A disk that takes so many batches of lines, and then nothing until something was deleted."""

    def __init__(self, reserve: Path, batches: int) -> None:
        self._reserve, self._left = reserve, batches
        self._append = LogWriter.append

    def append(self, writer: LogWriter, *lines: bytes) -> None:
        self._left -= 1
        if self._left < 0 and self._reserve.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        self._append(writer, *lines)


async def test_a_full_disk_ends_the_run_with_one_line_and_nothing_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(tmp_path, trainer={"epochs": 1_000_000})
    disk = FullDisk(folder.path / ".reserve", batches=3)
    monkeypatch.setattr(LogWriter, "append", lambda writer, *lines: disk.append(writer, *lines))
    session = Session(folder)
    with pytest.raises(RunFolderError, match="No space left on device; free some space, then: dltui resume spiral-1"):
        async for _ in session.events():
            pass
    assert folder.holder() is None
    endings = [event for event in recorded(folder) if isinstance(event, ev.ENDINGS)]
    assert [type(event) for event in endings] == [ev.RunFailed]
    assert session.state.status(engine_alive=False) == "failed"
    # a checkpoint of a later step than the log reaches would leave a gap in the curve
    saved = load_checkpoint(folder.checkpoints / "last").step if (folder.checkpoints / "last").exists() else 0
    assert saved <= max(event.step for event in recorded(folder) if isinstance(event, ev.MetricsLogged))


async def test_a_run_goes_on_after_the_disk_has_space_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_run(tmp_path, trainer={"epochs": 200})
    disk = FullDisk(folder.path / ".reserve", batches=2)
    with monkeypatch.context() as patch:
        patch.setattr(LogWriter, "append", lambda writer, *lines: disk.append(writer, *lines))
        with pytest.raises(RunFolderError):
            await collect(folder.config(), folder)
    await collect(folder.config(), folder)
    assert isinstance(recorded(folder)[-1], ev.RunFinished)


async def test_a_checkpoint_that_fails_on_schedule_costs_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(tmp_path, trainer={"epochs": 400, "eval_every": 50, "checkpoint_every_s": 0.05})
    failures, save = iter([True, False, True]), CheckpointStore.save_last

    def fail_twice(store: CheckpointStore, checkpoint: Checkpoint) -> str:
        if next(failures, False):
            raise OSError(errno.ENOSPC, "No space left on device")
        return save(store, checkpoint)

    monkeypatch.setattr(CheckpointStore, "save_last", fail_twice)
    events = await collect(folder.config(), folder)
    warnings = [event.text for event in events if isinstance(event, ev.LineLogged)]
    assert len(warnings) == 2
    assert "could not be written (No space left on device); there is none yet" in warnings[0]
    assert "could not be written (No space left on device); the one before it stays" in warnings[1]
    assert isinstance(events[-1], ev.RunFinished)


async def test_the_last_checkpoint_is_owed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_run(tmp_path, trainer={"epochs": 2})

    def fail(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("engine.checkpoint.os.fsync", fail)
    events = await collect(folder.config(), folder)
    assert isinstance(events[-1], ev.RunFailed)
    assert "the disk is full" in events[-1].error
    assert [path.name for path in folder.checkpoints.iterdir()] == []


def test_a_run_that_cannot_be_read_is_not_locked(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    (folder.path / "config.toml").write_text("data = [")
    with pytest.raises(RunFolderError, match=r"config\.toml is damaged"):
        Session(folder)
    assert folder.holder() is None


class SlowData:
    """Data that takes as long to load as a test wants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.arrived = threading.Event(), threading.Event()
        monkeypatch.setattr("engine.worker.load_data", self._load)

    def _load(self, *arguments: object) -> object:
        self.asked.set()
        self.arrived.wait(30)
        return load_data(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("way", ["asked of the session", "asked of the folder", "left"])
async def test_a_stop_while_data_is_loaded_does_not_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    folder, data = make_run(tmp_path), SlowData(monkeypatch)
    session = Session(folder)
    reading = asyncio.create_task(read_all(session))
    await asyncio.to_thread(data.asked.wait, 30)
    if way == "asked of the session":
        session.request(cmd.Stop(reason="SIGINT"))
    elif way == "asked of the folder":
        folder.ask(cmd.Stop())
    else:
        reading.cancel()
    await asyncio.wait([reading], timeout=20)
    assert reading.done()
    data.arrived.set()
    assert folder.holder() is None
    assert [type(event) for event in recorded(folder) if not isinstance(event, ev.Heartbeat)] == [ev.RunStopped]
    await collect(folder.config(), folder)
    assert isinstance(recorded(folder)[-1], ev.RunFinished)


async def read_all(session: Session) -> None:
    async for _ in session.events():
        pass


async def test_a_reader_that_is_cancelled_holds_the_run_until_training_has_stopped(tmp_path: Path) -> None:
    folder = make_run(tmp_path, trainer={"epochs": 1_000_000})
    session = Session(folder)
    reading = asyncio.create_task(read_all(session))
    while b"MetricsLogged" not in (folder.path / "events.jsonl").read_bytes():
        await asyncio.sleep(0.02)
    for _ in range(3):
        reading.cancel()
        await asyncio.sleep(0)
    await asyncio.wait([reading], timeout=20)
    assert reading.done()
    assert folder.holder() is None
    assert not [thread for thread in threading.enumerate() if thread.name == "trainer" and thread.is_alive()]
    assert isinstance(recorded(folder)[-1], ev.RunStopped)


async def test_even_an_exit_in_the_middle_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(*arguments: object) -> object:
        raise SystemExit(0)

    monkeypatch.setattr("engine.worker.load_data", leave)
    folder = make_run(tmp_path)
    events = await collect(folder.config(), folder)
    assert isinstance(events[-1], ev.RunFailed)


async def test_a_command_from_before_the_engine_came_is_obeyed_by_the_first_only(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    folder.ask(cmd.Stop())
    events = await collect(folder.config(), folder)
    assert isinstance(events[-1], ev.RunStopped)
    assert events[-1].step == 0
    events = await collect(folder.config(), folder)
    assert isinstance(events[-1], ev.RunFinished)


def test_a_viewer_that_looks_does_not_keep_an_engine_out(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    with (folder.path / "lock").open("w") as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        threading.Timer(0.1, fcntl.flock, (look, fcntl.LOCK_UN)).start()
        folder.lock().release()


async def test_an_engine_whose_folder_is_deleted_ends_and_says_so(tmp_path: Path) -> None:
    folder = make_run(tmp_path, trainer={"epochs": 1_000_000})
    session = Session(folder)
    with pytest.raises(RunFolderError, match=r"events.jsonl: it has been deleted; training has stopped"):
        async for event in session.events():
            if isinstance(event, ev.MetricsLogged) and folder.path.exists():
                shutil.rmtree(folder.path)
    assert not folder.path.exists(), "nothing half-made is left in its place"


async def test_heartbeats_repeat_what_evaluations_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.session.FIRST_HEARTBEAT_S", 0.0)
    monkeypatch.setattr("engine.session.HEARTBEAT_EVERY_S", 0.005)
    state, found, repeated = RunState(), list[tuple[dict[str, float | None], tuple[float, int]]](), 0
    for event in await collect(config(trainer={"epochs": 60})):
        state.apply(event)
        if isinstance(event, ev.Evaluated) and state.best is not None:
            found.append((event.values, (state.best.value, state.best.step)))
        if isinstance(event, ev.Heartbeat) and event.best is not None:
            # others may have come while it was on its way to the log; from the one before it does not go back
            repeated = next(n for n, one in enumerate(found) if n >= repeated and one == (event.evaluated, event.best))
    assert repeated
