"""The whole of what a user asks for."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import get_args

from pydantic import Field, model_validator

from engine.schema.base import DataFacts, Section, reject
from engine.schema.batch_fit import check_last_batch
from engine.schema.custom import CustomModel
from engine.schema.data import Data
from engine.schema.dcgan_layers import doublings_of, nearest_side
from engine.schema.image_data import ImageFolder
from engine.schema.image_model import Cnn
from engine.schema.model import Linear, Mlp, Model
from engine.schema.optimizer import Muon, Optimizer, Sgd
from engine.schema.schedule import Constant, Schedule
from engine.schema.task import Classification, ClassificationNumpy, Gan, RegressionScratch, Task
from engine.schema.text_model import Lstm
from engine.schema.trainer import Display, Trainer

FITTING_TASK = {
    "numbers": "regression",
    "binary": "binary-classification",
    "classes": "classification",
    "class-sequence": "token-classification",
}
INPUTS_IN_WORDS = {"features": "features", "image": "images", "tokens": "token ids"}


class RunConfig(Section):
    """Task, data, model, optimizer, schedule and trainer of one run; enough to run it again."""

    preset: str = Field("", max_length=80, description="Name of the preset it came from.")
    title: str = Field("", max_length=120, description="What lists show.")
    teaches: str = Field("", max_length=1000, description="What there is to see in it, in a sentence or two.")
    group: str = Field("", max_length=80, description="Heading it is listed under.")
    task: Task = Field(default_factory=Classification)
    data: Data
    model: Model
    optimizer: Optimizer = Field(default_factory=Sgd)
    schedule: Schedule = Field(default_factory=Constant)
    trainer: Trainer = Field(default_factory=Trainer)
    display: Display = Field(default_factory=Display)

    @model_validator(mode="after")
    def _sections_fit(self) -> RunConfig:
        _check_task_fits_data(self)
        check_facts(self, self.facts())
        if isinstance(self.task, RegressionScratch):
            _check_scratch(self)
        if isinstance(self.task, ClassificationNumpy):
            _check_numpy(self)
        if isinstance(self.task, Gan):
            _check_gan(self)
        if isinstance(self.model, Lstm) and self.model.cell == "by-hand" and self.trainer.compile:
            reject(
                "trainer.compile",
                "an LSTM by hand is a loop that torch.compile would unroll for minutes: switch compile off, or set "
                "model.cell to library",
            )
        if isinstance(self.optimizer, Muon) and isinstance(self.model, Linear):
            reject(
                "optimizer.kind",
                "optimizer 'muon' is for hidden matrices, and model 'linear' has none: choose adamw, or model mlp",
            )
        return self

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        """Shape of the data, as far as it is known without loading it; of a user's own file only given `data_dir`."""
        return self.data.facts(data_dir)

    def parameter_count(self, facts: DataFacts | None = None) -> int | None:
        """Number of trained parameters; None while the data's shape is unknown."""
        return self.model.parameter_count(facts or self.facts())

    def steps_per_epoch(self, facts: DataFacts | None = None) -> int | None:
        """Optimizer steps in one epoch; None while the number of rows is unknown."""
        rows = (facts or self.facts()).train_rows
        if rows is None:
            return None
        return 1 if self.trainer.batch_size == "full" else ceil(rows / self.trainer.batch_size)


def _check_task_fits_data(config: RunConfig) -> None:
    targets = config.data.facts().targets
    if targets not in config.task.targets:
        fitting = FITTING_TASK[targets]
        reject(
            "task.kind",
            f"data '{config.data.kind}' has {targets} as targets; task '{config.task.kind}' wants "
            f"{' or '.join(config.task.targets)}: choose task '{fitting}'",
        )


def check_facts(config: RunConfig, facts: DataFacts) -> None:
    """Whatever depends on what is known of the data: asked again once it is loaded, if some of it was not known before.

    Raises:
        PydanticCustomError: as `reject`.
    """
    _check_model_fits(config, facts)
    if isinstance(config.task, Classification) and facts.outputs == 1:
        reject(
            "data.kind",
            f"data '{config.data.kind}' has one class only, and nothing to tell it from: name a folder or file that "
            "has several",
        )
    if isinstance(config.model, Cnn):
        config.model.check_size(facts)
    check_last_batch(config.model, config.trainer.batch_size, facts)


def _check_model_fits(config: RunConfig, facts: DataFacts) -> None:
    """The model can be fed with this data, and be trained by this task."""
    data, task, model, inputs = config.data.kind, config.task.kind, config.model, facts.inputs
    models = [other for other in get_args(get_args(Model)[0]) if other is not CustomModel]
    eating = [other for other in models if inputs is None or inputs in other.inputs]
    fitting = [str(other.model_fields["kind"].default) for other in eating if task in other.tasks]
    if inputs is not None and inputs not in model.inputs:
        wanted = " or ".join(INPUTS_IN_WORDS[name] for name in model.inputs)
        choose = f"choose model {' or '.join(fitting)}" if fitting else "choose other data"
        reject(
            "model.kind",
            f"data '{data}' yields {INPUTS_IN_WORDS[inputs]}; model '{model.kind}' wants {wanted}: {choose}",
        )
    if task not in model.tasks:
        choose = f"choose model {' or '.join(fitting)}" if fitting else f"choose task {' or '.join(model.tasks)}"
        reject("model.kind", f"task '{task}' can't train model '{model.kind}': {choose}")


def _check_gan(config: RunConfig) -> None:
    if config.trainer.patience:
        reject("trainer.patience", "task 'gan' has no single number that says how good it is: set patience to 0")
    if config.trainer.compile:
        reject("trainer.compile", "task 'gan' runs two networks in turn, uncompiled: switch compile off")
    if isinstance(config.optimizer, Muon):
        reject("optimizer.kind", "optimizer 'muon' is for hidden matrices, and model 'dcgan' has none: choose adam")
    data = config.data
    if isinstance(data, ImageFolder) and doublings_of(data.size) is None:
        reject(
            "data.size",
            f"model 'dcgan' makes pictures of 4 to 7 pixels doubled at least once, which never gives {data.size}: "
            f"set size to {nearest_side(data.size)}",
        )


def _check_plain_sgd(config: RunConfig) -> None:
    """Hand-written updates do what they say and nothing more: w -= lr * gradient."""
    task, optimizer, trainer = config.task.kind, config.optimizer, config.trainer
    if not isinstance(optimizer, Sgd):
        reject("optimizer.kind", f"task '{task}' updates by hand with plain SGD: choose optimizer 'sgd'")
    for field in ("momentum", "weight_decay"):
        if getattr(optimizer, field):
            reject(f"optimizer.{field}", f"task '{task}' updates by hand with plain SGD: set {field} to 0")
    if trainer.clip_norm:
        reject("trainer.clip_norm", f"task '{task}' does not clip gradients: set clip_norm to 0")
    if trainer.precision != "fp32":
        reject("trainer.precision", f"task '{task}' computes in float32: set precision to fp32")
    if trainer.compile:
        reject("trainer.compile", f"task '{task}' has no module to compile: switch compile off")


def _check_scratch(config: RunConfig) -> None:
    if not isinstance(config.model, Linear):
        reject("model.kind", "task 'regression-scratch' is one weight and one bias by hand: choose model 'linear'")
    _check_plain_sgd(config)


def _check_numpy(config: RunConfig) -> None:
    model = config.model
    if not isinstance(model, Mlp) or len(model.hidden) != 1:
        reject(
            "model.kind",
            "task 'classification-numpy' has exactly one hidden layer: choose model 'mlp' with one width in hidden",
        )
    if model.norm != "none" or model.dropout:
        reject(
            "model.norm",
            "task 'classification-numpy' knows neither norm nor dropout: set norm to none and dropout to 0",
        )
    if model.activation not in ("relu", "sigmoid", "tanh"):
        reject(
            "model.activation",
            "task 'classification-numpy' has derivatives for relu, sigmoid and tanh: choose one of them",
        )
    if config.trainer.device not in ("auto", "cpu"):
        reject("trainer.device", "task 'classification-numpy' computes on the CPU: set device to auto or cpu")
    _check_plain_sgd(config)
