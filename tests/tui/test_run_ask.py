"""The line at the bottom of a run's screen in which its model is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from engine import commands as cmd
from engine import events as ev
from engine.run_folder import RunFolder, create_run
from engine.schema import validate
from tests.engine.data_files import write_reviews
from tests.engine.helpers import collect
from tests.engine.test_text_tasks import REVIEWS
from tests.tui import run_scenes as scenes
from tests.tui import scripted as s
from tests.tui.run_scenes import Scene
from tests.tui.run_table import LARGE, SMALL, Table, open_table
from tests.tui.text_scenes import hello, reviews
from tui.offline_answer import Answer, NoAnswer, ask_last_checkpoint
from tui.screens import run_ask
from tui.screens.run_ask import RunAsk
from tui.widgets.answer_line import AnswerLine
from tui.widgets.run_header import RunHeader

Opener = Callable[..., Any]


class AskTable(Table):
    """A run screen whose line to ask in is used."""

    @property
    def box(self) -> RunAsk:
        """The line and its answer."""
        return self.screen.query_one(RunAsk)

    @property
    def typed(self) -> str:
        """What stands in the line."""
        return self.box.query_one(Input).value

    @property
    def said(self) -> str:
        """What stands below it."""
        return self.box.query_one(AnswerLine).render().plain

    def questions(self) -> list[cmd.Ask]:
        """All that was asked of the engine."""
        return [command for command in self.folder.read_commands().read() if isinstance(command, cmd.Ask)]

    async def answer(self, question: cmd.Ask, positive: float, step: int = 214) -> str:
        """Let the engine answer; returns what is said then."""
        values = {"negative": 1 - positive, "positive": positive}
        await self.engine_says(ev.Answered(step=step, at=s.BEGAN_AT + 13, id=question.id, values=values))
        return self.said

    async def says(self, *words: str) -> str:
        """Wait until all `words` stand below the line."""
        for _ in range(500):
            if all(word in self.said for word in words):
                return self.said
            await asyncio.sleep(0.02)
        raise AssertionError(self.said)


@pytest.fixture
def opened(runs: Path, few_presets: Path) -> Opener:
    """Opens a scene's run."""

    def open_run(scene: Scene = reviews, **options: Any) -> AbstractAsyncContextManager[AskTable]:
        return open_table(AskTable, runs, scene, **options)

    return open_run


@pytest.mark.parametrize("size", [LARGE, SMALL])
async def test_a_text_is_asked_and_answered_while_the_run_goes_on(opened: Opener, size: tuple[int, int]) -> None:
    async with opened(size=size) as table:
        assert "a review of your own" in await table.press("a")
        await table.press(*"great")
        assert "asked" in await table.press("enter")
        (question,) = table.questions()
        assert question.text == "great"
        said = await table.answer(question, 0.934)
        assert said.startswith("positive 0.93 ━")
        assert "negative 0.07" in said
        assert said.endswith("step 214")
        assert table.typed == "great"


async def test_it_can_be_asked_again_and_typing_begins_another_text(opened: Opener) -> None:
    async with opened() as table:
        await table.press("a", *"great", "enter")
        await table.answer(table.questions()[0], 0.6)
        await table.press("enter")
        again = table.questions()
        assert [question.text for question in again] == ["great", "great"]
        assert "0.80" in await table.answer(again[1], 0.8, step=260)
        await table.press(*"dull", "enter")
        assert [question.text for question in table.questions()][2:] == ["dull"]


async def test_an_impatient_enter_asks_once(opened: Opener) -> None:
    async with opened() as table:
        await table.press("a", *"great", "enter", "enter", "enter")
        assert len(table.questions()) == 1


async def test_answers_to_others_are_not_taken_for_ones_own(opened: Opener) -> None:
    async with opened() as table:
        await table.press("a", *"great", "enter")
        (question,) = table.questions()
        at = s.BEGAN_AT + 13
        await table.engine_says(
            ev.Answered(step=210, at=at, id="before", values={"negative": 1.0, "positive": 0.0}),
            ev.Answered(step=211, at=at, id=question.id, values={"negative": 0.25, "positive": 0.75}),
            ev.Answered(step=212, at=at, id="after", values={"negative": 1.0, "positive": 0.0}),
        )
        assert table.said.startswith("positive 0.75")


async def test_a_refusal_is_said_in_plain_text(opened: Opener) -> None:
    async with opened() as table:
        await table.press("a", *"zzz", "enter")
        refusal = "its word was not [b]learned[/b]\x1b[2J"
        await table.engine_says(
            ev.Answered(step=210, at=s.BEGAN_AT, id=table.questions()[0].id, values={}, refusal=refusal)
        )
        assert table.said == "its word was not [b]learned[/b]\N{REPLACEMENT CHARACTER}[2J"


async def test_keys_of_the_run_are_letters_while_it_is_open_and_keys_again_after(opened: Opener) -> None:
    async with opened() as table:
        await table.press("a", *"scqlxyfzora12", "space", "minus", "plus", "equals_sign", "question_mark", "comma")
        assert table.typed == "scqlxyfzora12 -+=?,"
        assert table.asked() == []
        assert table.screen.query_one("#run-header").display
        shown = await table.press("escape")
        assert not table.box.display
        assert "a review of your own" not in shown
        await table.press("space")
        assert table.asked() == ["Pause"]


async def test_escape_closes_it_and_only_then_leaves_the_zoom(opened: Opener) -> None:
    async with opened() as table:
        await table.press("3", "z", "a", *"so", "escape")
        assert table.screen.query_one(RunHeader).is_brief
        await table.press("escape")
        assert not table.screen.query_one(RunHeader).is_brief
        await table.press("a")
        assert table.typed == "so", "what was typed is still there"


async def test_nothing_is_asked_of_nobody(opened: Opener) -> None:
    async with opened() as table:
        await table.press("a", "space", "enter")
        assert table.questions() == []
        assert table.said.startswith("type some words first")


@pytest.mark.parametrize("scene", [scenes.classifier, hello])
async def test_runs_that_take_no_text_have_no_such_key(opened: Opener, scene: Scene) -> None:
    async with opened(scene) as table:
        await table.press("a")
        assert not table.box.display
        assert "Ask" not in table.text().splitlines()[-1]


async def test_long_and_strange_texts_do_no_harm(opened: Opener) -> None:
    async with opened(size=SMALL) as table:
        await table.press("a")
        strange = "[red]great[/red] \x1b[2J\x00\u202e 漢字 🙂 " + "x" * 30_000
        table.box.query_one(Input).value = strange
        shown = await table.press("enter")
        assert "\x1b" not in shown
        (question,) = table.questions()
        assert len(question.text) <= cmd.TEXT_LIMIT
        assert "\x1b" not in question.text
        values = {"\x1b[31m[b]漢字[/b]" + "y" * 90: 0.9, "b": 0.1}
        shown = await table.engine_says(ev.Answered(step=210, at=s.BEGAN_AT, id=question.id, values=values))
        assert "\x1b" not in shown
        assert all(len(line) <= 80 for line in shown.splitlines())


async def test_an_ended_run_is_asked_by_its_last_checkpoint(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    release, texts = asyncio.Event(), []

    async def ask(folder: RunFolder, text: str) -> Answer:
        texts.append((folder.name, text))
        await release.wait()
        return Answer({"negative": 0.2, "positive": 0.8}, 395, "checkpoints/last")

    monkeypatch.setattr(run_ask, "ask_last_checkpoint", ask)
    async with opened(alive=False) as table:
        await table.press("a", *"fine", "enter")
        assert "loading its last checkpoint" in table.said
        assert table.questions() == []
        release.set()
        said = await table.says("positive 0.80")
        assert said.endswith("step 395, checkpoints/last")
        assert texts == [("imdb-lstm-1", "fine")]


async def test_a_checkpoint_that_has_no_answer_says_why_and_closing_cancels(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled = []

    async def ask(folder: RunFolder, text: str) -> Answer:
        if text == "none":
            raise NoAnswer("run 'x' has no checkpoint 'last' yet")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(text)
            raise
        raise AssertionError

    monkeypatch.setattr(run_ask, "ask_last_checkpoint", ask)
    async with opened(alive=False) as table:
        await table.press("a", *"none", "enter")
        await table.says("has no checkpoint 'last' yet")
        await table.press(*"slow", "enter", "escape")
        assert cancelled == ["slow"]


async def test_a_run_that_ends_before_it_answers_is_asked_by_its_checkpoint(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(folder: RunFolder, text: str) -> Answer:
        return Answer({"negative": 0.4, "positive": 0.6}, 395, "checkpoints/last")

    monkeypatch.setattr(run_ask, "ask_last_checkpoint", ask)
    async with opened(alive=False) as table:
        table.screen.follower.status = "running"
        table.screen.follower._status_due_s = time.monotonic() + 60
        await table.press("a", *"so", "enter")
        assert len(table.questions()) == 1
        await table.engine_says(ev.RunFinished(step=395, at=s.BEGAN_AT + 14, elapsed_s=14.0))
        await table.says("positive 0.60", "checkpoints/last")


async def test_the_real_command_answers_in_a_process_of_its_own(tmp_path: Path) -> None:
    write_reviews(tmp_path)
    folder = create_run(tmp_path / "runs", validate(REVIEWS), tmp_path, "film")
    with pytest.raises(NoAnswer, match="has no checkpoint 'last' yet"):
        await ask_last_checkpoint(folder, "great")
    await collect(folder.config(), folder)
    answer = await ask_last_checkpoint(folder, "--a great film")
    assert set(answer.values) == {"negative", "positive"}
    assert (answer.step, answer.source) == (18, "checkpoints/last")
    with pytest.raises(NoAnswer, match="there is no word in it"):
        await ask_last_checkpoint(folder, "!")
