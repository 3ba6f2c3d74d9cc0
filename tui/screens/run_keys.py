"""The keys of a run's screen, and what the footer calls them as things stand."""

from __future__ import annotations

from typing import NamedTuple

from textual.binding import Binding, BindingType

from engine.run_state import ENDED, Status
from tui.run_follower import RunFollower
from tui.screens.run_pictures import RunPictures
from tui.widgets.key_footer import described

LR, SMOOTH = Binding.Group("lr", compact=True), Binding.Group("Smooth", compact=True)
EPOCH, PANES = Binding.Group("Epoch", compact=True), Binding.Group("Pane", compact=True)

# in the order of their importance: it is that of the footer and of the help
KEYS: list[BindingType] = [
    Binding("space", "pause", "Pause", id="run.pause", tooltip="Pause the run, or go on with it"),
    Binding("r", "resume", "Resume", id="run.resume", tooltip="Go on from the last checkpoint, once it has ended"),
    Binding("s", "stop", "Stop", id="run.stop", tooltip="End the run; asks once, and leaves a checkpoint"),
    Binding("y", "confirm_stop", "Yes, stop", show=False, tooltip="Stop the run, once asked"),
    Binding("c", "checkpoint", "Save", id="run.checkpoint", tooltip="Keep a checkpoint of this very step"),
    Binding(
        "plus,equals_sign",
        "scale_lr(1)",
        "lr up",
        key_display="+",
        group=LR,
        id="run.lr_up",
        tooltip="Raise the learning rate by a tenth of a decade (times 1.26)",
    ),
    Binding(
        "minus",
        "scale_lr(-1)",
        "lr down",
        key_display="-",
        group=LR,
        id="run.lr_down",
        tooltip="Lower the learning rate by a tenth of a decade (times 0.79)",
    ),
    Binding(
        "n", "configure", "New run", id="run.new", tooltip="Configure another run, beginning with this one's values"
    ),
    Binding(
        "a", "ask", "Ask", id="run.ask", tooltip="Ask the model about a text of yours, while it trains or afterwards"
    ),
    Binding("z", "zoom", "Zoom", id="run.zoom", tooltip="Give the whole screen to the pane in use, or take it back"),
    Binding("f", "next_figure", "Picture", id="run.figure", tooltip="Show the next picture that the run draws"),
    Binding("q", "leave", "Leave", id="run.leave", tooltip="Back to Home; the run goes on"),
    Binding("tab", "next_pane(1)", "Next pane", show=False, id="run.next_pane", tooltip="Use the next pane"),
    *(
        Binding(
            str(number),
            f"pane({number})",
            f"Pane {number}",
            show=False,
            group=PANES,
            id=f"run.pane_{number}",
            tooltip="Use the pane of that number",
        )
        for number in range(1, 5)
    ),
    Binding("o", "overlay", "Overlay", id="run.overlay", tooltip="Draw another run's curves behind"),
    Binding("l", "log_y", "Log y", id="run.log_y", tooltip="Switch the loss axis between linear and logarithmic"),
    Binding("x", "scale", "Axis", id="run.scale", tooltip="x axis by step, by epoch, by time"),
    Binding(
        "left_square_bracket",
        "smooth(-1)",
        "Smooth less",
        key_display="[",
        group=SMOOTH,
        id="run.smooth_less",
        tooltip="Smooth the curves less",
    ),
    Binding(
        "right_square_bracket",
        "smooth(1)",
        "Smooth more",
        key_display="]",
        group=SMOOTH,
        id="run.smooth_more",
        tooltip="Smooth the curves more; the raw ones stay behind",
    ),
    Binding(
        "comma",
        "scrub(-1)",
        "Earlier picture",
        key_display=",",
        group=EPOCH,
        id="run.earlier",
        tooltip="Show the picture as it was an epoch before",
    ),
    Binding(
        "full_stop",
        "scrub(1)",
        "Later picture",
        key_display=".",
        group=EPOCH,
        id="run.later",
        tooltip="Show the picture as it was an epoch later, the live one in the end",
    ),
    Binding("m", "marker", "Marker", show=False, id="run.marker", tooltip="Draw curves with plainer characters"),
    Binding("escape", "back", "Back", show=False, id="run.back", tooltip="Leave the whole screen view, or the run"),
    Binding(
        "shift+tab", "next_pane(-1)", "Previous pane", show=False, id="run.previous_pane", tooltip="Use the pane before"
    ),
]

_STEERING = ("pause", "stop", "checkpoint", "scale_lr(1)", "scale_lr(-1)")


class Standing(NamedTuple):
    """What decides which keys do something."""

    status: Status = "starting"
    is_known: bool = False
    """Whether all of the log has been read; until then an engine is asked, whatever it answers."""
    is_lost: bool = False
    has_checkpoint: bool = False
    pictures: int = 0
    has_past: bool = False
    """Whether the picture is kept of more than one epoch."""
    is_zoomed: bool = False


def standing_of(follower: RunFollower, pictures: RunPictures, is_zoomed: bool) -> Standing:
    """How things stand with a run."""
    return Standing(
        follower.status,
        follower.is_caught_up,
        bool(follower.lost),
        follower.state.checkpoint is not None,
        len(pictures.names),
        bool(pictures.chosen) and pictures.has_past,
        is_zoomed,
    )


def key_name(binding: Binding, standing: Standing) -> str:
    """What the footer calls `binding`; empty if it would only answer that this can't be done now."""
    name = described(binding)
    takes_commands = not standing.is_lost and (not standing.is_known or standing.status in ("running", "paused"))
    can_resume = standing.is_known and not standing.is_lost and standing.status in ENDED - {"finished"}
    match binding.action:
        case "pause" if takes_commands and standing.status == "paused":
            return "Continue"
        case action if action in _STEERING:
            return name if takes_commands else ""
        case "resume":
            return (name if standing.has_checkpoint else "Begin anew") if can_resume else ""
        case "next_figure":
            return name if standing.pictures else ""
        case "scrub(-1)" | "scrub(1)":
            return name if standing.has_past else ""
        case "zoom":
            return "Unzoom" if standing.is_zoomed else name
    return name
