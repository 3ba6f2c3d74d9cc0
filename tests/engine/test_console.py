"""Which runs in the foreground are taken back once they have failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import events as ev
from engine.console import Outcome, discard_refused, train_shown
from engine.diagnosis import diagnose
from engine.run_errors import RunRefused
from engine.run_folder import RunFolder, RunFolderError, create_run
from engine.run_state import RunState
from presets import load_preset
from tests.engine.test_run_state import logged, started

REFUSED = ev.RunFailed(step=0, error="no \x1b[31mfile", cure="give one", is_refusal=True)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A new run."""
    return create_run(tmp_path, load_preset("spiral-relu").config, tmp_path, "mine")


def outcome(*events: ev.AnyEvent, failure: str = "") -> Outcome:
    state = RunState()
    state.apply_all(events)
    return Outcome(state, failure, "")


@pytest.mark.parametrize("before", [(), (started(),)])
def test_a_run_that_took_no_step_for_what_was_asked_for_is_taken_back(
    folder: RunFolder, before: tuple[ev.AnyEvent, ...]
) -> None:
    with pytest.raises(RunRefused) as refused:
        discard_refused(outcome(*before, REFUSED), folder)
    assert str(refused.value).endswith("file; give one")
    assert "\x1b" not in str(refused.value)
    assert not folder.path.exists()


@pytest.mark.parametrize(
    "events",
    [
        (),
        (started(), logged(3), REFUSED),
        (started(), logged(3), ev.RunFailed(step=3, error="x", is_refusal=True)),
        (ev.RunFailed(step=0, error="the disk is full"),),
        (ev.RunStopped(step=0, elapsed_s=0.0, reason="SIGINT"),),
    ],
)
def test_every_other_run_stays(folder: RunFolder, events: tuple[ev.AnyEvent, ...]) -> None:
    discard_refused(outcome(*events), folder)
    assert folder.config()


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), MemoryError(), RunFolderError("x"), ValueError("x")]
)
def test_what_the_box_or_code_did_is_no_refusal(error: Exception) -> None:
    assert not diagnose(error).is_refusal


@pytest.mark.parametrize("is_new", [True, False])
def test_a_new_run_that_can_not_begin_is_taken_back(folder: RunFolder, is_new: bool) -> None:
    (folder.path / "config.toml").write_text("[oops")
    with pytest.raises(RunFolderError, match="is damaged"):
        train_shown(folder, as_json=False, is_new=is_new)
    assert folder.path.exists() is not is_new
