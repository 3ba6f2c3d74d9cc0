"""One of several words: left and right step through them, Enter lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click, Key
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.widgets.dialog import Dialog

SWITCH = ("off", "on")


class Choice(Widget, can_focus=True):
    """A select of one line. It is one widget, where Textual's has six: a form has a dozen of them."""

    @dataclass
    class Changed(Message):
        """Another word was chosen."""

        choice: Choice
        value: str

        @property
        def control(self) -> Choice:
            """The widget it happened to, for `@on`."""
            return self.choice

    @dataclass
    class StartWanted(Message):
        """The run is to be started, with the word that was chosen just before."""

        choice: Choice

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter,space", "choose", "Choose", key_display="⏎", id="form.choose", tooltip="List all that can be chosen"
        ),
        Binding("right", "step(1)", "Next", show=False, tooltip="Choose the next one"),
        Binding("left", "step(-1)", "Previous", show=False, tooltip="Choose the one before"),
    ]

    value = reactive("")

    def __init__(self, choices: Sequence[str], value: str) -> None:
        """
        Args:
            choices: All words, in the order in which they are offered.
            value: The one chosen at first.
        """
        super().__init__()
        self.choices = list(choices)
        self.set_reactive(Choice.value, value)

    def render(self) -> Content:
        """The word, and a mark that there are others."""
        if self.choices == list(SWITCH):
            return Content(f" [{'x' if self.value == 'on' else ' '}] {self.value}")
        room = max(1, self.size.width - 4)
        return Content.assemble(f" {self.value[:room]:<{room}} ", ("▾ ", "$text-muted"))

    def watch_value(self, value: str) -> None:
        """Tell the form."""
        self.post_message(self.Changed(self, value))

    def action_step(self, by: int) -> None:
        """Choose the word `by` places on, without going round."""
        place = self.choices.index(self.value) + by if self.value in self.choices else 0
        self.value = self.choices[min(max(place, 0), len(self.choices) - 1)]

    def action_choose(self) -> None:
        """List all words; of two, take the other."""
        if len(self.choices) == 2:
            self.value = self.choices[1 - self.choices.index(self.value)]
        elif len(self.choices) > 2:
            self.app.push_screen(ChoiceMenu(self.choices, self.value, self.region), self._take)

    def on_click(self, event: Click) -> None:
        """Clicking is choosing."""
        event.stop()
        self.action_choose()

    def _take(self, chosen: Chosen | None) -> None:
        if chosen is None:
            return
        self.value = chosen.word
        if chosen.and_start:
            self.post_message(self.StartWanted(self))


class Chosen(NamedTuple):
    """What came of a list of words."""

    word: str
    and_start: bool = False
    """Whether that was all, and the run is to be started with it."""


class ChoiceMenu(Dialog[Chosen]):
    """A list that drops from the widget it belongs to; dismissed with a word, or with nothing by Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Close", id="choice.close", tooltip="Leave it as it was"),
        Binding("f5,ctrl+g", "start", "Start", id="choice.start", tooltip="Take this one, and start the run"),
    ]

    def __init__(self, choices: Sequence[str], value: str, below: Region) -> None:
        super().__init__()
        self._choices = choices
        self._value = value
        self._below = below

    def compose(self) -> ComposeResult:
        """The words, with the highlight on the one chosen now."""
        menu = OptionList(*(Option(choice, choice) for choice in self._choices), markup=False)
        if self._value in self._choices:
            menu.highlighted = self._choices.index(self._value)
        yield menu

    def on_mount(self) -> None:
        """Drop down where there is room, else up."""
        menu, below = self.query_one(OptionList), self._below
        height = min(len(self._choices), self.app.size.height - 2) + 2
        top = below.bottom if below.bottom + height <= self.app.size.height else max(0, below.y - height)
        menu.styles.height = height
        menu.styles.width = max(below.width, max(map(len, self._choices)) + 4)
        menu.styles.offset = (below.x, top)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Choose it."""
        self.dismiss(Chosen(event.option.id or ""))

    def action_start(self) -> None:
        """Choose what the highlight is on, and have the run started."""
        place = self.query_one(OptionList).highlighted
        self.dismiss(Chosen(self._value if place is None else self._choices[place], and_start=True))

    def on_click(self, event: Click) -> None:
        """A click beside the list closes it."""
        if event.widget is self:
            self.dismiss(None)

    def on_key(self, event: Key) -> None:
        """A letter goes to the next word that begins with it."""
        menu = self.query_one(OptionList)
        if event.character is None or not event.character.isalnum():
            return
        after = (menu.highlighted or 0) + 1
        order = [*range(after, len(self._choices)), *range(after)]
        for place in order:
            if self._choices[place].startswith(event.character.lower()):
                menu.highlighted = place
                event.stop()
                return
