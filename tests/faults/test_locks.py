"""The lock that says whose a run is: on disks that keep no locks, under clocks that lie, and where it is none."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from engine import run_lock
from engine.lock_entry import ENTRY_BYTES, Entry
from engine.run_folder import RunFolder, RunFolderError, RunLock, RunLocked
from tests.e2e.processes import alive, halt, wait_until
from tests.engine.helpers import make_run
from tests.faults.stand_in import FLOCK_OF_ONE_MACHINE, NO_FLOCK, QUICK, altered, on_host

HOLD = (
    "import sys, pathlib; from engine.run_folder import RunFolder\n"
    "lock = RunFolder(pathlib.Path(sys.argv[1])).lock(); lock.keep(lambda error: print(error, flush=True))\n"
    "print('held', flush=True); sys.stdin.read(); lock.release()"
)
"""An engine that does nothing but hold a run, until its input closes."""
FORK = """
import ctypes, os, pathlib, sys
from engine.run_folder import RunFolder
lock = RunFolder(pathlib.Path(sys.argv[1])).lock()
child = os.fork() if sys.argv[2] == "Python" else ctypes.PyDLL(None).fork()
if child:
    print(child, flush=True)
    sys.stdin.read()
    lock.release()
else:
    os.read(int(sys.argv[3]), 1)
os._exit(0)
"""
"""An engine whose user's code has forked: the fork lives until its pipe closes, the engine until its input does."""


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return make_run(tmp_path)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of tenths of a second instead of seconds."""
    for name, seconds in {"BEAT_EVERY_S": 0.1, "WATCH_S": 3.0, "SETTLE_S": 0.1, "SILENT_S": 3.0}.items():
        monkeypatch.setattr(run_lock, name, seconds)


@pytest.fixture(params=["ENOLCK", "ENOSYS", "EOPNOTSUPP", "EINVAL"])
def no_flock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, quick: None) -> None:
    """A disk without flock, in each of the ways in which they say so."""
    refuse_flock(monkeypatch, getattr(errno, request.param))


def refuse_flock(monkeypatch: pytest.MonkeyPatch, number: int = errno.ENOLCK) -> None:
    def flock(fd: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a process, and waits until it holds a run; it is killed with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: RunFolder, *changes: str) -> subprocess.Popen[str]:
        env = altered(tmp_path / f"env-{len(started)}", QUICK, *changes)
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder.path)], env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )
        started.append(process)
        assert line_of(process) == "held"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


# -- disks without flock ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_flock")
def test_without_flock_a_second_engine_is_refused_and_told_who_holds_the_run(folder: RunFolder) -> None:
    assert folder.holder() is None
    lock = folder.lock()
    assert f"pid {os.getpid()} on " in (folder.holder() or "")
    with pytest.raises(RunLocked, match=rf"run 'spiral-1' is being trained by pid {os.getpid()} on "):
        folder.lock()
    lock.release()
    assert folder.holder() is None
    folder.lock().release()


@pytest.mark.usefixtures("quick")
def test_without_flock_an_engine_of_this_machine_that_was_killed_is_known_dead_at_once(
    folder: RunFolder, hold: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_flock(monkeypatch)
    monkeypatch.setattr(run_lock, "WATCH_S", 1e6)  # would never end: its end is not waited for
    engine = hold(folder, NO_FLOCK)
    assert f"pid {engine.pid} on " in (folder.holder() or "")
    with pytest.raises(RunLocked, match=f"pid {engine.pid} on "):
        folder.lock()
    engine.kill()
    wait_until(lambda: folder.holder() is None, "the engine's death")  # it is a zombie, and none for this process
    folder.lock().release()


def test_an_engine_that_is_halted_on_this_machine_is_not_taken_for_dead(
    folder: RunFolder, hold: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    refuse_flock(monkeypatch)
    engine = hold(folder, NO_FLOCK)
    halt(engine)
    os.utime(folder.path / "lock", (0, 0))
    assert f"pid {engine.pid} on " in (folder.holder() or "")
    with pytest.raises(RunLocked, match=f"pid {engine.pid} on "):
        folder.lock()


@pytest.mark.parametrize("disk", [NO_FLOCK, FLOCK_OF_ONE_MACHINE])
def test_an_engine_of_another_host_is_left_its_run_while_it_beats(
    folder: RunFolder,
    hold: Callable[..., subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
    quick: None,
    disk: str,
) -> None:
    if disk == NO_FLOCK:
        refuse_flock(monkeypatch)
    engine = hold(folder, disk, on_host("far-away"))
    assert folder.holder() == f"pid {engine.pid} on far-away"
    with pytest.raises(RunLocked, match=f"run 'spiral-1' is being trained by pid {engine.pid} on far-away"):
        folder.lock()
    engine.kill()
    wait_until(lambda: folder.holder() is None, "the engine's death")
    folder.lock().release()


def test_an_engine_that_ends_in_good_order_leaves_nobody_waiting(
    folder: RunFolder, hold: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    refuse_flock(monkeypatch)
    engine = hold(folder, NO_FLOCK, on_host("far-away"))
    engine.communicate("")
    monkeypatch.setattr(run_lock, "WATCH_S", 1e6)
    assert folder.holder() is None
    folder.lock().release()
    assert (folder.path / "lock").stat().st_size == ENTRY_BYTES  # its space is kept for the next


def test_an_engine_whose_run_was_taken_notices_and_says_where_it_goes_on(
    folder: RunFolder, hold: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    refuse_flock(monkeypatch)
    engine = hold(folder, NO_FLOCK, on_host("far-away"))
    halt(engine)
    lock = folder.lock()
    engine.send_signal(signal.SIGCONT)
    said = line_of(engine)
    assert re.match(rf"run 'spiral-1' was taken over by pid {os.getpid()} on \S+ while this engine gave no sign", said)
    assert said.endswith("dltui attach spiral-1")
    engine.communicate("")
    assert f"pid {os.getpid()} on " in (folder.holder() or "")  # leaving, it has not let go of what is another's
    lock.release()


def test_who_has_lost_a_run_may_not_write_to_it(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    refuse_flock(monkeypatch)
    lock = folder.lock()
    lock.check()
    (folder.path / "lock").write_text("pid 1 on far-away\nabc def 1\n")
    time.sleep(3 * run_lock.BEAT_EVERY_S)  # nobody keeps it: as good as halted
    for _ in range(2):
        with pytest.raises(RunLocked, match="was taken over by pid 1 on far-away"):
            lock.check()


def test_of_engines_that_start_at_the_same_time_one_gets_the_run(
    folder: RunFolder,
    monkeypatch: pytest.MonkeyPatch,
    quick: None,
    times: Callable[[int, int], int],
    tally: Callable[[str, int], None],
) -> None:
    refuse_flock(monkeypatch)
    write, gate = run_lock.write_entry, threading.Barrier(4)

    def write_together(fd: int, entry: Entry | None) -> None:
        if entry is None:
            write(fd, None)
            return
        gate.wait(30)  # each has seen a free run by now
        write(fd, entry)
        gate.wait(30)  # a machine busy with tests may take longer over it than an engine waits

    monkeypatch.setattr(run_lock, "write_entry", write_together)
    tries = times(5, 200)
    for _ in range(tries):
        locks, refusals = list[RunLock](), list[str]()
        engines = [threading.Thread(target=take, args=(folder, locks, refusals)) for _ in range(4)]
        for engine in engines:
            engine.start()
        for engine in engines:
            engine.join()
        assert (len(locks), len(refusals)) == (1, 3), refusals
        locks[0].check()
        locks[0].release()
    tally("four engines started at once on a disk without flock: one gets the run", tries)


def take(folder: RunFolder, locks: list[RunLock], refusals: list[str]) -> None:
    try:
        locks.append(folder.lock())
    except RunLocked as error:
        refusals.append(str(error))


# -- clocks -------------------------------------------------------------------------------------------------------


class Clocks:
    """The time of day, and the seconds that this process counts."""

    def __init__(self) -> None:
        self.day_s, self.own_s = 1_700_000_000.0, 500.0

    def time(self) -> float:
        return self.day_s

    def monotonic(self) -> float:
        return self.own_s

    def pass_by(self, seconds: float) -> None:
        self.day_s, self.own_s = self.day_s + seconds, self.own_s + seconds


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    refuse_flock(monkeypatch)
    clocks = Clocks()
    monkeypatch.setattr(run_lock, "time", clocks)
    monkeypatch.setattr(run_lock, "_seen", {})
    return clocks


def beat(folder: RunFolder, at_s: float) -> None:
    """What an engine of another host leaves, whose disk counts `at_s`."""
    (folder.path / "lock").write_text("pid 7 on far-away\nabc def 1\n")
    os.utime(folder.path / "lock", (at_s, at_s))


def test_an_engine_that_falls_silent_is_shown_as_dead_after_a_while(folder: RunFolder, clocks: Clocks) -> None:
    beat(folder, clocks.day_s - 1)
    assert folder.holder() == "pid 7 on far-away"
    clocks.pass_by(run_lock.SILENT_S - 2)
    assert folder.holder() == "pid 7 on far-away"
    clocks.pass_by(2)
    assert folder.holder() is None


@pytest.mark.parametrize("off_s", [-86400.0, -60.0, 60.0, 86400.0])
def test_whose_clock_is_wrong_sees_from_the_beats_that_an_engine_lives(
    folder: RunFolder, clocks: Clocks, off_s: float
) -> None:
    beat(folder, clocks.day_s + off_s)
    assert folder.holder() is None  # nothing but the wrong clock can be asked at the first look
    for count in range(1, 20):
        clocks.pass_by(2)
        beat(folder, clocks.day_s + off_s + count / 1000)
        assert folder.holder() == "pid 7 on far-away"
    clocks.pass_by(run_lock.SILENT_S + 1)
    assert folder.holder() is None


@pytest.mark.parametrize("jump_s", [-86400.0, 86400.0])
def test_a_clock_that_is_set_makes_no_engine_dead(folder: RunFolder, clocks: Clocks, jump_s: float) -> None:
    beat(folder, clocks.day_s)
    assert folder.holder() == "pid 7 on far-away"
    clocks.day_s += jump_s
    for _ in range(5):
        assert folder.holder() == "pid 7 on far-away"
        clocks.pass_by(2)
        beat(folder, clocks.day_s)
    assert folder.holder() == "pid 7 on far-away"
    clocks.pass_by(run_lock.SILENT_S + 1)
    assert folder.holder() is None


# -- locks that are none ------------------------------------------------------------------------------------------


def test_a_full_disk_keeps_no_engine_from_a_run_that_the_kernel_guards(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        lock = folder.lock()
        assert folder.holder() == "another process"
    lock.beat()  # there is space again
    assert f"pid {os.getpid()} on " in (folder.holder() or "")
    lock.release()


def full(fd: int, data: bytes, offset: int) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.usefixtures("quick")
def test_a_full_disk_without_flock_is_told_of(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_flock(monkeypatch)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(RunFolderError, match=r"lock can't be written \(No space left on device\).*: free some space"):
        folder.lock()


def test_a_lock_that_is_a_link_is_not_followed(folder: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (folder.path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(RunFolderError, match="may not be written"):
        folder.lock()
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_lock_that_is_a_pipe_holds_nobody_up(folder: RunFolder) -> None:
    os.mkfifo(folder.path / "lock")
    assert folder.holder() is None
    with pytest.raises(RunFolderError, match="lock can't be locked"):
        folder.lock()


# -- forks of an engine -------------------------------------------------------------------------------------------


class Forked(NamedTuple):
    """An engine that has forked."""

    process: subprocess.Popen[str]
    child: int


@pytest.fixture
def forked() -> Iterator[Callable[[RunFolder, str], Forked]]:
    """Starts an engine that holds a run and forks, in Python or in C; both are gone after the test."""
    engines, (lives, ends) = list[Forked](), os.pipe()

    def start(folder: RunFolder, language: str) -> Forked:
        argv = [sys.executable, "-W", "ignore", "-c", FORK, str(folder.path), language, str(lives)]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=[lives])
        engines.append(Forked(process, int(line_of(process))))
        return engines[-1]

    yield start
    os.close(ends)
    os.close(lives)
    for engine in engines:
        engine.process.kill()
        with engine.process:
            pass


@pytest.mark.parametrize("end", ["killed", "in good order"])
def test_a_fork_that_outlives_its_engine_does_not_keep_the_run(
    folder: RunFolder, forked: Callable[[RunFolder, str], Forked], end: str
) -> None:
    engine = forked(folder, "Python")
    assert f"pid {engine.process.pid} on " in (folder.holder() or "")  # what the fork closed is not let go of
    end_of(engine, end)
    assert alive(engine.child)
    assert folder.holder() is None
    folder.lock().release()


def test_a_fork_made_in_c_is_left_nothing_by_an_engine_that_ends_in_good_order(
    folder: RunFolder, forked: Callable[[RunFolder, str], Forked]
) -> None:
    engine = forked(folder, "C")
    end_of(engine, "in good order")
    assert alive(engine.child)
    folder.lock().release()


def test_a_fork_made_in_c_that_keeps_the_run_of_a_dead_engine_is_named(
    folder: RunFolder, forked: Callable[[RunFolder, str], Forked]
) -> None:
    engine = forked(folder, "C")
    end_of(engine, "killed")
    assert folder.holder() is None
    with pytest.raises(RunLocked) as caught:
        folder.lock()
    assert f"the engine of run 'spiral-1', pid {engine.process.pid} on " in str(caught.value)
    assert str(caught.value).endswith(
        f"is dead, but a process that it started holds the run: end it, then resume: kill {engine.child}"
    )
    os.kill(engine.child, signal.SIGKILL)
    wait_until(lambda: not alive(engine.child), "the fork's death")
    folder.lock().release()


def end_of(engine: Forked, how: str) -> None:
    if how == "killed":
        engine.process.kill()
    with engine.process:  # closes its input, and waits
        pass
