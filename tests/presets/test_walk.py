"""Every shipped preset: it is valid, says what it is, and takes two steps."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from engine.data import load_data
from engine.run_state import RunState
from engine.schema.fields import SECTIONS
from presets import load_preset, load_presets
from presets.loader import SHIPPED
from presets.order import ORDER
from tests.engine.data_files import write_cifar10, write_emoji, write_mnist, write_reviews, write_table
from tests.presets.runs import train
from tui.run_words import loss_keys

NAMES = sorted(path.stem for path in SHIPPED.glob("*.toml"))
GROUPS = {"Regression", "Classification", "Convolution", "Sequences and language", "Generating"}


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with small stand-ins for the files that presets want."""
    folder = tmp_path_factory.mktemp("tiny-data")
    write_mnist(folder, "MNIST")
    write_mnist(folder, "FashionMNIST")
    write_cifar10(folder)
    write_table(folder / "tabular" / "diabetes.csv.gz")
    write_emoji(folder)
    write_reviews(folder)
    return folder


def test_the_course_is_complete_and_in_order() -> None:
    presets, errors = load_presets()
    assert errors == []
    assert [preset.name for preset in presets] == list(ORDER)
    assert set(ORDER) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_introduces_itself(name: str) -> None:
    config = load_preset(name).config
    assert config.group in GROUPS
    assert 0 < len(config.title) <= 48
    assert 40 <= len(config.teaches) <= 220 and config.teaches.endswith(".")
    if config.display.overlay:
        assert config.display.overlay in NAMES
        assert config.display.overlay != name


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_file_reads_from_the_task_to_the_display(name: str) -> None:
    tree = tomllib.loads((SHIPPED / f"{name}.toml").read_text("utf-8"))
    sections = [key for key in tree if isinstance(tree[key], dict)]
    assert sections == [section for section in SECTIONS if section in sections]
    assert {"title", "teaches"} <= set(tree)


@pytest.mark.parametrize("name", NAMES)
async def test_a_preset_takes_two_steps_and_draws(name: str, tiny_data: Path, tmp_path: Path) -> None:
    config = load_preset(name).config
    facts = config.facts(tiny_data)
    if config.data.kind == "imdb":  # how many reviews and different words there are is known once they are read
        data = load_data(config.data, 0, tiny_data)
        facts = facts._replace(train_rows=len(data.train), vocabulary=len(data.vocabulary))
    assert facts.train_rows is not None
    rows = 70 if config.data.kind in ("mnist", "fashion-mnist", "cifar10") else facts.train_rows
    two_steps = {"epochs": 2, "batch_size": "full"} if rows < 3 else {"epochs": 1, "batch_size": -(-rows // 2)}
    trained = await train(name, tmp_path, tiny_data, trainer={**two_steps, "log_every": 1, "threads": 1})
    state: RunState = trained.state
    assert state.step == 2
    assert state.ending is not None and state.started is not None
    assert state.started.parameters == config.parameter_count(facts)
    # without held-out rows, a metric is evaluated on the training rows too
    metric = state.started.metric
    evaluations = state.started.epochs if metric and not state.started.val_rows else 0
    for loss in loss_keys(state):
        if loss.startswith("train/"):
            assert len(trained.values(loss)) == 2 + evaluations
    assert (state.best.metric if state.best else "") == metric
    assert state.figures
    for figure in state.figures:
        assert trained.figure(figure)
    assert not [line for line in state.lines if line.level != "info"]
