"""What a key changes is painted once, and nothing is laid out for a screen that is covered."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from textual._compositor import Compositor
from textual.app import ComposeResult
from textual.command import CommandPalette
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip
from textual.widgets import Input, Static

from engine.run_folder import RunLock
from tests.tui import run_scenes as scenes
from tui.painting_app import PaintingApp
from tui.screens.command_palette import PaintedPalette
from tui.screens.help import HelpScreen
from tui.screens.painted_once import PaintedOnce
from tui.screens.run import RunScreen


class Counts:
    """Paintings and layouts since the last look."""

    def __init__(self, app: PaintingApp, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paintings = self.layouts = 0
        display, reflow = app._display, Compositor.reflow

        def note_painting(screen: Screen[Any], picture: Any) -> None:
            self.paintings += picture is not None
            display(screen, picture)

        def note_layout(compositor: Compositor, *arguments: Any) -> Any:
            self.layouts += 1
            return reflow(compositor, *arguments)

        monkeypatch.setattr(app, "_display", note_painting)
        monkeypatch.setattr(Compositor, "reflow", note_layout)

    async def of(self, pilot: Pilot[Any], key: str) -> tuple[int, int]:
        """How often was painted and laid out for `key`."""
        self.paintings = self.layouts = 0
        await pilot.press(key)
        await pilot.pause()
        await asyncio.sleep(0.1)
        await pilot.pause()
        return self.paintings, self.layouts


async def test_what_a_key_does_to_a_run_is_painted_once(
    runs: Path, few_presets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, now = scenes.paused(runs)
    lock = RunLock(folder)
    app = scenes.app_on(folder, now, runs)
    async with app.run_test(size=(140, 45)) as pilot:
        await scenes.settled(pilot)
        counts = Counts(app, monkeypatch)
        for key, layouts in (("2", 0), ("l", 0), ("x", 0), ("right_square_bracket", 0), ("z", 1), ("z", 1)):
            assert await counts.of(pilot, key) == (1, layouts), key
        for key in ("4", "z", "z", "s"):  # the log is wrapped anew; asking to stop takes a line
            assert (await counts.of(pilot, key))[0] == 1, key
    lock.release()


async def test_help_is_painted_once_and_so_is_the_run_when_it_closes(
    runs: Path, few_presets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, now = scenes.digits_finished(runs)
    app = scenes.app_on(folder, now, runs)
    async with app.run_test(size=(140, 45)) as pilot:
        await scenes.settled(pilot)
        counts = Counts(app, monkeypatch)
        assert (await counts.of(pilot, "question_mark"))[0] == 1
        assert isinstance(app.screen, HelpScreen)
        assert await counts.of(pilot, "escape") == (1, 0)
        assert isinstance(app.screen, RunScreen)


async def test_the_command_palette_looks_like_textual_s_own(
    runs: Path, few_presets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, now = scenes.digits_finished(runs)
    app = scenes.app_on(folder, now, runs)
    async with app.run_test(size=(140, 45)) as pilot:
        await scenes.settled(pilot)
        looks = []
        for palette in (CommandPalette, PaintedPalette):
            await app.push_screen(palette(id="--command-palette"))
            await pilot.pause(0.5)
            app.screen.query_one(Input).cursor_blink = False
            await pilot.pause()
            looks.append(app.screen._compositor.render_strips())
            await pilot.press("escape")
            await pilot.pause()
        before, now_looks = ([_cells(strip) for strip in strips] for strips in looks)
        assert before == now_looks


def _cells(strip: Strip) -> list[tuple[str, str]]:
    """Each character with its style."""
    return [(char, str(style)) for text, style, _ in strip for char in text]


class Tall(PaintedOnce, Screen[None]):
    """Lines for which there is no room: a scrollbar comes, and makes them wrap to other heights."""

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static("some words that wrap " * 60)


async def test_a_scrollbar_is_there_in_the_first_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    app = PaintingApp()
    async with app.run_test(size=(20, 10)) as pilot:
        counts = Counts(app, monkeypatch)
        await app.push_screen(Tall())
        await pilot.pause(0.1)
        scroll = app.screen.query_one(VerticalScroll)
        assert scroll.show_vertical_scrollbar
        assert app.screen.query_one(Static).size.width < 20
        assert counts.paintings == 1


async def test_a_covered_screen_has_nothing_painted() -> None:
    app = PaintingApp()
    async with app.run_test(size=(20, 10)) as pilot:
        await app.push_screen(Tall())
        below = app.screen_stack[0]
        await pilot.pause(0.1)
        assert not below.is_current
        await app.push_screen(HelpScreen(app.screen))
        await pilot.pause(0.1)
        assert app.screen_stack[1].is_current
        assert not below.is_current
