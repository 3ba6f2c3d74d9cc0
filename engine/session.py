"""One engine on one run: the lock, the worker thread, the event log, and the commands that arrive."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from engine import commands as cmd
from engine import events as ev
from engine.channel import Barrier, EventChannel, Item
from engine.due import Due
from engine.event_lines import lines_of
from engine.gauges import MachineGauges
from engine.inbox import Inbox
from engine.own_file import check_own_folder, open_own
from engine.run_folder import RunFolder, RunFolderError
from engine.run_log import LogWriter
from engine.run_state import RunState
from engine.worker import Worker

COMMANDS_EVERY_S = 0.05
HEARTBEAT_EVERY_S = 2.0
WAITING_LIMIT = 10_000
"""Commands that wait for an engine; of more the last."""
FIRST_HEARTBEAT_S = 0.2
RESERVE_BYTES = 32 << 10
"""Kept aside on disk, so that a run that ends because the disk is full can still say so."""
LOGGED_WITHIN_S, LAGS_S = 5.0, 0.05
"""A checkpoint waits so long for the log, and for one that was late already: whoever takes this session's events in
turn may take their time."""


class Session:
    """Trains the run in `folder` from its beginning, or from its last checkpoint.

    Args:
        folder: A run folder that nobody trains at present.
        script: Commands to obey at given steps, for a run that is to go like another.

    Raises:
        RunLocked: another engine holds the run.
        RunFolderError: the run is finished, can't be read, or can't be written.
    """

    def __init__(self, folder: RunFolder, script: Sequence[Due] = ()) -> None:
        self._folder, self._script = folder, script
        self._config, self._data_dir = folder.config(), folder.data_dir()
        self._commands = folder.read_commands()
        # read before the lock is taken: who sees it held asks this engine, who asked before that asked another
        try:
            waiting = list(deque(self._commands.read_all(), WAITING_LIMIT))
        except OSError as error:
            raise _unreadable(folder, error) from None
        self._lock = folder.lock()
        try:
            self.state = RunState()
            """What is known of the run, this session's events included."""
            self.state.apply_all(folder.read_history().read_all())
            if isinstance(self.state.ending, ev.RunFinished):
                raise RunFolderError(
                    f"run '{folder.name}' is finished: to train longer, start another with "
                    f"dltui train --config {folder.path / 'config.toml'} --epochs N"
                )
            self._writer = _open_log(folder)
            self._inbox = Inbox()
            self._channel: EventChannel | None = None
            self._worker: Worker | None = None
            self._gave_up = False
            self._log_lags = False
            self._log_error: OSError | None = None
            log_bytes = (folder.path / "events.jsonl").stat().st_size
            for command in _meant_for_this_engine(waiting, self.state, log_bytes):
                self._inbox.put(command)
            self._lock.keep(lambda error: self._inbox.put(cmd.Stop(reason="taken over")))
        except OSError as error:
            self._lock.release()
            raise _unreadable(folder, error) from None
        except BaseException:
            self._lock.release()
            raise

    def request(self, command: cmd.AnyCommand) -> None:
        """Ask for something without the detour through the run folder; callable from any thread.

        A stop that comes while data is being loaded ends the run at once.
        """
        if self._gave_up:
            return
        if isinstance(command, cmd.Stop) and self._channel and self._worker and self._worker.abandon():
            self._gave_up = True
            elapsed_s = round(self.state.elapsed_s, 4)
            self._channel.publish(ev.RunStopped(step=self.state.step, elapsed_s=elapsed_s, reason=command.reason))
            self._channel.close()
        else:
            self._inbox.put(command)

    async def events(self) -> AsyncGenerator[ev.AnyEvent, None]:
        """Train, and yield each event after it has been recorded. Leaving early stops the run, with a checkpoint.

        Raises:
            RunFolderError: the log can't be written any more; training has stopped.
        """
        self._channel = channel = EventChannel(asyncio.get_running_loop())
        self._worker = worker = Worker(
            self._config,
            self._folder,
            self._data_dir,
            self._inbox,
            channel.publish,
            lambda: self._wait_until_logged(channel),
            self._script,
        )
        thread = threading.Thread(target=_work, args=(worker, channel), name="trainer", daemon=True)
        helpers = [
            asyncio.create_task(self._pass_on_commands(channel, worker)),
            asyncio.create_task(_beat(channel, worker, self.state)),
        ]
        closed = False
        try:
            _start(thread)
            while (items := await channel.get()) is not None:
                for event in self._record(self._without_late_beats(items)):
                    self.state.apply(event)
                    yield event
            closed = True
        finally:
            for helper in helpers:
                helper.cancel()
            await self._wind_up(thread, channel, closed)

    async def _wind_up(self, thread: threading.Thread, channel: EventChannel, closed: bool) -> None:
        """Let the thread come to its end, record what it still says, and give the run back."""
        try:
            if not closed and thread.is_alive():
                self.request(cmd.Stop(reason="left"))
                while (items := await channel.get()) is not None:
                    self._record_rest(items)
        finally:
            channel.stop_reading()
            # a loop that is shut down cancels the wait above; the lock must not go while the thread trains
            if not self._gave_up and thread.is_alive():
                thread.join()
            self._record_rest(channel.take_all())
            self._writer.close()
            with suppress(OSError):
                _reserve(self._folder).unlink()
            self._lock.release()

    def _record_rest(self, items: Sequence[Item]) -> None:
        if self.state.ending is not None:  # the run has had its last event
            items = [item for item in items if isinstance(item, (ev.CheckpointSaved, Barrier))]
        with suppress(RunFolderError):
            self._record(items)
        self.state.apply_all(item for item in items if not isinstance(item, Barrier))

    def _without_late_beats(self, items: list[Item]) -> list[Item]:
        """A heart that beats on while the engine winds up must not follow the run's last event."""
        over = self.state.ending is not None or any(isinstance(item, ev.ENDINGS) for item in items)
        return [item for item in items if not (over and isinstance(item, ev.Heartbeat))]

    def _wait_until_logged(self, channel: EventChannel) -> int | None:
        """For the training thread: the log's size once everything published so far is in it; None if that is not
        known. A log that lags is waited for once, not at each checkpoint."""
        self._lock.check()
        log_bytes = channel.set_barrier().wait(LAGS_S if self._log_lags else LOGGED_WITHIN_S)
        self._lock.check()  # it may have been taken over while this process was halted
        if self._log_error is not None:  # a checkpoint now would be of a step that the curve does not reach
            raise OSError(self._log_error.errno, f"{self._log_error.strerror}, not even for the event log")
        self._log_lags = log_bytes is None
        return log_bytes

    def _record(self, items: Sequence[Item]) -> list[ev.AnyEvent]:
        """Write what happened into the log, in order; returns the events among `items`."""
        events: list[ev.AnyEvent] = []
        written = 0
        for item in items:
            if isinstance(item, Barrier):
                self._append(events[written:], item)
                written = len(events)
            else:
                events.append(item)
        self._append(events[written:])
        return events

    def _append(self, events: list[ev.AnyEvent], barrier: Barrier | None = None) -> None:
        log_bytes = None
        try:
            self._lock.check()
            if events:
                self._writer.append(*lines_of(events))
            if barrier is not None:
                log_bytes = self._writer.sync()
        except OSError as error:
            self._log_error = error
            self._inbox.put(cmd.Stop(reason="the event log can't be written"))
            failed = _log_failure(self._folder, error, self.state.step)
            self.state.apply(failed)
            with suppress(OSError):
                _reserve(self._folder).unlink()
                self._writer.append(ev.encode(failed))
            raise RunFolderError(failed.in_a_line) from None
        finally:
            if barrier is not None:
                barrier.let_pass(log_bytes)

    async def _pass_on_commands(self, channel: EventChannel, worker: Worker) -> None:
        reported = len(self._commands.damages)
        while True:
            with suppress(OSError):
                for command in self._commands.read():
                    self.request(command)
            for damage in self._commands.damages[reported:]:
                channel.publish(ev.CommandRejected(step=worker.step, command="unreadable", reason=str(damage)))
            reported = len(self._commands.damages)
            await asyncio.sleep(COMMANDS_EVERY_S)


def _meant_for_this_engine(waiting: list[cmd.AnyCommand], state: RunState, log_bytes: int) -> Iterable[cmd.AnyCommand]:
    """What was asked for since somebody resumed the run; of one that nobody has trained yet, all that was asked for."""
    for index in reversed(range(len(waiting))):
        asked = waiting[index]
        if isinstance(asked, cmd.Resume):
            return waiting[index + 1 :] if asked.log_bytes == log_bytes else ()
    return waiting if state.started is None and state.ending is None else ()


async def _beat(channel: EventChannel, worker: Worker, state: RunState) -> None:
    await asyncio.sleep(FIRST_HEARTBEAT_S)
    gauges = MachineGauges()
    while True:
        beat = gauges.heartbeat(worker.step, worker.paused, worker.device)
        evaluated = {key: value for key, value in state.latest.items() if key.startswith("val/")}
        best = (state.best.value, state.best.step) if state.best else None
        channel.publish(msgspec.structs.replace(beat, evaluated=evaluated, best=best))
        await asyncio.sleep(HEARTBEAT_EVERY_S)


def _start(thread: threading.Thread) -> None:
    try:
        thread.start()
    except (RuntimeError, MemoryError) as error:
        raise RunFolderError(f"no thread can be started to train in ({error}): free some memory, then resume") from None


def _work(worker: Worker, channel: EventChannel) -> None:
    try:
        worker.work()
    finally:
        channel.close()


def _open_log(folder: RunFolder) -> LogWriter:
    try:
        # what is written must stay here: a link in a run from elsewhere may lead to anything of one's own
        for own in (folder.checkpoints, folder.figures):
            check_own_folder(own)
        writer = LogWriter(folder.path / "events.jsonl")
        with suppress(OSError):  # without a reserve a full disk is told of on the console only
            reserve = open_own(_reserve(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            with os.fdopen(reserve, "wb") as file:
                file.write(bytes(RESERVE_BYTES))
        return writer
    except OSError as error:
        raise RunFolderError(f"run folder {folder.path} may not be written: {_reason(error)}") from None


def _unreadable(folder: RunFolder, error: OSError) -> RunFolderError:
    return RunFolderError(f"run folder {folder.path} can't be read: {_reason(error)}")


def _reason(error: OSError) -> str:
    name = Path(str(error.filename)).name
    return (
        f"{name} is {error.strerror}"
        if error.errno in (errno.ELOOP, errno.EINVAL, errno.ENOTDIR)
        else f"{error.strerror}"
    )


def _reserve(folder: RunFolder) -> Path:
    return folder.path / ".reserve"


def _log_failure(folder: RunFolder, error: OSError, step: int) -> ev.RunFailed:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    cure = f"{'free some space' if full else 'mend the folder'}, then: dltui resume {folder.name}"
    if isinstance(error, FileNotFoundError):
        cure = "training has stopped, since nothing of it could be kept"
    return ev.RunFailed(step=step, error=f"can't write {folder.path / 'events.jsonl'}: {error.strerror}", cure=cure)
