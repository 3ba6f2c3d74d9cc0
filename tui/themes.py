"""The two themes: calm, with text that keeps at least 7:1 contrast to what it stands on, dim text 4.5:1."""

from __future__ import annotations

from textual.theme import Theme

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
