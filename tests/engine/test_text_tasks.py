"""What is measured, drawn and answered where the data is text."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import engine
from engine import commands as cmd
from engine import events as ev
from engine.checkpoint import load_checkpoint
from engine.data import DataBundle, load_data
from engine.figures import load_figure
from engine.run_folder import RunFolder, create_run
from engine.schema import ConfigError, RunConfig, overlay, validate
from engine.tasks import CannotAnswer, Task, build_task
from engine.tasks.classification import ClassificationTask
from tests.engine.data_files import write_reviews
from tests.engine.helpers import collect, last_weights, same_bits, stop_at

HELLO: dict[str, Any] = {
    "task": {"kind": "token-classification"},
    "data": {"kind": "hello"},
    "model": {"kind": "rnn"},
    "optimizer": {"kind": "adam", "lr": 0.1},
    "trainer": {"epochs": 15, "batch_size": 1, "device": "cpu", "threads": 1},
}
REVIEWS: dict[str, Any] = {
    "task": {"kind": "classification"},
    "data": {"kind": "imdb", "vocabulary": 40, "length": 12},
    "model": {"kind": "lstm", "embedding": 8, "hidden": 8, "head": 8, "dropout": 0.1},
    "optimizer": {"kind": "adam", "lr": 0.01},
    "trainer": {"epochs": 6, "batch_size": 16, "clip_norm": 1.0, "device": "cpu", "threads": 1, "log_every": 1},
}


def make(tree: dict[str, Any], data_dir: Path, **over: Any) -> tuple[Task, DataBundle, RunConfig]:
    config = validate(overlay(tree, over))
    data = load_data(config.data, config.trainer.seed, data_dir)
    task = build_task(config, data, torch.device("cpu"))
    task.set_lr(config.optimizer.lr)
    return task, data, config


def learn(task: Task, data: DataBundle, steps: int) -> None:
    for _ in range(steps):
        task.train_step(data.train.inputs, data.train.targets)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A data folder with a few reviews."""
    write_reviews(tmp_path)
    return tmp_path


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Two threads that wait for each other make steps as small as these no faster."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> tuple[Task, DataBundle]:
    """A task that has read the reviews often enough to know them."""
    folder = tmp_path_factory.mktemp("read")
    write_reviews(folder)
    task, data, _ = make(REVIEWS, folder)
    learn(task, data, 60)
    return task, data


# -- token by token --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["cell", "rnn", "embedding"])
@pytest.mark.parametrize("seed", range(4))
def test_hello_is_spelled_after_fifteen_epochs(variant: str, seed: int, tmp_path: Path) -> None:
    task, data, _ = make(HELLO, tmp_path, model={"variant": variant}, trainer={"seed": seed})
    for epoch in range(1, 16):
        learn(task, data, 1)
        task.end_epoch(epoch)
    (figure,) = task.figures(data.train)
    assert figure.arrays["texts"][-1] == "ohlol"
    assert figure.arrays["labels"].tolist() == [f"epoch {epoch}" for epoch in range(1, 16)]
    assert figure.arrays["wanted"].tolist() == ["ohlol"]
    assert "'hello'" in figure.title


def test_loss_and_accuracy_are_means_over_tokens(tmp_path: Path) -> None:
    task, data, _ = make(HELLO, tmp_path)
    logits = torch.full((1, 5, 4), -10.0)
    logits.scatter_(2, data.train.targets[:, :, None], 10.0)
    logits[0, 0], logits[0, 1] = torch.zeros(4), -logits[0, 1]
    observation = {"loss": task.loss(logits, data.train.targets), "outputs": logits, "targets": data.train.targets}  # type: ignore[attr-defined]
    measured = task.measure([observation])
    assert measured["accuracy"].item() == pytest.approx(3 / 5)
    assert measured["loss"].item() == pytest.approx((torch.log(torch.tensor(4.0)).item() + 20 + 1.0986) / 5, rel=1e-2)


def test_what_was_spelled_is_kept_and_cut_and_said_once_per_epoch(tmp_path: Path) -> None:
    task, data, _ = make(HELLO, tmp_path)
    for epoch in (0, 0, *range(1, 130)):
        task.end_epoch(epoch)
    again, _, _ = make(HELLO, tmp_path)
    again.load_extra_state(task.extra_state())
    for one in (task, again):
        labels = one.figures(data.train)[0].arrays["labels"].tolist()
        assert (len(labels), labels[0], labels[-1]) == (100, "epoch 30", "epoch 129")


# -- answers ---------------------------------------------------------------------------------------------------------


def test_a_review_is_answered_with_a_probability_for_each_class(reader: tuple[Task, DataBundle]) -> None:
    task, _ = reader
    good, bad = task.answer("A WONDERFUL, great film<br />"), task.answer("boring, the worst")
    for values in (good, bad):
        assert list(values) == ["negative", "positive"]
        assert sum(values.values()) == pytest.approx(1)
    assert good["positive"] > 0.9
    assert bad["negative"] > 0.9
    assert task.answer("wonderful " * 20_000) == pytest.approx(task.answer("wonderful " * 12))


def test_answering_changes_nothing(reader: tuple[Task, DataBundle]) -> None:
    task, _ = reader
    module, states = task.modules["model"], torch.get_rng_state()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    assert task.answer("great film") == task.answer("great film")
    assert torch.equal(torch.get_rng_state(), states)
    assert module.training
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("", "there is no word in it: write a sentence or two"),
        ("?! 🙂 <br />", "there is no word in it: write a sentence or two"),
        ("qzxv", "its word was not among those learned in training: write it otherwise"),
        ("qzxv zzkq \x1b[31m", "none of its words was among those learned in training: write it otherwise"),
    ],
)
def test_a_text_without_known_words_is_refused(reader: tuple[Task, DataBundle], text: str, refusal: str) -> None:
    with pytest.raises(CannotAnswer) as caught:
        reader[0].answer(text)
    assert str(caught.value) == refusal


def test_other_data_takes_no_text(tmp_path: Path) -> None:
    spiral = {"data": {"kind": "spiral", "points": 5}, "model": {"kind": "mlp"}}
    for tree in (spiral, HELLO):
        with pytest.raises(CannotAnswer, match="takes no text"):
            make(tree, tmp_path)[0].answer("great")


def test_a_task_is_built_from_the_card_of_its_data_alone(reader: tuple[Task, DataBundle]) -> None:
    task, data = reader
    alone = build_task(task.config, DataBundle.from_card(data.card()), torch.device("cpu"))
    alone.modules["model"].load_state_dict(task.modules["model"].state_dict())
    assert alone.answer("a great film") == task.answer("a great film")


def test_pictures_are_a_matrix_and_the_words_that_speak_most(reader: tuple[Task, DataBundle]) -> None:
    task, data = reader
    matrix, words = task.figures(data.train)
    assert (matrix.kind, words.kind) == ("matrix", "words")
    assert words.arrays["labels"].tolist() == ["negative", "positive"]
    negative, positive = (text.split() for text in words.arrays["texts"].tolist())
    assert set(positive[:3]) <= {"wonderful", "great", "loved", "perfect"}
    assert set(negative[:3]) <= {"awful", "boring", "worst", "waste"}


def test_texts_of_two_words_are_no_points_of_a_plane(reviews: Path) -> None:
    task, data, _ = make(REVIEWS, reviews, data={"length": 2})
    assert [figure.kind for figure in task.figures(data.train)] == ["matrix", "words"]


# -- in a run --------------------------------------------------------------------------------------------------------


def make_run(tree: dict[str, Any], runs: Path, data_dir: Path, **over: Any) -> RunFolder:
    return create_run(runs, validate(overlay(tree, over)), data_dir)


async def test_a_run_answers_between_steps_and_while_it_is_paused(reviews: Path) -> None:
    folder = make_run(REVIEWS, reviews / "runs", reviews, trainer={"epochs": 100_000})
    events = engine.run(folder.config(), folder.path)
    answers: dict[str, ev.Answered] = {}
    async for event in events:
        match event:
            case ev.RunStarted():
                folder.ask(cmd.Ask(id="one", text="a great film"))
            case ev.Answered(id="one"):
                answers["one"] = event
                folder.ask(cmd.Pause())
            case ev.RunPaused():
                folder.ask(cmd.Ask(id="two", text="a great film"))
                folder.ask(cmd.Ask(id="three", text="qzxv"))
            case ev.Answered():
                answers[event.id] = event
                if event.id == "three":
                    folder.ask(cmd.Stop())
    assert set(answers["one"].values) == {"negative", "positive"}
    assert answers["two"].step >= answers["one"].step
    assert answers["three"].values == {}
    assert answers["three"].refusal.startswith("its word was not among")


async def test_a_network_that_trips_over_a_question_goes_on_training(
    reviews: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trip(*args: object) -> None:
        raise IndexError("index out of range in self")

    monkeypatch.setattr("engine.tasks.classification.answer_text", trip)
    folder = make_run(REVIEWS, reviews / "runs", reviews)
    folder.ask(cmd.Ask(id="x", text="great"))
    seen = await collect(folder.config(), folder)
    assert [event.refusal for event in seen if isinstance(event, ev.Answered)] == [
        "IndexError: index out of range in self"
    ]
    assert isinstance(seen[-1], ev.RunFinished)


@pytest.mark.parametrize("tree", [REVIEWS, HELLO], ids=["lstm", "rnn"])
async def test_stopped_and_resumed_gives_the_same_bits_and_pictures(tree: dict[str, Any], reviews: Path) -> None:
    over = {"trainer": {"epochs": 30, "log_every": 1, "eval_every": 10}}
    undisturbed, disturbed = (make_run(tree, reviews / name, reviews, **over) for name in "ab")
    await collect(undisturbed.config(), undisturbed)
    await stop_at(disturbed, 2)
    stopped_at = load_checkpoint(disturbed.checkpoints / "last").step
    await collect(disturbed.config(), disturbed)
    assert 0 < stopped_at < load_checkpoint(disturbed.checkpoints / "last").step
    first, second = last_weights(undisturbed), last_weights(disturbed)
    assert same_bits(first, second)
    for picture in undisturbed.figures.iterdir():
        arrays, others = load_figure(picture), load_figure(disturbed.figures / picture.name)
        assert all((arrays[name] == others[name]).all() for name in arrays)


async def test_by_hand_and_library_train_along_the_same_curve(reviews: Path) -> None:
    losses = []
    for cell in ("by-hand", "library"):
        folder = make_run(REVIEWS, reviews / "runs", reviews, model={"cell": cell, "dropout": 0.0})
        seen = await collect(folder.config(), folder)
        losses.append([event.values["train/loss"] for event in seen if isinstance(event, ev.MetricsLogged)])
    assert len(losses[0]) > 10
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)


def test_a_loop_by_hand_is_not_compiled() -> None:
    with pytest.raises(ConfigError, match="would unroll for minutes"):
        validate(overlay(REVIEWS, {"trainer": {"compile": True}}))
    assert validate(overlay(REVIEWS, {"trainer": {"compile": True}, "model": {"cell": "library"}}))


async def test_a_run_does_not_go_on_with_other_texts(reviews: Path) -> None:
    folder = make_run(REVIEWS, reviews / "runs", reviews)
    await stop_at(folder, 2)
    train = reviews / "imdb" / "train.tsv.gz"
    before = gzip.decompress(train.read_bytes())
    train.write_bytes(gzip.compress(before.replace(b"\t", b"\tunheard ", 3)))
    events = await collect(folder.config(), folder)
    assert isinstance(events[-1], ev.RunFailed)
    assert "the data is not what it was at step" in events[-1].error and "vocabulary" in events[-1].error
    assert not events[-1].traceback
    train.write_bytes(gzip.compress(before))
    assert isinstance((await collect(folder.config(), folder))[-1], ev.RunFinished)


async def test_an_answer_that_is_no_number_is_a_refusal(reviews: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Task, "answer", lambda self, text: {"positive": float("nan")})
    monkeypatch.delattr(ClassificationTask, "answer")
    folder = make_run(REVIEWS, reviews / "runs", reviews)
    folder.ask(cmd.Ask(id="x", text="a film"))
    answers = [event for event in await collect(folder.config(), folder) if isinstance(event, ev.Answered)]
    assert [(answer.values, answer.refusal) for answer in answers] == [({}, "the network gives no finite numbers")]
