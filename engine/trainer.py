"""The training loop."""

from __future__ import annotations

import math
import os
import platform
import socket
import time
from collections.abc import Callable

import torch

from engine import commands as cmd
from engine import events as ev
from engine.batches import Batches, evaluation_batches
from engine.checkpoint import (
    Checkpoint,
    CheckpointStore,
    random_states,
    restore_random_states,
    undisturbed_random_states,
)
from engine.data.bundle import DataError
from engine.devices import device_name
from engine.figure_studio import FigureStudio
from engine.inbox import Inbox
from engine.meters import Meter, to_floats
from engine.run_folder import RunFolder
from engine.schedules import lr_factor
from engine.schema import RunConfig
from engine.tasks.base import CannotAnswer, Observation, Task

LR_SAVED_WITHIN_S = 1.0


class Trainer:
    """Trains one task from its beginning, or from a checkpoint, to its end.

    Everything happens in the calling thread. Commands are obeyed between two steps; what happens is published.

    Args:
        config: What to train.
        task: The modules, and what a step means.
        device: Where to compute.
        folder: Where checkpoints and figures go.
        inbox: Commands to obey.
        publish: Takes events, in order; must not block.
    """

    def __init__(
        self,
        config: RunConfig,
        task: Task,
        device: torch.device,
        folder: RunFolder,
        inbox: Inbox,
        publish: Callable[[ev.AnyEvent], None],
    ) -> None:
        self._config, self._settings = config, config.trainer
        self._task, self._data, self._device = task, task.data, device
        self._inbox, self._publish = inbox, publish
        self._batches = Batches(self._data, self._settings.batch_size, self._settings.seed, self._settings.shuffle)
        self._steps_per_epoch = len(self._batches)
        self._store = CheckpointStore(folder.checkpoints)
        self._studio = FigureStudio(task, self._data, folder.figures, self._tell)
        self._meter = Meter(task, self._settings.epochs * self._steps_per_epoch, self._settings.log_every, publish)
        self._split = "val" if self._data.val else "train"

        self.step = 0
        self.paused = False
        self._epoch = 0
        self._base_lr = config.optimizer.lr
        self._lr = math.nan
        self._lr_stays = False
        self._best: Checkpoint | None = None
        self._best_value: float | None = None
        self._best_unsaved = False
        self._evaluations_since_best = 0
        self._ending: ev.RunFinished | ev.RunStopped | None = None
        self._before_s = 0.0
        """Training time before the clock was last started."""
        self._clock_started_s = 0.0
        self._saved_at_s = 0.0

    # -- the way through a run ----------------------------------------------------------------------------------

    def run(self) -> None:
        """Train to the end: the last epoch, early stopping, or a command to stop.

        Raises:
            CheckpointError: the checkpoint to go on from can't be used.
            DataError: the data has changed since then.
            NotFinite: the loss became NaN or infinite.
            OSError: a checkpoint could not be written at the end.
        """
        self._resume()
        self._announce()
        self._stop_if_no_better()
        if self.step == 0:
            self._studio.keep(self.step, self._epoch)
        self._studio.draw(self.step)
        self._start_clock()
        self._obey_waiting()
        while self._ending is None and self._epoch < self._settings.epochs:
            self._train_epoch()
        self._finish()

    def _train_epoch(self) -> None:
        """The rest of the current epoch: all of it, or less after a resume or a command to stop."""
        task, meter, elapsed_s = self._task, self._meter, self.elapsed_s
        end = (self._epoch + 1) * self._steps_per_epoch
        for inputs, targets in self._batches.epoch(self._epoch, self.step + self._steps_per_epoch - end):
            if not self._lr_stays:
                self._follow_schedule()
            observation = task.train_step(inputs, targets)
            self.step += 1
            now_s = elapsed_s()
            meter.add(observation, self.step, now_s, self._lr)
            if self.step < end:
                self._between_steps(now_s)
                if self._ending is not None:
                    return
        # the evaluation belongs to the last step: a checkpoint of that step is taken after it, so that none repeats it
        self._end_epoch()
        if self._ending is None and self._epoch < self._settings.epochs:
            self._between_steps(elapsed_s())

    def _between_steps(self, now_s: float) -> None:
        if now_s >= self._saved_at_s + self._settings.checkpoint_every_s:
            self._save("schedule")
        if self._inbox:
            self._obey_waiting()
        self._studio.draw_if_due(self.step)

    def _end_epoch(self) -> None:
        self._epoch += 1
        if self._epoch == self._settings.epochs or self._epoch % self._settings.eval_interval() == 0:
            self._meter.flush_all(self.step, self.elapsed_s(), self._lr)
            self._evaluate()
            self._studio.keep(self.step, self._epoch)
            self._tell(ev.EpochEnded(step=self.step, epoch=self._epoch, elapsed_s=round(self.elapsed_s(), 4)))

    def _evaluate(self) -> None:
        if self._data.val is None and not self._task.metric:
            return  # nothing depends on it, and the steps have measured the training rows already
        observations: list[Observation] = []
        for inputs, targets in evaluation_batches(self._data, self._data.val or self._data.train):
            observations.append(self._task.evaluate(inputs, targets))
        measured = self._task.measure(observations)
        values = dict(zip(measured, to_floats(list(measured.values())), strict=True))
        self._tell(
            ev.Evaluated(
                step=self.step,
                epoch=self._epoch,
                elapsed_s=round(self.elapsed_s(), 4),
                values={f"{self._split}/{key}": value for key, value in values.items()},
            )
        )
        self._keep_if_best(values.get(self._task.metric))

    def _keep_if_best(self, value: float | None) -> None:
        sign = 1 if self._task.higher_is_better else -1
        if value is not None and (self._best_value is None or sign * value > sign * self._best_value):
            self._best_value, self._evaluations_since_best = value, 0
            # kept in memory until the next checkpoint: writing each improvement would cost short runs half their speed
            about = {"epoch": self._epoch, "metric": self._metric, "value": value, "data": self._data.card()}
            self._best = Checkpoint(self.step, self._weights(), about)
            self._best_unsaved = True
            return
        self._evaluations_since_best += 1
        self._stop_if_no_better()

    def _stop_if_no_better(self) -> None:
        """Early stopping; asked again after a resume, which may follow the very evaluation that ended the run."""
        patience = self._settings.patience
        if patience and self._evaluations_since_best >= patience and self._ending is None:
            reason = f"no better {self._metric} in {patience} evaluations"
            self._ending = ev.RunFinished(step=self.step, elapsed_s=self.elapsed_s(), reason=reason)

    def _finish(self) -> None:
        self._meter.flush_all(self.step, self.elapsed_s(), self._lr)
        elapsed_s = round(self.elapsed_s(), 4)
        ending = self._ending or ev.RunFinished(step=self.step, elapsed_s=elapsed_s)
        self._studio.draw(self.step)
        self._save("end" if isinstance(ending, ev.RunFinished) or ending.reason == "asked" else "signal")
        self._tell(ending)

    def _tell(self, event: ev.AnyEvent) -> None:
        """Publish `event` after the rows of the steps before it."""
        self._meter.flush()
        self._publish(event)

    # -- learning rate ------------------------------------------------------------------------------------------

    def _follow_schedule(self) -> None:
        factor = lr_factor(self._config.schedule, self.step, self._steps_per_epoch, self._settings.epochs)
        lr = self._base_lr * factor
        self._lr_stays = self._config.schedule.kind == "constant" and factor == 1
        if lr != self._lr:
            self._lr = lr
            self._task.set_lr(lr)

    def _change_lr(self, lr: float) -> None:
        self._meter.flush_all(self.step, self.elapsed_s(), self._lr)
        self._lr_stays = False
        old, self._base_lr = self._base_lr, min(max(float(f"{lr:.6g}"), 1e-12), 100.0)
        self._tell(ev.LearningRateChanged(step=self.step, old=old, new=self._base_lr))
        # a crash must not undo what was asked for; a second lets quick presses share one checkpoint
        soon_s = self.elapsed_s() + LR_SAVED_WITHIN_S - self._settings.checkpoint_every_s
        self._saved_at_s = min(self._saved_at_s, soon_s)

    # -- commands -----------------------------------------------------------------------------------------------

    def _obey_waiting(self) -> None:
        while self._inbox and self._ending is None:
            self._obey(self._inbox.take())

    def _obey(self, command: cmd.AnyCommand) -> None:
        match command:
            case cmd.Pause():
                self._pause()
            case cmd.Continue():
                self._tell(ev.CommandRejected(step=self.step, command="continue", reason="the run is not paused"))
            case cmd.Stop(reason=reason):
                self._ending = ev.RunStopped(step=self.step, elapsed_s=round(self.elapsed_s(), 4), reason=reason)
            case cmd.SaveCheckpoint():
                self._save("asked")
            case cmd.SetLearningRate(lr=lr):
                self._change_lr(lr)
            case cmd.ScaleLearningRate(factor=factor):
                self._change_lr(self._base_lr * factor)
            case cmd.Ask(id=id, text=text):
                self._answer(id, text)

    def _answer(self, id: str, text: str) -> None:
        try:
            with undisturbed_random_states(self._device):
                values = self._task.answer(text)
            if not all(map(math.isfinite, values.values())):
                raise CannotAnswer("the network gives no finite numbers")
            event = ev.Answered(step=self.step, id=id, values=values)
        except CannotAnswer as error:
            event = ev.Answered(step=self.step, id=id, values={}, refusal=str(error))
        except Exception as error:  # a network of somebody's own may trip over a single text: training goes on
            event = ev.Answered(step=self.step, id=id, values={}, refusal=f"{type(error).__name__}: {error}")
        self._tell(event)

    def _pause(self) -> None:
        """Wait for a command to go on or to stop; others are obeyed meanwhile, and time does not count."""
        self._stop_clock()
        self._meter.flush_all(self.step, self.elapsed_s(), self._lr)
        self._studio.draw(self.step)
        self._save("pause")
        self.paused = True
        self._tell(ev.RunPaused(step=self.step))
        while self._ending is None:
            self._inbox.wait()
            while self._inbox and self._ending is None:
                match command := self._inbox.take():
                    case cmd.Continue():
                        self.paused = False
                        self._tell(ev.RunContinued(step=self.step))
                        self._start_clock()
                        return
                    case cmd.Pause():
                        reason = "the run is paused already"
                        self._tell(ev.CommandRejected(step=self.step, command="pause", reason=reason))
                    case _:
                        self._obey(command)

    # -- time ---------------------------------------------------------------------------------------------------

    def elapsed_s(self) -> float:
        """Training time so far, over all starts, without pauses."""
        return self._before_s + (time.perf_counter() - self._clock_started_s if self._clock_started_s else 0.0)

    def _start_clock(self) -> None:
        self._clock_started_s = time.perf_counter()
        self._saved_at_s = self._before_s
        self._meter.restart(self._before_s)

    def _stop_clock(self) -> None:
        self._before_s, self._clock_started_s = self.elapsed_s(), 0.0

    # -- checkpoints --------------------------------------------------------------------------------------------

    def _save(self, reason: str) -> None:
        """Write a checkpoint. One on schedule that fails is told of and tried again; the others are owed."""
        self._meter.flush_all(self.step, self.elapsed_s(), self._lr)
        began_s = time.perf_counter()
        self._saved_at_s = self.elapsed_s()
        try:
            name = self._write_checkpoint(reason)
        except OSError as error:
            text = f"checkpoint at step {self.step:,} could not be written ({error.strerror}); the one before it stays"
            if reason in ("end", "signal"):
                raise OSError(error.errno, text) from error
            self._tell(ev.LineLogged(step=self.step, level="warning", text=text))
            return
        took_s = round(time.perf_counter() - began_s, 4)
        self._tell(ev.CheckpointSaved(step=self.step, folder=f"checkpoints/{name}", reason=reason, took_s=took_s))

    def _write_checkpoint(self, reason: str) -> str:
        if self._best is not None and self._best_unsaved:
            self._store.save_best(self._best)
            self._best_unsaved = False
        checkpoint = Checkpoint(self.step, self._weights(), self._state())
        return self._store.save_step(checkpoint) if reason == "asked" else self._store.save_last(checkpoint)

    def _weights(self) -> dict[str, torch.Tensor]:
        return {
            f"{name}.{key}": value.detach().clone()
            for name, module in self._task.modules.items()
            for key, value in module.state_dict().items()
        }

    def _state(self) -> dict[str, object]:
        return {
            "epoch": self._epoch,
            "elapsed_s": self.elapsed_s(),
            "base_lr": self._base_lr,
            "threads": torch.get_num_threads(),
            "best_value": self._best_value,
            "evaluations_since_best": self._evaluations_since_best,
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self._task.optimizers.items()},
            "task": self._task.extra_state(),
            "data": self._data.card(),
            "random": random_states(self._device),
        }

    def _resume(self) -> None:
        checkpoint = self._store.load_last()
        if checkpoint is None:
            return
        state = checkpoint.state
        torch.set_num_threads(state["threads"])  # another number adds up in another order: other bits
        self._check_same_data(checkpoint)
        checkpoint.load_into(self._task.modules)
        for name, optimizer in self._task.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self._task.load_extra_state(state["task"])
        self.step, self._epoch, self._before_s = checkpoint.step, state["epoch"], state["elapsed_s"]
        self._base_lr, self._best_value = state["base_lr"], state["best_value"]
        self._evaluations_since_best = state["evaluations_since_best"]
        restore_random_states(state["random"], self._device)

    def _check_same_data(self, checkpoint: Checkpoint) -> None:
        """Weights mean nothing to other data: a word's number would be another word's."""
        before, now = checkpoint.state.get("data", {}), self._data.card()
        others = [key.replace("_", " ") for key in before if key in now and before[key] != now[key]]
        if others:
            raise DataError(
                f"the data is not what it was at step {checkpoint.step:,} (other {', '.join(others)}): "
                "put back what it was, or start a new run"
            )

    # -- the first event ----------------------------------------------------------------------------------------

    @property
    def _metric(self) -> str:
        return f"{self._split}/{self._task.metric}" if self._task.metric else ""

    def _announce(self) -> None:
        self._tell(
            ev.RunStarted(
                step=self.step,
                pid=os.getpid(),
                host=socket.gethostname() or platform.node(),
                device=str(self._device),
                device_name=device_name(self._device),
                threads=torch.get_num_threads(),
                torch=str(torch.__version__),
                parameters=self._task.parameter_count(),
                train_rows=len(self._data.train),
                val_rows=len(self._data.val) if self._data.val else 0,
                batch_size=self._batches.batch_size,
                steps_per_epoch=self._steps_per_epoch,
                epochs=self._settings.epochs,
                metric=self._metric,
                higher_is_better=self._task.higher_is_better,
                elapsed_s=round(self._before_s, 4),
                base_lr=self._base_lr if self._base_lr != self._config.optimizer.lr else None,
            )
        )
