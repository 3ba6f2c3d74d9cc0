"""Pictures of every kind, at any size, from any file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine import events as ev
from engine.figures import Figure, FigureError, save_figure
from tests.tui import scripted as s
from tui.widgets.cells import Cells
from tui.widgets.extents import Look
from tui.widgets.figure_compare import draw_compare
from tui.widgets.figure_curve import fitted_curves
from tui.widgets.figure_gallery import draw_gallery
from tui.widgets.figure_matrix import draw_matrix
from tui.widgets.figure_regions import _Regions, draw_regions
from tui.widgets.figure_tiles import draw_mistakes, draw_weights
from tui.widgets.figure_view import FigureView, LoadedFigure, read_figure
from tui.widgets.palette import Palette
from tui.widgets.plot import draw_chart
from tui.widgets.resizing import resize

PALETTE = Palette(
    True,
    background=(16, 20, 27),
    foreground=(221, 227, 236),
    muted=(154, 167, 184),
    primary=(124, 192, 255),
    secondary=(127, 216, 201),
    accent=(242, 197, 114),
    success=(147, 214, 138),
    error=(255, 143, 136),
)
SIZES = [(10, 4), (24, 6), (40, 10), (66, 18), (78, 15), (120, 40)]
DRAW = {
    "regions": draw_regions,
    "matrix": draw_matrix,
    "mistakes": draw_mistakes,
    "weights": draw_weights,
    "gallery": draw_gallery,
    "compare": draw_compare,
}
FIGURES = [
    s.regions(),
    s.matrix(),
    s.mistakes(),
    s.mistakes(9, 28),
    s.mistakes(5, 32, in_color=True),
    s.weights(),
    s.features(),
    s.samples(),
    s.compare(),
]


def drawn(figure: Figure, width: int, height: int) -> Cells:
    return DRAW[figure.kind](figure.arrays, width, height, PALETTE)


def pixels(cells: Cells) -> int:
    return sum(paper is not None for row in cells.papers for paper in row)


@pytest.mark.parametrize(("width", "height"), [*SIZES, (1, 1), (3, 2), (200, 3), (2, 60), (0, 0)])
@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: f"{figure.name}-{len(figure.arrays)}")
def test_every_kind_fits_every_size(figure: Figure, width: int, height: int) -> None:
    strips = drawn(figure, width, height).strips()
    assert [strip.cell_length for strip in strips] == [width] * height
    assert all(sum(len(segment.text) for segment in strip) == width for strip in strips)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_regions_show_map_points_and_legend(width: int, height: int) -> None:
    cells = drawn(s.regions(), width, height)
    assert pixels(cells) > width * height // 6
    assert any(sign in cells.text() for sign in "●▲■")
    if width >= 40:
        assert all(name in cells.text() for name in ("● arm 1", "▲ arm 2", "■ arm 3"))
        assert "hollow model" in cells.text() or height < 9


def test_regions_tell_classes_without_colour_and_wrong_points_in_bold() -> None:
    figure = s.regions()
    figure.arrays["labels"][:] = 0
    cells = drawn(figure, 80, 24)
    assert all(sign in cells.text() for sign in "○△□")
    assert cells.bold
    assert "600 points" in cells.text()


def test_regions_show_every_wrong_point_and_say_how_many_are_drawn() -> None:
    figure = s.regions()
    cells = drawn(figure, 80, 24)
    text = {line: row for row, line in enumerate(cells.text().splitlines())}
    [sample] = [row for line, row in text.items() if "wrong" in line]
    [at] = [at for row, at in cells.bold if row == sample and cells.chars[row][at] == "●" and at > 60]
    regions = _Regions(figure.arrays)
    wrong = np.flatnonzero(regions.is_wrong)
    assert set(wrong.tolist()) <= set(regions.spread(24 * 60).tolist())
    [line] = [line for line in text if "drawn" in line]
    shown = int(line.split()[-2])
    assert len(wrong) < shown < 600
    # what stands for wrong points looks like them
    inside = {(row, column) for row, column in cells.bold if column < at - 1}
    assert {cells.inks[row][column] for row, column in inside} == {cells.inks[sample][at]} == {PALETTE.foreground}


@pytest.mark.parametrize("places", [12, 300, 5000])
def test_a_map_can_be_seen_behind_its_points(places: int) -> None:
    figure = s.regions()
    figure.arrays["labels"][:] = 0
    chosen = _Regions(figure.arrays).spread(places)
    assert len(set(chosen.tolist())) == len(chosen) <= max(8, places // 2)


def test_regions_of_many_classes_have_letters() -> None:
    figure = s.regions()
    figure.arrays["names"] = np.array([f"c{index}" for index in range(12)])
    figure.arrays["classes"][:] = 11
    assert "b" in drawn(figure, 60, 20).text().replace("bold", "")


def test_the_matrix_has_numbers_where_they_fit_and_shades_where_not() -> None:
    wide, tight = drawn(s.matrix(), 70, 18).text(), drawn(s.matrix(), 24, 8).text()
    assert "342 of 353 right (96.9%)" in wide
    assert "most often 3× 8 taken for 1" in wide
    assert "truth" in wide
    assert "91.9%" in wide
    assert "█" in tight
    assert "34" not in tight
    assert "█" in drawn(s.matrix(), 10, 4).text()


def test_a_matrix_of_two_classes_has_their_names() -> None:
    arrays = {"counts": np.array([[40, 2], [1, 71]]), "names": np.array(["malignant", "benign"])}
    text = draw_matrix(arrays, 60, 18, PALETTE).text()
    assert text.count("malignant") >= 2
    assert text.count("benign") >= 2


@pytest.mark.parametrize("width", [70, 62, 45])
def test_a_matrix_says_how_often_before_it_runs_out_of_room(width: int) -> None:
    arrays = {"counts": np.array([[38, 212], [0, 250]]), "names": np.array(["negative", "positive"])}
    text = draw_matrix(arrays, width, 18, PALETTE).text()
    assert "288 of 500 right (57.6%)" in text
    assert "212× negative" in text
    assert ("for positive" in text) == (width > 60)
    assert draw_matrix({**arrays, "counts": np.zeros((2, 2), int)}, 60, 18, PALETTE).text().count("nothing counted")


def test_mistakes_say_what_was_taken_for_what() -> None:
    figure = s.mistakes()
    text = drawn(figure, 78, 18).text()
    truth, guess = figure.arrays["truth"][0], figure.arrays["guess"][0]
    assert f"{truth} → {guess} 97%" in text
    assert text.count("→") >= 6
    none = {**figure.arrays, "images": np.zeros((0, 8, 8), np.uint8)}
    for name in ("truth", "guess", "confidence"):
        none[name] = none[name][:0]
    assert "nothing is wrong" in draw_mistakes(none, 70, 10, PALETTE).text()


def test_mistakes_in_colour_keep_their_colours() -> None:
    figure = s.mistakes(1, 8, in_color=True)
    figure.arrays["images"][:] = (200, 30, 90)
    cells = drawn(figure, 40, 12)
    assert {paper for row in cells.papers for paper in row} == {None, (200, 30, 90)}


def test_weights_have_a_scale_that_says_which_end_is_which() -> None:
    text = drawn(s.weights(), 78, 20).text()
    assert "−" in text
    assert "+" in text
    assert "T-shirt" in text
    brightness = PALETTE.signed_scale.astype(int).sum(axis=1)
    assert (np.diff(brightness) >= 0).all()


def test_a_scale_of_tiny_weights_is_spelled_like_an_axis() -> None:
    arrays = {"images": np.full((1, 4, 4), 3.4e-6, np.float32), "names": np.array(["a"])}
    text = draw_weights(arrays, 60, 12, PALETTE).text()
    assert "−3.4e-6" in text
    assert "+3.4e-6" in text


def test_compare_has_both_numbers_and_the_difference() -> None:
    text = drawn(s.compare(), 78, 12).text()
    assert all(word in text for word in ("w1", "1.999", "2.000", "-0.001300", "█", "┃"))


def test_curve_has_points_line_truth_and_boundary() -> None:
    arrays = {**s.curve().arrays, "boundary": np.array([2.5])}
    curves, marks = fitted_curves(arrays)
    assert [curve.label for curve in curves] == ["truth", "data", "model"]
    rows = draw_chart(curves, marks, 70, 18, Look(scale="number"))
    text = "\n".join("".join(run.text for run in row) for row in rows)
    assert "◆" in text
    assert "model" in text
    assert "flips at 2.5" in text


def test_pictures_shrink_by_means_and_grow_by_repeating() -> None:
    picture = np.arange(16.0).reshape(4, 4)
    np.testing.assert_allclose(resize(picture, 2, 2), [[2.5, 4.5], [10.5, 12.5]])
    np.testing.assert_allclose(resize(picture, 8, 4)[::2], picture)
    np.testing.assert_allclose(resize(np.array([[3.0, 6.0, 9.0]]), 1, 2), [[4, 8]])


# -- hostile files ---------------------------------------------------------------------------------------------------

ANY_ARRAY = hnp.arrays(
    st.sampled_from([np.float64, np.float32, np.int16, np.uint8, np.bool_, "U4"]),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6),
)
KEYS = {
    "regions": ("classes", "extent", "points", "labels", "names"),
    "matrix": ("counts", "names"),
    "mistakes": ("images", "truth", "guess", "confidence", "names"),
    "weights": ("images", "names"),
    "gallery": ("titles", "images_0", "images_1", "images_2"),
    "compare": ("names", "learned", "truth"),
    "curve": ("x", "y", "line_x", "line_y", "truth_y", "boundary"),
    "metrics": ("keys",),
    "hologram": (),
}


def view_of(kind: str, arrays: dict[str, Any]) -> list[str]:
    event = ev.FigureDrawn(step=1, name="it", kind=kind, title="It", file="figures/it.npz")
    view = FigureView(lambda keys: ([], [], Look()))
    view._figure = LoadedFigure(event, arrays)
    return ["".join(segment.text for segment in strip) for strip in view.draw(60, 12, PALETTE)]


@settings(max_examples=200)
@given(data=st.data(), kind=st.sampled_from(sorted(KEYS)))
def test_no_arrays_can_take_the_screen_down(data: st.DataObject, kind: str) -> None:
    names = data.draw(st.lists(st.sampled_from(KEYS[kind]), unique=True) if KEYS[kind] else st.just([]))
    lines = view_of(kind, {name: data.draw(ANY_ARRAY) for name in names})
    assert [len(line) for line in lines] == [60] * 12


@settings(max_examples=100)
@given(data=st.data(), figure=st.sampled_from([*FIGURES, s.curve()]))
def test_one_wrong_array_among_right_ones_is_one_line(data: st.DataObject, figure: Figure) -> None:
    name = data.draw(st.sampled_from(sorted(figure.arrays)))
    lines = view_of(figure.kind, {**figure.arrays, name: data.draw(ANY_ARRAY)})
    assert [len(line) for line in lines] == [60] * 12


@pytest.mark.parametrize("kind", sorted(set(KEYS) - {"hologram"}))
def test_a_missing_array_is_named(kind: str) -> None:
    text = " ".join(" ".join(view_of(kind, {})).split())
    assert f"'{KEYS[kind][0]}' is missing" in text


def test_a_kind_from_the_future_is_named() -> None:
    assert "no pictures of kind 'hologram'" in " ".join(" ".join(view_of("hologram", {})).split())


def test_names_cannot_smuggle_escapes_or_wide_characters() -> None:
    names = np.array(["\x1b[31mred", "漢字漢字", "[b]bold[/b]", "\u202eesrever"])
    counts = np.eye(4, dtype=int)
    strips = draw_matrix({"counts": counts, "names": names}, 70, 12, PALETTE).strips()
    text = "".join(segment.text for strip in strips for segment in strip)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert [strip.cell_length for strip in strips] == [70] * 12


def test_a_file_is_read_whole_or_its_damage_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    event = ev.FigureDrawn(step=1, name="confusion", kind="matrix", title="T", file="figures/confusion.npz")
    assert "can't be read" in read_figure(tmp_path, event).problem
    save_figure(tmp_path / "figures", s.matrix())
    assert read_figure(tmp_path, event).problem == ""
    data = (tmp_path / event.file).read_bytes()
    (tmp_path / event.file).write_bytes(data[: len(data) // 2])
    assert "can't be read" in read_figure(tmp_path, event).problem


def test_a_figure_outside_of_the_run_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    save_figure(tmp_path, s.matrix())
    event = ev.FigureDrawn(step=1, name="c", kind="matrix", title="T", file="../confusion.npz")
    assert "outside" in read_figure(tmp_path / "run", event).problem


def test_wrong_arrays_raise_what_the_view_catches() -> None:
    with pytest.raises(FigureError, match="not square"):
        draw_matrix({"counts": np.zeros((2, 3), int), "names": np.array(["a"])}, 10, 4, PALETTE)
