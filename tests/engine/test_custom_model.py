"""A network of the user's own trains, stops, resumes and fails like any other."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import torch

from engine.asking import ask_checkpoint
from engine.checkpoint import load_checkpoint
from engine.commands import Continue, Pause, SetLearningRate, Stop
from engine.events import CheckpointSaved, FigureDrawn, RunFailed, RunFinished, RunPaused, RunStarted, RunStopped
from engine.run_folder import create_run
from engine.schema import RunConfig
from engine.session import Session
from tests.engine.data_files import write_reviews
from tests.engine.helpers import collect, last_weights
from tests.engine.user_code import NET, SPIRAL, custom, failure, train, write


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run puts on the path is gone with its test."""
    monkeypatch.setattr(sys, "path", list(sys.path))


def net(body: str, init: str = "pass", more: str = "") -> str:
    """A file with a `Net` whose forward is `body`."""
    return f"""
import torch
from torch import nn
{more}
class Net(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.layer = nn.Linear(2, outputs)
        {init}
    def forward(self, x):
        {body}
"""


async def test_a_users_network_and_data_train_and_draw(tmp_path: Path) -> None:
    folder, events = await train(tmp_path, custom(write(tmp_path, NET)))
    started = next(event for event in events if isinstance(event, RunStarted))
    assert isinstance(events[-1], RunFinished)
    assert (started.train_rows, started.val_rows) == (40, 20)
    assert started.parameters == (2 + 1) * 8 + 2 * 8 + (8 + 1) * 2
    assert {event.kind for event in events if isinstance(event, FigureDrawn)} == {"regions"}
    assert "model.norm.running_mean" in last_weights(folder)


async def test_a_stopped_run_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    """Buffers, dropout and all; a live learning rate and a pause in between."""
    source = NET.replace("self.norm(", "nn.functional.dropout(self.norm(").replace(
        "tanh()))", "tanh()), 0.2, self.training))"
    )
    config = custom(write(tmp_path, source), trainer={"epochs": 4})
    whole, events = await train(tmp_path, config)
    assert isinstance(events[-1], RunFinished)
    parted = create_run(tmp_path / "runs", config, tmp_path / "data")
    parted.ask(Stop())
    assert isinstance((await collect(config, parted))[-1], RunStopped)
    assert load_checkpoint(parted.checkpoints / "last").step < load_checkpoint(whole.checkpoints / "last").step
    assert isinstance([event async for event in Session(parted).events()][-1], RunFinished)
    one, other = last_weights(whole), last_weights(parted)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


async def test_it_is_paused_and_steered(tmp_path: Path) -> None:
    config = custom(write(tmp_path, NET), trainer={"epochs": 2000})
    folder = create_run(tmp_path / "runs", config, tmp_path / "data")
    session = Session(folder)
    folder.ask(Pause())
    events = []
    async for event in session.events():
        events.append(event)
        if isinstance(event, RunPaused):
            session.request(SetLearningRate(lr=0.5))
            session.request(Continue())
            session.request(Stop())
    assert isinstance(events[-1], RunStopped)
    assert any(isinstance(event, CheckpointSaved) and event.reason == "pause" for event in events)
    assert load_checkpoint(folder.checkpoints / "last").state["base_lr"] == 0.5


TIED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.output = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 3)
        self.second.weight = self.first.weight
        self.register_buffer("calls", torch.tensor(0))
        self.frozen = nn.Parameter(torch.tensor([1, 2]), requires_grad=False)
    def forward(self, x):
        if self.training:
            self.calls += 1
        return self.output(self.second(self.first(x)))
"""
LAZY = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.LazyLinear(5), nn.LazyBatchNorm1d(), nn.LazyLinear(3))
    def forward(self, x):
        return self.layers(x)
"""
MADE_LATE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.output = None
    def forward(self, x):
        if self.output is None:
            self.output = nn.Linear(x.shape[1], 3)
        return self.output(x)
"""


@pytest.mark.parametrize("source", [TIED, LAZY, MADE_LATE], ids=["tied", "lazy", "made late"])
async def test_unusual_modules_are_kept_and_resumed(tmp_path: Path, source: str) -> None:
    file = write(tmp_path, f"import torch\nfrom torch import nn\n{source}")
    config = custom(file, data=SPIRAL, trainer={"epochs": 2})
    whole, _ = await train(tmp_path, config)
    parted = create_run(tmp_path / "runs", config, tmp_path / "data")
    parted.ask(Stop())
    await collect(config, parted)
    ending = [event async for event in Session(parted).events()][-1]
    assert isinstance(ending, RunFinished), ending
    one, other = last_weights(whole), last_weights(parted)
    assert one and all(torch.equal(one[key], other[key]) for key in one)
    if source == TIED:
        assert torch.equal(one["model.first.weight"], one["model.second.weight"])
        assert int(one["model.calls"]) == 8


@pytest.mark.parametrize(
    ("body", "init", "error"),
    [
        ("return x", "pass", "Net in my_net.py gave (2, 2) for data with 3 classes: wanted (2, 3)"),
        (
            "return self.layer(x), 1",
            "pass",
            "Net in my_net.py gave a tuple for data with 3 classes: wanted one tensor (2, 3)",
        ),
        (
            "return self.layer(x).long()",
            "pass",
            "gave int64 numbers for data with 3 classes: wanted floating-point numbers",
        ),
        ("raise ValueError('boom')", "pass", "Net in my_net.py: ValueError: boom"),
        ("return self.layer(x)", "raise OSError('full')", "Net in my_net.py: OSError: full"),
        ("return self.layer(x)", "self.layer.requires_grad_(False)", "only parameters that are frozen"),
        (
            "return x @ torch.ones(2, 3)",
            "del self.layer",
            "Net in my_net.py has no parameters: there is nothing to train",
        ),
        ("return self.layer(x)", "self.lazy = nn.LazyLinear(3)", "Net in my_net.py: lazy.weight has no shape yet"),
    ],
)
async def test_a_network_that_does_not_fit_is_told_before_it_trains(
    tmp_path: Path, body: str, init: str, error: str
) -> None:
    config = custom(write(tmp_path, net(body, init)), data=SPIRAL)
    failed = await failure(tmp_path, config)
    assert error in failed.error
    assert failed.step == 0
    assert bool(failed.traceback) == ("Error:" in error)


async def test_state_that_is_no_tensor_is_refused(tmp_path: Path) -> None:
    source = net("return self.layer(x)") + "    def get_extra_state(self):\n        return {}\n"
    failed = await failure(tmp_path, custom(write(tmp_path, source), data=SPIRAL))
    assert "its state has a dict called _extra_state" in failed.error
    assert "register_buffer" in failed.cure


async def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    failed = await failure(tmp_path, custom(write(tmp_path, "def Net(): return 3"), data=SPIRAL))
    assert failed.error == "Net in my_net.py gave a int"
    assert failed.cure == "it has to give a torch.nn.Module"


LATER = "if self.training and torch.is_grad_enabled():\n            {}\n        return self.layer(x)"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("raise ValueError('boom')", "ValueError: boom (my_net.py, line 12, in forward)"),
        ("raise SystemExit(3)", "sys.exit(3) was called (my_net.py, line 12, in forward)"),
        ("x = self.layer(x)", "RuntimeError: "),
    ],
)
async def test_an_exception_in_a_step_shows_the_users_own_traceback(tmp_path: Path, line: str, error: str) -> None:
    failed = await failure(tmp_path, custom(write(tmp_path, net(LATER.format(line))), data=SPIRAL))
    assert failed.error.startswith(error)
    first = failed.traceback.splitlines()[1]
    assert "my_net.py" in first and "in forward" in first
    assert "engine/" not in failed.traceback


async def test_a_token_network_answers_each_token(tmp_path: Path) -> None:
    source = """
    from torch import nn
    def tagger(input_shape, outputs, per_token=True):
        layers = nn.Sequential(nn.Embedding(4, 8), nn.Linear(8, outputs))
        return layers if per_token else nn.Sequential(layers, nn.Flatten(), nn.Linear(5 * outputs, outputs))
    """
    file = write(tmp_path, source)

    def tagged(**args: object) -> RunConfig:
        model = {"kind": "custom", "target": f"{file}:tagger", "args": args}
        return custom(file, model, {"kind": "hello"}, task={"kind": "token-classification"})

    assert isinstance((await train(tmp_path, tagged()))[1][-1], RunFinished)
    failed = await failure(tmp_path, tagged(per_token=False))
    assert failed.error == "tagger in my_net.py gave (2, 4) for data with 4 classes: wanted (2, 5, 4)"


async def test_a_failed_network_can_be_mended_and_resumed(tmp_path: Path) -> None:
    file = write(tmp_path, net("raise ValueError('boom')"))
    folder, events = await train(tmp_path, custom(file, data=SPIRAL))
    assert isinstance(events[-1], RunFailed)
    write(tmp_path, net("return self.layer(x)"))
    assert isinstance([event async for event in Session(folder).events()][-1], RunFinished)


async def test_a_part_that_is_frozen_on_purpose_stays_so(tmp_path: Path) -> None:
    source = NET.replace("self.norm = nn.BatchNorm1d(width)", "self.norm = nn.BatchNorm1d(width).eval()")
    folder, events = await train(tmp_path, custom(write(tmp_path, source)))
    assert isinstance(events[-1], RunFinished)
    assert not last_weights(folder)["model.norm.running_mean"].any()


async def test_noise_in_a_network_is_the_same_however_often_it_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = NET.replace("self.hidden(x)", "nn.functional.dropout(self.hidden(x), 0.2)")
    config = custom(write(tmp_path, source))
    weights = []
    for pause_s in (0.0, 1e6):
        monkeypatch.setattr("engine.figure_studio.SHORTEST_S", pause_s)
        monkeypatch.setattr("engine.figure_studio.COST_RATIO", 0)
        folder, events = await train(tmp_path / str(pause_s), config)
        assert isinstance(events[-1], RunFinished)
        weights.append(last_weights(folder))
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


async def test_a_network_over_texts_is_asked_without_its_data(tmp_path: Path) -> None:
    write_reviews(tmp_path / "data")
    source = """
        from torch import nn

        class Net(nn.Module):
            def __init__(self, outputs):
                super().__init__()
                self.bag = nn.EmbeddingBag(40, outputs)

            def forward(self, ids):
                return self.bag(ids)
    """
    model = {"kind": "custom", "target": f"{write(tmp_path, source)}:Net"}
    config = custom(tmp_path, model, {"kind": "imdb", "vocabulary": 40, "length": 12})
    folder, events = await train(tmp_path, config)
    assert isinstance(events[-1], RunFinished)
    shutil.rmtree(tmp_path / "data")
    assert set(ask_checkpoint(folder, "last", "a good film").values) == {"negative", "positive"}
