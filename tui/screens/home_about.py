"""What Home says of the thing that the highlight is on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.run_summary import RunSummary
from engine.text import plain
from presets import Preset, PresetError
from tui.run_preview import RunPreview

if TYPE_CHECKING:
    from textual.content import Content

    from tui.widgets.lines import Lines


def described(selected: Preset | PresetError | RunSummary, preview: RunPreview) -> tuple[str, Lines | Content]:
    """A title and what stands under it.

    Args:
        selected: What the highlight is on.
        preview: What was read of it, if it is a run.
    """
    from tui.describe import about_error, about_preset, about_run  # with the schema, after the first paint

    match selected:
        case Preset():
            return plain(selected.config.title) or selected.name, about_preset(selected, selected.config.facts())
        case PresetError():
            return "A broken preset", about_error(selected)
        case RunSummary():
            return plain(selected.name), about_run(selected, preview)
