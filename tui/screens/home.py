"""Home: presets to begin with, and runs to come back to."""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.content import Content
from textual.events import DescendantFocus, ScreenResume, ScreenSuspend
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input, OptionList, Static

from engine.run_folder import RunFolder, RunFolderError
from engine.run_state import ENDED
from engine.run_summary import RunSummary
from engine.text import plain
from presets import Preset, PresetError, load_presets, preset_titles
from tui.paths import shown
from tui.run_preview import UNREAD
from tui.run_shelf import RunShelf, Shelf
from tui.screens.confirm import ConfirmScreen
from tui.screens.home_about import described
from tui.screens.home_keys import KEYS
from tui.screens.home_preview import PreviewDesk
from tui.screens.home_search import is_called, matches
from tui.screens.run_form import form_like
from tui.widgets.home_lists import PresetList, RunList
from tui.widgets.key_footer import KeyFooter

if TYPE_CHECKING:
    from tui.app import DltuiApp

REFRESH_S = 1.0
FIRST_RUNS = 25
FIRST_LOOK_S = 0.5
"""A disk that answers within so long has its newest runs on the screen before the presets are validated."""
PAINT_S = 0.03
"""So that they are painted, too."""
RUNS_PER_PAGE = 200
SLIM_BELOW, LOW_BELOW, BROAD_FROM = 72, 34, 160
"""Columns below which panes stand one below the other, and lines below which the description has no place there;
columns from which presets get more of them."""
RESUMABLE = frozenset({"stopped", "failed", "died"})
NO_RUNS = "No runs yet.\n\nChoose a preset and press Enter: its run appears here, with its progress."


class HomeScreen(Screen[None]):
    """Presets, runs, and what is known of the one the highlight is on.

    Args:
        is_bare: Whether to make no panes before `furnish`, because something else is shown first.
    """

    AUTO_FOCUS = "#presets"
    BINDINGS: ClassVar[list[BindingType]] = KEYS

    def __init__(self, is_bare: bool = False) -> None:
        super().__init__()
        self._is_bare = is_bare
        self._wants_panes = not is_bare
        self._furnishing: asyncio.Task[None] | None = None
        self._words: list[str] = []
        self._run_limit = RUNS_PER_PAGE
        self._presets: list[Preset] = []
        self._preset_errors: list[PresetError] = []
        self._ticks: Timer | None = None
        self._reading = False
        self._wants_runs = False
        self._wants_presets = True
        self._has_runs = asyncio.Event()
        self._shelved = False
        self._desk = PreviewDesk(self, self._describe)

    @property
    def dltui(self) -> DltuiApp:
        """The application, by its own type."""
        return cast("DltuiApp", self.app)

    def compose(self) -> ComposeResult:
        """A search line that is hidden until wanted, three panes, the keys."""
        self.add_class(self.dltui.width_class, update=False)
        self.on_resize()
        if not self._wants_panes:
            return
        with Horizontal(id="search-line"):
            yield Static("/ ")
            yield Input(placeholder="words to look for in presets and runs", id="search", compact=True)
        with Container(id="panes"):
            yield PresetList()
            with VerticalScroll(id="about", can_focus=False):
                yield Static(id="about-text", markup=False)
            yield RunList()
            yield Static(NO_RUNS, id="no-runs", markup=False)
        yield KeyFooter()

    def on_resize(self) -> None:
        """Panes stand as there is room for them."""
        width, height = self.app.size
        self.set_class(width < SLIM_BELOW, "-slim")
        self.set_class(height < LOW_BELOW, "-low")
        self.set_class(width >= BROAD_FROM, "-broad")

    def on_mount(self) -> None:
        """Begin to look at the runs; what the panes show comes after the first paint."""
        self._shelf = RunShelf(self.dltui.runs)
        self._ticks = self.set_interval(REFRESH_S, self._refresh_runs, pause=self._is_bare)
        if not self._is_bare:
            self._name_panes()

    async def furnish(self) -> bool:
        """Make the panes if there are none yet, and say whether there are: the application may end meanwhile."""
        if self._is_bare:
            if self._furnishing is None:
                self._furnishing = asyncio.create_task(self._make_panes())
            await asyncio.shield(self._furnishing)  # whoever asked may be called off, half a Home may not stay
        return not self._is_bare

    async def _make_panes(self) -> None:
        self._wants_panes = True
        await self.recompose()
        if self.app.is_running:  # else the panes have gone again
            self._name_panes()
            self._is_bare = False
            if self.app.screen is self:  # it has come to light already
                self.set_focus(self.query_one(PresetList))
                self._catch_up()

    def _name_panes(self) -> None:
        self.query_one(PresetList).border_title = Content("Presets")
        self.query_one(PresetList).show_titles(preset_titles())
        for pane in ("#runs", "#no-runs"):
            self.query_one(pane).border_title = Content("Runs")
            self.query_one(pane).border_subtitle = Content(shown(self.dltui.runs))

    @on(ScreenResume)
    def _catch_up(self) -> None:
        """Presets may have been saved meanwhile, and runs have gone on."""
        if self._is_bare:
            if self.dltui.opening is None:  # else covered in a moment
                self.run_worker(self.furnish(), group="home")
            return
        if self._ticks is not None:
            self._ticks.resume()
        self._wants_presets = True
        self.call_after_refresh(self._fill)

    @on(ScreenSuspend)
    def _rest(self) -> None:
        if self._ticks is not None:
            self._ticks.pause()

    @property
    def is_settled(self) -> bool:
        """Whether the lists show all that has been asked for so far."""
        return self._shelved and not self._wants_presets and not self._reading

    @work(group="runs")
    async def _fill(self) -> None:
        """The newest runs come first: they are read sooner than all presets are validated."""
        self._refresh_runs()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._has_runs.wait(), FIRST_LOOK_S)
        await asyncio.sleep(PAINT_S)
        if self.app.is_running:
            self._load_presets()

    # --- presets ------------------------------------------------------------------------------------------------------

    def _load_presets(self) -> None:
        """Whoever needs a preset before its turn loads them then: a key that waited would hold up what it waits for."""
        if self._wants_presets:
            self._presets, self._preset_errors = load_presets()
            self._wants_presets = False
            self._show_presets()

    def _show_presets(self) -> None:
        matching = [preset for preset in self._presets if matches(preset, self._words)]
        edited = frozenset(preset.name for preset in matching if self.dltui.is_edited(preset))
        errors = [error for error in self._preset_errors if all(word in str(error).casefold() for word in self._words)]
        presets = self.query_one(PresetList)
        presets.show_presets(matching, errors, edited)
        if self._words:
            presets.point_at(next((preset for preset in matching if is_called(preset, self._words)), None))
        count = f"{len(matching)} of {len(self._presets)}" if self._words else str(len(self._presets))
        presets.border_subtitle = Content(count)
        self._describe()

    # --- runs ---------------------------------------------------------------------------------------------------------

    @work(group="runs")
    async def _refresh_runs(self) -> None:
        """Read the runs in a thread; the first time the newest few are shown before the others are read."""
        self._wants_runs = True
        if self._reading:
            return
        self._reading = True
        try:
            while self._wants_runs:
                self._wants_runs = False
                if not self.query_one(RunList).option_count:
                    self._show_runs(await asyncio.to_thread(self._shelf.read, FIRST_RUNS, self._words))
                self._show_runs(await asyncio.to_thread(self._shelf.read, self._run_limit, self._words))
            self._shelved = True
        finally:
            self._reading = False

    def _show_runs(self, shelf: Shelf) -> None:
        self._has_runs.set()
        runs, empty = self.query_one(RunList), self.query_one("#no-runs", Static)
        runs.show_runs(shelf._replace(rows=[self._known_dead(row) for row in shelf.rows]), self.dltui.clock())
        runs.display = bool(shelf.rows)
        empty.display = not shelf.rows
        if not shelf.rows:
            had_focus = runs.has_focus
            reason = f"This folder can't be read: {shelf.problem}" if shelf.problem else NO_RUNS
            empty.update("No run has these words in its name." if self._words and not shelf.problem else reason)
            if had_focus:
                self.query_one(PresetList).focus()
        self._describe()

    def _known_dead(self, run: RunSummary) -> RunSummary:
        """A run that looks as if it were starting, though its host is known to be gone, has died."""
        if run.status == "starting" and run.path in self.dltui.dead_runs:
            return dataclasses.replace(run, status="died")
        return run

    # --- the pane beside ----------------------------------------------------------------------------------------------

    @on(OptionList.OptionHighlighted)
    @on(DescendantFocus)
    def _describe(self) -> None:
        """Describe what the highlight of the list in use is on."""
        if self._is_bare:
            return
        about, text = self.query_one("#about"), self.query_one("#about-text", Static)
        selected = self._selected()
        if selected is not None:
            preview = self._desk.preview(selected) if isinstance(selected, RunSummary) else UNREAD
            title, words = described(selected, preview)
            about.border_title = Content(title)
            text.update(words)
        else:
            about.border_title = Content("")
            text.update("Nothing has these words in it. Esc shows everything again." if self._words else "")
        self.refresh_bindings()

    def _selected(self) -> Preset | PresetError | RunSummary | None:
        return self._found().selected

    def point_at(self, folder: RunFolder) -> None:
        """Put focus and highlight on `folder`, which a search must not hide."""
        if self.query_one("#search-line").display:
            self.action_end_search()
        runs = self.query_one(RunList)
        runs.point_at(folder.name)
        self.set_focus(runs)

    def _selected_run(self) -> RunSummary | None:
        selected = self._selected()
        return selected if isinstance(selected, RunSummary) else None

    # --- what keys do -------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that can't do anything at the moment are dimmed."""
        if self._is_bare:
            return False
        if not self.is_mounted or action not in ("resume", "delete", "search", "end_search"):
            return True
        if action == "search":
            return not self.query_one("#search").has_focus
        if action == "end_search":
            return self.query_one("#search-line").display
        run = self._selected_run()
        if run is None:
            return False
        return True if run.status in (RESUMABLE if action == "resume" else ENDED) else None

    @on(OptionList.OptionSelected)
    def _open(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_id == RunList.MORE:
            self._run_limit += RUNS_PER_PAGE
            self._refresh_runs()
            return
        chosen = self._chosen(event.option_list, event.option_id)
        if isinstance(chosen, RunSummary):
            self.dltui.show_run(RunFolder(chosen.path))
        else:
            self._configure(chosen)

    def action_configure(self) -> None:
        """Open the form for the selected preset, or for another run like the selected one."""
        found = self._found()
        option = found.highlighted_option
        if option is not None:
            self._configure(self._chosen(found, option.id))

    def _chosen(self, options: OptionList, option_id: str | None) -> Preset | PresetError | RunSummary | None:
        """What stood there when the key was pressed, though the highlight may move when presets are loaded."""
        if isinstance(options, PresetList):
            self._load_presets()
            if options.named(option_id) is None:
                self.notify("Its file can't be used: the list says why.", severity="error")
        return options.named(option_id) if isinstance(options, PresetList | RunList) else None

    def _configure(self, selected: Preset | PresetError | RunSummary | None) -> None:
        match selected:
            case RunSummary():
                try:
                    self.app.push_screen(form_like(selected))
                except RunFolderError as error:
                    self.notify(str(error), severity="error", markup=False)
            case PresetError():
                self.notify(shown(str(selected)), title="This preset can't be used", severity="error", markup=False)
            case Preset():
                from tui.screens.configure import ConfigureScreen

                self.app.push_screen(ConfigureScreen(selected))

    def action_resume(self) -> None:
        """Go on with the selected run."""
        run = self._selected_run()
        if run is not None and run.status in RESUMABLE:
            self.dltui.resume_run(RunFolder(run.path))

    def action_delete(self) -> None:
        """Delete the selected run, once that is confirmed."""
        run = self._selected_run()
        if run is not None and run.status in ENDED:
            self._ask_and_delete(RunFolder(run.path))

    @work(group="delete")
    async def _ask_and_delete(self, folder: RunFolder) -> None:
        question = f"Delete run {plain(folder.name)} with its checkpoints and pictures?"
        if not await self.app.push_screen_wait(ConfirmScreen(question, "delete it")):
            return
        try:
            await asyncio.to_thread(folder.discard)
        except (OSError, RunFolderError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self.notify(f"can't delete {plain(folder.name)}: {reason}", severity="error", markup=False)
        self._refresh_runs()

    def action_scroll_about(self, lines: int) -> None:
        """Scroll the description, which has no focus of its own."""
        self.query_one("#about").scroll_relative(y=lines, animate=False)

    # --- search -------------------------------------------------------------------------------------------------------

    def action_search(self) -> None:
        """Open the search line, with what was looked for before."""
        self.query_one("#search-line").display = True
        self.set_focus(self.query_one("#search"))
        self.refresh_bindings()

    def action_end_search(self) -> None:
        """Close the search line and show everything again."""
        had_focus = self.query_one("#search").has_focus
        self.query_one("#search", Input).value = ""
        self.query_one("#search-line").display = False
        if had_focus:
            self.query_one(PresetList).focus()
        self.refresh_bindings()

    @on(Input.Changed, "#search")
    def _filter(self, event: Input.Changed) -> None:
        self._words = event.value.casefold().split()
        self._load_presets()
        self._show_presets()
        self._refresh_runs()

    @on(Input.Submitted, "#search")
    def _open_found(self) -> None:
        """Enter opens what the highlight is on, as it does in the lists."""
        if not self._words:
            self.action_end_search()
        elif self._selected() is not None:
            found = self._found()
            self.set_focus(found)  # where one wants to be on coming back
            found.action_select()

    def action_move_in_found(self, down: bool) -> None:
        """Move the highlight of what was found, without leaving the search line."""
        found = self._found()
        if down:
            found.action_cursor_down()
        else:
            found.action_cursor_up()

    def _found(self) -> PresetList | RunList:
        """The list in use: presets, unless only runs have the words in them."""
        presets, runs = self.query_one(PresetList), self.query_one(RunList)
        return runs if runs.has_focus or (presets.highlighted is None and runs.selected is not None) else presets
