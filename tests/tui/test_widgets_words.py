"""Lines of words, at any size and from any file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.content import Content
from textual.style import Style
from textual.visual import RenderOptions

from engine.figures import FigureError
from tests.tui.test_widgets_figures import PALETTE
from tests.tui.text_scenes import spelling, telling_words
from tui.widgets.cells import Cells
from tui.widgets.figure_words import draw_words
from tui.widgets.lines import Fact, Lines

SIZES = [(0, 0), (1, 1), (3, 2), (10, 4), (24, 6), (66, 18), (78, 15), (120, 40), (2, 60), (200, 3)]


def drawn(width: int, height: int, **arrays: np.ndarray) -> Cells:
    return draw_words(arrays, width, height, PALETTE)


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("figure", [spelling(), spelling(-1), telling_words()], ids=["spelled", "nothing", "listed"])
def test_it_fits_every_size(figure: object, width: int, height: int) -> None:
    strips = draw_words(figure.arrays, width, height, PALETTE).strips()  # type: ignore[attr-defined]
    assert [strip.cell_length for strip in strips] == [width] * height


def test_letters_are_right_or_wrong_by_colour_and_count() -> None:
    cells = drawn(60, 12, **spelling(3).arrays)
    lines = cells.text().splitlines()
    row = next(index for index, line in enumerate(lines) if "epoch 3" in line)
    assert "o   h   l   l   l" in lines[row]
    assert "4 of 5" in lines[row]
    papers = [cells.papers[row][lines[row].index("o   h") + 4 * place] for place in range(5)]
    right, wrong = PALETTE.mix(PALETTE.success, 0.4), PALETTE.mix(PALETTE.error, 0.4)
    assert papers == [right, right, right, wrong, right]
    done = next(line for line in drawn(60, 12, **spelling(6).arrays).text().splitlines() if "epoch 6" in line)
    assert "✓" in done


def test_the_newest_lines_are_kept_and_what_is_wanted_stays_above() -> None:
    text = drawn(60, 8, **spelling(15).arrays).text()
    assert "wanted" in text
    assert "epoch 15" in text and "epoch 10" in text
    assert "epoch 9" not in text


def test_without_room_for_tiles_letters_stand_side_by_side_in_their_colours() -> None:
    cells = drawn(30, 12, **spelling(3).arrays)
    lines = cells.text().splitlines()
    row = next(index for index, line in enumerate(lines) if "epoch 3" in line)
    at = lines[row].index("ohlll")
    assert cells.inks[row][at : at + 5] == [PALETTE.success] * 3 + [PALETTE.error, PALETTE.success]


def test_a_text_that_is_too_long_or_too_short_is_not_all_right() -> None:
    arrays = {"labels": np.array(["a", "b"]), "texts": np.array(["ab", "abcd"]), "wanted": np.array(["abc"])}
    text = drawn(60, 8, **arrays).text()
    assert "2 of 3" in text and "3 of 4" in text
    assert "✓" not in text


def test_listed_words_wrap_beside_their_label() -> None:
    text = drawn(50, 10, **telling_words().arrays).text()
    assert text.index("negative   awful") < text.index("avoid") < text.index("positive   great")
    starts = {line.index(line.split()[0]) for line in text.splitlines() if line.strip() and "tive" not in line}
    assert starts == {12}


def test_every_label_keeps_a_line_where_there_is_little_room() -> None:
    text = drawn(30, 2, **telling_words().arrays).text()
    assert "negative" in text and "positive" in text


def test_escapes_markup_and_wide_letters_are_harmless() -> None:
    arrays = {"labels": np.array(["\x1b[31m", "漢字"]), "texts": np.array(["[b]a\x00\u202e[/b]", "🙂 ok"])}
    for wanted in ({}, {"wanted": np.array(["[b]\x1b"])}):
        cells = drawn(60, 8, **arrays, **wanted)
        assert not set("\x1b\x00\u202e漢🙂") & set(cells.text())
        assert [strip.cell_length for strip in cells.strips()] == [60] * 8


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "array 'labels' is missing"),
        ({"labels": np.array(["a"]), "texts": np.array(["a", "b"])}, "lengths differ"),
        ({"labels": np.array(["a"]), "texts": np.array("a")}, "dimensions"),
    ],
)
def test_other_arrays_are_refused(arrays: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(FigureError, match=message):
        drawn(20, 5, **arrays)


@settings(max_examples=200)
@given(
    label=st.text("key 鍵", max_size=12),
    words=st.lists(st.text("word 言葉", min_size=1, max_size=40), max_size=6),
    width=st.integers(2, 90),
)
def test_facts_take_as_many_lines_as_they_say_and_stay_within_their_pane(
    label: str, words: list[str], width: int
) -> None:
    text = " ".join(words)
    lines = Lines([Content(text), Fact(label, text), Fact(Content(label), text)])
    strips = lines.render_strips(width, None, Style(), RenderOptions(lambda _: Style(), {}))
    assert len(strips) == lines.get_height({}, width)
    assert all(strip.cell_length <= width for strip in strips)
