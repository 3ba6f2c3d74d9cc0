"""Text from outside."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.text import plain, plain_lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("résumé, 日本, 🌀", "résumé, 日本, 🌀"),
        ("a\tb\nc\r\nd", "a b c d"),
        ("\x1b[31mred\x1b[0m", "�[31mred�[0m"),
        ("back\x08space\x7f", "back�space�"),
        ("\x9b31m", "�31m"),
        ("abc\u202egnp.exe", "abc�gnp.exe"),
        ("\ud800", "�"),
    ],
)
def test_nothing_is_left_that_a_terminal_would_obey(text: str, expected: str) -> None:
    assert plain(text) == expected


@given(st.text())
def test_whatever_comes_in_one_harmless_line_comes_out(text: str) -> None:
    shown = plain(text)
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in shown)
    assert plain(shown) == shown


@given(st.text())
def test_lines_stay_lines_and_are_each_as_harmless(text: str) -> None:
    assert all(plain(line) == line for line in plain_lines(text).split("\n"))
