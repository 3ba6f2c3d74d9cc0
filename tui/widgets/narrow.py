"""Text for pictures made of characters, where each one must take exactly one cell."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from engine.text import plain


def narrow(text: str, width: int | None = None) -> str:
    """`text` on one line with one cell per character; cut to `width` cells with an ellipsis if it is given."""
    text = plain(text)
    if not text.isascii():
        text = "".join(char if cell_len(char) == 1 else "?" for char in text)
    if width is None or len(text) <= width:
        return text
    return text[: width - 1] + "…" if width > 0 else ""


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` cells; both of its ends are kept, and an ellipsis stands for what is between them."""
    if cell_len(text) <= width:
        return text
    if width < 1:
        return ""
    tail = (width - 1) // 2
    return f"{set_cell_size(text, width - 1 - tail)}…{set_cell_size(text[::-1], tail)[::-1]}"
