"""The form for another run like one that there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.run_folder import RunFolder
from engine.run_summary import RunSummary
from engine.text import plain
from presets import Preset

if TYPE_CHECKING:
    from tui.screens.configure import ConfigureScreen


def form_like(run: RunSummary | RunFolder) -> ConfigureScreen:
    """The form, beginning with a run's configuration as with a preset.

    Raises:
        RunFolderError: it can't be read.
    """
    from tui.screens.configure import ConfigureScreen  # with the schema, once it is wanted

    config = RunFolder(run.path).config()
    preset = Preset(config.preset or run.name, run.path / "config.toml", config, config.model_dump(mode="json"))
    return ConfigureScreen(preset, f"run {plain(run.name)}")
