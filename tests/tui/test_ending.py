"""The screen may end at any moment: whatever is being made or read then comes too late, and fails nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from textual.geometry import Region
from textual.screen import Screen
from textual.worker import WorkerFailed

from engine.run_folder import RunFolder
from presets import load_preset
from tests.tui.scripts import slow_disk, until, write_run
from tui.app import DltuiApp
from tui.draft import Draft
from tui.screens.configure import ConfigureScreen
from tui.screens.confirm import ConfirmScreen
from tui.screens.help import HelpScreen
from tui.screens.home import HomeScreen
from tui.screens.run import RunScreen
from tui.screens.save_preset import SavePresetScreen
from tui.widgets.form_choice import ChoiceMenu
from tui.widgets.form_layers import LayersScreen, LayersView
from tui.widgets.home_lists import PresetList, RunList

PLACES: dict[str, Callable[[DltuiApp], Screen[Any]]] = {
    "home": lambda app: HomeScreen(),
    "form": lambda app: ConfigureScreen(load_preset("digits-mlp")),
    "menu": lambda app: ChoiceMenu(["one", "two", "three"], "two", Region(4, 2, 20, 1)),
    "layers": lambda app: LayersScreen(LayersView()),
    "save": lambda app: SavePresetScreen(Draft(load_preset("digits-mlp"))),
    "run": lambda app: RunScreen(write_run(app.runs, "run-1", "finished", preset="digits-mlp", epoch=3, age_s=9)),
    "confirm": lambda app: ConfirmScreen("Delete it?", "delete it"),
    "help": lambda app: HelpScreen(app.screen),
}


@pytest.mark.parametrize("place", PLACES)
async def test_a_place_that_is_closed_before_anything_in_it_is_composed(place: str, app: DltuiApp) -> None:
    """As when SIGTERM comes right after the key that opens it."""
    async with app.run_test():
        screen = PLACES[place](app)
        app.push_screen(screen)
        app._running = False
        await screen._close_messages()
        assert not screen.children


@pytest.mark.parametrize("ticks", range(3))
@pytest.mark.parametrize("place", ["home", "form"])
async def test_a_place_that_is_closed_while_it_is_composed(place: str, ticks: int, app: DltuiApp) -> None:
    async with app.run_test():
        app.push_screen(PLACES[place](app))
        for _ in range(ticks):
            await asyncio.sleep(0)
        await app._shutdown()


async def test_runs_that_are_read_as_the_screen_ends_have_no_list_to_go_to(
    app: DltuiApp, scripted_runs: list[RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lists go before whoever reads for them is called off."""
    disk, unmount = slow_disk(monkeypatch), PresetList._on_unmount
    async with app.run_test():
        home = app.screen
        assert isinstance(home, HomeScreen)
        await until(lambda: home._reading)

        async def last_to_go(presets: PresetList) -> None:
            await until(lambda: not home.query(RunList))
            assert home._reading
            disk.set()
            await until(lambda: not home._reading)
            unmount(presets)

        monkeypatch.setattr(PresetList, "_on_unmount", last_to_go)
    assert disk.is_set()


@pytest.mark.parametrize(("is_ending", "failure"), [(False, "No nodes match"), (True, "division by zero")])
async def test_what_is_wrong_is_still_told(is_ending: bool, failure: str, app: DltuiApp) -> None:
    """Of a widget that is missing from a living screen, and of anything else at any time."""

    async def fail() -> object:
        app._running = not is_ending
        return 1 / 0 if is_ending else app.screen.query_one("#no-such-place")

    with pytest.raises(WorkerFailed, match=failure):
        async with app.run_test():
            worker = app.run_worker(fail())
            await until(lambda: worker.is_finished)
