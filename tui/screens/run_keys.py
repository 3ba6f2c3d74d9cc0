"""The keys of a run's screen."""

from __future__ import annotations

from textual.binding import Binding, BindingType

KEYS: list[BindingType] = [
    Binding("space", "pause", "Pause", id="run.pause", tooltip="Pause the run, or go on with it"),
    Binding("s", "stop", "Stop", id="run.stop", tooltip="End the run; asks once, and leaves a checkpoint"),
    Binding("y", "confirm_stop", "Yes, stop", show=False, tooltip="Stop the run, once asked"),
    Binding("c", "checkpoint", "Save", id="run.checkpoint", tooltip="Keep a checkpoint of this very step"),
    Binding(
        "plus,equals_sign",
        "scale_lr(1)",
        "lr up",
        key_display="+",
        group=Binding.Group("lr", compact=True),
        id="run.lr_up",
        tooltip="Raise the learning rate by a tenth of a decade (times 1.26)",
    ),
    Binding(
        "minus",
        "scale_lr(-1)",
        "lr down",
        key_display="-",
        group=Binding.Group("lr", compact=True),
        id="run.lr_down",
        tooltip="Lower the learning rate by a tenth of a decade (times 0.79)",
    ),
    Binding("l", "log_y", "Log y", id="run.log_y", tooltip="Switch the loss axis between linear and logarithmic"),
    Binding("x", "scale", "Axis", id="run.scale", tooltip="x axis by step, by epoch, by time"),
    Binding(
        "left_square_bracket",
        "smooth(-1)",
        "Smooth less",
        key_display="[",
        group=Binding.Group("Smooth", compact=True),
        id="run.smooth_less",
        tooltip="Smooth the curves less",
    ),
    Binding(
        "right_square_bracket",
        "smooth(1)",
        "Smooth more",
        key_display="]",
        group=Binding.Group("Smooth", compact=True),
        id="run.smooth_more",
        tooltip="Smooth the curves more; the raw ones stay behind",
    ),
    Binding(
        "f",
        "next_figure",
        "Picture",
        show=False,
        id="run.figure",
        tooltip="Show the next picture that the run draws",
    ),
    Binding(
        "a", "ask", "Ask", id="run.ask", tooltip="Ask the model about a text of yours, while it trains or afterwards"
    ),
    Binding(
        "comma",
        "scrub(-1)",
        "Earlier picture",
        show=False,
        key_display=",",
        id="run.earlier",
        tooltip="Show the picture as it was an epoch before",
    ),
    Binding(
        "full_stop",
        "scrub(1)",
        "Later picture",
        show=False,
        key_display=".",
        id="run.later",
        tooltip="Show the picture as it was an epoch later, the live one in the end",
    ),
    Binding("z", "zoom", "Zoom", id="run.zoom", tooltip="Give the whole screen to the pane in use, or take it back"),
    Binding("o", "overlay", "Overlay", show=False, id="run.overlay", tooltip="Draw another run's curves behind"),
    Binding("r", "resume", "Resume", show=False, id="run.resume", tooltip="Go on from the last checkpoint"),
    Binding("m", "marker", "Marker", show=False, id="run.marker", tooltip="Draw curves with plainer characters"),
    Binding("tab", "next_pane(1)", "Next pane", show=False, id="run.next_pane", tooltip="Use the next pane"),
    Binding(
        "shift+tab", "next_pane(-1)", "Previous pane", show=False, id="run.previous_pane", tooltip="Use the pane before"
    ),
    *(
        Binding(
            str(number),
            f"pane({number})",
            f"Pane {number}",
            show=False,
            id=f"run.pane_{number}",
            tooltip=f"Use pane {number}",
        )
        for number in range(1, 5)
    ),
    Binding("q", "leave", "Leave", id="run.leave", tooltip="Back to Home; the run goes on"),
    Binding("escape", "back", "Back", show=False, id="run.back", tooltip="Leave the whole screen view, or the run"),
]
