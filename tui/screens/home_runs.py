"""What Home does with a run besides showing it."""

from __future__ import annotations

from engine.run_folder import RunFolder
from engine.run_summary import RunSummary
from presets import Preset


def preset_of(run: RunSummary | RunFolder) -> Preset:
    """A run's configuration, to start from as from a preset.

    Raises:
        RunFolderError: it can't be read.
    """
    config = RunFolder(run.path).config()
    return Preset(config.preset or run.name, run.path / "config.toml", config, config.model_dump(mode="json"))
