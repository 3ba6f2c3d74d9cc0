"""Read and write preset files."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import tomlkit

from engine.places import expanded, user_presets_dir
from engine.schema import ConfigError, RunConfig, overlay, validate
from engine.schema.custom import anchored
from engine.text import plain

SHIPPED = Path(__file__).parent
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
FILE_LIMIT_BYTES = 1 << 20
EXTENDS_LIMIT = 16


class PresetError(Exception):
    """A preset that can't be used; the message is one line, names the file, and says how to mend it."""


@dataclass(frozen=True)
class Preset:
    """A named, valid starting point."""

    name: str
    path: Path
    config: RunConfig
    tree: dict[str, Any]
    """The configuration as plain data, for laying changes over it."""
    data_dir: Path | None = None
    """The data folder that a run's config.toml names; no other preset does."""

    @property
    def is_users(self) -> bool:
        """Whether it is one of the user's own."""
        return self.path.parent != SHIPPED


def preset_paths() -> dict[str, Path]:
    """Files of all presets by name; a user's own one goes before a shipped one of the same name."""
    paths: dict[str, Path] = {}
    for folder in (SHIPPED, user_presets_dir()):
        with suppress(OSError):
            paths.update({path.stem: path for path in sorted(folder.glob("*.toml")) if not path.name.startswith(".")})
    return paths


def load_presets() -> tuple[list[Preset], list[PresetError]]:
    """All presets that can be used, by group and then by `order`, and what is wrong with the others."""
    presets, errors = [], []
    for name in preset_paths():
        try:
            presets.append(load_preset(name))
        except PresetError as error:
            errors.append(error)
    presets.sort(key=lambda preset: (preset.is_users, _order(preset)))
    return presets, errors


def _order(preset: Preset) -> tuple[Any, ...]:
    from presets.order import ORDER

    return (ORDER.index(preset.name), "") if preset.name in ORDER else (len(ORDER), preset.name)


def load_preset(name: str) -> Preset:
    """The preset called `name`, or the one in the file at path `name` (anything that ends in .toml).

    Raises:
        PresetError: there is none, or it is not valid.
    """
    path = _resolve(name, Path.cwd())
    tree = _read(path, 0)
    # a run's config.toml is a preset too, and keeps the name of what it came from
    data = Path(tree.pop("data_dir")) if isinstance(tree.get("data_dir"), str) else None
    if data is None or not isinstance(tree.get("preset"), str):
        tree["preset"] = _safe_name(path)
    try:
        return Preset(tree["preset"], path, validate(tree), tree, data)
    except ConfigError as error:
        raise PresetError(f"{_shown(path)}: {error}") from None


def _resolve(name: str, beside: Path) -> Path:
    if name.endswith(".toml") or os.sep in name:
        return beside / expanded(name)
    paths = preset_paths()
    if name in paths:
        return paths[name]
    near = get_close_matches(name, paths, n=1, cutoff=0.4)
    hint = f"did you mean '{near[0]}'?" if near else "dltui presets lists them"
    raise PresetError(f"no preset '{plain(name)[:80]}'; {hint}")


def _read(path: Path, depth: int) -> dict[str, Any]:
    """The file's tree, laid over what it extends."""
    if depth > EXTENDS_LIMIT:
        raise PresetError(f"{_shown(path)}: extends goes round in a circle or more than {EXTENDS_LIMIT} files deep")
    # what a file names relative to itself stays there, whoever extends it
    tree = anchored(read_toml(path), path.absolute().parent)
    parent = tree.pop("extends", None)
    if parent is None:
        return tree
    if not isinstance(parent, str):
        raise PresetError(f"{_shown(path)}: extends wants the name or path of a preset")
    try:
        return overlay(_read(_resolve(parent, path.parent), depth + 1), tree)
    except PresetError as error:
        raise error if depth else PresetError(f"{_shown(path)}: extends: {error}") from None


def read_toml(path: Path) -> dict[str, Any]:
    """The tree in a TOML file.

    Raises:
        PresetError: it is missing, unreadable, too large, or not TOML; the message names line and column.
    """
    try:
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT_BYTES + 1)
    except OSError as error:
        raise PresetError(f"{_shown(path)}: {(error.strerror or 'unreadable').lower()}") from None
    if len(data) > FILE_LIMIT_BYTES:
        raise PresetError(f"{_shown(path)}: larger than {FILE_LIMIT_BYTES >> 20} MiB, too large for a configuration")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise PresetError(f"{_shown(path)}: not UTF-8 text") from None
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise PresetError(f"{_shown(path)}: {plain(str(error)) or 'nested too deeply'}") from None


def save_preset(name: str, tree: Mapping[str, Any]) -> Path:
    """Write a configuration into the user's preset folder under `name`; a shipped preset is never touched.

    Raises:
        PresetError: the name is not usable, the configuration not valid, or the folder can't be written.
    """
    if not NAME.fullmatch(name):
        raise PresetError(f"'{plain(name)[:80]}' is no name for a preset: use a-z, 0-9, '.', '_' and '-', at most 80")
    try:
        config = validate({**tree, "preset": name})
    except ConfigError as error:
        raise PresetError(str(error)) from None
    folder = user_presets_dir()
    draft = ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd, draft = tempfile.mkstemp(prefix=".new-", suffix=".toml", dir=folder)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(tomlkit.dumps(config.model_dump(mode="json", exclude={"preset"})))
        os.replace(draft, folder / f"{name}.toml")
    except OSError as error:
        with suppress(OSError):
            os.unlink(draft)
        raise PresetError(f"can't write to {_shown(folder)}: {error.strerror}") from None
    return folder / f"{name}.toml"


def _safe_name(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", path.stem)[:80]


def _shown(path: Path) -> str:
    return plain(str(path))
