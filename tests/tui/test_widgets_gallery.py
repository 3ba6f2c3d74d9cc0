"""Galleries: where pictures go, how large they are, and in which colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.figures import FigureError
from tests.tui import scripted as s
from tests.tui.test_widgets_figures import PALETTE
from tui.widgets.cells import Cells
from tui.widgets.figure_gallery import draw_gallery
from tui.widgets.gallery_layout import READABLE, Block, Shape, lay_out

SHAPES = st.lists(
    st.builds(Shape, st.integers(0, 300), st.integers(1, 80), st.integers(1, 80), st.integers(1, 40)),
    min_size=1,
    max_size=6,
)


def gallery(*groups: tuple[str, Any], size: tuple[int, int] = (60, 14)) -> Cells:
    arrays = {f"images_{place}": images for place, (_, images) in enumerate(groups)}
    return draw_gallery({"titles": np.array([title for title, _ in groups]), **arrays}, *size, PALETTE)


def covered(block: Block) -> tuple[range, range]:
    """Lines and columns of cells that a group takes with its heading."""
    wide = max(block.grid.pixels[1], block.width)
    return range(block.line, block.line + 1 + block.grid.lines), range(block.column, block.column + wide)


@settings(max_examples=200)
@given(shapes=SHAPES, width=st.integers(1, 200), height=st.integers(1, 60))
def test_groups_lie_inside_and_not_upon_each_other(shapes: list[Shape], width: int, height: int) -> None:
    blocks = lay_out(tuple(shapes), width, height)
    assert [block.group for block in blocks] == list(range(len(blocks)))
    taken: set[tuple[int, int]] = set()
    for block in blocks:
        lines, columns = covered(block)
        assert lines.stop <= height
        assert columns.stop <= width
        cells = {(line, column) for line in lines for column in columns}
        assert not cells & taken
        taken |= cells
        assert block.shown <= shapes[block.group].total
        assert block.shown <= block.grid.across * block.grid.down
        assert block.shown == shapes[block.group].total or block.shown == block.grid.across * block.grid.down


@pytest.mark.parametrize(("width", "height"), [(58, 12), (60, 14), (78, 16), (138, 40)])
def test_generated_pictures_can_be_made_out_and_fill_the_pane(width: int, height: int) -> None:
    for side in (28, 32, 64):
        (block,) = lay_out((Shape(64, side, side, 8),), width, height)
        assert min(block.grid.tall, block.grid.wide) >= READABLE - 2
        tall, wide = block.grid.pixels
        assert tall * wide > 0.6 * width * 2 * (height - 1)
        if (width, height) == (138, 40):
            assert block.shown >= 56


def test_all_pictures_are_shown_as_large_as_they_may_be() -> None:
    (block,) = lay_out((Shape(16, 28, 28, 8),), 138, 45)
    assert block.shown == 16
    assert (block.grid.across, block.grid.down) == (6, 3)
    assert block.grid.tall == 22  # at 23 a row would have only 5 of them


def test_what_becomes_of_one_picture_stands_beside_it() -> None:
    shapes = (Shape(1, 28, 28, 10), Shape(10, 5, 5, 24), Shape(10, 24, 24, 14), Shape(20, 8, 8, 14))
    lead, *others = lay_out(shapes, 138, 40)
    assert (lead.grid.tall, lead.grid.wide, lead.line, lead.column) == (28, 28, 0, 0)
    assert {block.column for block in others} == {30}
    assert [block.shown for block in others] == [10, 10, 20]
    small = lay_out(shapes, 60, 14)
    assert small[0].grid.tall == 14
    assert len(small) == 4
    assert all(block.shown >= 4 for block in small[1:])


def test_a_heading_says_how_many_of_how_many() -> None:
    text = gallery(("epoch 3", np.zeros((64, 32, 32), np.uint8))).text()
    assert "epoch 3  10 of 64" in text
    assert "of" not in gallery(("epoch 3", np.zeros((2, 8, 8), np.uint8))).text()


def test_grey_colour_and_signed_pictures_have_their_own_colours() -> None:
    grey = gallery(("g", np.full((1, 4, 4), 255, np.uint8)))
    color = gallery(("c", np.full((1, 4, 4, 3), (10, 250, 90), np.uint8)))
    signs = np.ones((2, 4, 4), np.float32)
    signs[0] = -1
    signed = gallery(("s", signs))
    assert {paper for row in grey.papers for paper in row} == {None, tuple(PALETTE.ink_scale[255].tolist())}
    assert {paper for row in color.papers for paper in row} == {None, (10, 250, 90)}
    ends = {tuple(PALETTE.signed_scale[end].tolist()) for end in (0, 255)}
    assert ends <= {paper for row in signed.papers for paper in row}
    assert "−1" in signed.text() and "+1" in signed.text()


def test_a_stray_weight_does_not_pale_the_others() -> None:
    images = np.full((10, 10, 10), 0.1, np.float32)
    images[0, 0, 0] = 50.0
    images[0, 0, 1] = np.nan
    brightest = tuple(PALETTE.signed_scale[255].tolist())
    papers = [paper for row in gallery(("s", images), size=(138, 40)).papers for paper in row]
    assert papers.count(brightest) > 500


def test_between_pictures_the_pane_shows() -> None:
    cells = gallery(("two by two", np.full((4, 8, 6), 255, np.uint8)), size=(13, 10))
    lines = cells.text().splitlines()[1:]
    # row 8 of the pixels is between pictures: the next ones begin in the lower half of a cell
    assert lines[4] == "▄▄▄▄▄▄ ▄▄▄▄▄▄" and lines[8] == "▀▀▀▀▀▀ ▀▀▀▀▀▀"
    assert all(cells.papers[row][column] is None for row in (5, 9) for column in range(13))
    assert all(cells.papers[row][6] is None for row in range(10))
    assert all(paper for row in (1, 2, 3, 4, 6, 7, 8) for at, paper in enumerate(cells.papers[row]) if at != 6)


def test_nothing_and_damage_are_said() -> None:
    assert "no pictures" in gallery().text()
    assert "none here" in gallery(("none here", np.zeros((0, 8, 8), np.uint8))).text()
    with pytest.raises(FigureError, match="no pixels"):
        gallery(("flat", np.zeros((3, 0, 8), np.uint8)))
    with pytest.raises(FigureError, match="4 colours, not 3"):
        gallery(("rgba", np.zeros((3, 8, 8, 4), np.uint8)))
    with pytest.raises(FigureError, match="'images_1' is missing"):
        draw_gallery({"titles": np.array(["a", "b"]), "images_0": np.zeros((1, 2, 2), np.uint8)}, 60, 14, PALETTE)


def test_groups_without_end_are_only_looked_at_as_far_as_they_are_seen() -> None:
    titles = np.array([str(place) for place in range(10_000)])
    arrays = {f"images_{place}": np.zeros((1, 2, 2), np.uint8) for place in range(20)}
    assert draw_gallery({"titles": titles, **arrays}, 60, 14, PALETTE).text().count("\n") == 13


def test_features_are_drawn_from_input_to_last_map() -> None:
    text = draw_gallery(s.features().arrays, 138, 40, PALETTE).text()
    places = [
        text.index(word) for word in ("input: a 7", "filters of block1.conv1", "maps of block1", "maps of block2")
    ]
    assert places == sorted(places)
