"""Ask for the name of a preset, and save it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from engine.places import user_presets_dir
from presets import PresetError, save_preset
from presets.loader import find_preset
from tui.draft import Draft
from tui.paths import shown
from tui.widgets.dialog import Dialog
from tui.widgets.key_footer import KeyFooter

TEACHES_LIMIT = 1000


class SavePresetScreen(Dialog[Path | None]):
    """Dismissed with the file of the new preset, or with nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel", id="save.cancel", tooltip="Save nothing"),
    ]

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self._draft = draft
        self._confirmed = ""

    @property
    def _is_own(self) -> bool:
        return self._draft.preset.path.parent == user_presets_dir()

    def compose(self) -> ComposeResult:
        """A name, and what is wrong with it."""
        preset = self._draft.preset
        name = preset.name if self._is_own else f"{preset.name}-mine"
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content("Save as a preset of your own")
            dialog.border_subtitle = Content("Enter saves, Esc cancels")
            yield Input(name, placeholder="name", id="preset-name", compact=True)
            yield Static("", id="preset-message", markup=False)
        yield KeyFooter()

    @on(Input.Changed)
    def _clear(self) -> None:
        self.query_one("#preset-message", Static).update("")

    @on(Input.Submitted)
    def _save(self, event: Input.Submitted) -> None:
        event.stop()
        name = event.value.strip()
        warning = self._warning(name)
        if warning and self._confirmed != name:
            self._confirmed = name
            self._say(f"{warning}: Enter again does it")
            return
        try:
            self.dismiss(save_preset(name, self._tree(name)))
        except PresetError as error:
            self._say(shown(str(error)))

    def _warning(self, name: str) -> str:
        """What saving under `name` would do to other presets, empty if nothing."""
        path = find_preset(name)
        if path is None:
            return ""
        if path.parent == user_presets_dir():
            return f"this replaces your preset '{name}'"
        return f"this hides the preset '{name}' that came with dltui"

    def _tree(self, name: str) -> dict[str, object]:
        """The configuration, titled by its name and saying what was changed."""
        preset = self._draft.preset
        if name == preset.name and self._is_own:
            return self._draft.tree
        parent, changes = preset.config.title or preset.name, self._draft.changes_in_words()
        teaches = f"{parent}, with {changes}" if changes else f"{parent}, as it was"
        return {**self._draft.tree, "title": name, "teaches": teaches[:TEACHES_LIMIT]}

    def _say(self, message: str) -> None:
        self.query_one("#preset-message", Static).update(Content.assemble(("✗ ", "$error"), message))
