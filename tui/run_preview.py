"""What a run's own files say of it beyond its line in a list: read for the one that is looked at, in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from engine.run_folder import RunFolder, RunFolderError
from engine.run_state import RunState
from engine.text import plain
from tui.run_words import loss_keys

READ_BYTES = 2 << 20
"""A longer log is not read for a glance at it."""


class RunPreview(NamedTuple):
    """What is known of one run, as far as it can be read."""

    preset: str = ""
    """What its configuration came from: the preset's name, and how it differs from that."""
    loss_key: str = ""
    losses: Sequence[float] = ()
    """The loss over all steps."""


UNREAD = RunPreview()
"""Of a run that has not been read yet."""


def preview_of(folder: RunFolder) -> RunPreview:
    """The preview of a run; what can't be read is left out."""
    return RunPreview(_origin(folder), *_losses(folder))


def _origin(folder: RunFolder) -> str:
    from presets import PresetError, load_preset
    from tui.show import differences

    try:
        config = folder.config()
        changes = list(differences(load_preset(config.preset).config, config)) if config.preset else None
    except (RunFolderError, PresetError, OSError):
        return ""
    if changes is None:
        return ""
    return f"{plain(config.preset)}, {', '.join(changes) or 'unchanged'}"


def _losses(folder: RunFolder) -> tuple[str, Sequence[float]]:
    state = RunState()
    with suppress(OSError, RunFolderError):
        if (folder.path / "events.jsonl").stat().st_size <= READ_BYTES:
            state.apply_all(folder.read_history().read_all())
    key = next((key for key in loss_keys(state) if key in state.series), "")
    return plain(key), state.series[key].values if key else ()
