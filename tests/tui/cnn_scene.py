"""A run that reads digits by convolutions: filters, maps, and mistakes in colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.run_folder import RunFolder
from tests.tui import scripted as s

CNN: dict[str, Any] = {
    "preset": "mnist-cnn",
    "title": "MNIST, convolutions",
    "data": {"kind": "mnist"},
    "model": {"kind": "cnn", "channels": [10, 20]},
    "trainer": {"batch_size": 64, "epochs": 10},
}


def cnn(runs: Path) -> tuple[RunFolder, float]:
    """In the third epoch of ten."""
    folder = s.make_run(runs, "mnist-cnn-1", CNN)
    rows = {"train_rows": 60_000, "val_rows": 10_000, "batch_size": 64}
    begun = s.started(parameters=8_490, steps_per_epoch=938, epochs=10, **rows)
    at = s.BEGAN_AT + 24
    figures = s.draw(folder, 2_400, at, [s.features(), s.mistakes(12, 32, in_color=True), s.matrix()])
    s.write_events(folder, [begun, *s.classifier_events(2_400, 7, 938, 938, rate=100.0), *figures])
    return folder, at
