"""The keys of a place on one line, the way out always among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from rich.cells import cell_len
from textual.binding import Binding
from textual.content import Content
from textual.events import MouseDown, MouseMove
from textual.screen import Screen
from textual.widget import Widget

WAYS_OUT = ("leave", "app.quit", "back", "dismiss", "app.help", "help")
"""Actions whose keys stand at the right end, the first of all: they have room before any other."""
KEY_LOOK, WORD_LOOK = "bold $footer-key-foreground", "$footer-description-foreground"
IMPOSSIBLE_LOOK = "$text-disabled dim"

Named = Callable[[Binding], str]


def described(binding: Binding) -> str:
    """The name that a binding has however things stand."""
    return binding.description if binding.show else ""


@dataclass(frozen=True)
class KeyName:
    """One word and the keys for it."""

    word: str
    keys: tuple[str, ...]
    displays: tuple[str, ...]
    action: str
    tooltip: str
    is_possible: bool

    @property
    def cells(self) -> int:
        """What it takes up."""
        return cell_len(f"{''.join(self.displays)} {self.word}")

    @property
    def rank(self) -> int:
        """Its place among the ways out; behind all of them for anything else."""
        return WAYS_OUT.index(self.action) if self.action in WAYS_OUT else len(WAYS_OUT)

    @property
    def is_way_out(self) -> bool:
        """Whether it stands at the right end."""
        return self.rank < len(WAYS_OUT)


class _Place(NamedTuple):
    cells: range
    key: str
    tooltip: str


class KeyFooter(Widget):
    """As many keys as have room, whole; painted anew only when others are to be shown.

    Textual's own footer has a widget for each key, makes all of them anew whenever the focus moves, which takes tens of
    milliseconds, and in a narrow terminal loses the last of them.

    Args:
        named: Gives the name of a binding as things stand; empty for one that is not to be shown.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    KeyFooter {
        dock: bottom;
        height: 1;
        width: 1fr;
        padding: 0 1;
        color: $footer-foreground;
        background: $footer-background;
        text-wrap: nowrap;
    }
    """

    def __init__(self, named: Named = described) -> None:
        super().__init__()
        self._named = named
        self._shown: list[KeyName] = []
        self._places: list[_Place] = []

    def on_mount(self) -> None:
        """Show the keys from now on."""
        self.screen.bindings_updated_signal.subscribe(self, self.bindings_changed)
        self.bindings_changed(self.screen)

    def bindings_changed(self, screen: Screen[Any]) -> None:
        """Paint anew if keys, names or what is possible have changed; a terminal without focus keeps what it has."""
        if screen is not self.screen or (self._shown and not screen.app.app_focus):
            return
        shown = _names(screen, self._named)
        if shown != self._shown:
            self._shown = shown
            self.refresh()

    def render(self) -> Content:
        """The line for the present width."""
        width = self.content_size.width
        gap = 2 if _cells(self._shown, 2) <= width else 1
        fitting = list[KeyName]()
        for name in sorted(self._shown, key=lambda name: name.rank):
            if _cells([*fitting, name], gap) > width:
                break
            fitting.append(name)
        ways_out = [name for name in reversed(fitting) if name.is_way_out]
        line, self._places = Content(), []
        for name in [*(name for name in fitting if not name.is_way_out), *ways_out]:
            is_first_way_out = bool(ways_out) and name is ways_out[0]
            blanks = width - line.cell_length - _cells(ways_out, gap) if is_first_way_out else gap * bool(line)
            line = self._with(line + " " * blanks, name)
        return line

    def _with(self, line: Content, name: KeyName) -> Content:
        """`line` with `name` at its end."""
        for key, display in zip(name.keys, name.displays, strict=True):
            self._add_place(line.cell_length, display, key, name)
            line = Content.assemble(line, (display, KEY_LOOK if name.is_possible else IMPOSSIBLE_LOOK))
        self._add_place(line.cell_length, f" {name.word}", name.keys[0], name)
        return Content.assemble(line, (f" {name.word}", WORD_LOOK if name.is_possible else IMPOSSIBLE_LOOK))

    def _add_place(self, at: int, text: str, key: str, name: KeyName) -> None:
        self._places.append(_Place(range(at, at + cell_len(text)), key, name.tooltip))

    def on_mouse_down(self, event: MouseDown) -> None:
        """A click does what the key would."""
        place = self._place_at(event.x)
        if place is not None:
            self.app.simulate_key(place.key)

    def on_mouse_move(self, event: MouseMove) -> None:
        """Say what the key below the mouse does."""
        place = self._place_at(event.x)
        tooltip = place.tooltip if place is not None else None
        if tooltip != self.tooltip:
            self.tooltip = tooltip

    def _place_at(self, x: int) -> _Place | None:
        cell = x - self.styles.padding.left
        return next((place for place in self._places if cell in place.cells), None)


def _names(screen: Screen[Any], named: Named) -> list[KeyName]:
    """What can be done on `screen`: of several keys for one action the first, and actions of a group in one."""
    names: dict[object, KeyName] = {}
    actions = set[str]()
    for key, (_, binding, is_possible, tooltip) in screen.active_bindings.items():
        word = "Actions" if key == screen.app.COMMAND_PALETTE_BINDING else named(binding)
        if not word or binding.action in actions:
            continue
        actions.add(binding.action)
        display = screen.app.get_key_display(binding)
        before = names.get(binding.group)
        if binding.group is not None and before is not None:
            names[binding.group] = replace(
                before, keys=(*before.keys, binding.key), displays=(*before.displays, display)
            )
            continue
        word = binding.group.description if binding.group is not None else word
        names[binding.group or binding.action] = KeyName(
            word, (binding.key,), (display,), binding.action, tooltip or binding.description, is_possible
        )
    return list(names.values())


def _cells(names: Sequence[KeyName], gap: int) -> int:
    """What `names` take up side by side."""
    return sum(name.cells for name in names) + gap * max(0, len(names) - 1)
