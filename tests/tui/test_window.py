"""Windows over a screen: what is spared when one opens is not missed."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import ComposeResult
from textual.content import Content
from textual.dom import DOMNode
from textual.events import ScreenResume
from textual.screen import ModalScreen
from textual.style import Style
from textual.visual import RenderOptions
from textual.widget import Widget
from textual.widgets import Label, Static

import tui.app
from tests.tui.stage import Stage
from tui.themes import THEMES
from tui.widgets.dialog import Dialog
from tui.widgets.lines import Fact, Lines, _broken
from tui.widgets.window import Window, WindowLines

PASSAGE = "Press it once more, and what it did before is undone; 鍵 stands for a key"
KEYS = [Content.assemble((f"{key:>9}", "bold $accent"), f"  Name {key}") for key in range(12)]
FACTS = [Fact(key, PASSAGE[: 7 * place]) for place, key in enumerate(KEYS)]
WORDS = st.text("key  鍵\t\n\u00a0\u200b", max_size=60)


class AppStage(Stage):
    """A stage with our styles, and a class for how wide it is."""

    CSS_PATH = Path(tui.app.__file__).with_name("app.tcss")
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (50, "-wide")]


class Shown(Dialog[None]):
    """A window with something in it."""

    def __init__(self, inside: Widget) -> None:
        super().__init__()
        self._inside = inside

    def compose(self) -> ComposeResult:
        """It."""
        with Window() as dialog:
            dialog.border_title = Content("Title")
            yield self._inside


class Theirs(ModalScreen[None]):
    """A window as Textual makes it."""

    def compose(self) -> ComposeResult:
        """A word."""
        yield Label("window")


def as_static(lines: Lines) -> Widget:
    """How Textual shows lines."""
    return Static(lines)


def picture(app: AppStage) -> str:
    """All that is on the screen, with its colours, character by character."""
    strips = [strip.discard_meta() for strip in app.screen._compositor.render_strips()]
    return "\n".join(f"{character} {style}" for strip in strips for text, style, _ in strip for character in text)


async def looks(make: Callable[[Lines], Widget], size: tuple[int, int]) -> list[str]:
    """What is seen when a window opens, is scrolled, and while the world around it changes."""
    app = AppStage(Label("behind"))
    seen = []
    async with app.run_test(size=size) as pilot:
        app.push_screen(Shown(make(Lines([*FACTS, Content("And that is all.")], 20))))
        await pilot.pause()
        seen.append(picture(app))
        for keys in (["down", "down"], ["end"]):
            await pilot.press(*keys)
            app.screen.query_one(Window).scroll_end(animate=False, immediate=True)
            await pilot.pause()
            seen.append(picture(app))
        app.theme = THEMES[1].name
        await pilot.pause()
        seen.append(picture(app))
        await pilot.resize_terminal(size[0] - 7, size[1] + 9)
        await pilot.pause()
        seen.append(picture(app))
        app.push_screen(Theirs())
        app.theme = THEMES[0].name
        await pilot.pause()
        await app.pop_screen()
        await pilot.pause()
        seen.append(picture(app))
    return seen


@pytest.mark.parametrize("no_color", ["", "1"])
@pytest.mark.parametrize("size", [(120, 40), (80, 14), (34, 12), (9, 5)], ids=str)
async def test_lines_in_a_window_look_as_textual_shows_them(
    size: tuple[int, int], no_color: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    ours, theirs = await looks(WindowLines, size), await looks(as_static, size)
    assert ours == theirs
    assert len(set(ours)) >= (2 if no_color else 4)


async def test_a_window_is_styled_once_when_it_opens_and_again_when_it_resumes(monkeypatch: pytest.MonkeyPatch) -> None:
    styled: list[DOMNode] = []
    update = DOMNode.update_node_styles

    def note(self: DOMNode, animate: bool = True) -> None:
        styled.append(self)
        update(self, animate)

    monkeypatch.setattr(DOMNode, "update_node_styles", note)
    app = AppStage(Label("behind"))
    async with app.run_test(size=(80, 24)) as pilot:
        for window, restyled in ((Theirs(), True), (Shown(WindowLines(Lines(FACTS))), False)):
            app.push_screen(window)
            await pilot.pause()
            assert (window in styled) == restyled
        assert not any(isinstance(node, Window) for node in styled)
        window.post_message(ScreenResume())
        await pilot.pause()
        assert window in styled


async def test_text_in_a_window_is_not_marked_as_it_could_not_be_copied() -> None:
    app = AppStage(Label("behind"))
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(Shown(WindowLines(Lines(FACTS))))
        await pilot.pause()
        lines = app.screen.query_one(WindowLines)
        await pilot.mouse_down(lines, offset=(2, 1))
        await pilot.hover(lines, offset=(20, 4))
        await pilot.mouse_up(lines, offset=(20, 4))
        assert lines.text_selection is None
        assert not app.screen.get_selected_text()


@given(texts=st.lists(WORDS, min_size=1, max_size=4), width=st.integers(2, 60))
def test_rows_are_the_lines_that_textual_draws(texts: list[str], width: int) -> None:
    lines = Lines([*(Fact("label", text) for text in texts), Fact(Content.styled("own", "bold"), texts[0])])
    drawn = lines.render_strips(width, None, Style(), RenderOptions(lambda _: Style(), {}))
    rows = lines.rows(width, Style(), lambda _: Style())
    assert ["".join(segment.text for segment in row) for row in rows] == [strip.text for strip in drawn]


@given(text=WORDS, cells=st.integers(1, 60))
def test_short_texts_are_broken_as_long_ones_are(text: str, cells: int) -> None:
    assert _broken(text, cells) == (textwrap.wrap(text, cells) or [""])
