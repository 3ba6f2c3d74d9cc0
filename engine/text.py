"""Text from outside, made safe to show."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def plain(text: str) -> str:
    """`text` on one line with nothing in it that a terminal would obey: no escapes, no bidirectional overrides."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\t", " ").replace("\n", " "))


def plain_lines(text: str) -> str:
    """Like `plain`, but line breaks stay."""
    return "\n".join(plain(line) for line in text.splitlines())
