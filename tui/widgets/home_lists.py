"""Home's two lists: presets under their headings, and runs as they stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from engine.run_summary import RunSummary
from engine.text import plain
from presets import Preset, PresetError, PresetTitle
from tui.run_shelf import Shelf
from tui.widgets.home_rows import TextRow, run_row

OWN_GROUP = "Your own"
OTHER_GROUP = "Other"
BROKEN_GROUP = "Can't be used"


class HomeList(OptionList):
    """A list whose highlight stays on the same item when items come and go."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Open", id="home.open", tooltip="Configure the preset, or watch the run"),
        Binding("j", "cursor_down", "Down", show=False),
        Binding("k", "cursor_up", "Up", show=False),
        Binding("g", "first", "First", show=False),
        Binding("G", "last", "Last", show=False),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, markup=False)

    def show(self, options: Sequence[Option]) -> None:
        """Show `options`; those that were there already are only redrawn."""
        if [option.id for option in options] == [option.id for option in self.options]:
            self._redraw(options)
            return
        kept = self.highlighted_option
        offset = self.scroll_offset
        with self.prevent(OptionList.OptionHighlighted):
            self.set_options(options)
            self.highlighted = self._index_of(kept)
        self.scroll_to(y=offset.y, animate=False, immediate=True)
        self.call_after_refresh(self.scroll_to_highlight)
        if self.highlighted_option is not None:
            self.post_message(self.OptionHighlighted(self, self.highlighted_option, self.highlighted or 0))

    def _redraw(self, options: Sequence[Option]) -> None:
        for index, option in enumerate(options):
            if option.prompt != self.options[index].prompt:
                self.replace_option_prompt_at_index(index, option.prompt)

    def _index_of(self, option: Option | None) -> int | None:
        """Where an item like `option` is now, else where the first is that can be highlighted."""
        enabled = [index for index, other in enumerate(self.options) if not other.disabled]
        same = [index for index in enabled if option is not None and self.options[index].id == option.id]
        return next(iter(same or enabled), None)


class PresetList(HomeList):
    """Presets under the headings of what they teach; files that can't be used come last, with the reason."""

    def __init__(self) -> None:
        super().__init__(id="presets")
        self._presets: dict[str, Preset] = {}
        self._errors: dict[str, PresetError] = {}

    def show_titles(self, titles: Iterable[PresetTitle]) -> None:
        """Show what presets are called, before they are loaded."""
        groups: dict[str, list[Option]] = {}
        for title in titles:
            option = Option(
                _preset_row(title.is_users, plain(title.title) or title.name, False), _preset_id(title.name)
            )
            groups.setdefault(_group(title.is_users, title.group), []).append(option)
        self._show_groups(groups)

    def show_presets(
        self, presets: Iterable[Preset], errors: Iterable[PresetError], edited: frozenset[str] = frozenset()
    ) -> None:
        """Show what was loaded.

        Args:
            presets: In the order in which they are to be shown.
            errors: What is wrong with the files that are no presets.
            edited: Names of presets with a draft that differs from them.
        """
        self._presets = {_preset_id(preset.name): preset for preset in presets}
        self._errors = {f"error {index}": error for index, error in enumerate(errors)}
        groups: dict[str, list[Option]] = {}
        for option_id, preset in self._presets.items():
            row = _preset_row(preset.is_users, plain(preset.config.title) or preset.name, preset.name in edited)
            groups.setdefault(_group(preset.is_users, preset.config.group), []).append(Option(row, option_id))
        for option_id, error in self._errors.items():
            groups.setdefault(BROKEN_GROUP, []).append(Option(_error_row(error), option_id))
        self._show_groups(groups)

    def _show_groups(self, groups: Mapping[str, Sequence[Option]]) -> None:
        options = []
        for group, members in groups.items():
            options += [Option(Content.styled(group, "$accent"), f"group {group}", disabled=True), *members]
        self.show(options)

    def point_at(self, preset: Preset | None) -> None:
        """Put the highlight on `preset`, if it is one that is shown."""
        for option_id, shown in self._presets.items():
            if shown is preset:
                self.highlighted = self.get_option_index(option_id)

    @property
    def selected(self) -> Preset | PresetError | None:
        """What the highlight is on."""
        option = self.highlighted_option
        return self.named(option.id) if option is not None else None

    def named(self, option_id: str | None) -> Preset | PresetError | None:
        """What the option `option_id` stands for; None if it is not there, or not loaded yet."""
        return self._presets.get(option_id or "") or self._errors.get(option_id or "")


class RunList(HomeList):
    """Runs, one line each, and a last line that asks for more of them."""

    MORE = "more"

    def __init__(self) -> None:
        super().__init__(id="runs")
        self._runs: dict[str, RunSummary] = {}
        self._wanted = ""

    def show_runs(self, shelf: Shelf, now: float) -> None:
        """Show what the shelf has.

        Args:
            shelf: Runs in the order in which they are to be shown.
            now: Seconds since the epoch.
        """
        self._runs = {_option_id(run.name): run for run in shelf.rows}
        options = [Option(run_row(run, now), option_id) for option_id, run in self._runs.items()]
        if shelf.older:
            options.append(
                Option(Content.styled(f"  {shelf.older:,} older: Enter shows more", "$text-muted"), self.MORE)
            )
        self.show(options)
        if self._wanted in self._runs:
            self.highlighted = self.get_option_index(self._wanted)
            self._wanted = ""

    def point_at(self, name: str) -> None:
        """Put the highlight on the run called `name`, as soon as it is shown."""
        self._wanted = _option_id(name)

    @property
    def selected(self) -> RunSummary | None:
        """The run that the highlight is on."""
        option = self.highlighted_option
        return self.named(option.id) if option is not None else None

    def named(self, option_id: str | None) -> RunSummary | None:
        """The run that the option `option_id` stands for; None if it is not there."""
        return self._runs.get(option_id or "")


def _option_id(run_name: str) -> str:
    return f"run {run_name}"


def _preset_id(name: str) -> str:
    return f"preset {name}"


def _group(is_users: bool, group: str) -> str:
    return OWN_GROUP if is_users else plain(group) or OTHER_GROUP


def _preset_row(is_users: bool, title: str, edited: bool) -> TextRow:
    return TextRow("★ " if is_users else "  ", "$accent", title, "  ✎ edited" if edited else "")


def _error_row(error: PresetError) -> TextRow:
    return TextRow("✗ ", "$error", _file_first(str(error)))


def _file_first(message: str) -> str:
    """The message with the file's own name in front: the folders before it would fill the line."""
    path, separator, reason = message.partition(".toml: ")
    return f"{path.rpartition('/')[2]}.toml: {reason}" if separator else message
