"""What Home does with a run besides showing it."""

from __future__ import annotations

import shutil

from engine.run_folder import RunFolder
from engine.run_summary import RunSummary
from presets import Preset


def preset_of(run: RunSummary) -> Preset:
    """A run's configuration, to start from as from a preset.

    Raises:
        RunFolderError: it can't be read.
    """
    config = RunFolder(run.path).config()
    return Preset(config.preset or run.name, run.path / "config.toml", config, config.model_dump(mode="json"))


def remove(folder: RunFolder) -> None:
    """Delete a run's folder; once renamed it is no run any more, so nothing half-deleted is ever shown.

    Raises:
        RunLocked: an engine has taken it meanwhile.
        OSError: it can't be deleted.
    """
    lock = folder.lock()
    try:
        gone = folder.path.rename(folder.path.with_name(f".deleted-{folder.name}"))
        shutil.rmtree(gone)
    finally:
        lock.release()
