"""The keys of Configure."""

from __future__ import annotations

from textual.binding import Binding, BindingType

KEYS: list[BindingType] = [
    Binding("f5,ctrl+g", "start", "Start", id="configure.start", tooltip="Train this, once every value is right"),
    Binding("ctrl+r", "reset", "Reset", id="configure.reset", tooltip="Give the field the preset's value again"),
    Binding("ctrl+s", "save", "Save", id="configure.save", tooltip="Save all of this as a preset of your own"),
    Binding(
        "f8",
        "reset_all",
        "Reset all",
        show=False,
        id="configure.reset_all",
        tooltip="Give every field the preset's value",
    ),
    Binding(
        "f4",
        "layers",
        "Layers",
        id="configure.layers",
        tooltip="Show or hide what the network is made of, layer by layer",
    ),
    # priority: a field of a number has no use for it; where it can be typed `check_action` lets it pass
    Binding(
        "slash",
        "find",
        "Find",
        key_display="/",
        show=False,
        priority=True,
        id="configure.find",
        tooltip="Go to a field by its name, from any but those of text",
    ),
    Binding("f1", "app.help", "Help", id="configure.help", tooltip="Every key of this place"),
    Binding("question_mark", "app.help", "Help", show=False),  # for where it can't be typed
    Binding("down", "app.focus_next", "Next", show=False, tooltip="The next field"),
    Binding("up", "app.focus_previous", "Previous", show=False, tooltip="The field before"),
    Binding("escape", "back", "Back", id="configure.back", tooltip="Back to Home; changes are kept"),
]
