"""What can be set, as `dltui train --help` lists it: made from the schema."""

from __future__ import annotations

import textwrap
from argparse import Namespace
from typing import Any

from engine.schema import RunConfig
from engine.schema.fields import SECTIONS, FieldSpec, fields_of, known_kinds, section_models
from presets import load_preset
from tui.arguments import TABLE_IN_WORDS, dashed, flag_name
from tui.draft import text_of
from tui.output import width

HELP_COLUMNS = 110
INDENT = 2
COLUMN = 36


def help_on_training(args: Namespace) -> int:
    """`dltui train [PRESET] --help`: how to train and, for a preset, what it sets."""
    columns = min(width(), HELP_COLUMNS)
    print(args.parser.format_help())
    if args.preset is None:
        print("Settings, by section and kind, with their defaults. Set one with --section.field, as in --optimizer.lr,")
        print("or a whole kind with --section.kind; those of trainer need no section. dltui train PRESET --help")
        print(f"says what the preset's mean, and how far they go.\n\n{all_settings(columns)}")
    else:
        preset = load_preset(args.preset)
        print(f"Settings of {preset.name}, as they are there:\n\n{settings_of(preset.config, columns)}")
    return 0


def all_settings(columns: int) -> str:
    """Fields of every kind of every section with their defaults, wrapped at `columns`."""
    blocks = []
    for section in SECTIONS:
        kinds = section_models(section)
        margin = max(map(len, kinds)) + 2 * INDENT
        blocks.append(f"{section}{'.kind' if known_kinds(section) else ''}")
        for kind in kinds:
            fields = ", ".join(f"{dashed(spec.name)} {shown(spec.default)}" for spec in fields_of(section, kind))
            blocks += _entry(" " * INDENT + kind, margin if kind else INDENT, fields, columns)
    return "\n".join(blocks)


def settings_of(config: RunConfig, columns: int) -> str:
    """Flags for the fields that `config` has, with its values, meanings and ranges, wrapped at `columns`."""
    blocks = []
    for section in SECTIONS:
        present = getattr(config, section)
        kinds = known_kinds(section)
        blocks.append(f"\n{section}")
        if kinds:
            blocks += _entry(f"  --{section}.kind {present.kind}", COLUMN, f"({', '.join(kinds)})", columns)
        for spec in fields_of(section, getattr(present, "kind", "")):
            flag = f"  --{flag_name(spec)} {shown(getattr(present, spec.name))}"
            blocks += _entry(flag, COLUMN, f"{spec.description} ({_range(spec)})", columns)
    return "\n".join(blocks).lstrip("\n")


def shown(value: Any) -> str:
    """A value as a person would type it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(str, value))
    if isinstance(value, dict):
        return f"{{{text_of(value)}}}"
    return text_of(value) or '""'


def _range(spec: FieldSpec) -> str:
    words = {
        "switch": "true, false",
        "choice": ", ".join(spec.choices),
        "list": f"{spec.limits}, with commas between",
        "table": TABLE_IN_WORDS,
    }
    text = words.get(spec.shape) or spec.limits or spec.shape
    if spec.shape != "choice" and spec.choices:
        text += f", or {', '.join(spec.choices)}"
    return f"{text}; {spec.unit}" if spec.unit else text


def _entry(head: str, margin: int, text: str, columns: int) -> list[str]:
    """`text` wrapped at `margin`, beside `head` where that leaves room."""
    wrapped = textwrap.wrap(text, max(30, columns - margin), break_long_words=False, break_on_hyphens=False)
    lines = [" " * margin + line for line in wrapped]
    if lines and len(head) < margin:
        return [head + lines[0][len(head) :], *lines[1:]]
    return [line for line in (head, *lines) if line.strip()]
