"""A run for code that has no screen: which folder it is, and its events."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

from engine import events as ev
from engine.places import data_dir as default_data_dir
from engine.run_folder import RunFolder, RunFolderError, create_run, furnish_run
from engine.schema import RunConfig
from engine.session import Session
from engine.text import plain

WORDS = {"preset", "title", "teaches", "group", "display"}
"""What changes nothing of how a run trains."""
NAMED = 3


async def stream(config: RunConfig, folder: Path | None, data: Path | None) -> AsyncIterator[ev.AnyEvent]:
    """See `engine.run`; both folders are absolute."""
    with tempfile.TemporaryDirectory(prefix="dltui-") as temporary:
        if folder is None:
            run_folder = create_run(Path(temporary), config, data or default_data_dir())
        else:
            run_folder = _made_or_there(folder, config, data)
        events = Session(run_folder).events()
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()


def _made_or_there(path: Path, config: RunConfig, data: Path | None) -> RunFolder:
    """The run at `path`: a new one where nothing is, else the one there, if it is the one that is asked for.

    Raises:
        RunFolderError: it is another run or none, or the folder can't be made or read.
    """
    names = _names_in(path)
    if names is None:
        return create_run(path.parent, config, data or default_data_dir(), path.name)
    if not names:
        return furnish_run(path, config, data or default_data_dir())
    if "config.toml" not in names:
        raise RunFolderError(f"{plain(str(path))} is not empty, and holds no run: name another folder")
    folder = RunFolder(path)
    there, asked = _as_trained(folder.config()), _as_trained(config)
    if data is not None:
        there["data_dir"], asked["data_dir"] = str(folder.data_dir()), str(data)
    if differ := list(_differing(there, asked)):
        named = ", ".join(differ[:NAMED]) + f" and {len(differ) - NAMED} more" * (len(differ) > NAMED)
        raise RunFolderError(
            f"{plain(str(path))} holds a run that is configured otherwise: {named}; name another folder, or go on with "
            "the run's own: RunFolder(folder).config()"
        )
    return folder


def _names_in(path: Path) -> list[str] | None:
    """What lies in the folder at `path`, None if there is no such folder."""
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunFolderError(f"{plain(str(path))}: {error.strerror}; name another folder") from None


def _as_trained(config: RunConfig) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude=WORDS)


def _differing(there: Mapping[str, Any], asked: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """`optimizer.lr is 0.01 there, not 0.1` for each field that is not the same; a section of another kind as one."""
    for key in {**there, **asked}:
        old, new = there.get(key), asked.get(key)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping) and old.get("kind") == new.get("kind"):
            yield from _differing(old, new, f"{above}{key}.")
        else:
            yield f"{above}{key} is {_word(old)} there, not {_word(new)}"


def _word(value: Any) -> str:
    """A value, and of a section its kind."""
    return plain(str(value.get("kind", value) if isinstance(value, Mapping) else value))[:80]
