"""From text to words, and from words to numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.vocabulary import PADDING, SPECIAL, UNKNOWN, encode, learn_vocabulary, words_of

TEXTS = st.lists(st.text(st.sampled_from("abcAB12 '_.\u2019é\n<br/>"), max_size=40), max_size=8)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A Great film!", ["a", "great", "film"]),
        ("good<br /><br />bad<br/>ugly", ["good", "bad", "ugly"]),
        ("it's 'quoted', isn't it''s", ["it's", "quoted", "isn't", "it", "s"]),
        ("it\u2019s", ["it's"]),
        ("10/10 snake_case e-mail", ["10", "10", "snake", "case", "e", "mail"]),
        ("Été ÜBER 漢字", ["été", "über", "漢字"]),
        ("\x1b[31mred\x00", ["31mred"]),
        (" . ' -- <br />", []),
        ("", []),
    ],
)
def test_words_are_runs_of_letters_digits_and_apostrophes_between_them(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_the_most_frequent_words_come_first_and_ties_by_their_letters() -> None:
    vocabulary, ids = learn_vocabulary(["b a c", "c b", "d"], 6, 4)
    assert vocabulary == (*SPECIAL, "b", "c", "a", "d")
    assert ids.tolist() == [[2, 4, 3, PADDING], [3, 2, PADDING, PADDING], [5, PADDING, PADDING, PADDING]]
    assert learn_vocabulary(["d", "c b", "b a c"], 6, 4)[0] == vocabulary


def test_rare_words_are_unknown_and_long_texts_are_cut() -> None:
    vocabulary, ids = learn_vocabulary(["a a a b b c"], 4, 5)
    assert vocabulary == (*SPECIAL, "a", "b")
    assert ids.tolist() == [[2, 2, 2, 3, 3]]
    assert encode(["c nothing a"], vocabulary, 5).tolist() == [[UNKNOWN, UNKNOWN, 2, PADDING, PADDING]]


def test_what_stands_for_padding_and_the_unknown_is_never_a_word() -> None:
    assert encode([" ".join(SPECIAL)], SPECIAL, 2).tolist() == [[UNKNOWN, UNKNOWN]]


@given(TEXTS, st.integers(3, 9), st.integers(1, 6))
def test_learning_and_encoding_agree(texts: list[str], size: int, length: int) -> None:
    vocabulary, ids = learn_vocabulary(texts, size, length)
    assert len(vocabulary) <= size
    assert len(set(vocabulary)) == len(vocabulary)
    assert ids.shape == (len(texts), length)
    assert (encode(texts, vocabulary, length) == ids).all()
