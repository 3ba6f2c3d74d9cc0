"""What is left of the colours where a terminal has 256 or 16 of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rich.color import ColorSystem
from textual.color import Color

from engine.run_folder import RunFolder
from tests.tui import scripted as s
from tui.app import DltuiApp
from tui.color_depth import Depth, depth_of
from tui.themes import THEMES, themes_for
from tui.widgets.figure_regions import draw_regions
from tui.widgets.palette import Palette, Rgb, palette_of

SYSTEMS: dict[Depth, ColorSystem] = {
    "truecolor": ColorSystem.TRUECOLOR,
    "256": ColorSystem.EIGHT_BIT,
    "standard": ColorSystem.STANDARD,
}
FEW: list[Depth] = ["256", "standard"]
SHADES = (0.12, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.84)


def written(color: Rgb, depth: Depth) -> str:
    """What stands for `color` in an escape sequence."""
    return ";".join(Color(*color).rich_color.downgrade(SYSTEMS[depth]).get_ansi_codes())


def seen(color: Rgb, depth: Depth) -> tuple[int, int, int]:
    """The colour that a terminal shows for it."""
    return tuple(Color(*color).rich_color.downgrade(SYSTEMS[depth]).get_truecolor())


def lightness(color: Rgb) -> float:
    return float(np.dot((0.2126, 0.7152, 0.0722), (np.array(color) / 255) ** 2.2))


def contrast(one: Rgb, other: Rgb) -> float:
    low, high = sorted((lightness(one), lightness(other)))
    return (high + 0.05) / (low + 0.05)


def palette(depth: Depth, is_dark: bool) -> Palette:
    theme = themes_for(depth)[0 if is_dark else 1]
    names = ("background", "foreground", "primary", "secondary", "accent", "success", "error")
    colors: dict[str, Any] = {name: Color.parse(getattr(theme, name)).rgb for name in names}
    return Palette(is_dark, muted=Color.parse(theme.variables["text-muted"]).rgb, depth=depth, **colors)


@pytest.mark.parametrize("is_dark", [True, False])
@pytest.mark.parametrize("depth", SYSTEMS)
def test_every_class_has_a_region_of_its_own_on_which_signs_can_be_read(depth: Depth, is_dark: bool) -> None:
    colors = palette(depth, is_dark)
    papers = [colors.class_paper(index) for index in range(10)]
    assert len({written(paper, depth) for paper in papers}) == 10
    assert len({written(colors.class_color(index), depth) for index in range(10)}) == 10
    for index, paper in enumerate(papers):
        assert contrast(seen(colors.solid_ink(index, paper), depth), seen(paper, depth)) >= 2.7
        hollow = contrast(seen(colors.hollow_ink(index), depth), seen(paper, depth))
        assert hollow >= (1.8 if depth == "truecolor" else 2.7)


@pytest.mark.parametrize("is_dark", [True, False])
@pytest.mark.parametrize("depth", FEW)
def test_a_map_is_written_in_as_many_papers_as_it_has_classes(depth: Depth, is_dark: bool) -> None:
    figure = s.regions()
    colors = palette(depth, is_dark)
    cells = draw_regions(figure.arrays, 70, 20, colors)
    papers = {written(paper, depth) for row in cells.papers for paper in row if paper not in (None, colors.background)}
    assert len(papers) == 3


@pytest.mark.parametrize("is_dark", [True, False])
@pytest.mark.parametrize("depth", SYSTEMS)
def test_scales_only_get_lighter_or_only_darker(depth: Depth, is_dark: bool) -> None:
    colors = palette(depth, is_dark)
    for scale, sign in ((colors.signed_scale, 1), (colors.ink_scale, 1 if is_dark else -1)):
        shown = [seen((red, green, blue), depth) for red, green, blue in scale.tolist()]
        assert (np.diff([sign * lightness(color) for color in shown]) >= -1e-4).all()
        assert lightness(shown[0]) != lightness(shown[-1])


@pytest.mark.parametrize("is_dark", [True, False])
@pytest.mark.parametrize("depth", SYSTEMS)
def test_negative_is_blue_and_positive_is_not(depth: Depth, is_dark: bool) -> None:
    scale = palette(depth, is_dark).signed_scale
    shown = [seen((red, green, blue), depth) for red, green, blue in scale[[0, 80, 175, 255]].tolist()]
    reddish = [int(color[0]) - int(color[2]) for color in shown]
    assert max(reddish[:2]) < 0 <= min(reddish[2:])


@pytest.mark.parametrize("is_dark", [True, False])
@pytest.mark.parametrize("depth", FEW)
def test_tints_keep_their_hue_and_their_order(depth: Depth, is_dark: bool) -> None:
    colors = palette(depth, is_dark)
    for color, strong, weak in ((colors.error, 0, 2), (colors.primary, 2, 0)):
        tints = [seen(colors.mix(color, share), depth) for share in SHADES]
        away = [contrast(tint, seen(colors.background, depth)) for tint in tints]
        assert (np.diff(away) >= -0.35).all()
        assert away[-1] > away[0]
        assert all(tint[strong] > tint[weak] for tint in tints[1:])


@pytest.mark.parametrize("is_dark", [True, False])
def test_of_16_colours_no_line_has_a_paper_that_words_sink_into(is_dark: bool) -> None:
    theme = themes_for("standard")[0 if is_dark else 1]
    papers = (theme.background, theme.surface, theme.panel, theme.variables["footer-background"])
    assert len({written(Color.parse(str(paper)).rgb, "standard") for paper in papers}) == 1
    for ink in (theme.foreground, theme.primary, theme.accent, theme.warning, theme.error, theme.success):
        shown = seen(Color.parse(str(ink)).rgb, "standard")
        assert contrast(shown, seen(Color.parse(str(theme.background)).rgb, "standard")) >= 4.5


@pytest.mark.parametrize(
    ("term", "colorterm", "depth"),
    [("screen", "", "standard"), ("tmux-256color", "", "256"), ("screen", "truecolor", "truecolor")],
)
async def test_the_terminal_decides(
    term: str,
    colorterm: str,
    depth: Depth,
    scripted_runs: list[RunFolder],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("COLORTERM", colorterm)
    app: DltuiApp = request.getfixturevalue("app")
    async with app.run_test():
        assert palette_of(app).depth == depth
        assert app.current_theme == themes_for(depth)[0]
        assert app.current_theme.name == THEMES[0].name


def test_a_terminal_of_which_nothing_is_known_is_written_to_as_textual_does() -> None:
    assert depth_of(None) == "truecolor"
    assert depth_of("windows") == "standard"
