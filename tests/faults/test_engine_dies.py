"""An engine that is killed at any moment and resumed ends with the same bits, and the same curve, as one that lived."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from engine import events as ev
from engine.checkpoint import load_checkpoint
from engine.run_folder import RunFolder, create_run
from engine.run_state import RunState
from engine.run_summary import status_of
from engine.schema import RunConfig
from tests.faults.curve import assert_every_step_once, effective
from tests.faults.nursery import Nursery
from tests.faults.systems import OPTIMIZERS, PAIRS, SCHEDULES, SYSTEMS, build

Tally = Callable[[str, int], None]
Times = Callable[[int, int], int]

NAMED = {
    "before anything is logged": ("before write of log", 1),
    "in the middle of the first line of the log": ("half a write of log", 1),
    "before the first step": ("before a training step", 1),
    "within an epoch": ("after a training step", 45),
    "in the middle of a line of the log": ("half a write of log", 5),
    "during an evaluation": ("before an evaluation", 2),
    "in the middle of a checkpoint's weights": ("half a write of weights", 3),
    "in the middle of a checkpoint's state": ("half a write of state", 3),
    "between a checkpoint's last byte and its fsync": ("before fsync of state", 3),
    "between a checkpoint's fsync and its rename": ("before rename of draft", 3),
    "between a checkpoint's rename and the folder's fsync": ("after rename of draft", 3),
    "between a link's making and its place": ("before replace of link", 3),
    "between a link's place and the folder's fsync": ("after replace of link", 3),
    "while the checkpoint before is removed": ("after unlink of state", 2),
    "while a picture takes its place": ("before replace of figure", 1),
    "between the last checkpoint and the last event": ("before logging of RunFinished", 1),
}
PLACES = {
    "in or between training steps": ("training step",),
    "in an evaluation": ("evaluation",),
    "half-way through a write": ("half a write",),
    "while the log is written": ("log",),
    "at an fsync": ("fsync",),
    "at a rename or a link": ("rename", "replace", "symlink"),
    "while something is removed": ("unlink", "rmdir"),
    "while a checkpoint is made or read": ("weights", "state", "packing", "load", "draft", "folder"),
    "anywhere, from outside": ("outside",),
    "elsewhere": ("",),
}
"""Rows of the table, and words in the names of the moments that belong to them; the first that fits."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@pytest.fixture(scope="module")
def lived(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of `SYSTEMS`' first kind that nobody disturbed."""
    folder = tmp_path_factory.mktemp("lived")
    config = build(next(iter(SYSTEMS)), 3, random.Random(1), folder / "data")
    run = create_run(folder / "runs", config, folder / "data")
    assert nursery.train(run.path).code == 0
    return run


@pytest.mark.parametrize("system", SYSTEMS)
def test_killed_at_random_moments(
    system: str, nursery: Nursery, tmp_path: Path, times: Times, draw: random.Random, tally: Tally
) -> None:
    draw = random.Random(f"{draw.random()} {system}")
    for number in range(times(1, 50)):
        config = build(system, number, draw, tmp_path / "data")
        print(f"trial {number}: {config.model_dump_json(include={'optimizer', 'schedule', 'trainer'})}")
        lived = make(tmp_path / "lived", config)
        life = nursery.train(lived.path)
        assert life.code == 0, console(lived)
        died = make(tmp_path / "died", config)
        deaths = die_often(nursery, died, life.moments, draw)
        assert_alike(lived, died)
        for at in deaths:
            tally(f"engine killed at a random moment {place_of(at)}", 1)
        tally(f"engine killed up to three times, resumed, same bits: {system}", bool(deaths))


@pytest.mark.parametrize("name", NAMED)
def test_killed_at_a_named_moment(name: str, lived: RunFolder, nursery: Nursery, tmp_path: Path, tally: Tally) -> None:
    moment, count = NAMED[name]
    run = make(tmp_path, lived.config())
    assert nursery.train(run.path, die_at=(moment, count)).at == moment
    assert_dead(run)
    live_on(nursery, run)
    assert_alike(lived, run)
    tally(f"engine killed {name}", 1)


def test_killed_while_it_reads_its_checkpoint(lived: RunFolder, nursery: Nursery, tmp_path: Path, tally: Tally) -> None:
    run = make(tmp_path, lived.config())
    for moment, count in (("after a training step", 60), ("before load of a checkpoint", 1), ("after write of log", 1)):
        assert nursery.train(run.path, die_at=(moment, count)).at == moment
        assert_dead(run)
    live_on(nursery, run)
    assert_alike(lived, run)
    tally("engine killed while it reads its checkpoint", 1)


def test_a_checkpoint_does_not_get_ahead_of_a_slow_log(lived: RunFolder, nursery: Nursery, tmp_path: Path) -> None:
    run = make(tmp_path, lived.config())
    life = nursery.train(run.path, die_at=("after replace of link", 4), log_takes_s=0.2)
    assert life.at == "after replace of link"
    saved = load_checkpoint(run.checkpoints / "last").step
    assert saved in [event.step for event in recorded(run) if isinstance(event, ev.MetricsLogged)]
    live_on(nursery, run)
    assert_alike(lived, run)


def test_killed_from_outside(nursery: Nursery, tmp_path: Path, times: Times, draw: random.Random, tally: Tally) -> None:
    for number in range(times(2, 50)):
        system = draw.choice(list(SYSTEMS))
        config = build(system, number, draw, tmp_path / "data")
        print(f"trial {number}: {system}, {config.model_dump_json(include={'optimizer', 'schedule', 'trainer'})}")
        lived, died = make(tmp_path / "lived", config), make(tmp_path / "died", config)
        assert nursery.train(lived.path).code == 0, console(lived)
        size = (lived.path / "events.jsonl").stat().st_size
        for _ in range(draw.choice([1, 2, 3])):
            life = nursery.kill_from_outside(died.path, draw.randrange(size))
            if ended(died):
                break
            assert life.at == "outside", console(died)
            assert_dead(died)
            tally(f"engine killed at a random moment {place_of(life.at)}", 1)
        live_on(nursery, died)
        assert_alike(lived, died)


def test_a_learning_rate_that_was_acknowledged_is_kept(
    nursery: Nursery, tmp_path: Path, times: Times, draw: random.Random, tally: Tally
) -> None:
    for number in range(times(2, 60)):
        system = list(SYSTEMS)[number % len(SYSTEMS)]
        config = build(system, number, draw, tmp_path / "data")
        print(f"trial {number}: {config.model_dump_json()}")
        lived, died = make(tmp_path / "lived", config), make(tmp_path / "died", config)
        asks = draw_learning_rates(config.optimizer.lr, draw)
        life = nursery.train(lived.path, ask=asks)
        assert life.code == 0, console(lived)
        deaths = [("after logging of LearningRateChanged", 1)]  # before any checkpoint that knows of it
        for _ in range(draw.choice([0, 1, 2])):
            kind = draw.choice(sorted(life.moments))
            deaths.append((kind, draw.randint(1, max(1, life.moments[kind] // 2))))
        for death in deaths:
            if not ended(died):
                at = nursery.train(died.path, death, unacknowledged(died, asks)).at
                print(f"died {at}")
        if not ended(died):
            assert nursery.train(died.path, ask=unacknowledged(died, asks)).code == 0, console(died)
        assert_alike(lived, died)
        assert learning_rates(lived) == learning_rates(died)
        tally("engine killed after a change of the learning rate, resumed, same bits", 1)


def draw_learning_rates(lr: float, draw: random.Random) -> dict[int, dict[str, Any]]:
    """Commands that change the learning rate, by the number of steps before the one in which they are asked for."""
    steps = draw.sample(range(50), draw.choice([1, 2, 4]))
    return {
        step: {"command": "SetLearningRate", "lr": lr * draw.uniform(0.2, 2)}
        if draw.random() < 0.5
        else {"command": "ScaleLearningRate", "factor": draw.choice([0.5, 1.25])}
        for step in sorted(steps)
    }


def unacknowledged(run: RunFolder, asks: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """What a person would have to ask for again: the run's log does not say that it was done."""
    done = {event.step for event in recorded(run) if isinstance(event, ev.LearningRateChanged)}
    return {step: command for step, command in asks.items() if step + 1 not in done}


def learning_rates(run: RunFolder) -> list[tuple[int, str]]:
    """The changes that a viewer marks on the curves."""
    state = RunState()
    state.apply_all(recorded(run))
    return [(marker.step, marker.label) for marker in state.markers if marker.label.startswith("lr ")]


def test_every_optimizer_and_every_schedule_is_killed(tmp_path: Path) -> None:
    draw = random.Random(0)
    quick = [build(system, 0, draw, tmp_path) for system in SYSTEMS]
    assert {config.optimizer.kind for config in quick} == OPTIMIZERS.keys()
    assert {config.schedule.kind for config in quick} == SCHEDULES.keys()
    full = {
        (config.optimizer.kind, config.schedule.kind)
        for number in range(50)
        for system in SYSTEMS
        if (config := build(system, number, draw, tmp_path))
    }
    assert full == set(PAIRS)


# -- living and dying --------------------------------------------------------------------------------------------


def make(folder: Path, config: RunConfig) -> RunFolder:
    return create_run(folder, config, folder.parent / "data")


def die_often(nursery: Nursery, run: RunFolder, moments: Mapping[str, int], draw: random.Random) -> list[str]:
    """Let a run's engine die one to three times at moments drawn among those of an undisturbed run; then to its end.

    Each kind of moment is as likely as any other: most are training steps.
    """
    deaths: list[str] = []
    for death in range(draw.choice([1, 2, 2, 3])):
        kind = draw.choice(sorted(moments))
        # the second has a part of the run before it, and where its moment does not come, it lives
        die_at = kind, draw.randint(1, max(1, moments[kind] // (1 + death)))
        life = nursery.train(run.path, die_at, log_takes_s=draw.choice([0.0, 0.0, 0.02]))
        if life.code is not None:
            assert life.code == 0, console(run)
            break
        print(f"died {life.at}")
        deaths.append(life.at)
        if ended(run):
            break
        assert_dead(run)
    live_on(nursery, run)
    return deaths


def live_on(nursery: Nursery, run: RunFolder) -> None:
    """Let a run come to its end if it has not."""
    if not ended(run):
        assert nursery.train(run.path).code == 0, console(run)


def ended(run: RunFolder) -> bool:
    return any(isinstance(event, ev.RunFinished) for event in recorded(run))


def recorded(run: RunFolder) -> list[ev.AnyEvent]:
    return list(run.read_events().read_all())


def console(run: RunFolder) -> str:
    return (run.path / "console.log").read_text()[-4000:]


def place_of(moment: str) -> str:
    return next(place for place, words in PLACES.items() if any(word in moment for word in words))


# -- what must hold ----------------------------------------------------------------------------------------------


def assert_dead(run: RunFolder) -> None:
    """Viewers see at once that a run's engine is dead, unless it had not said anything yet."""
    state = RunState()
    state.apply_all(recorded(run))
    assert run.holder() is None
    assert status_of(run, state) == ("died" if state.started else "starting")


def assert_alike(lived: RunFolder, died: RunFolder) -> None:
    """Whatever a run came to is what it comes to undisturbed: its checkpoints, its curves and its ending."""
    before, after = load_checkpoint(lived.checkpoints / "last"), load_checkpoint(died.checkpoints / "last")
    assert before.step == after.step
    assert_same(before.weights, after.weights, "weights")
    assert_same(before.state, after.state, "state")
    if (lived.checkpoints / "best").exists():
        before, after = load_checkpoint(lived.checkpoints / "best"), load_checkpoint(died.checkpoints / "best")
        assert_same(before.weights, after.weights, "best weights")
        assert_same(before.state, after.state, "state of the best")
    assert_same_curves(lived, died)
    assert_resumed_where_it_was(recorded(died))
    assert_nothing_left_over(died)


def assert_same(before: Any, after: Any, where: str) -> None:
    """The same bits all the way down; how long it took is another matter."""
    assert type(before) is type(after), where
    if isinstance(before, torch.Tensor):
        assert before.dtype == after.dtype, where
        assert torch.equal(before, after), where
    elif isinstance(before, dict):
        assert before.keys() == after.keys(), where
        for key in before.keys() - {"elapsed_s", "log_bytes"}:
            assert_same(before[key], after[key], f"{where}.{key}")
    elif isinstance(before, (list, tuple)):
        assert len(before) == len(after), where
        for place, pair in enumerate(zip(before, after, strict=True)):
            assert_same(*pair, f"{where}[{place}]")
    else:
        assert before == after, where


def assert_same_curves(lived: RunFolder, died: RunFolder) -> None:
    before, after = effective(recorded(lived)), effective(recorded(died))
    state = RunState()
    state.apply_all(recorded(died))
    assert status_of(died, state) == "finished"
    endings = [event for event in recorded(died) if isinstance(event, ev.ENDINGS)]
    assert [(type(event), event.step) for event in endings] == [(ev.RunFinished, before[-1].step)]
    assert evaluations(before) == evaluations(after)
    for name, series in state.series.items():
        if name.startswith("val/"):  # without held-out rows, evaluations stand among the rows of training
            assert list(series.steps) == sorted(set(series.steps)), "a viewer's curve has doubles"
    assert assert_every_step_once(after) == endings[0].step
    if lived.config().trainer.log_every == 1:
        assert rows_of(before) == rows_of(after)


def evaluations(events: list[ev.AnyEvent]) -> list[tuple[int, int, dict[str, float | None]]]:
    return [(event.step, event.epoch, event.values) for event in events if isinstance(event, ev.Evaluated)]


def rows_of(events: list[ev.AnyEvent]) -> list[tuple[int, float, dict[str, float | None]]]:
    return [(event.step, event.lr, event.values) for event in events if isinstance(event, ev.MetricsLogged)]


def assert_resumed_where_it_was(events: list[ev.AnyEvent]) -> None:
    """No start is before the last checkpoint that was told of, or after the last step that was."""
    saved = 0
    for event in events:
        if isinstance(event, ev.RunStarted):
            assert event.step >= saved, "it went on from an older checkpoint than its last"
        elif isinstance(event, ev.CheckpointSaved):
            saved = event.step


def assert_nothing_left_over(run: RunFolder) -> None:
    """Nothing half-made lies about, and of the checkpoints that replaced each other only the last are there."""
    files = [path for path in run.path.rglob("*") if path.name.startswith(".") and path.parent != run.path]
    kept = {(run.checkpoints / link).resolve() for link in ("last", "best")}
    left = [path for path in files if path not in kept and path.parent not in kept]
    assert not left, left
