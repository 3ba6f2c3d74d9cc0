"""A burst of keys does what the same keys would do one by one."""

from __future__ import annotations

import pytest
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui import key_order
from tui.key_order import KeysInOrder


class Question(ModalScreen[None]):
    """Goes away on y, taking the widget with it that had the key."""

    BINDINGS = [Binding("y", "dismiss")]

    def compose(self) -> ComposeResult:
        yield Static("?")


class Form(KeysInOrder):
    """Two inputs, and keys that walk between them."""

    BINDINGS = [
        Binding("down", "app.focus_next"),
        Binding("f5", "ask"),
        Binding("ctrl+r", "remove", priority=True),
    ]

    def compose(self) -> ComposeResult:
        yield Input("old", id="first", select_on_focus=False)
        yield Input("older", id="second", select_on_focus=False)

    def action_ask(self) -> None:
        self.push_screen(Question())

    async def action_remove(self) -> None:
        if self.focused:
            await self.focused.remove()

    def burst(self, *keys: str) -> None:
        """Deliver `keys` all at once, as a slow line does."""
        for key in keys:
            self.post_message(events.Key(key, key if len(key) == 1 else None))

    def values(self) -> list[str]:
        return [field.value for field in self.query(Input)]


async def test_text_and_actions_keep_their_order() -> None:
    app = Form()
    async with app.run_test() as pilot:
        app.burst("ctrl+u", "3", "0", "down", "ctrl+u", "4", "left", "5")
        await pilot.pause()
        await pilot.pause()
        assert app.values() == ["30", "54"]


async def test_a_screen_that_goes_away_with_its_key_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_order, "PATIENCE_S", 0.05)
    app = Form()
    async with app.run_test() as pilot:
        app.burst("f5", "y", "a")
        await pilot.pause(0.3)
        assert len(app.screen_stack) == 1
        assert app.values() == ["olda", "older"]


async def test_a_priority_key_is_obeyed_and_the_next_one_goes_where_the_focus_is() -> None:
    app = Form()
    async with app.run_test() as pilot:
        app.burst("ctrl+r", "a", "b")
        await pilot.pause()
        await pilot.pause()
        assert app.values() == ["olderab"]
