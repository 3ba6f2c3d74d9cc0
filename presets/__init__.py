"""Presets: one TOML file each, and the few lines that load them."""

from presets.loader import Preset, PresetError, load_preset, load_presets, save_preset

__all__ = ["Preset", "PresetError", "load_preset", "load_presets", "save_preset"]
