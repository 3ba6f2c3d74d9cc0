"""The training loop."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from engine import commands as cmd
from engine import events as ev
from engine.announcement import announcement
from engine.batches import Batches
from engine.due import Due
from engine.evaluation import answer, evaluate
from engine.figure_studio import FigureStudio
from engine.inbox import Inbox
from engine.keeper import Keeper, Progress
from engine.meters import Meter, NotFinite
from engine.recovery import Recovery, allowed_lr
from engine.run_errors import mend
from engine.run_folder import RunFolder
from engine.schedules import lr_factor
from engine.schema import RunConfig
from engine.stepping import Stepping
from engine.stopwatch import Stopwatch
from engine.tasks.base import Observation, Task


class Ending(NamedTuple):
    """That a run is to end, and why."""

    is_finished: bool
    reason: str = ""


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
        wait_until_logged: See `engine.keeper.Keeper`.
        script: Commands to obey at given steps, in their order.
    """

    def __init__(
        self,
        config: RunConfig,
        task: Task,
        device: torch.device,
        folder: RunFolder,
        inbox: Inbox,
        publish: ev.Publish,
        wait_until_logged: Callable[[], int | None] = lambda: 0,
        script: Iterable[Due] = (),
    ) -> None:
        self._config, self._settings = config, config.trainer
        self._task, self._data, self._device = task, task.data, device
        self._inbox, self._publish = inbox, publish
        settings = config.trainer
        self._batches = Batches(self._data, settings.batch_size, settings.seed, settings.shuffle, task.device)
        self._steps_per_epoch = len(self._batches)
        self._keeper = Keeper(task, folder, wait_until_logged, lambda line: self._say_line(line, "warning"))
        self._studio = FigureStudio(task, self._data, folder.figures, self._tell)
        self._recovery = Recovery(task, self._keeper)
        self._stepping = Stepping(task, self._batches.batch_size, self._say_line)
        self._meter = Meter(task, settings.epochs * self._steps_per_epoch, settings.log_every, publish)
        self._split = "val" if self._data.val else "train"
        self._metric = f"{self._split}/{task.metric}" if task.metric else ""
        self._script = deque(script)

        self.paused = False
        self._at = Progress(base_lr=config.optimizer.lr)
        self._lr = math.nan
        self._lr_stays = False
        self._ending: Ending | None = None
        self._watch = Stopwatch()
        self._saved_at_s = 0.0

    @property
    def step(self) -> int:
        """Steps taken so far; readable from any thread."""
        return self._at.step

    def free_memory(self) -> None:
        """Give back what is only there to be fast, and what steps have left that is not in the log yet: for a run that
        has failed."""
        self._stepping.forget()
        self._meter.forget()
        self._studio.forget()

    # -- the way through a run ----------------------------------------------------------------------------------

    def run(self) -> None:
        """Train to the end: the last epoch, early stopping, or a command to stop.

        Raises:
            CheckpointError: the checkpoint to go on from can't be used.
            DataError: the data has changed since then.
            NotFinite: the loss, or a gradient, became NaN or infinite.
            OSError: a checkpoint could not be written at the end.
        """
        self._at = self._keeper.begin(self._config.optimizer.lr, self._steps_per_epoch)
        self._watch.set(self._at.elapsed_s)
        self._tell(announcement(self._task, self._batches, self._at, self._metric))
        if self._settings.on_nonfinite == "skip":
            self._stepping.leave_guarded()
        self._stop_if_no_better()
        if self.step == 0:
            self._studio.keep(self.step, self._at.epoch)
        self._studio.draw(self.step)
        self._start_clock()
        while True:
            try:
                self._obey_waiting()
                self._train()
                return
            except NotFinite as error:
                self._recover(error)

    def _train(self) -> None:
        while self._ending is None and self._at.epoch < self._settings.epochs:
            self._train_epoch()
        self._finish()

    def _train_epoch(self) -> None:
        """The rest of the current epoch: all of it, or less after a resume or a command to stop."""
        at, meter, elapsed_s = self._at, self._meter, self._watch.elapsed_s
        take_step = self._take_guarded_step if self._recovery.looks_at(at.step) else self._stepping.take
        end = (at.epoch + 1) * self._steps_per_epoch
        for inputs, targets in self._batches.epoch(at.epoch, at.step + self._steps_per_epoch - end):
            if at.due or self._script:
                self._follow_script()
                if self._ending is not None:
                    return
            if not self._lr_stays:
                self._follow_schedule()
            observation = take_step(inputs, targets)
            at.step += 1
            now_s = elapsed_s()
            if observation is not None:
                meter.add(observation, at.step, now_s, self._lr)
            if at.step < end:
                self._between_steps(now_s)
                if self._ending is not None:
                    return
        # the evaluation belongs to the last step: a checkpoint of that step is taken after it, so that none repeats it
        if self._end_epoch() and self._ending is None and at.epoch < self._settings.epochs:
            self._between_steps(elapsed_s())

    def _between_steps(self, now_s: float) -> None:
        if now_s >= self._saved_at_s + self._settings.checkpoint_every_s:
            self._save("schedule")
        if self._inbox:
            self._obey_waiting()
        self._studio.draw_if_due(self.step)

    def _end_epoch(self) -> bool:
        """Evaluate if that is due; False if a command to stop broke it off, so that a resume has to do it."""
        at, epoch = self._at, self._at.epoch + 1
        if epoch == self._settings.epochs or epoch % self._settings.eval_interval() == 0:
            self._flush()
            if not self._evaluate(epoch):
                self._obey_waiting()
                return False
            self._studio.keep(at.step, epoch)
            self._tell(ev.EpochEnded(step=at.step, epoch=epoch, elapsed_s=self._elapsed_s()))
        at.epoch = epoch
        return True

    def _evaluate(self, epoch: int) -> bool:
        """Measure on held-out data; False if a command to stop came meanwhile."""
        if self._data.val is None and not self._task.metric:
            return True  # nothing depends on it, and the steps have measured the training rows already
        found = evaluate(self._task, self._data, lambda: self._inbox.has_stop)
        if found is None:
            return False
        self._studio.answers(self.step, found.outputs)
        self._tell(
            ev.Evaluated(
                step=self.step,
                epoch=epoch,
                elapsed_s=self._elapsed_s(),
                values={f"{self._split}/{key}": value for key, value in found.values.items()},
            )
        )
        self._keep_if_best(found.values.get(self._task.metric), epoch)
        return True

    def _keep_if_best(self, value: float | None, epoch: int) -> None:
        at, sign = self._at, 1 if self._task.higher_is_better else -1
        if value is not None and (at.best_value is None or sign * value > sign * at.best_value):
            at.best_value, at.evaluations_since_best = value, 0
            self._keeper.keep_best(at.step, {"epoch": epoch, "metric": self._metric, "value": value})
            return
        at.evaluations_since_best += 1
        self._stop_if_no_better()

    def _stop_if_no_better(self) -> None:
        """Early stopping; asked again after a resume, which may follow the very evaluation that ended the run."""
        patience = self._settings.patience
        if patience and self._at.evaluations_since_best >= patience and self._ending is None:
            self._ending = Ending(True, f"no better {self._metric} in {patience} evaluations")

    def _finish(self) -> None:
        self._flush()
        ending = self._ending or Ending(True)
        self._studio.draw(self.step)
        self._save("end" if ending.is_finished or ending.reason == "asked" else "signal")
        self._answer_last()
        ended = ev.RunFinished if ending.is_finished else ev.RunStopped
        self._tell(ended(step=self.step, elapsed_s=self._elapsed_s(), reason=ending.reason))

    def _answer_last(self) -> None:
        """What was asked while the run came to its end: done if it still makes sense, refused with a word if not."""
        while self._inbox:
            command = self._inbox.take()
            if isinstance(command, (cmd.SaveCheckpoint, cmd.Ask)):
                self._obey(command)
            elif not isinstance(command, cmd.Stop):
                self._refuse(type(command).__name__.lower(), "the run is at its end")

    def _tell(self, event: ev.AnyEvent) -> None:
        """Publish `event` after the rows of the steps before it."""
        self._meter.flush()
        self._publish(event)

    def _say_line(self, text: str, level: str = "info") -> None:
        self._tell(ev.LineLogged(step=self.step, level=level, text=text))

    def _flush(self) -> None:
        """Publish the rows of all steps so far.

        Raises:
            NotFinite: a loss among them is not finite.
        """
        self._meter.flush_all(self.step, self._watch.elapsed_s(), self._lr)

    # -- numbers that are not finite ----------------------------------------------------------------------------

    def _take_guarded_step(self, inputs: Tensor, targets: Tensor) -> Observation | None:
        """A step whose numbers are looked at before they are used; None if its update was not made."""
        taken = self._recovery.take_step(self._at, self._lr, inputs, targets)
        if not isinstance(taken, ev.StepSkipped):
            return taken
        self._flush()
        self._tell(taken)
        return None

    def _recover(self, error: NotFinite) -> None:
        """Go back to the last checkpoint, if that may help.

        Raises:
            NotFinite: it does not.
        """
        if error.is_found:
            self._flush()
        is_to_stop = self._ending is not None and not self._ending.is_finished
        self._at, event = self._recovery.go_back(error, self._at, is_to_stop)
        if not is_to_stop:
            self._ending = None
        self._lr, self._lr_stays = math.nan, False  # the optimizer has that of the checkpoint
        self._stepping.forget()
        self._meter.forget()
        self._studio.forget()
        self._publish(event)

    # -- learning rate ------------------------------------------------------------------------------------------

    def _follow_schedule(self) -> None:
        factor = lr_factor(self._config.schedule, self.step, self._steps_per_epoch, self._settings.epochs)
        lr = self._at.base_lr * factor
        self._lr_stays = self._config.schedule.kind == "constant" and factor == 1
        if lr != self._lr:
            self._lr = lr
            self._stepping.set_lr(lr)

    def _change_lr(self, lr: float) -> None:
        at = self._at
        self._flush()
        self._lr_stays = False
        at.due = []  # who changes it now overrules what was asked for before a crash
        old, at.base_lr = at.base_lr, allowed_lr(lr)
        self._tell(ev.LearningRateChanged(step=at.step, old=old, new=at.base_lr))

    # -- commands -----------------------------------------------------------------------------------------------

    def _do_again(self) -> None:
        """What was done at this step before a crash is done again, without a word: the log tells of it already."""
        due = self._at.due
        while due and due[0].step <= self.step:
            self._flush()
            self._at.base_lr, self._lr_stays = due.pop(0).lr, False

    def _follow_script(self) -> None:
        self._do_again()
        while self._script and self._script[0].step <= self.step and self._ending is None:
            self._obey(self._script[0].command)
            self._script.popleft()

    def _obey_waiting(self) -> None:
        self._do_again()
        while self._inbox and self._ending is None:
            command = self._inbox.take()
            try:
                self._obey(command)
            except NotFinite:  # found while looking at what is to be saved
                self._inbox.put_back(command)
                raise

    def _obey(self, command: cmd.AnyCommand) -> None:
        match command:
            case cmd.Pause():
                self._pause()
            case cmd.Continue():
                self._refuse("continue", "the run is not paused")
            case cmd.Resume():
                self._refuse("resume", "the run goes on already")
            case cmd.Stop(reason=reason):
                self._ending = Ending(False, reason)
            case cmd.SaveCheckpoint():
                self._save("asked")
            case cmd.SetLearningRate(lr=lr):
                self._change_lr(lr)
            case cmd.ScaleLearningRate(factor=factor):
                self._change_lr(self._at.base_lr * factor)
            case cmd.Ask(id=id, text=text):
                self._tell(answer(self._task, self.step, id, text))

    def _refuse(self, command: str, reason: str) -> None:
        self._tell(ev.CommandRejected(step=self.step, command=command, reason=reason))

    def _pause(self) -> None:
        """Wait for a command to go on or to stop; others are obeyed meanwhile, and time does not count."""
        self._flush()
        self._studio.draw(self.step)
        self._save("pause")
        self._watch.stop()
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
                        self._refuse("pause", "the run is paused already")
                    case _:
                        self._obey(command)

    # -- time ---------------------------------------------------------------------------------------------------

    def _elapsed_s(self) -> float:
        return round(self._watch.elapsed_s(), 4)

    def _start_clock(self) -> None:
        self._watch.start()
        self._saved_at_s = self._watch.elapsed_s()
        self._meter.restart(self._saved_at_s)

    # -- checkpoints --------------------------------------------------------------------------------------------

    def _save(self, reason: str) -> None:
        """Write a checkpoint. One on schedule that fails is told of and tried again; the others are owed.

        Raises:
            NotFinite: there is nothing worth keeping.
            OSError: one that is owed could not be written.
        """
        at = self._at
        self._flush()
        if not self._keeper.weights_are_finite():
            raise NotFinite(at.step, 1, self._lr, "weights")
        began_s = time.perf_counter()
        self._saved_at_s = at.elapsed_s = self._watch.elapsed_s()
        try:
            name = self._keeper.save(at, is_kept=reason == "asked", is_owed=reason != "schedule")
        except OSError as error:
            text = f"checkpoint at step {at.step:,} could not be written ({error.strerror}); {self._keeper.fallback}"
            if reason in ("end", "signal"):
                raise OSError(error.errno, text) from error
            self._say_line(f"{text}: {mend(error)}", "warning")
            return
        took_s = round(time.perf_counter() - began_s, 4)
        self._tell(ev.CheckpointSaved(step=at.step, folder=f"checkpoints/{name}", reason=reason, took_s=took_s))
