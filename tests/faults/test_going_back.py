"""Going back to a checkpoint, and failing to: no step twice, no rate but the one that is shown, nothing best lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine import commands as cmd
from engine import events as ev
from engine.due import Due
from engine.run_folder import RunFolder
from engine.run_state import RunState
from engine.session import Session
from engine.tasks.classification import ClassificationTask
from tests.engine.helpers import collect, last_weights, make_run, recorded, same_bits
from tests.faults.curve import assert_every_step_once
from tests.faults.test_control import forget_what_followed_the_checkpoint, replay_in_thread, steer
from tests.faults.test_numbers_hurt import EPOCH, told, trapped

KEPT = Due(10, cmd.SaveCheckpoint())


def state_of(folder: RunFolder) -> RunState:
    state = RunState()
    state.apply_all(recorded(folder))
    return state


def once(folder: Path, step: int) -> dict[str, Any]:
    """A network that makes a NaN at `step`, the first time it comes there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "armed").touch()
    return {"at": step, "spoils": "loss", "while_there_is": str(folder / "armed")}


async def test_what_does_not_come_again_leaves_no_trace_in_the_weights(tmp_path: Path) -> None:
    script = [KEPT, Due(10, cmd.SetLearningRate(lr=0.002)), Due(15, cmd.SetLearningRate(lr=0.004))]
    plain, hurt = trapped(tmp_path / "plain"), trapped(tmp_path / "hurt", args=once(tmp_path / "hurt", 20))
    await steer(plain, script)
    await steer(hurt, script)
    (back,) = told(hurt, ev.RolledBack)
    assert (back.step, back.lr) == (10, None)
    assert isinstance(recorded(hurt)[-1], ev.RunFinished)
    # the one counts its calls and the other does not look at them: all that is learned is the same
    assert same_bits(last_weights(plain), last_weights(hurt))
    assert assert_every_step_once(recorded(hurt)) == 20 * EPOCH
    assert state_of(hurt).base_lr == 0.004
    found = replay_in_thread(hurt, tmp_path)
    assert found.is_same


async def test_a_rate_acknowledged_before_a_stop_upon_bad_numbers_is_set_again_on_resume(tmp_path: Path) -> None:
    folder = trapped(tmp_path, args=once(tmp_path, 20), log_every=1_000_000)
    await steer(folder, [KEPT, Due(15, cmd.SetLearningRate(lr=0.001)), Due(22, cmd.Stop())])
    assert isinstance(recorded(folder)[-1], ev.RunStopped)
    assert recorded(folder)[-1].step == 10
    await collect(folder.config(), folder)
    assert state_of(folder).base_lr == 0.001
    rates = {event.step: event.lr for event in told(folder, ev.MetricsLogged)}
    assert rates[20 * EPOCH] == 0.001
    assert assert_every_step_once(recorded(folder)) == 20 * EPOCH
    assert replay_in_thread(folder, tmp_path).is_same


@pytest.mark.parametrize("step", [30, 20 * EPOCH])
@pytest.mark.parametrize("policy", ["stop", "skip"])
async def test_an_update_too_large_is_named_and_its_weights_are_not_kept(
    tmp_path: Path, step: int, policy: str
) -> None:
    folder = trapped(tmp_path, args={"at": step, "spoils": "weights"}, lr=100.0, on_nonfinite=policy)
    await steer(folder, [KEPT])
    (failed,) = told(folder, ev.RunFailed)
    assert failed.error.startswith(f"the weights became NaN or infinite at step {step}, with learning rate 100")
    assert "the last good checkpoint is of step 10" in failed.cure
    assert all(weight.isfinite().all() for weight in last_weights(folder).values())
    assert not told(folder, ev.StepSkipped), "no batch helps weights that are ruined"
    assert failed.step == step == assert_every_step_once(recorded(folder))
    await collect(folder.config(), folder)
    assert assert_every_step_once(recorded(folder)) == step


async def test_a_resume_that_fails_before_it_begins_doubles_nothing(tmp_path: Path) -> None:
    folder = trapped(tmp_path)
    await steer(folder, [KEPT, Due(26, cmd.Stop())])
    forget_what_followed_the_checkpoint(folder)
    net = tmp_path / "my_net.py"
    net.rename(tmp_path / "elsewhere.py")
    await collect(folder.config(), folder)
    assert isinstance(recorded(folder)[-1], ev.RunFailed)
    assert state_of(folder).step == 26, "where it was before is not forgotten"
    (tmp_path / "elsewhere.py").rename(net)
    await collect(folder.config(), folder)
    assert isinstance(recorded(folder)[-1], ev.RunFinished)
    state = state_of(folder)
    for series in state.series.values():
        assert list(series.steps) == sorted(set(series.steps))
    assert assert_every_step_once(recorded(folder)) == 20 * EPOCH


async def test_a_rate_scaled_on_resume_is_scaled_from_what_was_acknowledged(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    await steer(folder, [KEPT, Due(10, cmd.SetLearningRate(lr=0.001)), Due(12, cmd.Stop())])
    forget_what_followed_the_checkpoint(folder)
    folder.ask_to_resume()
    folder.ask(cmd.ScaleLearningRate(factor=0.5))
    await collect(folder.config(), folder)
    changes = [(change.step, change.old, change.new) for change in told(folder, ev.LearningRateChanged)]
    assert changes == [(10, 0.01, 0.001), (10, 0.001, 0.0005)]


async def test_what_is_asked_while_a_run_comes_to_its_end_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(tmp_path, trainer={"epochs": 2})
    session = Session(folder)
    evaluate, evaluations = ClassificationTask.evaluate, []

    def ask_meanwhile(task: ClassificationTask, *batch: Any) -> Any:
        evaluations.append(batch)
        if len(evaluations) == 2:
            session.request(cmd.SetLearningRate(lr=0.5))
            session.request(cmd.SaveCheckpoint())
        return evaluate(task, *batch)

    monkeypatch.setattr(ClassificationTask, "evaluate", ask_meanwhile)
    async for _ in session.events():
        pass
    (refused,) = told(folder, ev.CommandRejected)
    assert (refused.command, refused.reason) == ("setlearningrate", "the run is at its end")
    assert (folder.checkpoints / "step-16").is_dir()
    assert isinstance(recorded(folder)[-1], ev.RunFinished)


async def test_the_best_weights_are_on_disk_when_numbers_end_the_run(tmp_path: Path) -> None:
    folder = trapped(tmp_path, args={"at": 30})
    await collect(folder.config(), folder)
    assert isinstance(recorded(folder)[-1], ev.RunFailed)
    assert state_of(folder).best is not None
    assert (folder.checkpoints / "best" / "weights.safetensors").is_file()
    assert not (folder.checkpoints / "last").exists()


async def test_the_last_picture_is_of_the_last_weights(tmp_path: Path) -> None:
    folder = trapped(tmp_path, args=once(tmp_path, 20 * EPOCH))
    await steer(folder, [KEPT])
    events = recorded(folder)
    back = next(index for index, event in enumerate(events) if isinstance(event, ev.RolledBack))
    drawn = [event.step for event in events[back:] if isinstance(event, ev.FigureDrawn)]
    assert drawn == [] or drawn[-1] == 20 * EPOCH
    assert isinstance(events[-1], ev.RunFinished)
