"""`dltui ask`: a run that trains answers itself, any other by its checkpoint."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine import commands as cmd
from engine import events as ev
from engine.places import data_dir, runs_dir
from engine.run_folder import RunFolder, create_run
from engine.schema import validate
from tests.cli.conftest import Dltui, make_run, record
from tests.engine.data_files import write_reviews
from tests.engine.helpers import collect
from tests.engine.test_run_state import started
from tests.engine.test_text_tasks import REVIEWS
from tui.ask import Answer, _in_words

Refused = Callable[..., str]


@pytest.fixture
def folder() -> RunFolder:
    """A run on reviews that nobody has trained."""
    return create_run(runs_dir(), validate(REVIEWS), data_dir(), "film")


@contextmanager
def engine(folder: RunFolder, asked: list[cmd.Ask], *others: ev.AnyEvent, refusal: str = "") -> Iterator[None]:
    """Holds the run, and answers each question after `others`."""
    record(folder, started())
    lock, reader, done = folder.lock(), folder.read_commands(), threading.Event()

    def obey() -> None:
        while not done.is_set():
            for command in reader.read():
                assert isinstance(command, cmd.Ask)
                asked.append(command)
                values = {} if refusal else {"negative": 0.071, "positive": 0.929}
                record(folder, *others, ev.Answered(step=395, id=command.id, values=values, refusal=refusal))
            time.sleep(0.01)

    thread = threading.Thread(target=obey)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        lock.release()


def test_a_run_that_trains_answers_itself_and_only_to_what_was_asked(dltui: Dltui, folder: RunFolder) -> None:
    asked: list[cmd.Ask] = []
    of_another = ev.Answered(step=394, id="other", values={"negative": 1.0, "positive": 0.0})
    with engine(folder, asked, of_another):
        done = dltui("ask", "film", "a great film")
        assert done == (0, "positive 0.93   negative 0.07\nfilm at step 395, which is training\n", "")
        told = json.loads(dltui("ask", "film", "a great film", "--json").out)
    assert told == {
        "run": "film",
        "step": 395,
        "from": "training",
        "values": {"negative": 0.071, "positive": 0.929},
    }
    assert [command.text for command in asked] == ["a great film"] * 2
    assert asked[0].id != asked[1].id


def test_text_comes_from_standard_input_too_and_is_plain(
    dltui: Dltui, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[cmd.Ask] = []
    monkeypatch.setattr(sys, "stdin", io.StringIO("great\nfilm \x1b[31m" + "x" * 30_000))
    with engine(folder, asked):
        assert dltui("ask", "film", "-").status == 0
        assert dltui("ask", "film", "bad bytes \udcff [b]", "--json").status == 0
    assert asked[0].text.startswith("great film \N{REPLACEMENT CHARACTER}[31mxxx")
    assert len(asked[0].text) == cmd.TEXT_LIMIT
    assert asked[1].text == "bad bytes \N{REPLACEMENT CHARACTER} [b]"


def test_a_refusal_is_one_line(folder: RunFolder, refused: Refused) -> None:
    with engine(folder, [], refusal="there is no word in it\x1b[2J"):
        assert refused("ask", "film", "!") == "run 'film': there is no word in it\N{REPLACEMENT CHARACTER}[2J"


def test_many_classes_are_cut_short(dltui: Dltui, folder: RunFolder) -> None:
    names = {f"[b]class{number}\x1b": (number + 1) / 78 for number in range(12)}
    record(folder, started())
    line, _ = _in_words(folder, Answer(names, 7, "last")).split("\n")
    assert line.startswith("[b]class11\N{REPLACEMENT CHARACTER} 0.15   [b]class10")
    assert line.endswith("   and 4 more")


def test_a_run_on_other_data_is_not_asked(refused: Refused) -> None:
    make_run("spiral", started())
    told = "run 'spiral' can't be asked: that takes a run on texts, and its data is 'spiral'"
    assert refused("ask", "spiral", "great") == told
    assert refused("ask", "none", "great").startswith("no run 'none' in ")


def test_a_run_without_a_checkpoint_has_no_answer_yet(folder: RunFolder, refused: Refused) -> None:
    assert refused("ask", "film", "great") == "run 'film' has no checkpoint 'last' yet"


def test_a_finished_run_answers_by_its_checkpoints(dltui: Dltui, refused: Refused, folder: RunFolder) -> None:
    write_reviews(Path(data_dir()))
    asyncio.run(collect(folder.config(), folder))
    told = dltui("ask", str(folder.path), "a great film")
    assert told.status == 0
    assert told.out.endswith("\nfilm at step 18, from checkpoints/last\n")
    best = json.loads(dltui("ask", "film", "a great film", "--best", "--json").out)
    assert (best["from"], set(best["values"])) == ("best", {"negative", "positive"})
    assert refused("ask", "film", "") == "there is no word in it: write a sentence or two"
    (folder.checkpoints / "last" / "state.pt").write_bytes(b"")
    assert "checkpoints/last" in refused("ask", "film", "great")
