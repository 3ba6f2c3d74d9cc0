"""The lines above a run's panes: what it is, how it stands, how far it has come."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from engine.run_state import Status
from tui.widgets.home_rows import STATUS_LOOKS
from tui.widgets.narrow import narrow

_BAR_CELLS = 40


@dataclass(frozen=True)
class Facts:
    """What the header shows; equal facts are not painted again."""

    name: str
    title: str = ""
    status: Status = "starting"
    word: str = ""
    """Said in place of the status, such as "pausing…"."""
    device: str = ""
    epoch: str = ""
    epoch_share: float | None = None
    """None where an epoch is one step."""
    run_share: float = 0.0
    left: str = ""
    gauges: tuple[tuple[str, str], ...] = ()
    """Name and value, the most important first; what has no room is left out from the end."""


class RunHeader(Widget):
    """Three lines: name and state, progress, gauges."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    RunHeader {
        height: 3;
        width: 1fr;
        padding: 0 1;
        background: $surface;
    }
    """

    def __init__(self, name: str, id: str | None = None) -> None:
        super().__init__(id=id)
        self._facts = Facts(name)

    def show(self, facts: Facts) -> None:
        """Show `facts`."""
        if facts != self._facts:
            self._facts = facts
            self.refresh()

    def render(self) -> Content:
        """The three lines for the present width."""
        width = self.content_size.width
        return Content("\n").join([_identity(self._facts, width), _progress(self._facts, width), self._gauges(width)])

    def _gauges(self, width: int) -> Content:
        parts: list[Content] = []
        used = 0
        for name, value in self._facts.gauges:
            part = Content.assemble((f"{name} " if name else "", "$text-muted"), value)
            cells = part.cell_length + (3 if parts else 0)
            if used + cells > width:
                continue
            used += cells
            parts.append(part)
        return Content("   ").join(parts)


def _identity(facts: Facts, width: int) -> Content:
    sign, color = STATUS_LOOKS[facts.status]
    word = facts.word or facts.status
    name = narrow(facts.name, max(8, width // 2))
    left = Content.assemble((f"{sign} {word}", f"bold {color}"), "  ", (name, "bold"))
    room = width - left.cell_length - 2
    device = narrow(facts.device, max(0, min(room, width // 3)))
    title = narrow(facts.title, max(0, room - cell_len(device) - 2))
    gap = width - left.cell_length - 2 - len(title) - len(device)
    return Content.assemble(left, "  ", (title, "$text-muted"), " " * max(0, gap), (device, "$text-muted"))


def _progress(facts: Facts, width: int) -> Content:
    if not facts.epoch:
        return Content("")
    percent = f" {facts.run_share:.0%}"
    left = f"  {facts.left}" if facts.left else ""
    fixed = len("epoch ") + len(facts.epoch) + len("  run ") + len(percent) + len(left)
    has_both = facts.epoch_share is not None and facts.run_share < 1
    cells = min(_BAR_CELLS, (width - fixed - 1) // 2 if has_both else width - fixed)
    parts: list[Content | tuple[str, str] | str] = [("epoch ", "$text-muted"), facts.epoch]
    if has_both and facts.epoch_share is not None and cells >= 4:
        parts += [" ", bar(facts.epoch_share, cells)]
    parts.append(("  run ", "$text-muted"))
    if cells >= 4:
        parts.append(bar(facts.run_share, cells))
    return Content.assemble(*parts, percent, left).truncate(width)


def bar(share: float, cells: int) -> Content:
    """A bar that reads without colour: heavy where done, light where not."""
    halves = round(min(1.0, max(0.0, share)) * 2 * cells)
    full, half = divmod(halves, 2)
    rest = cells - full - half
    return Content.assemble(("━" * full + "╸" * half, "$primary"), ("─" * rest, "$border-blurred"))
