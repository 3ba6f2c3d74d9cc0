"""The header, the log pane, words for numbers, and charts as widgets."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from tests.tui.stage import Stage
from tui.themes import THEMES
from tui.widgets.chart import Chart, ChartContent, default_marker
from tui.widgets.curves import Curve, Role
from tui.widgets.log_pane import LogLine, LogPane
from tui.widgets.narrow import narrow
from tui.widgets.quantities import duration, number, rate, short_number, size
from tui.widgets.run_header import Facts, RunHeader


def content(values: list[float], **changes: object) -> ChartContent:
    y = np.array(values)
    curve = Curve("train", np.arange(1.0, len(y) + 1), y, Role.TRAIN)
    latest = (("train", Role.TRAIN, values[-1]),)
    return ChartContent("loss", [curve], latest=latest, **changes)  # type: ignore[arg-type]


# -- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.034215, "0.03422"), (0.9296, "0.9296"), (12.3456, "12.35"), (1234.5, "1,234"), (0, "0"),
        (-0.5, "-0.5000"), (1.2e-5, "1.2e-5"), (3e12, "3e12"), (float("nan"), "not finite"), (None, "not finite"),
    ],
)  # fmt: skip
def test_numbers_read_well(value: float | None, text: str) -> None:
    assert number(value) == text


def test_quantities_have_units() -> None:
    assert [short_number(value) for value in (0.001, 0.00316, 1e-5, 0.5)] == ["0.001", "0.00316", "1e-5", "0.5"]
    assert [duration(value) for value in (7.9, 3661, 5 * 86400, -1, float("inf"))] == [
        "7.9 s", "1:01:01", "5 d 0 h", "0.0 s", "?",
    ]  # fmt: skip
    assert [size(value) for value in (900, 512_000_000, 3.4e9)] == ["1 kB", "512 MB", "3.4 GB"]
    assert [rate(value) for value in (12_345.6, 35.7, 40, 3.21, 4, 0.0412)] == [
        "12,346/s", "35.7/s", "40.0/s", "3.21/s", "4.00/s", "0.0412/s",
    ]  # fmt: skip


def test_narrow_text_has_one_cell_per_character() -> None:
    assert narrow("a漢b\x1b[0m") == "a?b\N{REPLACEMENT CHARACTER}[0m"
    assert [narrow("abcdef", width) for width in (0, 1, 3, 6)] == ["", "…", "ab…", "abcdef"]


# -- the header ------------------------------------------------------------------------------------------------------

FACTS = Facts(
    name="spiral-relu-3",
    title="Spiral, with ReLU",
    status="running",
    device="cuda:0 · NVIDIA H200",
    epoch="413/1,000",
    epoch_share=0.6,
    run_share=0.41,
    left="0:01:23 left",
    gauges=(("lr", "0.001"), ("", "35 steps/s"), ("step", "420")),
)


@pytest.mark.parametrize("width", [20, 40, 80, 140, 300])
async def test_the_header_never_overflows(width: int) -> None:
    app = Stage(RunHeader("a-run"))
    async with app.run_test(size=(width, 8)) as pilot:
        app.widget.show(FACTS)  # type: ignore[union-attr, arg-type]
        await pilot.pause()
        lines = app.lines()
        assert all(len(line) <= width for line in lines)
        assert "▶ running" in lines[0]
        if width >= 80:
            assert "spiral-relu-3" in lines[0]
            assert "NVIDIA H200" in lines[0]
            assert " 41%  0:01:23 left" in lines[1]
            assert "━" in lines[1]
            assert "lr 0.001   35 steps/s   step 420" in lines[2]


async def test_bars_keep_their_width_while_numbers_beside_them_change() -> None:
    app = Stage(RunHeader("a-run"))
    async with app.run_test(size=(100, 8)) as pilot:
        bars = set()
        for epoch, share, left in (
            ("9", 0.09, "9.9 s left"),
            ("10", 0.1, "0:00:10 left"),
            ("413", 0.9, "12:00:00 left"),
        ):
            facts = replace(FACTS, epoch=f"{epoch}/1,000", run_share=share, left=left)
            app.widget.show(facts)  # type: ignore[union-attr, arg-type]
            await pilot.pause()
            bars.add(sum(app.lines()[1].count(char) for char in "━╸─"))
        assert len(bars) == 1


@pytest.mark.parametrize("width", [12, 40, 60, 140])
async def test_one_line_has_the_most_important_facts(width: int) -> None:
    app = Stage(RunHeader("a-run"))
    async with app.run_test(size=(width, 8)) as pilot:
        app.widget.show(FACTS)  # type: ignore[union-attr, arg-type]
        app.widget.is_brief = True  # type: ignore[union-attr, attr-defined]
        await pilot.pause()
        line = app.lines()[0].strip()
        whole = "▶ running   epoch 413/1,000   step 420   lr 0.001   0:01:23 left   run spiral-relu-3"
        assert len(app.lines()[0]) <= width
        assert line == whole if width == 140 else whole.startswith(line)
        assert app.lines()[1].strip() == ""


async def test_a_word_stands_in_place_of_the_state() -> None:
    app = Stage(RunHeader("a-run"))
    async with app.run_test(size=(80, 8)) as pilot:
        app.widget.show(Facts("a-run", status="running", word="pausing…"))  # type: ignore[union-attr, arg-type]
        await pilot.pause()
        assert "pausing…" in app.lines()[0]


# -- the log ---------------------------------------------------------------------------------------------------------


def log_lines(count: int) -> list[LogLine]:
    return [LogLine(None, "info", f"line {index}") for index in range(count)]


async def test_the_log_follows_its_end_until_somebody_scrolls_up() -> None:
    pane = LogPane()
    app = Stage(pane)
    async with app.run_test(size=(40, 10)) as pilot:
        pane.show(log_lines(50))
        await pilot.pause()
        assert "line 49" in "\n".join(app.lines())
        pane.focus()
        await pilot.press("pageup")
        await pilot.pause()
        pane.show(log_lines(60))
        await pilot.pause()
        assert "line 59" not in "\n".join(app.lines())
        await pilot.press("end")
        await pilot.pause()
        pane.show(log_lines(70))
        await pilot.pause()
        assert "line 69" in "\n".join(app.lines())


async def test_the_log_keeps_its_end_in_view_when_it_shrinks() -> None:
    pane = LogPane()
    app = Stage(pane)
    async with app.run_test(size=(40, 20)) as pilot:
        pane.show(log_lines(50))
        await pilot.pause()
        await pilot.resize_terminal(30, 8)
        await pilot.pause()
        assert "line 49" in "\n".join(app.lines())


async def test_long_lines_wrap_at_spaces_and_nothing_in_them_is_obeyed() -> None:
    pane = LogPane()
    app = Stage(pane)
    async with app.run_test(size=(40, 12)) as pilot:
        pane.show([LogLine(None, "error", "alpha beta gamma delta epsilon [red]zeta[/red] \x1b[31meta " + "x" * 60)])
        await pilot.pause()
        shown = "\n".join(app.lines())
        assert "✗ alpha beta gamma delta" in shown
        assert "[red]zeta[/red]" in shown
        assert "\x1b" not in shown
        assert pane.text().count("x") == 60
        assert all(len(line) <= 27 for line in pane.text().splitlines())


# -- charts as widgets -----------------------------------------------------------------------------------------------


async def test_a_chart_draws_only_what_differs() -> None:
    chart = Chart()
    app = Stage(chart)
    built = []

    def build() -> ChartContent:
        built.append(1)
        return content([1.0, 0.5])

    async with app.run_test(size=(60, 16)) as pilot:
        for _ in range(3):
            chart.offer("same", build, urgent=True)
            await pilot.pause()
        assert len(built) == 1
        chart.offer("other", build, urgent=True)
        assert len(built) == 2


async def test_a_chart_whose_drawing_is_dear_is_drawn_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    chart = Chart()
    app = Stage(chart)
    async with app.run_test(size=(60, 16)) as pilot:
        chart.offer(1, lambda: content([1.0, 0.5]), urgent=True)
        await pilot.pause()
        drawn_at = time.monotonic()
        monkeypatch.setattr(chart, "_due_at_s", drawn_at + 1000)
        chart.offer(2, lambda: content([2.0, 3.0]))
        await pilot.pause()
        assert "0.5000" in "\n".join(app.lines())
        chart.offer(3, lambda: content([2.0, 3.0]), urgent=True)
        await pilot.pause()
        assert "3.000" in "\n".join(app.lines())
        monkeypatch.setattr(chart, "_due_at_s", drawn_at + 1000)
        chart.offer(4, lambda: content([2.0, 4.0]), look="log y")
        await pilot.pause()
        assert "4.000" in "\n".join(app.lines())


async def test_a_chart_says_what_could_not_be_drawn() -> None:
    chart = Chart()
    app = Stage(chart)
    async with app.run_test(size=(70, 16)) as pilot:
        chart.offer(1, lambda: content([1.0, float("nan"), 0.5], notes=("by step",)), urgent=True)
        await pilot.pause()
        shown = "\n".join(app.lines())
        assert "by step · × not finite" in shown
        assert "● train 0.5000" in shown
        chart.offer(2, lambda: ChartContent("loss", waiting="no values yet"), urgent=True)
        await pilot.pause()
        assert "no values yet" in "\n".join(app.lines())


async def test_charts_follow_the_theme() -> None:
    chart = Chart()
    app = Stage(chart)
    async with app.run_test(size=(60, 16)) as pilot:
        chart.offer(1, lambda: content([1.0, 0.2, 0.1]), urgent=True)
        await pilot.pause()
        colors = []
        for theme in THEMES:
            app.theme = theme.name
            await pilot.pause()
            strips = app.screen._compositor.render_strips()
            inks = {
                segment.style.color.get_truecolor().hex
                for strip in strips
                for segment in strip
                if segment.style and segment.style.color and "●" in segment.text
            }
            colors.append(inks)
        assert THEMES[0].primary in colors[0]
        assert THEMES[1].primary in colors[1]


def test_the_marker_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for wanted, given in (("hd", "hd"), ("dot", "dot"), ("braille", "braille"), ("crayon", "braille"), ("", "braille")):
        monkeypatch.setenv("DLTUI_MARKER", wanted)
        assert default_marker() == given
