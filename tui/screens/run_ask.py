"""A line at the bottom of a run's screen in which a person asks its model about a text."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar
from uuid import uuid4

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from engine import commands as cmd
from engine.commands import TEXT_LIMIT
from engine.run_folder import RunFolderError
from engine.run_state import ENDED
from engine.text import plain
from tui.offline_answer import Answer, NoAnswer, ask_last_checkpoint
from tui.run_follower import RunFollower
from tui.widgets.answer_line import AnswerLine

HINT = "Enter asks the model as it is at that moment, Escape closes"


class RunAsk(Vertical):
    """Hidden until opened. A run that trains answers itself; of any other the last checkpoint is asked.

    Args:
        follower: The run.
        clock: Seconds since the epoch.
    """

    DEFAULT_CSS = """
    RunAsk {
        display: none;
        height: 2;
        padding: 0 1;
        background: $panel;

        & > Horizontal { height: 1; }
        #ask-prompt { width: auto; color: $accent; text-style: bold; }
        #ask-text { width: 1fr; background: $panel; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "screen.back", "Close")]

    def __init__(self, follower: RunFollower, clock: Callable[[], float], id: str | None = None) -> None:
        super().__init__(id=id)
        self._follower = follower
        self._clock = clock
        self._asked = ""
        """What was asked of the engine and has no answer yet, empty if nothing was."""
        self._asked_id = ""

    def compose(self) -> ComposeResult:
        """A prompt and its line, and below it the answer."""
        with Horizontal():
            yield Static("Ask › ", id="ask-prompt")
            yield Input(id="ask-text", compact=True, max_length=TEXT_LIMIT)
        yield AnswerLine(id="ask-answer")

    @property
    def line(self) -> AnswerLine:
        """Where answers appear."""
        return self.query_one(AnswerLine)

    def open(self) -> None:
        """Show the line and let it take keys; what was asked before is still there."""
        if not self.display:
            self.display = True
            self.line.say(HINT)
        asks = getattr(self._follower.config.data, "asks", "text") if self._follower.config else "text"
        text = self.query_one(Input)
        text.placeholder = f"{asks} of your own"
        text.focus()

    def close(self) -> None:
        """Hide the line; nobody waits for an answer any more."""
        self.display = False
        self._asked_id = ""
        self.workers.cancel_node(self)

    @on(Input.Submitted)
    def _ask(self, event: Input.Submitted) -> None:
        event.stop()
        text = plain(event.value).strip()
        if not text:
            self.line.say("type some words first, then Enter")
        elif self._follower.lost:
            self.line.say("the run's folder can't be reached", "$warning")
        elif self._follower.is_caught_up and self._follower.status in ENDED:
            self._ask_checkpoint(text)
        else:
            self._ask_engine(text)
        # so that typing on begins another text, and Enter asks about this one again
        event.input.select_all()

    def _ask_engine(self, text: str) -> None:
        if self._asked_id and text == self._asked:
            return
        question = cmd.Ask(id=uuid4().hex, text=text[:TEXT_LIMIT], at=self._clock())
        try:
            self._follower.folder.ask(question)
        except RunFolderError as error:
            self.line.say(str(error), "$warning")
            return
        self._asked, self._asked_id = text, question.id
        is_starting = self._follower.status == "starting"
        self.line.say("asked: it answers once it trains" if is_starting else "asked: it answers after this step …")

    def settle(self) -> None:
        """Show the engine's answer once it is there. If the run has ended meanwhile, its last checkpoint is asked."""
        if not self._asked_id:
            return
        answered = self._follower.state.answers.get(self._asked_id)
        if answered is not None:
            self._asked_id = ""
            if answered.refusal:
                self.line.say(plain(answered.refusal), "$warning")
            else:
                self.line.show_answer(Answer(answered.values, answered.step, ""))
        elif self._follower.status in ENDED:
            self._asked_id = ""
            self._ask_checkpoint(self._asked)

    def _ask_checkpoint(self, text: str) -> None:
        self.line.say("the run is not training: loading its last checkpoint …")
        self.run_worker(self._wait_for_checkpoint(text), group="ask", exclusive=True)

    async def _wait_for_checkpoint(self, text: str) -> None:
        try:
            self.line.show_answer(await ask_last_checkpoint(self._follower.folder, text))
        except NoAnswer as error:
            self.line.say(str(error), "$warning")
