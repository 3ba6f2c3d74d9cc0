"""A run that nobody trains is asked by its checkpoint alone."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.asking import AskingError, ask_checkpoint
from engine.checkpoint import load_checkpoint
from engine.run_folder import RunFolder
from tests.engine.data_files import write_reviews
from tests.engine.helpers import collect
from tests.engine.test_text_tasks import HELLO, REVIEWS, make_run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run whose data is no longer there."""
    folder = tmp_path_factory.mktemp("asked")
    write_reviews(folder)
    run = make_run(REVIEWS, folder / "runs", folder, trainer={"epochs": 25})
    asyncio.run(collect(run.config(), run))
    shutil.rmtree(folder / "imdb")
    return run


@pytest.fixture
def copied(trained: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of it that may be damaged."""
    return RunFolder(shutil.copytree(trained.path, tmp_path / "run", symlinks=True))


@pytest.fixture
def refused() -> Callable[[RunFolder, str, str], str]:
    """Why there is no answer, in one line."""

    def ask(folder: RunFolder, name: str = "last", text: str = "a great film") -> str:
        with pytest.raises(AskingError) as caught:
            ask_checkpoint(folder, name, text)
        assert "\n" not in str(caught.value)
        return str(caught.value).replace(f"{folder.path}/", "")

    return ask


Refused = Callable[..., str]


@pytest.mark.parametrize("name", ["last", "best"])
def test_a_checkpoint_answers_without_the_data(trained: RunFolder, name: str) -> None:
    good, bad = (ask_checkpoint(trained, name, text) for text in ("a great film, perfect", "boring, awful waste"))
    assert good.step == load_checkpoint(trained.checkpoints / name).step
    assert good.values["positive"] > 0.6 > 0.5 > bad.values["positive"]
    assert sum(good.values.values()) == pytest.approx(1)


def test_a_text_without_known_words_is_refused_in_the_models_words(trained: RunFolder, refused: Refused) -> None:
    assert refused(trained, text="zzz qqq").startswith("none of its words was among those learned")


def test_without_a_checkpoint_there_is_no_answer_yet(copied: RunFolder, refused: Refused) -> None:
    shutil.rmtree(copied.checkpoints)
    assert refused(copied) == "run 'run' has no checkpoint 'last' yet"


@pytest.mark.parametrize("file", ["weights.safetensors", "state.pt"])
@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_a_damaged_checkpoint_is_named(copied: RunFolder, refused: Refused, file: str, content: bytes) -> None:
    (copied.checkpoints / "last" / file).write_bytes(content)
    assert refused(copied).startswith("checkpoint checkpoints/last ")


def test_weights_of_another_network_are_refused(copied: RunFolder, refused: Refused) -> None:
    config = copied.path / "config.toml"
    config.write_text(config.read_text().replace("hidden = 8", "hidden = 9"))
    assert refused(copied).startswith("the model of checkpoint checkpoints/last can't be used: RuntimeError: ")


def test_a_checkpoint_that_does_not_know_its_data_is_refused(copied: RunFolder, refused: Refused) -> None:
    path = copied.checkpoints / "last" / "state.pt"
    state = torch.load(path, weights_only=True)
    for card in ({}, {"vocabulary": 5}):
        torch.save(state | {"data": card}, path)
        assert refused(copied) == "the checkpoint does not say what its data was: train the run anew"


def test_what_takes_no_text_says_so(tmp_path: Path, refused: Refused) -> None:
    run = make_run(HELLO, tmp_path, tmp_path)
    asyncio.run(collect(run.config(), run))
    assert "takes no text" in refused(run)
