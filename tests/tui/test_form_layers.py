"""The layers of what is configured, beside the form and over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.tui.scripts import field_of, press, settled, until
from tui.app import DltuiApp
from tui.screens.configure import NOTHING_WHILE_WRONG, ConfigureScreen
from tui.widgets.form_layers import LayerLines, LayersPane, LayersScreen

DIGITS = ("end", "enter")
LARGE, SMALL = (140, 45), (80, 24)


def text(pilot: Pilot[Any]) -> str:
    """What stands in the table."""
    return pilot.app.screen.query_one(LayerLines).render().plain


async def test_the_layers_follow_what_is_typed(app: DltuiApp) -> None:
    async with app.run_test(size=LARGE) as pilot:
        await settled(pilot, *DIGITS)
        pane = app.screen.query_one(LayersPane)
        assert not pane.display
        await press(pilot, "f4", "@model.hidden", *"16, 32")
        assert pane.display
        lines = text(pilot).splitlines()
        assert lines[2].split() == ["hidden1", "16", "1,040", "1,024"]
        assert lines[-2].split() == ["in", "all", "1,914", "1,856"]
        assert pane.size.height >= len(lines)
        await press(pilot, "@trainer.epochs", *"x")
        assert text(pilot) == NOTHING_WHILE_WRONG
        await press(pilot, "f8", "f4")
        assert not pane.display


async def test_a_long_table_scrolls_in_its_pane(app: DltuiApp) -> None:
    async with app.run_test(size=LARGE) as pilot:
        await settled(pilot, *DIGITS, "f4")
        field_of(pilot, "model.hidden").editor.value = ", ".join(["8"] * 30)
        await press(pilot)
        pane = app.screen.query_one(LayersPane)
        assert pane.max_scroll_y > 0
        assert app.screen.query_one("#form").size.height > pane.size.height
        pane.focus()
        await press(pilot, "end")
        await until(lambda: pane.scroll_y == pane.max_scroll_y)


async def test_without_room_they_lie_over_the_form(app: DltuiApp) -> None:
    async with app.run_test(size=SMALL) as pilot:
        await settled(pilot, *DIGITS, "f4")
        assert isinstance(app.screen, LayersScreen)
        assert "hidden1      128          8,320          8,192" in text(pilot)
        await press(pilot, "f4")
        assert isinstance(app.screen, ConfigureScreen)
        assert not app.screen.query_one(LayersPane).display


async def test_the_pane_goes_and_comes_with_the_room(app: DltuiApp) -> None:
    async with app.run_test(size=LARGE) as pilot:
        await settled(pilot, *DIGITS, "f4")
        pane = app.screen.query_one(LayersPane)
        for size, shown in ((SMALL, False), (LARGE, True), ((140, 24), False)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert pane.display == shown


async def test_a_users_network_is_shown_elsewhere(app: DltuiApp) -> None:
    async with app.run_test(size=LARGE) as pilot:
        await settled(pilot, *DIGITS, "f4", "@model.kind", "enter", "end", "enter")
        assert text(pilot) == NOTHING_WHILE_WRONG
        field_of(pilot, "model.target").editor.value = "my_net.py:Net"
        await press(pilot)
        said = " ".join(text(pilot).split())
        assert said.endswith("Save this as a preset (^s), then: dltui show digits-mlp --layers")


SHOTS = {"beside": (LARGE, ()), "over": (SMALL, ()), "wrong": (LARGE, ("@optimizer.lr", *"-1"))}


@pytest.mark.parametrize("shot", SHOTS)
def test_layers(shot: str, app: DltuiApp, snap_compare: Callable[..., bool]) -> None:
    """They look as they did when somebody last looked hard at them."""
    size, keys = SHOTS[shot]

    async def prepare(pilot: Any) -> None:
        await settled(pilot, *DIGITS, "@model.norm", "right", *keys, "f4")

    assert snap_compare(app, terminal_size=size, run_before=prepare)
