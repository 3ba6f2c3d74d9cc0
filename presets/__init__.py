"""Presets: one TOML file each, and the few lines that load them."""

from presets.loader import (
    Preset,
    PresetError,
    PresetTitle,
    load_preset,
    load_presets,
    preset_titles,
    save_preset,
)

__all__ = ["Preset", "PresetError", "PresetTitle", "load_preset", "load_presets", "preset_titles", "save_preset"]
