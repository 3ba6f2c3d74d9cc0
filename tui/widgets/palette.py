"""Colours for pictures made of characters, taken from the application's theme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.style import Style
from textual.app import App
from textual.color import Color, ColorParseError

from tui.color_depth import Depth, depth_of
from tui.widgets.curves import Role
from tui.widgets.few_colors import Rgb as Rgb
from tui.widgets.few_colors import class_inks, class_papers, nearest, signed_colors

_CLASSES_DARK = "7cc0ff f2c572 7fd8c9 ff8f88 c3a6ff 93d68a ff9fd0 d7b48a b8c0cc e6e27a"
_CLASSES_LIGHT = "0a529e b35c00 0b7a6f a31a12 6a3fb5 2f7d1f b0257f 7a5230 56606e 7d7400"
_TINT = 0.36
"""Share of a class's colour in the paper of its region."""

ROLE_COLORS = {
    Role.AXIS: "text-muted",
    Role.TRAIN: "primary",
    Role.VAL: "accent",
    Role.THIRD: "secondary",
    Role.FOURTH: "success",
    Role.FIFTH: "error",
    Role.SIXTH: "foreground",
    Role.OVERLAY: "text-muted",
    Role.BAD: "error",
}
"""The theme's colour of each role that is not a thinner one of another."""


@dataclass(frozen=True)
class Palette:
    """Colours of one theme, each (red, green, blue) from 0 to 255."""

    is_dark: bool
    background: Rgb
    foreground: Rgb
    muted: Rgb
    primary: Rgb
    secondary: Rgb
    accent: Rgb
    success: Rgb
    error: Rgb
    depth: Depth = "truecolor"
    """How many colours the terminal has."""

    @cached_property
    def classes(self) -> tuple[Rgb, ...]:
        """Ten colours for classes; an eleventh class takes the first again."""
        own = tuple(_hex(code) for code in (_CLASSES_DARK if self.is_dark else _CLASSES_LIGHT).split())
        return class_inks(self.depth, self.is_dark) or own

    @cached_property
    def class_papers(self) -> tuple[Rgb, ...]:
        """The colours of the regions of as many classes, for signs to stand on."""
        few = class_papers(self.depth, self.is_dark)
        return few or tuple(self.mix(color, _TINT) for color in self.classes)

    def class_color(self, index: int) -> Rgb:
        """The colour of a class."""
        return self.classes[index % len(self.classes)]

    def class_paper(self, index: int) -> Rgb:
        """The colour of the region of a class."""
        return self.class_papers[index % len(self.class_papers)]

    def solid_ink(self, index: int, paper: Rgb) -> Rgb:
        """The colour of a sign of a class on `paper`: the class's own, but of 16 colours one that can be read."""
        return self.ink(paper) if self.depth == "standard" else self.class_color(index)

    def hollow_ink(self, index: int) -> Rgb:
        """The same for a sign that steps back, in the region of its class."""
        if self.depth == "truecolor":
            return self.mix(self.class_color(index), 0.75)
        return self.solid_ink(index, self.class_paper(index))

    def mix(self, color: Rgb, share: float) -> Rgb:
        """`color` thinned with the background: all of it at 1, none at 0; the nearest that the terminal has."""
        share = min(1.0, max(0.0, share))
        red, green, blue = (round(low + share * (high - low)) for low, high in zip(self.background, color, strict=True))
        return nearest((red, green, blue), self.depth)

    def ink(self, paper: Rgb) -> Rgb:
        """The colour in which text can be read on `paper`."""
        return max((self.background, self.foreground), key=lambda ink: _contrast(ink, paper))

    @cached_property
    def roles(self) -> dict[Role, Style]:
        """The style of each role in a chart."""
        colors = {role: getattr(self, name.removeprefix("text-")) for role, name in ROLE_COLORS.items()}
        colors |= {
            Role.RAW_TRAIN: self.mix(self.primary, 0.35),
            Role.RAW_VAL: self.mix(self.accent, 0.35),
            Role.MARK: self.mix(self.foreground, 0.55),
        }
        return {role: style_of(color, None, False) for role, color in colors.items()}

    def scale(self, stops: tuple[Rgb, ...]) -> NDArray[np.uint8]:
        """(256, 3): colours that run evenly through `stops`."""
        places = np.linspace(0, 255, len(stops))
        channels = [np.interp(np.arange(256), places, [stop[index] for stop in stops]) for index in range(3)]
        return np.stack(channels, axis=1).round().astype(np.uint8)

    @cached_property
    def ink_scale(self) -> NDArray[np.uint8]:
        """(256, 3): from paper to ink, for grey pictures."""
        scale = self.scale((self.mix(self.foreground, 0.06), self.foreground))
        return scale if self.depth == "truecolor" else self._greys(scale)

    @cached_property
    def signed_scale(self) -> NDArray[np.uint8]:
        """(256, 3): negative dark, zero between, positive light, so that signs can be told without colour."""
        few = signed_colors(self.depth)
        if few:
            return np.array(few, dtype=np.uint8)[np.arange(256) * len(few) // 256]
        negative, zero, positive = ((20, 48, 110), (112, 118, 128), (255, 214, 130))
        return self.scale((negative, zero, positive))

    def _greys(self, scale: NDArray[np.uint8]) -> NDArray[np.uint8]:
        levels = scale.mean(1).round().astype(int).tolist()
        return np.array([nearest((level, level, level), self.depth) for level in levels], dtype=np.uint8)


@lru_cache(4096)
def style_of(color: Rgb | None, paper: Rgb | None, bold: bool) -> Style:
    """A rich style; there are few of them, and making one is dear."""
    return Style.from_color(
        None if color is None else Color(*color).rich_color, None if paper is None else Color(*paper).rich_color
    ) + Style(bold=bold or None)


def palette_of(app: App[Any]) -> Palette:
    """The palette of the theme that `app` shows."""
    theme = app.current_theme
    variables = tuple(sorted(app.theme_variables.items()))
    return _palette(theme.dark, variables, depth_of(app.console.color_system))


@lru_cache(8)
def _palette(is_dark: bool, variables: tuple[tuple[str, str], ...], depth: Depth) -> Palette:
    known = dict(variables)
    fallback = {"background": "#101010", "foreground": "#e0e0e0"} if is_dark else {}
    fallback = {"background": "#fbfbf9", "foreground": "#202020", **fallback}
    foreground = _color(known, "foreground", fallback["foreground"])
    background = _color(known, "background", fallback["background"])
    muted = background.blend(foreground, 0.6).hex
    return Palette(
        is_dark,
        background.rgb,
        foreground.rgb,
        _color(known, "text-muted", muted).rgb,
        _color(known, "primary", foreground.hex).rgb,
        _color(known, "secondary", foreground.hex).rgb,
        _color(known, "accent", foreground.hex).rgb,
        _color(known, "success", foreground.hex).rgb,
        _color(known, "error", foreground.hex).rgb,
        depth,
    )


def _color(variables: Mapping[str, str], name: str, fallback: str) -> Color:
    """A theme may say "auto 60%", or a terminal's own colour, which stand for no certain one."""
    try:
        color = Color.parse(variables.get(name, fallback))
    except ColorParseError:
        return Color.parse(fallback)
    return Color.parse(fallback) if color.ansi is not None or color.auto or color.a < 1 else color


def _hex(code: str) -> Rgb:
    return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)


def _contrast(one: Rgb, other: Rgb) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: Rgb) -> float:
    red, green, blue = color
    return float(0.2126 * (red / 255) ** 2.2 + 0.7152 * (green / 255) ** 2.2 + 0.0722 * (blue / 255) ** 2.2)
