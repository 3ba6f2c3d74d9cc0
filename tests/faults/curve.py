"""The curve of a run, as a viewer must come to see it: every step once."""

from __future__ import annotations

from collections.abc import Iterable

from engine import events as ev
from engine.run_folder import RunFolder
from engine.run_state import RunState


def effective(events: Iterable[ev.AnyEvent]) -> list[ev.AnyEvent]:
    """What still counts: steps that were trained again, after a crash or on going back, are void the first time."""
    counting: list[ev.AnyEvent] = []
    for event in events:
        if isinstance(event, (ev.RunStarted, ev.RolledBack)):
            counting = [earlier for earlier in counting if earlier.step <= event.step]
        counting.append(event)
    return counting


def assert_every_step_once(events: Iterable[ev.AnyEvent]) -> int:
    """Rows follow each other without gap or overlap, but for steps that were skipped with a word; returns the last."""
    last = 0
    for event in effective(events):
        match event:
            case ev.MetricsLogged(step=step, steps=steps):
                assert step - steps == last, f"after step {last} comes a row of {steps} steps up to {step}"
                last = step
            case ev.StepSkipped(step=step):
                assert step == last + 1
                last = step
    return last


def state_of(run: RunFolder) -> RunState:
    """What is known of a run, whatever its log went through."""
    state = RunState()
    state.apply_all(run.read_events().read_all())
    return state
