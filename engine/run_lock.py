"""One engine holds a run, and everybody can see which.

`lock` in the run's folder is held with flock, which the kernel lets go of when the process dies. Not every disk knows
flock: some refuse it, and some keep it among the processes of one machine. There the heartbeat decides. The engine
writes who it is into the file and touches it every few seconds; a file that is touched has a live engine. Whoever wants
the run watches for a while by a clock of its own: the clocks of two machines, or of one before and after it was set,
tell nothing about each other.

A fork of the engine, as a user's data workers are, has the file open as well, and with it flock: it closes it at once.
"""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.lock_entry import Entry, entry_in, mtime_ns, own_entry, read_entry, write_entry
from engine.lock_orphans import orphans_of
from engine.run_errors import RunFolderError, RunLocked
from engine.text import plain

if TYPE_CHECKING:
    from engine.run_folder import RunFolder

BEAT_EVERY_S = 2.0
"""How often an engine touches its lock."""
WATCH_S = 5 * BEAT_EVERY_S
"""Without a beat for so long, an engine is taken for dead by one that wants its run."""
SETTLE_S = 0.5
"""Between writing one's name and reading it back: of two that start at once, the later writer has it."""
SILENT_S = 15.0
"""Without a beat for so long, an engine is shown as dead; longer than what a network disk may keep in a cache."""
LOOK_S = 0.5

_BUSY = frozenset({errno.EWOULDBLOCK, errno.EACCES})
_NO_FLOCK = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL})


class RunLock:
    """An exclusive hold on a run.

    Args:
        folder: The run.

    Raises:
        RunLocked: another engine holds it; the message names its pid and host.
        RunFolderError: the folder may not be written.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._name = plain(folder.name)
        self._entry = own_entry()
        self._folder = self._fd = -1
        self._guard = threading.Lock()
        self._is_released = threading.Event()
        self._beat_s = time.monotonic()
        self._lost: RunLocked | None = None
        path = folder.path / "lock"
        _held.add(self)
        try:
            # by descriptor: a run that is renamed is the same run, and another that takes its name is not
            self._folder = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            _check_writable(folder.path, folder.checkpoints)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            self._fd = os.open("lock", flags, 0o644, dir_fd=self._folder)
        except OSError as error:
            self._close()
            raise RunFolderError(
                f"run folder {plain(str(folder.path))} may not be written ({error.strerror}): "
                "mend its permissions, or choose another with --runs"
            ) from None
        try:
            self._take(path)
        except OSError as error:
            self._close()
            raise RunFolderError(f"{plain(str(path))} can't be locked: {error.strerror}") from None
        except BaseException:
            self._close()
            raise

    def keep(self, on_loss: Callable[[RunLocked], None]) -> None:
        """Touch the lock from now on, in a thread of its own: a disk that takes its time, or a log that is being read,
        must not make this engine look dead.

        Args:
            on_loss: Called once, in that thread, if another engine has taken the run.
        """
        threading.Thread(target=self._keep, args=(on_loss,), name="lock", daemon=True).start()

    def check(self) -> None:
        """See that the run is still this engine's own, if that was not seen lately: to be called before writing to it.

        Costs nothing as long as the lock is kept; a process that was halted for a while finds out here.

        Raises:
            RunLocked: another engine has taken the run; this one must not write to it any more.
        """
        if self._lost is not None:
            raise self._lost
        if time.monotonic() - self._beat_s > 2 * BEAT_EVERY_S:
            self.beat()

    def beat(self) -> None:
        """Show that this process lives, and see that the run is still its own.

        Raises:
            RunLocked: another engine has taken the run; this one must not write to it any more.
        """
        with self._guard, suppress(OSError):  # a disk that is full or gone for a while does not say who holds the run
            if self._fd < 0:
                return
            found = read_entry(self._folder)
            if found is not None and found.token != self._entry.token:
                self._lost = RunLocked(
                    f"run '{self._name}' was taken over by {found.name} while this engine gave no sign of life; it "
                    f"goes on there, and this engine has stopped: dltui attach {self._name}"
                )
                raise self._lost
            if found is None:  # there was no space for it when the run was taken, or somebody wiped it
                write_entry(self._fd, self._entry)
            os.utime(self._fd)
            self._beat_s = time.monotonic()

    def release(self) -> None:
        """Let go of the run."""
        self._is_released.set()
        with self._guard:
            if self._fd < 0:
                return
            with suppress(OSError):
                found = read_entry(self._folder)
                if found is not None and found.token == self._entry.token:
                    write_entry(self._fd, None)
            with suppress(OSError):  # merely closed, it would stay with forks that C code has made
                fcntl.flock(self._fd, fcntl.LOCK_UN)
            self._close()

    def _keep(self, on_loss: Callable[[RunLocked], None]) -> None:
        while not self._is_released.is_set():
            try:
                self.beat()
            except RunLocked as error:
                on_loss(error)
                return
            self._is_released.wait(BEAT_EVERY_S)

    def _take(self, path: Path) -> None:
        is_sole = self._flock(path)
        before = entry_in(self._fd)
        if before is not None and not (is_sole and before.is_ours):
            self._watch(before)
        try:
            write_entry(self._fd, self._entry)
            os.utime(self._fd)
        except OSError as error:
            if is_sole:  # the kernel guards the run; a full disk must not keep it from being resumed
                return
            raise RunFolderError(
                f"{plain(str(path))} can't be written ({error.strerror}), and its disk knows no other lock: "
                "free some space, or move the run"
            ) from None
        if not is_sole:
            time.sleep(SETTLE_S)
            self._check_mine()

    def _flock(self, path: Path) -> bool:
        """Lock the file; whether the disk knows how."""
        try:
            _lock_soon(self._fd)
            return True
        except OSError as error:
            if error.errno in _NO_FLOCK:
                return False
            if error.errno not in _BUSY:
                raise RunFolderError(f"{plain(str(path))} can't be locked: {error.strerror}") from None
            entry = entry_in(self._fd)
            orphans = orphans_of(self._fd) if entry is not None and entry.lives() is False else []
            raise self._refusal_for(orphans, entry) if entry and orphans else self._refusal(entry) from None

    def _watch(self, before: Entry) -> None:
        """See whether the engine of entry `before` lives.

        Raises:
            RunLocked: it does, or another one came first.
        """
        lives = before.lives()
        if lives:
            raise self._refusal(before)
        if self._silent_s() > WATCH_S:  # so after a restart of the machine: nobody need wait to see that
            return
        first = mtime_ns(self._folder)
        until_s = time.monotonic() + WATCH_S
        while lives is None and time.monotonic() < until_s:
            time.sleep(min(BEAT_EVERY_S / 4, WATCH_S / 10))
            now = read_entry(self._folder)
            if now is None:  # let go of, in good order
                return
            if now.token != before.token or mtime_ns(self._folder) != first:
                raise self._refusal(now)

    def _silent_s(self) -> float:
        """How long the lock was not touched, by the disk's own clock; 0 if that can't be told."""
        with suppress(OSError), tempfile.TemporaryFile(dir=f"/proc/self/fd/{self._folder}") as now:
            return (os.fstat(now.fileno()).st_mtime_ns - mtime_ns(self._folder)) / 1e9
        return 0.0

    def _check_mine(self) -> None:
        found = read_entry(self._folder)
        if found is None or found.token != self._entry.token:
            raise self._refusal(found)

    def _refusal(self, entry: Entry | None) -> RunLocked:
        return RunLocked(f"run '{self._name}' is being trained by {entry.name if entry else 'another process'}")

    def _refusal_for(self, orphans: list[int], dead: Entry) -> RunLocked:
        one = ("a process that it started holds", "it")
        hold, them = one if len(orphans) == 1 else ("processes that it started hold", "them")
        return RunLocked(
            f"the engine of run '{self._name}', {dead.name}, is dead, but {hold} the run: end {them}, then resume: "
            f"kill {' '.join(map(str, orphans))}"
        )

    def _close(self) -> None:
        _held.discard(self)
        fds, self._fd, self._folder = (self._fd, self._folder), -1, -1
        for fd in fds:
            if fd >= 0:
                os.close(fd)


_held: set[RunLock] = set()


def _close_in_fork() -> None:
    """A fork must not keep the run for as long as it lives. What it closes stays locked: the engine has it open."""
    for lock in list(_held):
        with suppress(OSError):
            lock._close()


os.register_at_fork(after_in_child=_close_in_fork)


def holder_of(path: Path) -> str | None:
    """Who holds the run whose lock is at `path` ("pid 123 on host"), None if nobody does. Changes nothing on disk."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        knows_flock = True
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _NO_FLOCK:
                entry = entry_in(fd)
                if entry is not None and entry.lives() is False:  # what it has started lives on, and trains nothing
                    return None
                return entry.name if entry else "another process"
            knows_flock = False
        entry = entry_in(fd)
        if entry is None or (knows_flock and entry.is_ours):
            return None
        lives = entry.lives()
        return entry.name if lives or (lives is None and _beats(path, entry, os.fstat(fd).st_mtime_ns)) else None
    except OSError:
        return None
    finally:
        os.close(fd)


class _Seen(NamedTuple):
    token: str
    mtime_ns: int
    beat_s: float
    """When it last beat, by this process's own clock."""


_seen: dict[Path, _Seen] = {}
_SEEN_LIMIT = 4096


def _beats(path: Path, entry: Entry, mtime_ns: int) -> bool:
    """Whether a lock that nothing else is known of has been touched lately.

    At the first look only the time of day can tell, and it may have been set. From then on this process sees for itself
    whether the file changes.
    """
    now_s, before = time.monotonic(), _seen.get(path)
    if before is None or before.token != entry.token:
        age_s = time.time() - mtime_ns / 1e9
        beat_s = now_s - age_s if -BEAT_EVERY_S < age_s < SILENT_S else now_s - SILENT_S
    elif before.mtime_ns != mtime_ns:
        beat_s = now_s
    else:
        beat_s = before.beat_s
    if len(_seen) >= _SEEN_LIMIT:
        _seen.clear()
    _seen[path] = _Seen(entry.token, mtime_ns, beat_s)
    return now_s - beat_s < SILENT_S


def _check_writable(*folders: Path) -> None:
    """Better now than when the first checkpoint is due.

    Raises:
        PermissionError: one of `folders` is there, and nothing may be put into it.
    """
    for folder in folders:
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _lock_soon(fd: int) -> None:
    """Lock `fd` for good. A viewer that looks whether anybody holds it does so for an instant, and is waited for."""
    deadline_s = time.monotonic() + LOOK_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in _BUSY or time.monotonic() > deadline_s:
                raise
        time.sleep(0.01)
