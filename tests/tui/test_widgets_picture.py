"""What is drawn and painted again, and what is left as it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from rich.segment import Segment
from textual._compositor import Compositor, ReflowResult
from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Region, Size
from textual.screen import ModalScreen, Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Label

from tests.tui.stage import Stage
from tui.themes import THEMES
from tui.widgets.chart import Chart, ChartContent
from tui.widgets.curves import Curve, Role
from tui.widgets.dialog import Dialog
from tui.widgets.palette import Palette
from tui.widgets.picture import Picture


class Lettered(Picture):
    """A picture of given lines, which knows which of them were painted."""

    def __init__(self) -> None:
        super().__init__()
        self.letters = ["a", "b", "c"]
        self.painted: list[int] = []

    def draw(self, width: int, height: int, palette: Palette) -> list[Strip]:
        """A line of each letter."""
        return [Strip([Segment(letter * width)], width) for letter in self.letters]

    def render_line(self, y: int) -> Strip:
        """One line."""
        self.painted.append(y)
        return super().render_line(y)


class Counted(Chart):
    """A chart that counts its drawings."""

    drawn = 0

    def draw(self, width: int, height: int, palette: Palette) -> list[Strip]:
        """The chart."""
        self.drawn += 1
        return super().draw(width, height, palette)


def of(values: list[float]) -> Callable[[], ChartContent]:
    y = np.array(values)
    curve = Curve("train", np.arange(1.0, len(y) + 1), y, Role.TRAIN)
    return lambda: ChartContent("loss", [curve], latest=(("train", Role.TRAIN, values[-1]),))


async def test_a_picture_of_another_size_has_all_of_its_frame() -> None:
    app = Stage(Lettered())
    async with app.run_test(size=(20, 8)) as pilot:
        for columns, lines in ((20, 8), (30, 8), (30, 6), (12, 9)):
            await pilot.resize_terminal(columns, lines)
            await pilot.pause()
            first, *inner, last = app.lines()
            assert (first, last) == (f"┏{'━' * (columns - 2)}┓", f"┗{'━' * (columns - 2)}┛")
            letters = [letter * (columns - 2) for letter in "abc"] + [" " * (columns - 2)] * (lines - 5)
            assert inner == [f"┃{line}┃" for line in letters]


async def test_only_lines_that_changed_are_painted_again() -> None:
    picture = Lettered()
    app = Stage(picture)
    async with app.run_test(size=(20, 8)) as pilot:
        await pilot.pause()
        picture.painted.clear()
        assert picture.redraw() == 0
        await pilot.pause()
        assert picture.painted == []
        picture.letters = ["a", "x", "c", "d"]
        assert picture.redraw() == 2
        await pilot.pause()
        assert sorted(set(picture.painted)) == [1, 3]
        assert ["x" * 18 in app.text(), "d" * 18 in app.text(), "b" in app.text()] == [True, True, False]


async def test_a_line_less_is_wiped() -> None:
    picture = Lettered()
    app = Stage(picture)
    async with app.run_test(size=(20, 8)) as pilot:
        picture.letters = ["a"]
        assert picture.redraw() == 2
        await pilot.pause()
        assert "b" not in app.text()
        assert "a" * 18 in app.text()


async def test_a_new_title_paints_its_border_and_nothing_else() -> None:
    picture = Lettered()
    app = Stage(picture)
    async with app.run_test(size=(20, 8)) as pilot:
        await pilot.pause()
        picture.painted.clear()
        for title in ("loss 1", "loss 2"):
            picture.entitle(Content(title), Content("by step"))
            await pilot.pause()
            assert title in app.text().splitlines()[0]
            assert "by step" in app.text().splitlines()[-1]
        assert picture.painted == []


class AsTextualDoes(Lettered):
    """The same picture, each line framed by Textual."""

    render_lines = Widget.render_lines


async def through_its_life(picture: Lettered) -> list[list[Segment]]:
    """All lines of the screen after each thing that changes how `picture` is framed."""
    app, seen = Stage(picture), list[list[Segment]]()

    def reverse() -> None:
        picture.letters.reverse()
        picture.redraw()

    async with app.run_test(size=(20, 8)) as pilot:
        for change in (
            picture.focus,
            picture.blur,
            lambda: picture.entitle(Content("loss"), Content("by step")),
            lambda: setattr(app, "theme", THEMES[1].name),
            reverse,
            lambda: setattr(picture.styles, "padding", 1),
        ):
            change()
            await pilot.pause()
            seen += [list(strip) for strip in app.screen._compositor.render_strips()]
    return seen


@pytest.mark.parametrize("no_color", ["", "1"])
async def test_a_frame_is_as_textual_draws_it(no_color: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    ours, theirs = await through_its_life(Lettered()), await through_its_life(AsTextualDoes())
    assert len(ours) == 6 * 8
    assert ours == theirs


async def test_another_size_or_theme_is_drawn_anew() -> None:
    picture = Lettered()
    app = Stage(picture)
    async with app.run_test(size=(20, 8)) as pilot:
        await pilot.resize_terminal(30, 8)
        await pilot.pause()
        assert "a" * 28 in app.text()
        picture.letters = ["z"]
        app.theme = THEMES[1].name
        await pilot.pause()
        assert "z" * 28 in app.text()


async def test_a_live_chart_is_drawn_four_times_a_second_at_most() -> None:
    now_s = [0.0]
    chart = Counted(clock=lambda: now_s[0])
    async with Stage(chart).run_test(size=(60, 16)) as pilot:
        chart.offer(0, of([1.0]), urgent=True)
        await pilot.pause()
        chart.drawn = 0
        for offered in range(1, 101):
            now_s[0] = offered / 50
            chart.offer(offered, of([1.0, *np.random.default_rng(offered).random(9)]))
        await pilot.pause()
        assert 1 <= chart.drawn <= 8


async def test_a_chart_in_which_nothing_moves_is_looked_at_once_a_second_and_again_often_once_something_does() -> None:
    now_s = [0.0]
    chart = Counted(clock=lambda: now_s[0])
    values = [1.0, 0.5, 0.25]
    async with Stage(chart).run_test(size=(60, 16)) as pilot:
        chart.offer("first", of(values), urgent=True)
        await pilot.pause()
        for offered in range(40):
            now_s[0] += 0.25
            chart.offer(offered, of(values))
        assert chart.drawn <= 14
        before = chart.drawn
        chart.offer("key", of([2.0, *values]), urgent=True)
        now_s[0] += 10.0
        chart.offer("later", of([3.0, *values]))
        assert chart.drawn == before + 2


# -- what lies behind a window -----------------------------------------------------------------------------------------


class Behind(Screen[None]):
    """Something of many colours."""

    def compose(self) -> ComposeResult:
        """Words."""
        yield Label(Content.assemble("plain ", ("warm ", "bold $warning"), ("cold", "$primary on $panel")))


class Theirs(ModalScreen[None]):
    """A window as Textual makes it."""

    def compose(self) -> ComposeResult:
        """A word."""
        yield Label("window")


class Ours(Dialog[None]):
    """A window as we make it."""

    def compose(self) -> ComposeResult:
        """A word."""
        yield Label("window")


@pytest.mark.parametrize("no_color", ["", "1"])
@pytest.mark.parametrize("background", ["black 60%", "transparent"])
async def test_what_lies_behind_a_window_is_dimmed_as_textual_does(
    background: str, no_color: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    seen = []
    for window in (Theirs(), Ours()):
        app = Stage(Lettered())
        async with app.run_test(size=(40, 6)) as pilot:
            await app.push_screen(Behind())
            app.push_screen(window)
            await pilot.pause()
            window.styles.background = background
            await pilot.pause()
            seen.append(app.export_screenshot())
    assert "window" in seen[0]
    assert seen[0] == seen[1]


async def test_a_window_stays_when_the_terminal_grows_or_shrinks() -> None:
    app = Stage(Lettered())
    async with app.run_test(size=(40, 6)) as pilot:
        await app.push_screen(Behind())
        await app.push_screen(Ours())
        for columns, lines in ((41, 6), (90, 30), (20, 4), (60, 20)):
            await pilot.resize_terminal(columns, lines)
            await pilot.pause()
            assert "window" in app.text()
            assert {len(line) for line in app.lines()} == {columns}


async def test_a_window_is_laid_out_less_often_than_by_textual(monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out = []
    reflow = Compositor.reflow

    def note(self: Compositor, parent: Widget, size: Size) -> ReflowResult:
        laid_out.append(type(parent))
        return reflow(self, parent, size)

    monkeypatch.setattr(Compositor, "reflow", note)
    for window in (Theirs(), Ours()):
        app = Stage(Lettered())
        async with app.run_test(size=(40, 6)) as pilot:
            app.push_screen(window)
            await pilot.pause()
            await pilot.resize_terminal(44, 6)
            await pilot.pause()
            assert window.size.width == 44
    assert 0 < laid_out.count(Ours) < laid_out.count(Theirs)


async def test_a_window_that_is_painted_after_it_closed_has_nothing_behind() -> None:
    app = Stage(Lettered())
    async with app.run_test(size=(40, 6)) as pilot:
        window = Ours()
        app.push_screen(window)
        await pilot.pause()
        line = Region(0, 1, 40, 1)
        assert ["a" * 9 in strip.text for strip in window.render_lines(line)] == [True]
        await app.pop_screen()
        assert [strip.text.strip() for strip in window.render_lines(line)] == [""]
