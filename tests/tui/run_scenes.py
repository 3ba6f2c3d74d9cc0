"""Whole runs in the states that pictures are taken of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from textual.pilot import Pilot

from engine import events as ev
from engine.run_folder import RunFolder
from tests.tui import scripted as s
from tests.tui.scripts import FakeLauncher
from tui.app import DltuiApp, make_app
from tui.screens.run import RunScreen
from tui.widgets.log_pane import LogPane

Scene = Callable[[Path], tuple[RunFolder, float]]
"""Makes a run below a folder; returns it, and what time it is."""


def classifier(runs: Path) -> tuple[RunFolder, float]:
    """A spiral classifier in the middle of its run, with its learning rate changed once."""
    folder = s.make_run(runs, "spiral-relu-3", s.SPIRAL)
    rows = s.classifier_events(420, 2, 10, 1, rate=35.0)
    changed = ev.LearningRateChanged(step=220, at=s.BEGAN_AT + 6.3, old=0.001, new=0.00126)
    rows = [replace(row, lr=0.00126) if isinstance(row, ev.MetricsLogged) and row.step > 220 else row for row in rows]
    rows.insert(next(i for i, row in enumerate(rows) if row.step > 220), changed)
    at = s.BEGAN_AT + 12
    saved = ev.CheckpointSaved(step=400, at=at, folder="checkpoints/step-400", reason="asked", took_s=0.012)
    fell_back = ev.LineLogged(step=0, at=s.BEGAN_AT, level="warning", text="no CUDA graph: the batch size changes")
    s.write_events(folder, [s.started(), fell_back, *rows, saved, s.heartbeat(420, at)])
    s.write_events(folder, s.draw(folder, 420, at, [s.regions()]))
    return folder, at


def digits_finished(runs: Path) -> tuple[RunFolder, float]:
    """Digits, read to the last epoch."""
    folder = s.make_run(runs, "digits-mlp-1", s.DIGITS)
    begun = s.started(
        device="cpu",
        device_name="AMD EPYC 7B13",
        parameters=9610,
        train_rows=1437,
        val_rows=360,
        batch_size=64,
        steps_per_epoch=23,
        epochs=30,
    )
    at = s.BEGAN_AT + 3.4
    figures = s.draw(folder, 690, at, [s.matrix(), s.mistakes()])
    end = ev.RunFinished(step=690, at=at, elapsed_s=3.3)
    saved = ev.CheckpointSaved(step=690, at=at, folder="checkpoints/last", reason="end", took_s=0.02)
    s.write_events(folder, [begun, *s.classifier_events(690, 2, 23, 23, rate=210.0), *figures, saved, end])
    return folder, at + 60


TRACEBACK = """\
Traceback (most recent call last):
  File "/home/me/dltui/engine/worker.py", line 71, in _train
    trainer.train()
  File "/home/me/dltui/engine/trainer.py", line 118, in train
    observation = self._stepper.step(inputs, targets)
  File "/home/me/dltui/engine/models/mlp.py", line 40, in forward
    return self.layers(inputs)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 96.00 GiB. GPU 0 has a total capacity of 139.72 GiB
of which 12.31 GiB is free. [red]Not markup[/red] \x1b[31mnot an escape\x1b[0m"""


def failed(runs: Path) -> tuple[RunFolder, float]:
    """A run that ran out of memory."""
    folder = s.make_run(runs, "digits-wide-2", s.DIGITS)
    begun = s.started(steps_per_epoch=23, epochs=30, parameters=2_100_000_000)
    at = s.BEGAN_AT + 1
    failure = ev.RunFailed(
        step=46,
        at=at,
        error="CUDA out of memory: 96 GiB wanted, 12 GiB free",
        cure="set trainer.batch_size to 16384, which would fit, or trainer.precision to bf16",
        traceback=TRACEBACK,
    )
    s.write_events(folder, [begun, *s.classifier_events(46, 1, 23, 23, rate=50.0), failure])
    return folder, at + 60


def died(runs: Path) -> tuple[RunFolder, float]:
    """A run whose engine was killed; one line of its log is damaged."""
    folder = s.make_run(runs, "spiral-relu-4", s.SPIRAL)
    at = s.BEGAN_AT + 9
    saved = ev.CheckpointSaved(step=300, at=at, folder="checkpoints/last", reason="schedule", took_s=0.02)
    s.write_events(folder, [s.started()], damage=b'{"event":"MetricsLogged","step":"no number"}\n')
    s.write_events(folder, [*s.classifier_events(312, 2, 10, 1, rate=35.0), saved], damage=b'{"event":"Metr')
    (folder.path / "console.log").write_text("Loading data\nKilled: out of memory (host)\n")
    return folder, at + 3600


def paused(runs: Path) -> tuple[RunFolder, float]:
    """A run that waits."""
    folder = s.make_run(runs, "spiral-relu-5", s.SPIRAL)
    at = s.BEGAN_AT + 9
    saved = ev.CheckpointSaved(step=312, at=at, folder="checkpoints/last", reason="pause", took_s=0.02)
    events = [s.started(), *s.classifier_events(312, 2, 10, 1, rate=35.0), saved, ev.RunPaused(step=312, at=at)]
    s.write_events(folder, [*events, s.heartbeat(312, at)])
    s.write_events(folder, s.draw(folder, 312, at, [s.regions()]))
    return folder, at + 2


def line(runs: Path) -> tuple[RunFolder, float]:
    """A regression, which has no accuracy: its parameters have the second chart."""
    folder = s.make_run(runs, "linear-regression-1", s.LINE)
    begun = s.started(
        device="cpu", device_name="AMD EPYC 7B13", parameters=2, metric="val/loss", higher_is_better=False
    )
    events: list[ev.AnyEvent] = [begun]
    for step in range(2, 601, 2):
        w, b = 2 - 1.4 * 0.99**step, 0.3 * 0.99**step
        loss = 14 * 0.97**step + 1e-5
        values = {"train/loss": loss, "param/w": w, "param/b": b}
        at = s.BEGAN_AT + step / 1000
        events.append(ev.MetricsLogged(step=step, at=at, steps=2, elapsed_s=step / 1000, lr=0.01, values=values))
        if step % 10 == 0:
            held_out = {"val/loss": loss / 2}
            events.append(ev.Evaluated(step=step, at=at, epoch=step, elapsed_s=step / 1000, values=held_out))
    at = s.BEGAN_AT + 0.6
    s.write_events(folder, [*events, *s.draw(folder, 600, at, [s.curve(), s.metrics(), s.compare()])])
    return folder, at


def app_on(folder: RunFolder, now: float, runs: Path = Path("runs")) -> DltuiApp:
    """The application, opened on a run, with a clock that stands still."""
    return make_app(runs, Path("data"), open_run=folder, warm=False, clock=lambda: now, launcher=FakeLauncher())


async def settled(pilot: Pilot[Any], *keys: str) -> RunScreen:
    """The run screen, once all of the run is on it and `keys` were pressed, one after the other."""
    await _calm(pilot)
    for key in keys:
        await pilot.press(key)
        await pilot.pause()
    return await _calm(pilot)


async def _calm(pilot: Pilot[Any]) -> RunScreen:
    """Wait until nothing is being read, laid out or scrolled."""
    for _ in range(500):
        screen = pilot.app.screen
        if isinstance(screen, RunScreen) and screen.is_settled:
            screen.refresh_view(urgent=True)
            await pilot.pause()
            log = screen.query_one(LogPane)
            await pilot.pause()
            if screen.is_settled and (not log.display or log.scroll_y == log.max_scroll_y):
                return screen
        await asyncio.sleep(0.02)
    raise AssertionError(f"{pilot.app.screen} did not come to rest")


def seen(app: DltuiApp) -> str:
    """The screen as text, one line per row."""
    rows = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip)[: app.size.width] for strip in rows)
