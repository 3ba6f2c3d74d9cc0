"""The two themes: calm, with text that keeps at least 7:1 contrast to what it stands on, dim text 4.5:1."""

from __future__ import annotations

from dataclasses import replace

from textual.theme import Theme

from tui.color_depth import Depth

DARK = Theme(
    name="dltui-dark",
    dark=True,
    background="#10141b",
    surface="#171d27",
    panel="#222b38",
    foreground="#dde3ec",
    primary="#7cc0ff",
    secondary="#7fd8c9",
    accent="#f2c572",
    success="#93d68a",
    warning="#f2c572",
    error="#ff9f98",
    variables={
        "block-cursor-foreground": "#ffffff",
        "block-cursor-background": "#1f4a78",
        "block-cursor-blurred-foreground": "#dde3ec",
        "block-cursor-blurred-background": "#252f3d",
        "border": "#7cc0ff",
        "border-blurred": "#3a4658",
        "footer-background": "#1b2330",
        "footer-key-foreground": "#f2c572",
        "text-muted": "#9aa7b8",
        "text-disabled": "#8391a4",
        "input-selection-background": "#7cc0ff 30%",
    },
)

LIGHT = Theme(
    name="dltui-light",
    dark=False,
    background="#fbfbf9",
    surface="#f1f3f2",
    panel="#e3e7e8",
    foreground="#1a222c",
    primary="#0a529e",
    secondary="#0b5f57",
    accent="#7a4700",
    success="#17602a",
    warning="#7a4700",
    error="#a31a12",
    variables={
        "block-cursor-foreground": "#000000",
        "block-cursor-background": "#bfdcf8",
        "block-cursor-blurred-foreground": "#1a222c",
        "block-cursor-blurred-background": "#e1e8ee",
        "border": "#0a529e",
        "border-blurred": "#b4bfca",
        "footer-background": "#e3e7e8",
        "footer-key-foreground": "#7a4700",
        "text-muted": "#55606e",
        "text-disabled": "#626d7b",
        "input-selection-background": "#0a529e 25%",
    },
)

THEMES = (DARK, LIGHT)
"""For terminals with all colours."""

_DARK_256 = replace(
    DARK,
    surface="#1c1c1c",
    panel="#303030",
    foreground="#e4e4e4",
    variables=DARK.variables
    | {"footer-background": "#262626", "block-cursor-blurred-background": "#3a3a3a", "text-muted": "#a8a8a8"},
)
_LIGHT_256 = replace(LIGHT, variables=LIGHT.variables | {"border-blurred": "#bcbcbc"})
"""Of 256 colours: where bluish greys would turn navy or lavender they are plain ones."""

_DARK_16 = replace(
    DARK,
    background="#000000",
    surface="#000000",
    panel="#000000",
    foreground="#ffffff",
    primary="#55ffff",
    secondary="#ff55ff",
    accent="#ffff55",
    success="#55ff55",
    warning="#ffff55",
    error="#ff5555",
    variables={
        "block-cursor-foreground": "#ffffff",
        "block-cursor-background": "#0000aa",
        "block-cursor-blurred-foreground": "#ffffff",
        "block-cursor-blurred-background": "#000000",
        "border": "#55ffff",
        "border-blurred": "#555555",
        "footer-background": "#000000",
        "footer-key-foreground": "#ffff55",
        "text-muted": "#aaaaaa",
        "text-disabled": "#aaaaaa",
        "input-selection-background": "#0000aa",
    },
)
_LIGHT_16 = replace(
    LIGHT,
    background="#ffffff",
    surface="#ffffff",
    panel="#ffffff",
    foreground="#000000",
    primary="#0000aa",
    secondary="#aa00aa",
    accent="#aa0000",
    success="#000000",
    warning="#aa0000",
    error="#aa0000",
    variables={
        "block-cursor-foreground": "#000000",
        "block-cursor-background": "#55ffff",
        "block-cursor-blurred-foreground": "#000000",
        "block-cursor-blurred-background": "#ffffff",
        "border": "#0000aa",
        "border-blurred": "#aaaaaa",
        "footer-background": "#ffffff",
        "footer-key-foreground": "#aa0000",
        "text-muted": "#555555",
        "text-disabled": "#555555",
        "input-selection-background": "#55ffff",
    },
)


def themes_for(depth: Depth) -> tuple[Theme, Theme]:
    """Both themes, under their names, in the colours that a terminal has.

    Of 16 colours none is a shade between background and text: there no line has a paper of its own but the cursor's.
    """
    if depth == "standard":
        return _DARK_16, _LIGHT_16
    return (_DARK_256, _LIGHT_256) if depth == "256" else THEMES
