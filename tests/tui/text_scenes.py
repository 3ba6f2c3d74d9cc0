"""Runs on text, as an engine would have written them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engine import events as ev
from engine.figures import Figure
from engine.run_folder import RunFolder
from tests.tui import scripted as s

REVIEWS: dict[str, Any] = {
    "preset": "imdb-lstm",
    "title": "Film reviews, by an LSTM",
    "data": {"kind": "imdb"},
    "model": {"kind": "lstm"},
    "optimizer": {"kind": "adam"},
    "trainer": {"batch_size": 64, "epochs": 5},
}
HELLO: dict[str, Any] = {
    "preset": "rnn-hello",
    "title": "hello, answered with ohlol",
    "task": {"kind": "token-classification"},
    "data": {"kind": "hello"},
    "model": {"kind": "rnn"},
    "optimizer": {"kind": "adam"},
    "trainer": {"batch_size": 1, "epochs": 15},
}


def spelling(epochs: int = 15) -> Figure:
    """A word that is learned."""
    words = ["eeeee", "lllll", "lhlll", "ohlll", "oolol", "ohlll", "ohlol"]
    texts = [words[min(epoch, len(words) - 1)] for epoch in range(epochs + 1)]
    arrays = {
        "labels": np.array([f"epoch {epoch}" for epoch in range(epochs + 1)]),
        "texts": np.array(texts),
        "wanted": np.array(["ohlol"]),
    }
    return Figure("spelling", "words", "What 'hello' is answered with, epoch by epoch", arrays)


def telling_words() -> Figure:
    """Words that speak for a class."""
    negative = "awful  worst  waste  terrible  boring  poor  dull  lame  stupid  mess  fails  avoid"
    positive = "great  wonderful  favorite  excellent  perfect  superb  loved  amazing  moving  brilliant"
    arrays = {"labels": np.array(["negative", "positive"]), "texts": np.array([negative, positive])}
    return Figure("words", "words", "Words that alone speak most for a class, the surest first", arrays)


def reviews(runs: Path) -> tuple[RunFolder, float]:
    """A reader of reviews in the middle of its run."""
    folder = s.make_run(runs, "imdb-lstm-1", REVIEWS)
    begun = s.started(parameters=357_570, train_rows=5000, val_rows=2000, batch_size=64, steps_per_epoch=79, epochs=5)
    at = s.BEGAN_AT + 12
    s.write_events(folder, [begun, *s.classifier_events(200, 2, 79, 79, rate=35.0), s.heartbeat(200, at)])
    s.write_events(folder, s.draw(folder, 200, at, [telling_words()]))
    return folder, at


def hello(runs: Path) -> tuple[RunFolder, float]:
    """A word that has been learned."""
    folder = s.make_run(runs, "rnn-hello-1", HELLO)
    begun = s.started(
        device="cpu",
        device_name="AMD EPYC 7B13",
        parameters=148,
        train_rows=1,
        val_rows=0,
        batch_size=1,
        epochs=15,
        metric="train/accuracy",
    )
    at = s.BEGAN_AT + 0.4
    figures = s.draw(folder, 15, at, [spelling()])
    end = ev.RunFinished(step=15, at=at, elapsed_s=0.1)
    s.write_events(folder, [begun, *s.classifier_events(15, 1, 1, 1, rate=150.0), *figures, end])
    return folder, at + 60
