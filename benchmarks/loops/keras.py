"""Keras on its torch backend: its own layers, loss and optimizer, `compile` and `fit`.

https://keras.io/guides/writing_a_custom_training_loop_in_torch/ and https://keras.io/api/models/model_training_apis/.
Its torch backend can neither run several steps at once nor take a fused optimizer.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.loops import Trained, timed
from benchmarks.loops.accelerated import Rows
from benchmarks.systems import Batches, System

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("KERAS_TORCH_DEVICE", "cpu")
with tempfile.TemporaryDirectory() as _home:  # on its import it writes its settings there
    os.environ.setdefault("KERAS_HOME", _home)
    import keras


def build(system: System) -> Any:
    """The same network from Keras layers, which draw their first weights in their own way."""
    settings = system.config.model
    layers = [keras.layers.Input(system.inputs.shape[1:]), keras.layers.Flatten()]
    if settings.kind == "mlp":
        layers += [keras.layers.Dense(width, activation=settings.activation) for width in settings.hidden]
    return keras.Sequential([*layers, keras.layers.Dense(system.data.outputs)])


def train(system: System) -> Trained:
    """All epochs in one `fit`."""
    clock, settings = system.clock(), system.config.optimizer
    assert settings.kind == "sgd"
    keras.utils.set_random_seed(system.config.trainer.seed)
    model = build(system)
    model.compile(
        optimizer=keras.optimizers.SGD(settings.lr, momentum=settings.momentum),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if system.data.class_names
        else lambda targets, outputs: system.loss(outputs, targets),
        jit_compile=False,
    )
    loader = DataLoader(Rows(Batches(system, clock)), batch_size=None)
    model.fit(loader, epochs=system.epochs, shuffle=False, verbose=0)

    def outputs(inputs: Tensor) -> Tensor:
        made: Tensor = model(inputs)
        return made

    return timed(clock, outputs)._replace(steps=int(model.optimizer.iterations))  # it looks at one batch beforehand
