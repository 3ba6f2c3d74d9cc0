"""How the logs begin that benchmarks write themselves."""

from __future__ import annotations

from engine import events as ev


def started(at: float, steps_per_epoch: int, epochs: int) -> ev.RunStarted:
    """The first event of a classifier's run at the instant `at`."""
    return ev.RunStarted(
        step=0,
        at=at,
        pid=1,
        host="box",
        device="cpu",
        device_name="a CPU",
        threads=1,
        torch="2.9.0",
        parameters=9610,
        train_rows=1437,
        val_rows=360,
        batch_size=64,
        steps_per_epoch=steps_per_epoch,
        epochs=epochs,
        metric="val/accuracy",
        higher_is_better=True,
    )
