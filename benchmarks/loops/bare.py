"""The loop one writes by hand when nothing but speed counts: resident data, a fused optimizer, no `.item()`."""

from __future__ import annotations

from benchmarks.loops import Trained, timed
from benchmarks.systems import System


def train(system: System) -> Trained:
    """Every batch taken out of resident data by its rows; a batch of everything is not taken out at all."""
    model, loss_of, clock = system.model(), system.loss, system.clock()
    optimizer = system.optimizer(model.parameters())
    inputs, targets, size = system.inputs, system.targets, system.batch_size
    for epoch in range(system.epochs):
        order = system.order(epoch)
        for first in range(0, len(targets), size):
            clock.begin_step()
            chosen = order[first : first + size]
            batch = (inputs, targets) if size == len(targets) else (inputs[chosen], targets[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss_of(model(batch[0]), batch[1]).backward()  # type: ignore[no-untyped-call] # torch has not typed it
            optimizer.step()
    return timed(clock, model)


def train_on_one_batch(system: System) -> Trained:
    """As many steps on the first batch over and over: what is left where data costs nothing."""
    model, loss_of, clock = system.model(), system.loss, system.clock()
    optimizer = system.optimizer(model.parameters())
    chosen = system.order(0)[: system.batch_size]
    inputs, targets = system.inputs[chosen], system.targets[chosen]
    for _ in range(system.steps):
        clock.begin_step()
        optimizer.zero_grad(set_to_none=True)
        loss_of(model(inputs), targets).backward()  # type: ignore[no-untyped-call] # torch has not typed it
        optimizer.step()
    return timed(clock, model)
