"""The keys of Home."""

from __future__ import annotations

from textual.binding import Binding, BindingType

KEYS: list[BindingType] = [
    Binding(
        "n",
        "configure",
        "New run",
        id="home.new",
        tooltip="Configure a run of the preset, or another like this run",
    ),
    Binding("r", "resume", "Resume", id="home.resume", tooltip="Go on with a run that stopped, failed or died"),
    Binding("d", "delete", "Delete", show=False, id="home.delete", tooltip="Delete the folder of a run that has ended"),
    # priority: what is typed right after it must reach the search line, however slow the connection
    Binding(
        "slash",
        "search",
        "Search",
        key_display="/",
        priority=True,
        id="home.search",
        tooltip="Search presets and runs",
    ),
    Binding("escape", "end_search", "Clear search", id="home.end_search", tooltip="Show everything again"),
    Binding("shift+down", "scroll_about(1)", "Scroll", show=False, tooltip="Scroll the description down"),
    Binding("shift+up", "scroll_about(-1)", "Scroll", show=False, tooltip="Scroll the description up"),
    Binding("down", "move_in_found(True)", show=False),
    Binding("up", "move_in_found(False)", show=False),
    Binding("tab", "app.focus_next", "Switch list", show=False, tooltip="Between presets and runs"),
    Binding("q", "app.quit", "Quit", id="home.quit", tooltip="Leave dltui; runs go on without it"),
]
