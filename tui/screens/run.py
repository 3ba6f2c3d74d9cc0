"""Run: watch one run, and steer it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import DescendantFocus, Key, Resize, ScreenResume
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from engine.run_folder import RunFolder, RunFolderError
from tui.run_follower import RunFollower
from tui.screens import run_asks
from tui.screens.run_ask import RunAsk
from tui.screens.run_asks import Ask
from tui.screens.run_charts import ChartSettings, RunCharts
from tui.screens.run_contents import RunPanes
from tui.screens.run_facts import banner, header_facts
from tui.screens.run_form import form_like
from tui.screens.run_keys import KEYS, Standing, key_name, standing_of
from tui.screens.run_overlay import Overlay, find_overlay
from tui.screens.run_panes import PaneTabs, slots_for
from tui.screens.run_pictures import RunPictures
from tui.screens.run_steering import Steering
from tui.widgets.chart import default_marker
from tui.widgets.figure_view import FigureView
from tui.widgets.key_footer import KeyFooter
from tui.widgets.run_header import RunHeader

if TYPE_CHECKING:
    from tui.app import DltuiApp

POLL_S = 0.1
FIRST_POLL_S = 0.02
"""As long as there is no curve, somebody waits for its beginning."""
REFRESH_S = 0.25
KEY_FIRST_S = 0.06
"""So soon after a key the screen is not refreshed in turn: what the key asked for is still being painted."""
FIRST_LOOK_S = 0.2
"""A disk that answers within so long has its curves in the first picture."""
LR_FACTOR = 10**0.1


class RunScreen(Screen[None]):
    """Charts, pictures, gauges and the log of one run, live.

    Args:
        folder: The run.
        clock: Seconds since the epoch.
    """

    AUTO_FOCUS = "#run-loss"
    BLANK = True
    """What is on it covers all of it."""
    DEFAULT_CSS = """
    RunScreen {
        layout: vertical;
        #run-banner { height: auto; padding: 0 1; background: $panel; display: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = KEYS
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """Frames show the focus, and repaint themselves: Textual's own repaints the whole screen."""

    def __init__(self, folder: RunFolder, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self.folder = folder
        self.follower = RunFollower(folder, clock)
        self._clock = clock
        self._charts = RunCharts(self.follower, ChartSettings(marker=default_marker()))
        self._steering = Steering(self.follower, clock)
        self._stop_is_asked = False
        self._active = "run-loss"
        self._is_zoomed = False
        self._gave_way = False
        self._shown: set[str] = set()
        self._standing = Standing()
        self._pictures = RunPictures(self.follower, self._charts.figure_in_second_pane)
        self._has_looked, self._has_config = asyncio.Event(), asyncio.Event()

    @property
    def dltui(self) -> DltuiApp:
        """The application, by its own type."""
        return cast("DltuiApp", self.app)

    @property
    def _panes(self) -> RunPanes:
        return self.query_one(RunPanes)

    @property
    def is_settled(self) -> bool:
        """Whether all that is known of the run has been read, a picture that was begun too."""
        return self.follower.is_caught_up and self._has_config.is_set() and not self._pictures.is_loading

    def compose(self) -> ComposeResult:
        """Header, banner, panes, keys."""
        self.add_class(self.dltui.width_class, update=False)
        yield RunHeader(self.folder.name, id="run-header")
        yield Static(id="run-banner", markup=False)
        yield PaneTabs(id="run-tabs")
        yield RunPanes(self.follower, self._charts, self._pictures)
        yield RunAsk(self.follower, self._clock, id="run-ask")
        yield KeyFooter(lambda binding: key_name(binding, self._standing))

    async def on_mount(self) -> None:
        """Begin to follow."""
        self.run_worker(self._follow(), group="follow", exclusive=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._has_looked.wait(), FIRST_LOOK_S)
        self.set_interval(REFRESH_S, self._refresh_in_turn)
        self.call_after_refresh(self._begin_config)

    async def _follow(self) -> None:
        self._charts.take_defaults((await asyncio.to_thread(self.folder.glance)).get("display"))
        while True:
            was_caught_up, had_curve = self.follower.is_caught_up, bool(self.follower.state.latest)
            await self.follower.poll()
            self._has_looked.set()
            has_curve = bool(self.follower.state.latest)
            if has_curve and not had_curve:
                self.refresh_view(urgent=True)
            if self.follower.is_caught_up and not was_caught_up:
                self.refresh_view(urgent=True)
                if self._charts.settings.overlay_on and self._charts.overlay.state is None:
                    self._load_overlay()  # reads many runs: this one comes first
            wait_s = POLL_S if has_curve or self.follower.status not in ("starting", "running") else FIRST_POLL_S
            await asyncio.sleep(wait_s if self.follower.is_caught_up else 0)

    def _begin_config(self) -> None:
        self.run_worker(self._read_config(), group="config")

    async def _read_config(self) -> None:
        """Validating takes longer than reading a log: the curves come first."""
        await self.follower.open()
        self._has_config.set()
        self.refresh_bindings()  # what can be done depends on the data
        self.refresh_view()

    @on(ScreenResume)
    def _show_at_once(self) -> None:
        self.refresh_view()

    def _refresh_in_turn(self) -> None:
        """What a key asked for is painted first; but nobody who holds a key down is to miss the curves."""
        self._gave_way = not self._gave_way and time.monotonic() - self.dltui.key_came_at_s < KEY_FIRST_S
        if not self._gave_way:
            self.refresh_view()

    # --- what is shown --------------------------------------------------------------------------------------------

    def refresh_view(self, urgent: bool = False) -> None:
        """Show what has changed; called four times a second, and at once after a key.

        Args:
            urgent: Whether somebody waits for the curves; they are drawn no more often than is cheap otherwise.
        """
        if not self.is_mounted or not self.is_current or not self.app.is_running:
            return
        follower = self.follower
        follower.has_no_engine = self.folder.path in self.dltui.dead_runs
        follower.expect_engine(self.dltui.resumed_at.get(self.folder.path, 0.0))
        for warning in self._steering.settle():
            self.notify(warning, severity="warning", markup=False)
        self.query_one(RunHeader).show(header_facts(follower, self._steering.word))
        self._show_banner()
        self._name_keys()
        self.query_one(RunAsk).settle()
        self._shown = self._lay_out()
        self._panes.fill(self._shown, urgent)

    def _arrange(self) -> None:
        """Show other panes. Those already in sight stay as they are: they are refreshed in turn."""
        before, self._shown = self._shown, self._lay_out()
        self._panes.fill(self._shown - before)

    def _show_banner(self) -> None:
        text, line = banner(self.follower, self._stop_is_asked), self.query_one("#run-banner", Static)
        if text is not None and text != line.content:
            line.update(text)
        line.display = text is not None

    def _name_keys(self) -> None:
        """Keys are named anew when they come to mean something else, and not four times a second."""
        standing = standing_of(self.follower, self._pictures, self._is_zoomed)
        if standing != self._standing:
            self._standing = standing
            self.refresh_bindings()

    def _lay_out(self) -> set[str]:
        """Give the panes their places; returns the ids of those on screen."""
        panes = self._panes.in_order()
        slots = slots_for(self.size.width, self.size.height, self._is_zoomed)
        active = self.query_one(f"#{self._active}")
        indices = self._panes.lay_out(panes, active, slots)
        tabs = self.query_one(PaneTabs)
        tabs.display = len(indices) < len(panes)
        tabs.show([self._panes.label(pane) for pane in panes], indices)
        return {panes[index].id or "" for index in indices}

    # --- what keys do ---------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only a model that classifies texts can be asked; what is typed into the line for that steers nothing."""
        if action == "ask":
            config = self.follower.config
            return config is not None and bool(getattr(config.data, "asks", ""))
        return action == "back" or not isinstance(self.focused, Input)

    def on_key(self, event: Key) -> None:
        """Any other key than s or y takes back the wish to stop."""
        if self._stop_is_asked and event.key not in ("s", "y"):
            self._stop_is_asked = False
            self._show_banner()
            if event.key == "escape":
                event.prevent_default().stop()  # it has done its work

    def action_pause(self) -> None:
        """Pause, or go on."""
        self._ask(run_asks.pause_or_continue(self.follower.state, self._clock()))

    def action_stop(self) -> None:
        """Ask whether to stop; asked twice is an answer."""
        if self._stop_is_asked:
            self.action_confirm_stop()
        elif reason := self._steering.refusal():
            self._say(reason)
        else:
            self._stop_is_asked = True
            self._show_banner()

    def action_confirm_stop(self) -> None:
        """Stop, if that was asked for."""
        if self._stop_is_asked:
            self._stop_is_asked = False
            self._ask(run_asks.stop(self._clock()))

    def action_checkpoint(self) -> None:
        """Save a checkpoint."""
        self._ask(run_asks.save_checkpoint(self.follower.state, self._clock()))

    def action_scale_lr(self, direction: int) -> None:
        """Raise or lower the learning rate."""
        self._ask(run_asks.scale_lr(self.follower.state, LR_FACTOR**direction, self._clock()))

    def action_resume(self) -> None:
        """Have the run go on from its last checkpoint."""
        reason = self.follower.lost or run_asks.resume_refusal(self.follower.status)
        if reason:
            self._say(reason)
        else:
            self.dltui.resume_run(self.folder)
            self.refresh_view()

    def action_configure(self) -> None:
        """Open the form with this run's values, for another run."""
        try:
            self.app.push_screen(form_like(self.folder))
        except RunFolderError as error:
            self._say(str(error))

    def action_log_y(self) -> None:
        """Switch the loss axis."""
        self._charts.settings.log_y = not self._charts.settings.log_y
        self.refresh_view()

    def action_scale(self) -> None:
        """The next x axis."""
        self._charts.settings.next_scale()
        self.refresh_view()

    def action_smooth(self, direction: int) -> None:
        """More or less smoothing."""
        self._charts.settings.smooth(direction)
        self.refresh_view()

    def action_marker(self) -> None:
        """The next kind of marker."""
        settings = self._charts.settings
        settings.next_marker()
        self._say(f"curves are drawn with {settings.marker}; DLTUI_MARKER={settings.marker} keeps it so")
        self.refresh_view()

    def action_overlay(self) -> None:
        """Draw the latest run of the preset named in the configuration behind, or stop doing so."""
        settings = self._charts.settings
        settings.overlay_on = not settings.overlay_on
        if settings.overlay_on:
            self._load_overlay()
        else:
            self._charts.overlay = Overlay()
        self.refresh_view()

    def _load_overlay(self) -> None:
        self.run_worker(self._find_overlay(), group="overlay", exclusive=True)

    async def _find_overlay(self) -> None:
        await self._has_config.wait()
        self._charts.overlay = await asyncio.to_thread(find_overlay, self.folder, self._charts.overlay_preset())
        self.refresh_view()

    def action_next_figure(self) -> None:
        """Show the pane of pictures, or the next picture in it."""
        if not self._pictures.chosen:
            self._say("this run has drawn no picture yet")
            return
        if "run-figure" in self._shown:
            self._pictures.choose_next()
        else:
            self._use(self.query_one(FigureView))
        self.refresh_view()

    def action_ask(self) -> None:
        """Open the line in which the model is asked about a text."""
        self.query_one(RunAsk).open()
        self.refresh_view()

    def action_scrub(self, direction: int) -> None:
        """Show the picture of the epoch before, or after."""
        if not self._pictures.chosen or not self._pictures.has_past:
            self._say("no picture of a past epoch is kept here")
            return
        if "run-figure" not in self._shown:
            self._use(self.query_one(FigureView))
        self._pictures.step(direction)
        self.refresh_view()

    def action_zoom(self) -> None:
        """Give the pane in use the whole screen."""
        self._is_zoomed = not self._is_zoomed
        # not by a class of the screen: all that is on it would be styled anew
        self.query_one(RunHeader).is_brief = self._is_zoomed
        self._name_keys()
        self._arrange()

    def action_next_pane(self, direction: int) -> None:
        """Use the next pane."""
        panes = self._panes.in_order()
        index = next((index for index, pane in enumerate(panes) if pane.id == self._active), 0)
        self._use(panes[(index + direction) % len(panes)])

    def action_pane(self, number: int) -> None:
        """Use a pane by its number."""
        panes = self._panes.in_order()
        if number <= len(panes):
            self._use(panes[number - 1])

    async def action_leave(self) -> None:
        """Back to Home; the run goes on."""
        await self.dltui.leave_run()

    async def action_back(self) -> None:
        """One step back: from the line to ask in, from the whole screen view, else to Home."""
        ask = self.query_one(RunAsk)
        if ask.display:
            ask.close()
            self._use(self.query_one(f"#{self._active}"))
        elif self._is_zoomed:
            self.action_zoom()
        else:
            await self.action_leave()

    @on(PaneTabs.Chosen)
    def _use_chosen(self, message: PaneTabs.Chosen) -> None:
        self.action_pane(message.index + 1)

    @on(DescendantFocus)
    def _note_active(self, event: DescendantFocus) -> None:
        if event.widget in self._panes.in_order():
            self._active = event.widget.id or self._active

    @on(Resize)
    def _fit(self) -> None:
        self.refresh_view()

    def _use(self, pane: Widget) -> None:
        self._active = pane.id or self._active
        self._arrange()
        pane.focus()

    def _ask(self, ask: Ask) -> None:
        problem = self._steering.ask(ask)
        if problem:
            self._say(problem)
        self.refresh_view()

    def _say(self, text: str) -> None:
        self.notify(text, timeout=4, markup=False)
