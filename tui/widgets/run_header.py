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
    """Three lines: name and state, progress, gauges; or one of all that."""

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
        self._is_brief = False

    @property
    def is_brief(self) -> bool:
        """Whether one line has to do."""
        return self._is_brief

    @is_brief.setter
    def is_brief(self, is_brief: bool) -> None:
        self._is_brief = is_brief
        self.styles.height = 1 if is_brief else 3

    def show(self, facts: Facts) -> None:
        """Show `facts`."""
        if facts != self._facts:
            self._facts = facts
            self.refresh()

    def render(self) -> Content:
        """The lines for the present width."""
        width = self.content_size.width
        if self._is_brief:
            return _brief(self._facts, width)
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


def _brief(facts: Facts, width: int) -> Content:
    """State, epoch, step, learning rate and time left, then the name; what has no room is left out from the end."""
    values = dict(facts.gauges)
    sign, color = STATUS_LOOKS[facts.status]
    line = Content.styled(f"{sign} {facts.word or facts.status}", f"bold {color}")
    named = (("epoch", facts.epoch), ("step", values.get("step", "")), ("lr", values.get("lr", "")), ("", facts.left))
    for name, value in (*named, ("run", facts.name)):
        part = Content.assemble("   ", (f"{name} " if name else "", "$text-muted"), value)
        if value and line.cell_length + part.cell_length <= width:
            line += part
    return line.truncate(width)


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
    # bars keep their width while numbers beside them grow, and while "9.9 s left" follows upon "0:00:10 left"
    epoch_cells = max(len(facts.epoch), 2 * len(facts.epoch.partition("/")[2]) + 1)
    left_cells = max(len(left), len("  00:00:00 left") if facts.left else 0)
    fixed = len("epoch ") + epoch_cells + len("  run ") + len(" 100%") + left_cells
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
