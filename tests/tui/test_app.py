"""The application around its places."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from textual.command import CommandPalette

from engine.places import runs_dir
from engine.run_folder import RunFolderError, RunLock
from presets import load_preset
from tests.tui.scripts import NOW, FakeLauncher, press, settled, text_of, until, write_run
from tui.app import DltuiApp, make_app
from tui.launcher import HostDeath
from tui.parting import parting_words
from tui.screens.configure import ConfigureScreen
from tui.screens.help import HelpScreen
from tui.screens.home import HomeScreen
from tui.screens.run import RunScreen
from tui.settings import load_theme, settings_path
from tui.themes import DARK, LIGHT, THEMES
from tui.widgets.home_lists import RunList


async def test_the_theme_is_toggled_and_remembered(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        await settled(pilot)
        assert app.theme == DARK.name
        await pilot.press("ctrl+t")
        assert app.theme == LIGHT.name
    assert load_theme() == LIGHT.name


@pytest.mark.parametrize("text", ['theme = "no such theme"', "theme = [1", "theme = 7", "\x00"])
def test_settings_that_make_no_sense_are_passed_over(text: str) -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text(text)
    assert load_theme() == DARK.name


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
@pytest.mark.parametrize("role", ["foreground", "primary", "accent", "success", "warning", "error"])
def test_text_stands_out(theme: object, role: str) -> None:
    """Contrast as WCAG counts it: 7 to 1 for everything that carries words."""
    assert contrast(getattr(theme, role), theme.background) >= 7
    assert contrast(getattr(theme, role), theme.variables["block-cursor-background"]) >= 4.5
    assert contrast(theme.variables["text-muted"], theme.background) >= 4.5


async def test_help_lists_the_keys_of_the_place(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, "question_mark")
        assert isinstance(app.screen, HelpScreen)
        text = text_of(app.screen.query_one("#keys"))
        assert "New run" in text
        assert "Search presets and runs" in text
        await press(pilot, "escape", "enter", "f1")
        text = text_of(app.screen.query_one("#keys"))
        assert "f5 ^g  Start" in text
        assert "Search presets" not in text


async def test_the_palette_has_every_action_of_the_place(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, "end", "enter")
        names = [command.title for command in app.get_system_commands(app.screen)]
        assert {"Start  (f5)", "Reset  (^r)", "Save  (^s)", "Layers  (f4)", "Theme  (^t)", "Help  (f1)"} <= set(names)
        await pilot.press("ctrl+p")
        await until(lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"back")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, HomeScreen))


async def test_a_run_can_be_opened_at_once(runs: Path, few_presets: Path, launcher: FakeLauncher) -> None:
    folder = write_run(runs, "digits-mlp-1", "finished", preset="digits-mlp", epoch=30, age_s=60)
    app = make_app(runs, Path("data"), open_run=folder, warm=False, clock=lambda: NOW, launcher=launcher)
    async with app.run_test() as pilot:
        await until(lambda: isinstance(app.screen, RunScreen))
        await press(pilot, "q")
        assert isinstance(app.screen, HomeScreen)


async def test_starting_a_run_makes_its_folder_and_shows_it(app: DltuiApp, launcher: FakeLauncher, runs: Path) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, "enter")
        assert isinstance(app.screen, ConfigureScreen)
        folder = app.start_run(load_preset("spiral-relu").config, "mine")
        await press(pilot)
        assert isinstance(app.screen, RunScreen)
        assert len(app.screen_stack) == 2, "the form is gone"
        assert folder.config() == load_preset("spiral-relu").config
        assert folder.data_dir() == Path("data")
    assert launcher.spawned == [folder.path]
    assert launcher.closed


async def test_two_runs_of_one_name_are_refused(app: DltuiApp, launcher: FakeLauncher) -> None:
    async with app.run_test() as pilot:
        await settled(pilot)
        app.start_run(load_preset("spiral-relu").config, "mine")
        with pytest.raises(RunFolderError, match="exists"):
            app.start_run(load_preset("spiral-relu").config, "mine")
        await press(pilot)
    assert len(launcher.spawned) == 1


async def test_a_run_that_is_held_is_only_shown(app: DltuiApp, launcher: FakeLauncher, runs: Path) -> None:
    folder = write_run(runs, "digits-mlp-1", "running", preset="digits-mlp", epoch=3, age_s=1)
    lock = RunLock(folder)
    try:
        async with app.run_test() as pilot:
            await settled(pilot)
            app.resume_run(folder)
            await press(pilot)
            assert isinstance(app.screen, RunScreen)
    finally:
        lock.release()
    assert launcher.spawned == []


async def test_a_host_that_dies_at_once_is_told_with_its_last_words(
    app: DltuiApp, launcher: FakeLauncher, runs: Path
) -> None:
    folder = write_run(runs, "mine", "starting", preset="digits-mlp", epoch=0, age_s=1)
    (folder.path / "console.log").write_text("Traceback\nImportError: [no] torch\n")
    async with app.run_test() as pilot:
        home = await settled(pilot, "tab")
        assert "starting" in text_of(home.query_one(RunList))
        launcher.dead.append(HostDeath(folder, "ImportError: [no] torch"))
        await until(lambda: "died" in text_of(home.query_one(RunList)))
        note = next(iter(app._notifications))
        assert (note.title, note.message, note.severity) == ("mine did not start", "ImportError: [no] torch", "error")
        assert "ImportError: [no] torch" in text_of(home.query_one("#about-text"))
        await press(pilot, "r")
    assert launcher.spawned == [folder.path], "it can be tried again"
    assert app.dead_runs == {}


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
async def test_quitting_lets_the_warm_host_go(key: str, app: DltuiApp, launcher: FakeLauncher) -> None:
    async with app.run_test() as pilot:
        await settled(pilot)
        await pilot.press(key)
        await until(lambda: not app.is_running)
    assert app.return_code == 0
    assert launcher.closed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_end_the_screen(number: signal.Signals, app: DltuiApp, launcher: FakeLauncher) -> None:
    async with app.run_test() as pilot:
        await settled(pilot)
        signal.raise_signal(number)
        await until(lambda: not app.is_running)
    assert app.return_code == 128 + number
    assert launcher.closed


def test_parting_words(runs: Path, few_presets: Path) -> None:
    folders = [write_run(runs, f"run-{number}", "running", "digits-mlp", epoch=1, age_s=number) for number in range(3)]
    assert parting_words(runs) == ""
    locks = [RunLock(folder) for folder in folders[:2]]
    try:
        assert parting_words(runs) == "2 runs go on: run-0, run-1; back to one: dltui attach run-0 --runs runs"
        locks.pop().release()
        assert parting_words(runs) == "run-0 goes on; back to it: dltui attach run-0 --runs runs"
        assert parting_words(runs, folders[1:2]).startswith("2 runs go on: run-1, run-0")
    finally:
        locks.pop().release()


def test_parting_words_leave_out_the_usual_folder(few_presets: Path) -> None:
    lock = RunLock(write_run(runs_dir(), "mine", "running", "digits-mlp", epoch=1, age_s=1))
    try:
        assert parting_words(runs_dir()) == "mine goes on; back to it: dltui attach mine"
    finally:
        lock.release()


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
