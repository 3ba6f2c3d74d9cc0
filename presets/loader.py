"""Read and write preset files."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from heapq import nsmallest
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.own_file import read_own
from engine.places import expanded, user_presets_dir
from engine.text import plain
from engine.toml_text import LIMIT_BYTES, TomlError, dump_toml, parse_toml

if TYPE_CHECKING:  # the schema takes a while to import: who only asks for names need not wait for it
    from engine.schema import RunConfig

SHIPPED = Path(__file__).parent
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
NAME_LIMIT = 80
EXTENDS_LIMIT = 16
LISTED = 200
"""Presets of the user's own that are listed; however many there are, each can be named."""
LISTED_BYTES = 1 << 19
"""Files of presets are read for a list until they come to so much."""
COUNTED = 100_000
"""Files in the user's folder that are looked at."""


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


@dataclass(frozen=True)
class PresetTitle:
    """What a preset's file calls it."""

    name: str
    title: str
    group: str
    is_users: bool


def preset_titles() -> list[PresetTitle]:
    """The presets to list, in their order, as their files call them: in milliseconds, for nothing is validated."""
    trees, budget = dict[Path, dict[str, Any]](), _Budget(LISTED_BYTES)
    titles = []
    for name, path in preset_paths().items():
        with suppress(PresetError):
            title = _tree_of(path, trees, budget).get("title")
            if isinstance(title, str):
                titles.append(PresetTitle(name, title, _group(path, trees, budget), path.parent != SHIPPED))
    titles.sort(key=lambda title: (title.is_users, _order(title.name)))
    return titles


def _group(path: Path, trees: dict[Path, dict[str, Any]], budget: _Budget) -> str:
    """The heading that a preset, or the nearest one that it extends by name, says it stands under."""
    for _ in range(EXTENDS_LIMIT):
        tree: dict[str, Any] = {}
        with suppress(PresetError):
            tree = _tree_of(path, trees, budget)
        group, name = tree.get("group"), tree.get("extends")
        if group is not None or not isinstance(name, str):
            return group if isinstance(group, str) else ""
        parent = find_preset(name, path)
        if parent is None:
            break
        path = parent
    return ""


def _tree_of(path: Path, trees: dict[Path, dict[str, Any]], budget: _Budget) -> dict[str, Any]:
    if path not in trees:
        trees[path] = _read_toml(path, budget)
    return trees[path]


def preset_paths() -> dict[str, Path]:
    """Files of the presets to list, by name; a user's own one goes before a shipped one of the same name."""
    return _listed()[0]


def _listed() -> tuple[dict[str, Path], str]:
    """The presets to list, and in words how many of the user's own are left out."""
    paths = {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}
    folder, names = user_presets_dir(), list[str]()
    with suppress(OSError), os.scandir(folder) as entries:
        names = [entry.name for entry in islice(entries, COUNTED) if _is_preset(entry.name)]
    paths.update({name.removesuffix(".toml"): folder / name for name in nsmallest(LISTED, names)})
    more = f"{'more than ' * (len(names) >= COUNTED)}{len(names) - LISTED:,}" if len(names) > LISTED else ""
    return paths, more


def _is_preset(file_name: str) -> bool:
    return file_name.endswith(".toml") and not file_name.startswith(".")


def find_preset(name: str, child: Path | None = None) -> Path | None:
    """The file of the preset called `name`, listed or not; None if there is none.

    Args:
        name: What it is called.
        child: The file that extends it. A shipped one means a shipped one, whatever the user calls their own; and none
            means itself, so that a user's `spiral-relu` may extend the shipped one.
    """
    if not _is_preset(f"{name}.toml") or os.sep in name:
        return None
    is_shipped = child is not None and child.absolute().parent == SHIPPED
    for folder in (SHIPPED,) if is_shipped else (user_presets_dir(), SHIPPED):
        path = folder / f"{name}.toml"
        with suppress(OSError, ValueError):  # a name that no file can have
            if os.path.lexists(path) and not (child is not None and _is_same(path, child)):
                return path
    return None


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # a link that leads nowhere
        return False


def load_presets() -> tuple[list[Preset], list[PresetError]]:
    """The presets to list that can be used, by group and then by `order`, and what is wrong with the others."""
    presets, errors = list[Preset](), list[PresetError]()
    (paths, more), budget = _listed(), _Budget(LISTED_BYTES)
    for path in paths.values():
        try:
            preset = _load(path, budget)
            preset.config.parameter_count()
            presets.append(preset)
        except PresetError as error:
            errors.append(error)
        except Exception as error:  # a fault in what describes its data or model must not take the others along
            errors.append(PresetError(f"{_shown(path)}: {type(error).__name__}: {plain(str(error))[:300]}"))
    if more:
        listed = f"has more than the {LISTED} presets that are listed: {more} others can be used by name only"
        errors.append(PresetError(f"{_shown(user_presets_dir())}: {listed}"))
    presets.sort(key=lambda preset: (preset.is_users, _order(preset.name)))
    return presets, errors


def _order(name: str) -> tuple[Any, ...]:
    from presets.order import ORDER

    return (ORDER.index(name), "") if name in ORDER else (len(ORDER), name)


def load_preset(name: str) -> Preset:
    """The preset called `name`, or the one in the file at path `name` (anything that ends in .toml).

    Raises:
        PresetError: there is none, or it is not valid.
    """
    return _load(_resolve(name, None), None)


@dataclass
class _Budget:
    """Bytes that may still be read."""

    left: int


def _load(path: Path, budget: _Budget | None) -> Preset:
    from engine.schema import ConfigError, validate

    tree = _read(path, 0, budget)
    # a run's config.toml is a preset too, and keeps the name of what it came from
    data = Path(tree.pop("data_dir")) if isinstance(tree.get("data_dir"), str) else None
    if data is None or not isinstance(tree.get("preset"), str):
        tree["preset"] = _safe_name(path)
    try:
        return Preset(tree["preset"], path, validate(tree), tree, data)
    except ConfigError as error:
        raise PresetError(f"{_shown(path)}: {error}") from None


def _resolve(name: str, child: Path | None) -> Path:
    """The file called `name`, or at the path `name`, which starts beside the file `child` that extends it."""
    if name.endswith(".toml") or os.sep in name:
        return (child.parent if child else Path.cwd()) / expanded(name)
    path = find_preset(name, child)
    if path is not None:
        return path
    is_itself = child is not None and child.stem == name
    others = [other for other in preset_paths() if not (is_itself and other == name)]
    near = get_close_matches(name[:NAME_LIMIT], others, n=1, cutoff=0.4)
    hint = f"did you mean '{plain(near[0])}'?" if near else "dltui presets lists them"
    raise PresetError(f"no {'other ' * is_itself}preset '{plain(name)[:80]}'; {hint}")


def _read(path: Path, depth: int, budget: _Budget | None) -> dict[str, Any]:
    """The file's tree, laid over what it extends."""
    from engine.schema import overlay
    from engine.schema.custom import anchored

    if depth > EXTENDS_LIMIT:
        raise PresetError(f"{_shown(path)}: extends goes round in a circle or more than {EXTENDS_LIMIT} files deep")
    # what a file names relative to itself stays there, whoever extends it
    tree = anchored(_read_toml(path, budget), path.absolute().parent)
    parent = tree.pop("extends", None)
    if parent is None:
        return tree
    if not isinstance(parent, str):
        raise PresetError(f"{_shown(path)}: extends wants the name or path of a preset")
    try:
        return overlay(_read(_resolve(parent, path), depth + 1, budget), tree)
    except PresetError as error:
        raise error if depth else PresetError(f"{_shown(path)}: extends: {error}") from None


def read_toml(path: Path) -> dict[str, Any]:
    """The tree in a TOML file.

    Raises:
        PresetError: it is missing, unreadable, too large, or not TOML; the message names line and column.
    """
    return _read_toml(path, None)


def _read_toml(path: Path, budget: _Budget | None) -> dict[str, Any]:
    try:
        with read_own(path, follow=True) as file:
            data = file.read(LIMIT_BYTES + 1)
    except (OSError, ValueError) as error:  # a name with a NUL in it is no name of a file
        raise PresetError(f"{_shown(path)}: {(getattr(error, 'strerror', None) or 'unreadable').lower()}") from None
    if budget is not None:
        budget.left -= len(data)
        if budget.left < 0:
            raise PresetError(f"{_shown(path)}: not listed, since the presets are too large together; it goes by name")
    try:
        return parse_toml(data)
    except TomlError as error:
        raise PresetError(f"{_shown(path)}: {error}") from None


def save_preset(name: str, tree: Mapping[str, Any]) -> Path:
    """Write a configuration into the user's preset folder under `name`; a shipped preset is never touched.

    Raises:
        PresetError: the name is not usable, the configuration not valid, or the folder can't be written.
    """
    from engine.schema import ConfigError, validate

    if not NAME.fullmatch(name):
        raise PresetError(f"'{plain(name)[:80]}' is no name for a preset: use a-z, 0-9, '.', '_' and '-', at most 80")
    try:
        config = validate({**tree, "preset": name})
        content = dump_toml(config.model_dump(mode="json", exclude={"preset"}))
    except ConfigError as error:
        raise PresetError(str(error)) from None
    except TomlError as error:
        raise PresetError(f"no file can hold this preset: it would be {error}; make it smaller") from None

    folder = user_presets_dir()
    draft = ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd, draft = tempfile.mkstemp(prefix=".new-", suffix=".toml", dir=folder)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
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
