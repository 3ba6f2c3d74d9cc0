"""Text from outside, made safe to show."""

from __future__ import annotations

import re

# controls, what turns or ends a line in Unicode's way, invisible marks and tags, halves of surrogate pairs
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e0fff]"
)
_MARKS = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_PILE = re.compile(f"({_MARKS}{{4}}){_MARKS}+")
"""More accents on a letter than any language puts there reach into the lines above and below."""


def plain(text: str) -> str:
    """`text` on one line with nothing in it that a terminal would obey: no escapes, no bidirectional overrides."""
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\t", " ").replace("\n", " "))
    return text if text.isascii() else _PILE.sub(r"\1", text)


def first_line(error: BaseException) -> str:
    """The first line of what an error says, or its type's name if it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def plain_lines(text: str) -> str:
    """Like `plain`, but line breaks stay."""
    return "\n".join(plain(line) for line in text.splitlines())
