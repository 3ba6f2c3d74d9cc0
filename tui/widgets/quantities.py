"""Numbers with units, as people read them."""

from __future__ import annotations

import math


def number(value: float | None) -> str:
    """Four digits that matter: 0.0342, 12.5, 1.2e-5, 1,234,567; "not finite" for what is no number."""
    if value is None or not math.isfinite(value):
        return "not finite"
    size = abs(value)
    if size == 0:
        return "0"
    if size < 1e-3 or size >= 1e9:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return f"{mantissa}e{int(exponent)}"
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{max(1, 3 - math.floor(math.log10(size)))}f}"


def short_number(value: float, digits: int = 3) -> str:
    """Digits that matter and no more, as one would write the value into a form: 0.001, 0.00316, 1e-5."""
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return text
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}"


def duration(seconds: float) -> str:
    """0.7 s, 0:00:42, 12:34:56, 5 d 4 h."""
    if not math.isfinite(seconds):
        return "?"
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = max(0, int(seconds))
    if whole >= 4 * 86400:
        return f"{whole // 86400} d {whole % 86400 // 3600} h"
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def size(count: int) -> str:
    """A number of bytes: 812 MB, 3.4 GB."""
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def rate(per_second: float) -> str:
    """How often something happens: 12,345/s, 3.2/s, 0.041/s."""
    if per_second >= 100:
        return f"{per_second:,.0f}/s"
    if per_second >= 1:  # always three digits: one fewer for a moment would move all that stands to the right
        return f"{per_second:.{1 if per_second >= 9.995 else 2}f}/s"
    return f"{per_second:.3g}/s"
