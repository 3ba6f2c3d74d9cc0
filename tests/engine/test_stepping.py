"""Steps that are captured and replayed, on a CPU with a stand-in for CUDA's graphs; tests/gpu has the real ones."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
import torch
from torch import Tensor

from engine import commands as cmd
from engine import events as ev
from engine import stepping as stepping_module
from engine import trainer as trainer_module
from engine.batches import Batches
from engine.capturable import NotCapturable, make_capturable, make_plain
from engine.data import load_data
from engine.kept import tensors_of
from engine.optimizers import build_optimizers
from engine.schema import overlay, validate
from engine.stepping import EAGER_FIRST, NOT_REPLAYED, Stepping
from engine.tasks import Task, build_task
from presets import load_preset
from tests.engine.helpers import SPIRAL, collect, config, last_weights, make_run, recorded, same_bits, stop_at
from tests.engine.user_code import NET

T = TypeVar("T")
CPU = torch.device("cpu")
SGD = {"kind": "sgd", "lr": 0.1, "momentum": 0.9}


class StandIn:
    """What is captured is done again at each replay, into the same memory; capturing does nothing, as with CUDA.

    Args:
        breaks: What goes wrong: `rehearsal`, `capture`, or `update`: replayed, no weight moves.
        keeps_rate_of: A task whose learning rate is captured as the number it was.
    """

    def __init__(self, breaks: str = "", keeps_rate_of: Task | None = None) -> None:
        self.captures = self.replays = 0
        self._breaks, self._task = breaks, keeps_rate_of

    @contextmanager
    def rehearsing(self) -> Iterator[None]:
        if self._breaks == "rehearsal":
            raise RuntimeError("called a synchronizing CUDA operation\nmore about it")
        yield

    def capture(self, work: Callable[[], T]) -> tuple[Callable[[], Any], T]:
        self.captures += 1
        if self._breaks == "capture":
            raise RuntimeError("operation not permitted when stream is capturing")
        results: dict[str, Tensor] = {}

        def replay() -> None:
            self.replays += 1
            if self._task is not None:
                self._task.set_lr(0.1)
            if self._breaks == "update":
                return
            for key, value in cast("dict[str, Tensor]", work()).items():
                if key not in results:
                    results[key] = value
                elif results[key] is not value:
                    results[key].copy_(value)

        return replay, cast("T", results)


def make_task(**over: Any) -> Task:
    whole = validate(overlay(SPIRAL, {"optimizer": SGD, **over}))
    return build_task(whole, load_data(whole.data, 0, Path()), CPU)


def losses(task: Task, stepping: Stepping, epochs: int = 12, size: int = 16) -> list[Tensor]:
    """Of steps at a rate that changes from epoch to epoch; the last batch of an epoch is smaller."""
    torch.manual_seed(1)
    batches, found = Batches(task.data, size, 0, shuffle=True), []
    for epoch in range(epochs):
        stepping.set_lr(0.1 / (1 + epoch))
        found += [stepping.take(*batch)["loss"] for batch in batches.epoch(epoch)]
    return found


def assert_as_eager(task: Task, found: list[Tensor], size: int = 16, **over: Any) -> None:
    eager = make_task(**over)
    wanted = losses(eager, Stepping(eager, size, lambda line: None), size=size)
    assert torch.equal(torch.stack(found), torch.stack(wanted))
    assert all(map(torch.equal, tensors_of(task.modules.values()), tensors_of(eager.modules.values())))


@pytest.mark.parametrize("size", [16, 18])
@pytest.mark.parametrize("over", [{}, {"trainer": {"clip_norm": 0.5}}, {"model": {"dropout": 0.4, "norm": "batch"}}])
def test_replayed_steps_are_the_same_steps(over: dict[str, Any], size: int) -> None:
    """With 18 rows of 120 the step after those that are always eager is one on a smaller batch."""
    task, lines, graphs = make_task(**over), list[str](), StandIn()
    found = losses(task, Stepping(task, size, lines.append, graphs), size=size)
    assert_as_eager(task, found, size, **over)
    sizes = [size if (place + 1) * size <= 120 else 120 % size for _ in range(12) for place in range(-(-120 // size))]
    first = next(number for number in range(EAGER_FIRST, len(sizes)) if sizes[number] == size)
    assert (graphs.captures, graphs.replays) == (1, 2 + sizes[first:].count(size))
    assert [line.partition(",")[0] for line in lines] == ["steps are replayed as a CUDA graph"]


def test_results_of_a_step_outlive_the_next() -> None:
    task = make_task()
    stepping = Stepping(task, 16, lambda line: None, StandIn())
    losses(task, stepping, 8)
    batches = list(Batches(task.data, 16, 0, shuffle=True).epoch(8))
    first = stepping.take(*batches[0])
    copies = {key: value.clone() for key, value in first.items()}
    stepping.take(*batches[1])
    assert all(torch.equal(first[key], copies[key]) for key in copies)
    assert first["targets"] is batches[0][1]


def test_room_for_results_is_made_anew_when_it_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.graphed_step.ROOM_STEPS", 3)
    task = make_task()
    assert_as_eager(task, losses(task, Stepping(task, 16, lambda line: None, StandIn())))


@pytest.mark.parametrize(
    ("breaks", "reason"),
    [
        ("rehearsal", "called a synchronizing CUDA operation"),
        ("capture", "operation not permitted when stream is capturing"),
        ("rate", "replayed it does not move the weights to where it should"),
        ("update", "replayed it does not move the weights to where it should"),
    ],
)
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_what_cannot_be_captured_is_taken_step_by_step_and_told_of_once(breaks: str, reason: str, norm: str) -> None:
    task, lines = make_task(model={"norm": norm}), list[str]()
    graphs = StandIn(breaks, task if breaks == "rate" else None)
    found = losses(task, Stepping(task, 16, lines.append, graphs))
    assert_as_eager(task, found, model={"norm": norm})
    assert lines == [f"steps are not replayed as a CUDA graph, because {reason}"]
    assert all(isinstance(group["lr"], float) for rule in task.optimizers.values() for group in rule.param_groups)


def test_what_an_attempt_held_is_let_go_before_anything_else_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(stepping_module, "free_memory", lambda error, task: done.append("freed"))
    task = make_task()
    losses(task, Stepping(task, 16, lambda line: done.append("said"), StandIn("capture")))
    assert done == ["freed", "said"]


def test_a_rule_that_reads_its_rate_on_the_host_is_not_captured() -> None:
    muon = {"kind": "muon", "lr": 0.01}
    task, lines, graphs = make_task(optimizer=muon, model={"hidden": [8, 8]}), list[str](), StandIn()
    losses(task, Stepping(task, 16, lines.append, graphs))
    assert lines == ["steps are not replayed as a CUDA graph, because Muon reads its learning rate on the host"]
    assert graphs.captures == 0


def test_off_is_off_without_a_word() -> None:
    task, lines, graphs = make_task(trainer={"cuda_graph": "off"}), list[str](), StandIn()
    losses(task, Stepping(task, 16, lines.append, graphs))
    assert (lines, graphs.captures) == ([], 0)


def test_a_network_of_ones_own_is_captured_only_on_request(tmp_path: Path) -> None:
    (tmp_path / "my_net.py").write_text(NET)
    model = {"kind": "custom", "target": f"{tmp_path / 'my_net.py'}:Net"}
    for wish, captures in (("auto", 0), ("on", 1)):
        tree = overlay({key: value for key, value in SPIRAL.items() if key != "model"}, {"model": model})
        whole = validate(overlay(tree, {"optimizer": SGD, "trainer": {"cuda_graph": wish}}))
        task = build_task(whole, load_data(whole.data, 0, Path()), CPU)
        lines, graphs = list[str](), StandIn()
        losses(task, Stepping(task, 16, lines.append, graphs))
        assert graphs.captures == captures
        assert ("your own network" in lines[0]) is (captures == 0)


async def test_steps_that_are_looked_at_one_by_one_are_no_replays(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = StandIn()
    monkeypatch.setattr(trainer_module, "Stepping", partial(Stepping, graphs=graphs))
    events = await collect(config(optimizer=SGD, trainer={"on_nonfinite": "skip"}))
    lines = [event.text for event in events if isinstance(event, ev.LineLogged)]
    assert lines == [f"{NOT_REPLAYED} trainer.on_nonfinite skip looks at every step before it counts"]
    assert graphs.captures == 0


def test_what_is_forgotten_is_captured_again() -> None:
    task, graphs = make_task(), StandIn()
    stepping = Stepping(task, 16, lambda line: None, graphs)
    losses(task, stepping, 6)
    stepping.forget()
    losses(task, stepping, 6)
    assert graphs.captures == 2


def test_memory_that_runs_out_while_it_is_tried_costs_the_run_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def capture(self: StandIn, work: Callable[[], T]) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(StandIn, "capture", capture)
    task, lines = make_task(), list[str]()
    assert_as_eager(task, losses(task, Stepping(task, 16, lines.append, StandIn())))
    assert lines == [f"{NOT_REPLAYED} there is not enough memory to try it"]


def test_what_a_failed_attempt_held_is_given_back_before_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    held = list[weakref.ref[Tensor]]()

    def capture(self: StandIn, work: Callable[[], T]) -> Any:
        results = cast("dict[str, Tensor]", work())
        held.append(weakref.ref(results["loss"]))
        error = RuntimeError("a cycle: its traceback has this frame, and this frame has it")
        raise error

    monkeypatch.setattr(StandIn, "capture", capture)
    gc.disable()
    try:
        task = make_task()
        losses(task, Stepping(task, 16, lambda line: None, StandIn()))
        assert [one() for one in held] == [None]
    finally:
        gc.enable()


def test_a_rate_of_zero_does_not_look_like_a_graph_that_stands_still() -> None:
    task, lines = make_task(), list[str]()
    stepping = Stepping(task, 16, lines.append, StandIn())
    batches = Batches(task.data, 16, 0, shuffle=True)
    before = [tensor.clone() for tensor in tensors_of(task.modules.values())]
    stepping.set_lr(0.0)
    for epoch in range(8):
        for batch in batches.epoch(epoch):
            stepping.take(*batch)
    assert lines[0].startswith("steps are replayed")
    assert all(map(torch.equal, tensors_of(task.modules.values()), before))


# -- whole runs ----------------------------------------------------------------------------------------------------


RUN: dict[str, Any] = {"optimizer": SGD, "trainer": {"epochs": 30, "checkpoint_every_s": 0.05}}


async def test_a_run_with_schedule_dropout_stop_and_resume_ends_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager = make_run(tmp_path / "eager", **RUN)
    await collect(eager.config(), eager)
    graphs = StandIn()
    monkeypatch.setattr(trainer_module, "Stepping", partial(Stepping, graphs=graphs))
    replayed = make_run(tmp_path / "replayed", **RUN)
    await stop_at(replayed, 100)
    assert graphs.captures == 1
    await collect(replayed.config(), replayed)
    assert graphs.captures == 2
    assert same_bits(last_weights(eager), last_weights(replayed))


async def test_a_rate_set_while_steps_are_replayed_acts_and_a_plain_engine_goes_on_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(tmp_path, **RUN)
    with monkeypatch.context() as patched:
        patched.setattr(trainer_module, "Stepping", partial(Stepping, graphs=StandIn()))
        folder.ask(cmd.SetLearningRate(0.02))
        await stop_at(folder, 100)
    events = await collect(folder.config(), folder)
    assert isinstance(events[-1], ev.RunFinished)
    rows = [event for event in recorded(folder) if isinstance(event, ev.MetricsLogged)]
    assert all(row.lr <= 0.02 for row in rows)


async def test_a_bad_number_in_a_replayed_step_is_found_at_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = load_preset("linear-regression-synthetic").tree
    diverging = validate(overlay(tree, {"optimizer": {"lr": 2.2}, "trainer": {"device": "cpu", "epochs": 20}}))
    wanted = (await collect(diverging))[-1]
    assert isinstance(wanted, ev.RunFailed)
    assert "became NaN or infinite at step" in wanted.error
    graphs = StandIn()
    monkeypatch.setattr(trainer_module, "Stepping", partial(Stepping, graphs=graphs))
    found = (await collect(diverging))[-1]
    assert isinstance(found, ev.RunFailed)
    assert found.error == wanted.error
    assert graphs.replays > 2


# -- optimizers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw", "rmsprop", "nadam", "radam", "adagrad"])
def test_optimizers_come_back_from_what_a_graph_needs(kind: str) -> None:
    def weights_after(*between: Callable[[Any], None]) -> list[Tensor]:
        torch.manual_seed(0)
        layer = torch.nn.Linear(3, 2)
        whole = config(optimizer={"kind": kind, "lr": 0.125})
        rules = build_optimizers(whole.optimizer, {"layer": layer})
        for number in range(4):
            layer(torch.ones(1, 3) * number).sum().backward()
            for rule in rules.values():
                rule.step()
            layer.zero_grad()
            if number == 1:
                for change in between:
                    change(rules.values())
        return list(layer.parameters())

    there_and_back = weights_after(partial(make_capturable, device=CPU), make_plain)
    assert all(map(torch.equal, there_and_back, weights_after()))


def test_rates_and_counts_lie_in_tensors() -> None:
    layer = torch.nn.Linear(2, 2)
    rule = torch.optim.NAdam(layer.parameters(), 0.5, foreach=True)
    layer(torch.ones(1, 2)).sum().backward()
    rule.step()
    make_capturable([rule], torch.device("meta"))
    assert rule.param_groups[0]["lr"].device.type == "meta"
    assert rule.param_groups[0]["capturable"] is True
    counts = [state[key] for state in rule.state.values() for key in ("step", "mu_product")]
    assert {count.device.type for count in counts} == {"meta"}


def test_nothing_is_changed_where_one_of_two_rules_will_not_do() -> None:
    rules = [torch.optim.SGD([torch.zeros(1)], 0.1, fused=True), torch.optim.Muon([torch.zeros(2, 2)], 0.1)]
    with pytest.raises(NotCapturable, match="Muon reads its learning rate on the host"):
        make_capturable(rules, CPU)
    assert rules[0].param_groups[0]["lr"] == 0.1
