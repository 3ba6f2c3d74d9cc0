"""Which of a run's metrics are losses, what else is measured, and what charts call them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine import events as ev
from engine.progress_line import progress_line
from engine.run_report import report
from engine.run_state import RunState
from engine.run_summary import summarize
from presets import load_preset
from tests.tui import scripted as s
from tests.tui.gan_scene import gan
from tui.describe import about_run
from tui.run_follower import RunFollower
from tui.run_words import are_verdicts, last_metric, loss_keys, measured_keys, progress
from tui.screens.run_charts import ChartSettings, RunCharts
from tui.screens.run_facts import header_facts
from tui.show import in_words
from tui.widgets.curves import CYCLE
from tui.widgets.run_curves import labels_of, roles_of


def state_of(*keys: str, **changes: Any) -> RunState:
    """A run that has logged a value for each of `keys`, in their order."""
    state = RunState()
    values: dict[str, float | None] = {key: 0.5 + index for index, key in enumerate(keys)}
    state.apply(s.started(**changes))
    state.apply(ev.MetricsLogged(step=1, steps=1, elapsed_s=1, lr=0.1, values=values))
    return state


GAN = ("train/loss_d", "train/loss_g", "train/d_real", "train/d_fake", "val/loss_d", "val/d_real")


def test_losses_are_found_by_their_keys_those_of_steps_first() -> None:
    assert loss_keys(RunState()) == ("train/loss", "val/loss")
    assert loss_keys(state_of("val/loss", "train/loss", "train/accuracy")) == ("train/loss", "val/loss")
    assert loss_keys(state_of(*GAN)) == ("train/loss_d", "train/loss_g", "val/loss_d")


def test_beside_the_losses_stands_the_metric_or_all_that_is_measured() -> None:
    assert measured_keys(state_of("train/loss")) == ("train/accuracy", "val/accuracy")
    assert measured_keys(state_of("train/loss", "param/w", metric="val/loss")) == ()
    verdicts = measured_keys(state_of(*GAN, metric=""))
    assert verdicts == ("train/d_real", "train/d_fake", "val/d_real")
    assert are_verdicts(verdicts)
    assert not are_verdicts(("train/accuracy", "val/d_real")) and not are_verdicts(())


@pytest.mark.parametrize(
    ("keys", "labels"),
    [
        (("train/loss", "val/loss"), ["train", "val"]),
        (("train/accuracy",), ["train"]),
        (("param/w", "param/b"), ["w", "b"]),
        (("train/loss_d", "train/loss_g", "val/loss_d"), ["D loss", "G loss", "val D loss"]),
        (("train/d_real", "train/d_fake", "val/d_real"), ["D(x)", "D(G(z))", "val D(x)"]),
        (("train/perplexity", "val/length"), ["perplexity", "val length"]),
    ],
)
def test_labels_are_as_short_as_tells_curves_apart(keys: tuple[str, ...], labels: list[str]) -> None:
    assert list(labels_of(keys).values()) == labels
    if len(keys) == 3:
        assert list(roles_of(keys).values()) == list(CYCLE[:3])


def test_lists_show_the_metric_or_else_a_loss() -> None:
    assert last_metric(RunState()) == ""
    assert last_metric(state_of("train/loss", "val/accuracy")) == "val/accuracy 1.5"
    assert last_metric(state_of("train/loss", "val/loss", metric="")) == "val/loss 1.5"
    assert last_metric(state_of(*GAN[:4], metric="")) == "train/loss_d 0.5"


def test_the_console_shows_both_losses_and_no_metric() -> None:
    line = progress_line("faces-1", state_of(*GAN, metric="", epochs=2, steps_per_epoch=2))
    assert line.startswith("faces-1  epoch 1/2  25 %  train/loss_d 0.5  train/loss_g 1.5")
    assert "d_real" not in line and "val" not in line


@pytest.mark.parametrize(("step", "epoch"), [(0, 1), (6, 2), (10, 2), (11, 3), (20, 4)])
async def test_home_lists_the_run_screen_and_the_console_tell_of_one_epoch(runs: Path, step: int, epoch: int) -> None:
    folder = s.make_run(runs, "one", load_preset("spiral-relu").config.model_dump(mode="json"))
    s.write_events(folder, [s.started(steps_per_epoch=5, epochs=4), s.heartbeat(step, s.BEGAN_AT)])
    summary = summarize(folder)
    assert progress(summary.state).startswith(f"epoch {epoch}/4, ")
    assert f"{epoch} of 4, step {step} of 20" in about_run(summary)._wrapped(80).plain
    assert progress_line("one", summary.state).startswith(f"one  epoch {epoch}/4  ")
    follower = RunFollower(folder, lambda: s.BEGAN_AT)
    await follower.open()
    while not follower.is_caught_up:
        await follower.poll()
    assert header_facts(follower, "").epoch == f"{epoch}/4"


async def test_charts_of_a_gan_are_its_losses_and_its_verdicts(runs: Path) -> None:
    follower = RunFollower(gan(runs)[0], lambda: s.BEGAN_AT)
    await follower.open()
    while not follower.is_caught_up:
        await follower.poll()
    charts = RunCharts(follower, ChartSettings())
    losses, verdicts = (offer()[1]() for offer in (charts.loss, charts.metric))
    assert [label for label, _, _ in losses.latest] == ["D loss", "G loss", "val D loss"]
    assert losses.look.ends is None
    assert (verdicts.title, verdicts.look.ends) == ("verdict", (0.0, 1.0))
    assert [curve.label for curve in verdicts.curves] == ["D(x)", "D(G(z))", "val D(x)"]


def test_show_tells_of_both_networks_and_of_no_best(runs: Path) -> None:
    folder, _ = gan(runs)
    state = RunState()
    state.apply_all(folder.read_events().read_all())
    text = in_words(folder, state, "running")
    assert "train/loss_d" in text and "val/d_real" in text
    assert "best" not in text
    assert report(folder, state, "running")["best"] is None
