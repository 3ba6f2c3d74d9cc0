"""Which presets a search on Home finds."""

from __future__ import annotations

from collections.abc import Sequence

from presets import Preset


def matches(preset: Preset, words: Sequence[str]) -> bool:
    """Whether all of `words` stand in what the preset says of itself."""
    config = preset.config
    kinds = (config.task.kind, config.data.kind, config.model.kind, config.optimizer.kind, config.schedule.kind)
    text = " ".join((preset.name, config.title, config.teaches, config.group, *kinds)).casefold()
    return all(word in text for word in words)


def is_called(preset: Preset, words: Sequence[str]) -> bool:
    """Whether all of `words` stand in its name or title."""
    text = f"{preset.name} {preset.config.title}".casefold()
    return all(word in text for word in words)
