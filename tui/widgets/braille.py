"""Characters of two by four dots."""

from __future__ import annotations

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot, from the top."""
BLANK = 0x2800
"""The character without dots; bits are added to it."""
