"""Charts, as the characters they are made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tui.widgets.curves import Curve, Role
from tui.widgets.extents import Look, Mark, Marker
from tui.widgets.plot import Drawing, _axes, _frame, _Place, draw_chart
from tui.widgets.raster import Raster


def curve(y: list[float] | np.ndarray, label: str = "train", role: Role = Role.TRAIN) -> Curve:
    values = np.array(y, dtype=np.float64)
    return Curve(label, np.arange(1.0, len(values) + 1), values, role)


def text(drawing: Drawing) -> str:
    return "\n".join("".join(run.text for run in row) for row in drawing)


def chars_of(drawing: Drawing, role: Role) -> str:
    return "".join(run.text for row in drawing for run in row if run.role is role)


FALLING = curve(np.exp(-np.linspace(0, 4, 200)))


@settings(max_examples=150)
@given(
    data=st.lists(
        hnp.arrays(np.float64, st.integers(0, 120), elements=st.floats(width=64), fill=st.nothing()), max_size=3
    ),
    width=st.integers(0, 60),
    height=st.integers(0, 20),
    look=st.builds(
        Look,
        log_y=st.booleans(),
        scale=st.sampled_from(["steps", "epochs", "time", "number"]),
        marker=st.sampled_from(["braille", "hd", "dot"]),
        is_share=st.booleans(),
    ),
    marks=st.lists(st.builds(Mark, st.floats(-1e3, 1e3), st.sampled_from(["", "paused", "\x1b[2J漢字", "lr 0.1"]))),
)
def test_any_data_in_any_size_fills_exactly_its_place(
    data: list[np.ndarray], width: int, height: int, look: Look, marks: list[Mark]
) -> None:
    curves = [curve(y, f"curve {index}", Role(index + 1)) for index, y in enumerate(data)]
    drawing = draw_chart(curves, marks, width, height, look)
    assert len(drawing) == (height if width else 0)
    assert all(sum(len(run.text) for run in row) == width for row in drawing)
    assert "\x1b" not in text(drawing)


def test_the_last_value_carries_its_sign_and_its_name() -> None:
    lines = text(draw_chart([FALLING, curve(np.full(200, 0.5), "val", Role.VAL)], [], 70, 20, Look())).splitlines()
    assert any(line.rstrip().endswith("◆ val") for line in lines)
    assert any(line.rstrip().endswith("● train") for line in lines)


def test_names_that_end_together_get_lines_of_their_own() -> None:
    curves = [curve([1.0, 0.50], "train"), curve([1.0, 0.51], "val", Role.VAL), curve([1, 0.52], "b", Role.THIRD)]
    names = [
        line.split()[-1] for line in text(draw_chart(curves, [], 60, 12, Look())).splitlines() if line[-6:].strip()
    ]
    assert [name for name in names if name in ("train", "val", "b")] == ["b", "val", "train"]


def test_one_point_is_visible() -> None:
    assert "●" in text(draw_chart([curve([0.7])], [], 40, 10, Look()))


def test_a_point_between_gaps_is_visible() -> None:
    drawing = draw_chart([curve([1, np.nan, 2, np.nan, 3])], [], 50, 10, Look(names_at_ends=False))
    assert chars_of(drawing, Role.TRAIN).count("●") == 3


def test_what_is_not_finite_is_marked_at_the_top_and_leaves_a_gap() -> None:
    values = np.linspace(1, 0, 300)
    values[100:140] = np.nan
    values[200] = np.inf
    drawing = draw_chart([curve(values)], [], 70, 20, Look())
    assert chars_of([drawing[0]], Role.BAD).count("×") >= 8
    assert all(run.role is not Role.BAD for row in drawing[1:] for run in row)


def test_all_nan_is_a_chart_of_marks() -> None:
    assert "×" in chars_of(draw_chart([curve([np.nan] * 5)], [], 40, 10, Look()), Role.BAD)


def test_log_axis_reads_powers_of_ten() -> None:
    drawing = text(draw_chart([curve(10.0 ** -np.linspace(-0.2, 4.2, 100))], [], 70, 22, Look(log_y=True)))
    assert [label for label in ("1┤", "0.1┤", "0.01┤", "1e-3┤", "1e-4┤") if label not in drawing] == []


def test_values_without_a_logarithm_are_marked_at_the_bottom() -> None:
    drawing = draw_chart([curve([1.0, 0.1, 0.0, -1.0, 0.5])], [], 60, 12, Look(log_y=True))
    # above the axis and its labels
    assert chars_of([drawing[-3]], Role.BAD) == "××"


def test_an_accuracy_of_one_does_not_lift_the_axis_above_one() -> None:
    drawing = text(draw_chart([curve([0.5, 0.9, 1.0, 1.0])], [], 60, 16, Look(is_share=True)))
    assert "1.0┤" in drawing
    assert "1.1" not in drawing


@pytest.mark.parametrize("height", [8, 12, 18, 21])
def test_the_ends_of_an_axis_are_drawn_at_the_height_of_their_ticks(height: int) -> None:
    values = [0.5] * 30 + [0.0] * 60 + [1.0] * 60
    for look in (Look(is_share=True), Look(ends=(0.0, 1.0))):
        drawing = draw_chart([curve(values, "")], [], 60, height, look)
        rows = {line.partition("┤")[0].strip(): line for line in text(drawing).splitlines() if "┤" in line}
        assert [char in rows[tick] for tick in ("0", "1.0") for char in "⠤⠒⠉⣀"] == [
            True,
            *[False] * 4,
            True,
            False,
            False,
        ]


def test_marks_stand_behind_the_curves_with_their_labels_above() -> None:
    marks = [Mark(50, "lr 0.003"), Mark(54, "paused"), Mark(150, "resumed"), Mark(1e9, "elsewhere")]
    drawing = draw_chart([FALLING], marks, 80, 20, Look())
    assert "lr 0.003" in text(drawing[:2])
    assert "paused" in text([drawing[0]])
    assert "resumed" in text([drawing[0]])
    assert "elsewhere" not in text(drawing)
    assert chars_of(drawing, Role.MARK).count("┊") > 20
    assert "●" in text(drawing)


def test_where_labels_crowd_the_last_ones_stay() -> None:
    marks = [Mark(100 + 4 * number, f"lr 0.00{number}") for number in range(1, 5)]
    drawing = text(draw_chart([FALLING], marks, 80, 20, Look()))
    assert [mark.label for mark in marks if mark.label in drawing] == ["lr 0.003", "lr 0.004"]


def test_two_curves_share_a_cell_without_wiping_each_other_out() -> None:
    below, above = curve(np.full(50, 0.50)), curve(np.full(50, 0.51), "val", Role.VAL)
    low = curve([0.0, 1.0], "", Role.THIRD)
    alone = text(draw_chart([low, below], [], 40, 10, Look(names_at_ends=False)))
    both = text(draw_chart([low, below, above], [], 40, 10, Look(names_at_ends=False)))
    for before, after in zip(alone, both, strict=True):
        if "\u2801" <= before <= "\u28ff" and "\u2801" <= after <= "\u28ff":
            assert ord(before) & ~ord(after) == 0


places = st.lists(
    st.builds(
        _Place, st.floats(0, 1) | st.sampled_from([0.0, 1.0]), st.text("0123456789.,ke-", min_size=1, max_size=8)
    ),
    max_size=8,
).map(lambda ticks: tuple(sorted(ticks)))


@settings(max_examples=200)
@given(width=st.integers(22, 200), height=st.integers(5, 60), x_ticks=places, y_ticks=places)
def test_axes_are_those_of_a_whole_chart(
    width: int, height: int, x_ticks: tuple[_Place, ...], y_ticks: tuple[_Place, ...]
) -> None:
    assert tuple(_axes(width, height, x_ticks, y_ticks)) == _frame(width, height, x_ticks, y_ticks)


def test_small_charts_give_up_axes_before_curves() -> None:
    drawing = text(draw_chart([FALLING], [], 8, 3, Look()))
    assert "│" not in drawing
    assert any("\u2801" <= char <= "\u28ff" for char in drawing)


@pytest.mark.parametrize(
    ("marker", "least", "most"), [("braille", "\u2801", "\u28ff"), ("hd", "▀", "▟"), ("dot", "•", "•")]
)
def test_markers(marker: str, least: str, most: str) -> None:
    drawing = draw_chart([FALLING], [], 60, 15, Look(marker=marker, names_at_ends=False))  # type: ignore[arg-type]
    drawn = chars_of(drawing, Role.TRAIN).replace("●", "")
    assert drawn
    assert all(least <= char <= most for char in drawn)


@settings(max_examples=60)
@given(
    points=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=12),
    marker=st.sampled_from(["braille", "hd", "dot"]),
)
def test_lines_have_no_holes(points: list[tuple[float, float]], marker: Marker) -> None:
    raster = Raster(30, 12, marker)
    x, y = np.array(sorted(point[0] for point in points)), np.array([point[1] for point in points])
    raster.add(x, y, Role.TRAIN)
    cells = {(cell.column, cell.row) for cell in raster.cells()}
    reached, edge = set(), {next(iter(cells))}
    while edge:
        reached |= edge
        around = {(c + dc, r + dr) for c, r in edge for dc in (-1, 0, 1) for dr in (-1, 0, 1)}
        edge = (around & cells) - reached
    assert reached == cells
    for at_x, at_y in zip(x.tolist(), y.tolist(), strict=True):
        assert (raster.column(at_x), 11 - raster.line(at_y)) in cells


def test_raw_curves_give_way() -> None:
    raster = Raster(10, 4, "braille")
    flat = np.array([0.5, 0.5])
    raster.add(np.array([0.0, 1.0]), np.array([0.0, 1.0]), Role.RAW_TRAIN)
    raster.add(np.array([0.0, 1.0]), flat, Role.TRAIN)
    alone = Raster(10, 4, "braille")
    alone.add(np.array([0.0, 1.0]), flat, Role.TRAIN)
    drawn = [cell for cell in raster.cells() if cell.role is Role.TRAIN]
    assert drawn == alone.cells()


def test_the_corner_of_the_canvas_is_drawn_like_any_other_cell() -> None:
    rising = curve(np.linspace(0, 1, 50), "", Role.RAW_TRAIN)
    drawing = draw_chart([rising], [], 40, 12, Look(scale="number", is_share=True))
    corner = "".join(run.text for run in drawing[-3]).partition("┤")[2][0]
    assert "\u2801" <= corner <= "\u28ff"
