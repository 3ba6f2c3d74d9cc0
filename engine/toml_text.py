"""TOML from outside, parsed in bounded time; and written so that it can be parsed again."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from engine.text import plain

LIMIT_BYTES = 64 << 10
"""More is no configuration: the largest shipped preset takes one kilobyte."""
DEPTH_LIMIT = 32
# possessive: every part is looked at a bounded number of times, whatever is in it
_PART = r"""(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_DEEP_KEY = re.compile(rf"(?<![\w\\-])(?:{_PART}[ \t]*+\.[ \t]*+){{{DEPTH_LIMIT}}}", re.ASCII)


class TomlError(ValueError):
    """Text that is no TOML, or too much of it; the message is one line, and names line and column where it can."""


def parse_toml(data: bytes) -> dict[str, Any]:
    """The tree in `data`.

    Raises:
        TomlError: it is too large, not UTF-8, nested too deeply, or not TOML.
    """
    if len(data) > LIMIT_BYTES:
        raise TomlError(f"larger than {LIMIT_BYTES >> 10} KiB, too large for a configuration")
    try:
        text = data.decode("utf-8-sig")  # some editors put a mark before it
    except UnicodeDecodeError:
        raise TomlError("not UTF-8 text") from None
    # the time that tomllib takes over a dotted key grows with the square of its length
    if _DEEP_KEY.search(text):
        raise TomlError(f"nested too deeply: keys have at most {DEPTH_LIMIT} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise TomlError("nested too deeply") from None
    except ValueError as error:  # what is no TOML, and numbers of thousands of digits
        raise TomlError(plain(str(error))[:300]) from None


def dump_toml(tree: Mapping[str, Any]) -> bytes:
    """`tree` as TOML that `parse_toml` takes back. Escapes make it longer than the text that it was read from.

    Raises:
        TomlError: it would be too large or nested too deeply to be read again.
        UnicodeEncodeError: it holds what is no text, as names of files may.
    """
    import tomlkit  # takes a while, and only writing needs it

    try:
        data = tomlkit.dumps(tree).encode("utf-8")
    except RecursionError:
        raise TomlError("nested too deeply") from None
    parse_toml(data)
    return data
