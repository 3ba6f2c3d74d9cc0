"""A run is a folder: create it, find it, ask it."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import commands, events
from engine.event_lines import events_of
from engine.history import HistoryReader
from engine.own_file import read_own
from engine.places import data_dir, expanded
from engine.run_errors import RunFolderError as RunFolderError
from engine.run_errors import RunLocked as RunLocked
from engine.run_lock import RunLock, holder_of
from engine.run_log import LogReader, LogWriter
from engine.text import plain
from engine.toml_text import LIMIT_BYTES, TomlError, dump_toml, parse_toml

if TYPE_CHECKING:
    from engine.schema import RunConfig

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class RunFolder:
    """The files of one run. Making an instance touches nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.name

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints are kept."""
        return self.path / "checkpoints"

    @property
    def figures(self) -> Path:
        """Where pictures are kept."""
        return self.path / "figures"

    def config(self) -> RunConfig:
        """The run's configuration.

        Raises:
            RunFolderError: it is missing, unreadable or not valid.
        """
        return self._settings()[0]

    def data_dir(self) -> Path:
        """The data folder the run was made with.

        Raises:
            RunFolderError: the configuration is missing, unreadable or not valid.
        """
        return self._settings()[1]

    def glance(self) -> dict[str, Any]:
        """What stands in config.toml, not validated and so in a millisecond; empty if that can't be read."""
        try:
            return self._tree()
        except (OSError, TomlError):
            return {}

    def _tree(self) -> dict[str, Any]:
        with read_own(self.path / "config.toml") as file:
            return parse_toml(file.read(LIMIT_BYTES + 1))

    def _settings(self) -> tuple[RunConfig, Path]:
        from engine.schema import ConfigError, validate  # takes a while: a run's curves need not wait for it

        path = self.path / "config.toml"
        try:
            tree = self._tree()
            data = tree.pop("data_dir", None)
            return validate(tree), Path(data) if isinstance(data, str) else data_dir()
        except OSError as error:
            raise RunFolderError(f"{plain(str(path))}: {error.strerror}") from None
        except TomlError as error:
            raise RunFolderError(f"{plain(str(path))} is damaged: {error}") from None
        except ConfigError as error:
            raise RunFolderError(f"{plain(str(path))}: {error}") from None

    def read_events(self) -> LogReader[events.AnyEvent]:
        """A new reader of what happened, from the start."""
        return LogReader(self.path / "events.jsonl", events_of)

    def read_history(self) -> HistoryReader:
        """As `read_events`, for whoever folds them: rows come in columns."""
        return HistoryReader(self.path / "events.jsonl")

    def read_commands(self) -> LogReader[commands.AnyCommand]:
        """A new reader of what was asked for, from the start. A file that is put in its place asks for nothing anew."""
        return LogReader(self.path / "commands.jsonl", lambda line: (commands.decode(line),), rereads=False)

    def ask(self, command: commands.AnyCommand) -> None:
        """Append `command` for the engine to take.

        Raises:
            RunFolderError: the folder is gone or may not be written.
        """
        try:
            writer = LogWriter(self.path / "commands.jsonl")
            try:
                writer.append(commands.encode(command))
            finally:
                writer.close()
        except OSError as error:
            mend = self._who_may(error)
            raise RunFolderError(f"can't ask run '{plain(self.name)}' for anything: {error.strerror}{mend}") from None

    def _who_may(self, error: OSError) -> str:
        """Whom to turn to where one may look at a run, but not steer it."""
        with suppress(OSError, KeyError):
            if error.errno in (errno.EACCES, errno.EPERM):
                import pwd  # only needed here, and not on every system

                return f"; its owner can, {plain(pwd.getpwuid(self.path.stat().st_uid).pw_name)}"
        return ""

    def ask_to_resume(self, lr: float | None = None) -> None:
        """Mark, before an engine is started, that what is asked for from here on is meant for it.

        Args:
            lr: The learning rate it is to go on with, if another.

        Raises:
            RunFolderError: as `ask`.
        """
        try:
            log_bytes = (self.path / "events.jsonl").stat().st_size
        except OSError:
            log_bytes = 0
        self.ask(commands.Resume(log_bytes=log_bytes))
        if lr is not None:
            self.ask(commands.SetLearningRate(lr=lr))

    def lock(self) -> RunLock:
        """Take the run for this process.

        Raises:
            RunLocked: another engine holds it; the message names its pid and host.
            RunFolderError: the folder may not be written.
        """
        return RunLock(self)

    def discard(self) -> None:
        """Delete the run; once moved it is no run any more, so that nobody who lists runs sees half of it.

        Raises:
            RunLocked: an engine holds it, such as one that somebody has just resumed it with.
            RunFolderError: the folder may not be written.
            OSError: it can't be moved, or not all of it be deleted.
        """
        gone = Path(tempfile.mkdtemp(prefix=".gone-", dir=self.path.parent))
        try:
            lock = self.lock()
            try:
                self.path.rename(gone / self.name)
            finally:
                lock.release()  # before it is deleted: network disks keep files that somebody holds
        finally:
            shutil.rmtree(gone)

    def holder(self) -> str | None:
        """Who holds the run ("pid 123 on host"), None if nobody does."""
        return holder_of(self.path / "lock")


def create_run(runs: Path, config: RunConfig, data: Path, name: str = "") -> RunFolder:
    """Make a new run folder below `runs`, whole or not at all.

    Args:
        runs: The folder of all runs; made if absent.
        config: What to train.
        data: The data folder, kept with the configuration.
        name: The run's name; the preset's name and the next free number if empty.

    Raises:
        RunFolderError: the name is not usable or taken, the configuration can't be kept, or the folder can't be
            written.
    """
    if name and not NAME.fullmatch(name):
        raise RunFolderError(
            f"'{plain(name)[:80]}' is no name for a run: use letters, digits, '.', '_' and '-', at most 80"
        )
    with _drafted(runs, config, data) as draft:
        return RunFolder(_publish(draft, runs, name, config.preset or config.data.kind))


def furnish_run(folder: Path, config: RunConfig, data: Path) -> RunFolder:
    """Make the empty `folder` a run's.

    Raises:
        RunFolderError: it can't be written.
    """
    with _drafted(folder, config, data) as draft:
        for path in list(draft.iterdir()):
            path.rename(folder / path.name)
    return RunFolder(folder)


@contextmanager
def _drafted(within: Path, config: RunConfig, data: Path) -> Iterator[Path]:
    """A new run's files in a hidden folder, which is gone afterwards."""
    content = config_toml(config, data)
    draft: Path | None = None
    try:
        within.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".new-", dir=within))
        draft.chmod(0o755)
        for folder in ("checkpoints", "figures"):
            (draft / folder).mkdir()
        (draft / "config.toml").write_bytes(content)
        for file in ("events.jsonl", "commands.jsonl", "console.log"):
            (draft / file).touch()
        yield draft
    except OSError as error:
        raise RunFolderError(
            f"can't make a run in {plain(str(within))}: {error.strerror}; choose another folder with --runs or "
            "DLTUI_RUNS"
        ) from None
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)


def _publish(draft: Path, runs: Path, name: str, stem: str) -> Path:
    """Rename `draft` to its final name; an existing folder is never replaced."""
    if name:
        if (runs / name).exists():
            raise RunFolderError(f"run '{name}' exists: choose another --name, or go on with it: dltui resume {name}")
        return draft.rename(runs / name)
    stem = re.sub(r"[^A-Za-z0-9._-]", "-", stem).lstrip("-._")[:70] or "run"
    taken = (path.name[len(stem) + 1 :] for path in runs.glob(f"{stem}-*"))
    number = max((int(suffix) for suffix in taken if suffix.isdecimal()), default=0) + 1
    while True:
        try:  # renaming onto a folder that is not empty fails, so two at once get two numbers
            return draft.rename(runs / f"{stem}-{number}")
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            number += 1


def config_toml(config: RunConfig, data: Path) -> bytes:
    """`config` as TOML that `--config` takes back, with the data folder above it.

    Raises:
        RunFolderError: nobody could read it again, or the data folder's name is no text.
    """
    tree = config.model_dump(mode="json")
    try:
        return dump_toml({"data_dir": str(data), **tree})
    except UnicodeEncodeError:
        raise RunFolderError(f"{plain(str(data))}: the name of a data folder must be UTF-8 text") from None
    except TomlError as error:
        raise RunFolderError(f"no config.toml can hold this: it would be {error}; {_mend_size(tree)}") from None


def _mend_size(tree: dict[str, Any]) -> str:
    """What to do about a configuration that is too large: its largest part is the one to make smaller."""
    parts = [(section, key) for section, table in tree.items() if isinstance(table, dict) for key in table]
    section, key = max(parts, key=lambda part: len(str(tree[part[0]][part[1]])))
    more = ", and have your code read what it needs from a file" if key == "args" else ""
    return f"make {section}.{key} smaller{more}"


def find_run(runs: Path, name: str) -> RunFolder:
    """The run called `name` below `runs`, or at the path `name`.

    Raises:
        RunFolderError: there is none; the message names the nearest.
    """
    path = expanded(name) if os.sep in name else runs / name
    with suppress(OSError):  # a name too long for a file
        if (path / "config.toml").is_file():
            return RunFolder(path)
    from difflib import get_close_matches

    near = get_close_matches(name, [folder.name for folder in iter_runs(runs)], n=1, cutoff=0.4)
    hint = f"did you mean '{plain(near[0])}'?" if near else "dltui runs lists them"
    raise RunFolderError(f"no run '{plain(name)[:80]}' in {plain(str(runs))}; {hint}")


def iter_runs(runs: Path) -> Iterator[RunFolder]:
    """All runs below `runs`, most recently changed first; folders that are no runs are passed over."""
    found = []
    with suppress(OSError), os.scandir(runs) as entries:
        for entry in entries:
            with suppress(OSError):
                if not entry.name.startswith("."):
                    found.append((os.stat(os.path.join(entry.path, "events.jsonl")).st_mtime, entry.path))
    found.sort(reverse=True)
    yield from (RunFolder(Path(path)) for _, path in found)
