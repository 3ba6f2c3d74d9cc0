"""The application: its themes, its places and the way between them."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import SuspendNotSupported, SystemCommand
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.worker import WorkerFailed

from engine.run_folder import RunFolder, RunFolderError, create_run
from engine.text import plain
from tui.color_depth import depth_of
from tui.job_control import stop_this_job
from tui.key_order import KeysInOrder
from tui.launcher import Launcher
from tui.parting import parting_words
from tui.screens.home import HomeScreen
from tui.settings import load_theme, save_theme
from tui.themes import THEMES, themes_for

if TYPE_CHECKING:
    from engine.schema import RunConfig
    from presets import Preset
    from tui.draft import Draft

HOST_CHECK_S = 0.5
WARM_LATER_S = 10.0
FURNISH_LATER_S = 1.5
HANGUP_GRACE_S = 2.0
HUNG_UP = 128 + signal.SIGHUP
"""The exit status after the terminal has gone."""
WIDE_FROM = 110


def make_app(
    runs: Path,
    data: Path,
    open_run: RunFolder | None = None,
    warm: bool = True,
    clock: Callable[[], float] = time.time,
    launcher: Launcher | None = None,
) -> DltuiApp:
    """The one way to make the application, for the command line and for tests.

    Args:
        runs: The folder of all runs; need not exist.
        data: The folder of data sets; need not exist.
        open_run: A run to open at once, above Home.
        warm: Whether to keep an engine host waiting that has imported torch already.
        clock: Seconds since the epoch.
        launcher: What starts engine hosts.
    """
    return DltuiApp(runs, data, open_run, warm, clock, launcher or Launcher())


def tame_garbage_collection() -> None:
    """Keep the collector from looking through every widget and import while somebody types: that took up to 0.3 s."""
    gc.freeze()
    gc.set_threshold(10_000, 50, 100)
    gc.enable()


class DltuiApp(KeysInOrder):
    """Home, Configure and Run, over one folder of runs."""

    TITLE = "dltui"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE_FROM, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "help", "Help", key_display="?", id="app.help", tooltip="Every key of this place"),
        Binding("ctrl+t", "toggle_theme", "Theme", show=False, id="app.theme", tooltip="Switch between dark and light"),
        Binding(
            "ctrl+z",
            "suspend_process",
            "Suspend",
            show=False,
            id="app.suspend",
            tooltip="Back to the shell; fg returns",
        ),
        Binding(
            "ctrl+q",
            "quit",
            "Quit",
            show=False,
            priority=True,
            id="app.quit",
            tooltip="Leave dltui; runs go on without it",
        ),
        Binding(
            "ctrl+c",
            "interrupt",
            "Quit",
            show=False,
            priority=True,
            system=True,
            tooltip="Leave dltui; runs go on without it",
        ),
    ]

    def __init__(
        self,
        runs: Path,
        data: Path,
        open_run: RunFolder | None,
        warm: bool,
        clock: Callable[[], float],
        launcher: Launcher,
    ) -> None:
        super().__init__()
        self.runs = runs
        self.data = data
        self.clock = clock
        self.launcher = launcher
        self.opening = open_run
        """The run to be shown above Home from the start; None once it is."""
        self._warm = warm
        self.dead_runs: dict[Path, str] = {}
        """Runs whose hosts, started here, ended before they said anything, with the reason."""
        self.resumed_at: dict[Path, float] = {}
        """When engines were last started here for runs that had ended."""
        self._drafts: dict[tuple[str, Path], Draft] = {}
        for theme in themes_for(depth_of(self.console.color_system)):
            self.register_theme(theme)
        self.theme = load_theme()

    def get_default_screen(self) -> Screen[Any]:
        """Home lies below everything else; below a run that was asked for it is made once that is shown."""
        home: Screen[Any] = HomeScreen(is_bare=self.opening is not None)
        return home

    def on_mount(self) -> None:
        """Watch signals and hosts, and open the run that was asked for."""
        self._watch_signals()
        if self.opening is not None:
            self._push_run(self.opening)
            self.set_timer(FURNISH_LATER_S, self._furnish_home)
        self.set_interval(HOST_CHECK_S, self._report_dead_hosts)
        if not self.is_headless:
            self.call_after_refresh(tame_garbage_collection)
        if self._warm and self.opening is None:
            self.call_after_refresh(self._warm_up)
        elif self._warm:  # who comes to see a run starts none soon, and wants both cores now
            self.set_timer(WARM_LATER_S, self._warm_up)

    def on_unmount(self) -> None:
        """Let the unused warm host go."""
        self.launcher.close()

    def _handle_exception(self, error: Exception) -> None:
        """Widgets go one by one as the screen ends: whoever looks for one then finds none, and needs none."""
        cause = error.error if isinstance(error, WorkerFailed) else error
        if self.is_running or not isinstance(cause, NoMatches):
            super()._handle_exception(error)

    @property
    def width_class(self) -> str:
        """The class that `HORIZONTAL_BREAKPOINTS` will give a screen; one that has it already is styled only once."""
        return "-wide" if self.size.width >= WIDE_FROM else "-narrow"

    # --- what screens ask for -----------------------------------------------------------------------------------------

    def start_run(self, config: RunConfig, name: str = "") -> RunFolder:
        """Make a run folder, have it trained, and show it in place of what lies above Home.

        Raises:
            RunFolderError: nothing was started, and nothing is left behind.
        """
        folder = create_run(self.runs, config, self.data, name)
        try:
            self.launcher.spawn(folder)
        except OSError as error:
            with suppress(OSError, RunFolderError):
                folder.discard()
            raise RunFolderError(f"can't start a process to train in: {error.strerror}") from None
        self._push_run(folder)
        return folder

    def resume_run(self, folder: RunFolder) -> None:
        """Have a stopped, failed or dead run go on from its last checkpoint, and show it."""
        holder = folder.holder()
        try:
            if holder is None:
                self.dead_runs.pop(folder.path, None)
                folder.ask_to_resume()
                self.launcher.spawn(folder)
                self.resumed_at[folder.path] = self.clock()
        except RunFolderError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        except OSError as error:
            self.notify(f"can't start a process to train in: {error.strerror}", severity="error", markup=False)
            return
        if not self._shows(folder):
            self._push_run(folder)

    def show_run(self, folder: RunFolder) -> None:
        """Show a run, whatever its state."""
        self._push_run(folder)

    async def leave_run(self) -> None:
        """Go back to Home, with the highlight on the run; it goes on."""
        home = self._home()
        if home is None:
            return
        folder = getattr(self.screen, "folder", None)
        if isinstance(folder, RunFolder):
            if not (await home.furnish() and self.is_running):  # awaited, so that the next key waits for it too
                return
            home.point_at(folder)
        self.run_worker(self._go_home(), exclusive=True, group="places")

    def draft_for(self, preset: Preset, origin: str) -> Draft:
        """The draft of `preset` that is being worked on, or a new one; it stays until the UI ends."""
        from tui.draft import Draft

        key = (preset.name, preset.path)
        draft = self._drafts.get(key)
        if draft is None or (not draft.changed and draft.preset is not preset):
            draft = self._drafts[key] = Draft(preset, origin)
        return draft

    def is_edited(self, preset: Preset) -> bool:
        """Whether `preset` has a draft with changes."""
        draft = self._drafts.get((preset.name, preset.path))
        return draft is not None and draft.changed

    # --- actions ------------------------------------------------------------------------------------------------------

    def action_help(self) -> None:
        """Show the keys of the screen below."""
        from tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_toggle_theme(self) -> None:
        """The other of our two themes, now and next time."""
        dark, light = THEMES
        self.theme = dark.name if self.theme == light.name else light.name
        save_theme(self.theme)

    def action_interrupt(self) -> None:
        """Copy what the mouse has selected; without a selection, quit."""
        if self.screen.get_selected_text():
            self.screen.action_copy_text()
            self.screen.clear_selection()
            self.notify("Copied. Ctrl+C again quits; runs go on.", timeout=3)
        else:
            self.run_worker(self.action_quit())

    def action_suspend_process(self) -> None:
        """Give the terminal back to the shell until `fg`, also where make or a script stands between the two."""
        with suppress(SuspendNotSupported), self.suspend():
            stop_this_job()

    async def action_quit(self) -> None:
        """Leave; say which runs go on without us."""
        await self._leave()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Every action that has a name, of the focused widget, the screen and the application."""
        seen = set()
        for node, binding, enabled, tooltip in screen.active_bindings.values():
            if binding.id is None or not enabled or (binding.description, tooltip) in seen:
                continue
            seen.add((binding.description, tooltip))
            run = partial(self.run_action, binding.action, node)
            yield SystemCommand(f"{binding.description}  ({self.get_key_display(binding)})", tooltip, run)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _push_run(self, folder: RunFolder) -> None:
        from tui.screens.run import RunScreen

        self.run_worker(self._go_home(RunScreen(folder, self.clock)), exclusive=True, group="places")

    def _shows(self, folder: RunFolder) -> bool:
        shown = (getattr(screen, "folder", None) for screen in self.screen_stack)
        return any(other.path == folder.path for other in shown if isinstance(other, RunFolder))

    def _furnish_home(self) -> None:
        home = self._home()
        if home is not None:
            self.run_worker(home.furnish(), group="home")

    def _home(self) -> HomeScreen | None:
        """Home; None while the application ends, when screens go before the rest does."""
        stack = self.screen_stack if self.is_running else []
        return stack[0] if stack and isinstance(stack[0], HomeScreen) else None

    async def _go_home(self, then: Screen[Any] | None = None) -> None:
        """Close what lies above Home, then open `then`, with as few repaints as possible."""
        while len(self.screen_stack) > 2:
            await self.pop_screen()
        if then is None and len(self.screen_stack) > 1:
            await self.pop_screen()
        elif then is not None and len(self.screen_stack) > 1:
            await self.switch_screen(then)
        elif then is not None:
            await self.push_screen(then)
        self.opening = None

    def _warm_up(self) -> None:
        self.run_worker(self._prepare_runs, thread=True, group="launcher")

    def _prepare_runs(self) -> None:
        """In a thread, while somebody looks around: what the first run, or the first help, would wait for."""
        self.launcher.warm_up()
        import tui.screens.help
        import tui.screens.run  # noqa: F401

    def _report_dead_hosts(self) -> None:
        for death in self.launcher.deaths():
            self.dead_runs[death.folder.path] = death.reason
            self.notify(
                plain(death.reason),
                title=f"{plain(death.folder.name)} did not start",
                severity="error",
                timeout=60,
                markup=False,
            )

    def _watch_signals(self) -> None:
        """A closed terminal or a kill ends the UI, never a run."""
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread, as some tests
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._terminate, number)
            loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    def _terminate(self, number: int) -> None:
        self.run_worker(self._leave(128 + number))

    async def _leave(self, return_code: int = 0) -> None:
        words = await asyncio.to_thread(parting_words, self.runs, self.launcher.training())
        self.exit(return_code=return_code, message=Text(words) if words else None)

    def _hang_up(self) -> None:
        """The terminal has gone: whatever waits for it to take output would wait for ever."""
        self.launcher.close()
        deadline = threading.Timer(HANGUP_GRACE_S, os._exit, (HUNG_UP,))
        deadline.daemon = True
        deadline.start()
        self.exit(return_code=HUNG_UP)
