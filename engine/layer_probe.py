"""The layers of what a configuration describes, as one line of JSON: `python -m engine.layer_probe`, with
`{"config": …, "data_dir": …}` on standard input.

In a process of its own, since it imports torch, loads data if need be, and runs a user's code; what that prints goes to
standard error.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from engine.custom_code import said, told_as_users
from engine.data import load_data
from engine.data.bundle import DataBundle, DataError, Split
from engine.diagnosis import diagnose
from engine.fit import check_fit, loaded_facts
from engine.models import build_model
from engine.models.custom import samples_of
from engine.module_layers import module_layers
from engine.schema import DataFacts, RunConfig, validate
from engine.schema.custom import CustomModel
from engine.schema.layers import Layer
from engine.schema.model_base import ModelSection
from engine.worker import seed_everything


def layers_of(config: RunConfig, data_dir: Path) -> list[Layer]:
    """The layers of the network that `config` describes; its data is loaded if nothing else tells their shapes.

    Raises:
        DataError: the data can't be loaded, or does not fit.
        CustomCodeError: the user's own code can't be used.
    """
    seed_everything(config.trainer.seed)
    data = _stand_in(config.facts(data_dir))
    if data is None:
        data = load_data(config.data, config.trainer.seed, data_dir)
    check_fit(config, data)
    if type(config.model).layers not in (ModelSection.layers, CustomModel.layers):
        layers = config.model.layers(loaded_facts(config, data))
        if layers is None:
            shape = " x ".join(map(str, data.input_shape))
            raise DataError(f"model '{config.model.kind}' can't be made for samples of shape {shape}")
        return layers
    module = build_model(config.model, data)
    with told_as_users(said(config.model.target)) if isinstance(config.model, CustomModel) else nullcontext():
        return module_layers(module, samples_of(data))


def _stand_in(facts: DataFacts) -> DataBundle | None:
    """Two samples of the shape that is known of the data; None where too little is."""
    if facts.input_shape is None or facts.outputs is None:
        return None
    is_text = facts.inputs == "tokens"
    inputs = torch.zeros(2, *facts.input_shape, dtype=torch.int64 if is_text else torch.float32)
    targets = {"classes": torch.zeros(2, dtype=torch.int64)}
    if facts.targets == "class-sequence":
        targets["class-sequence"] = torch.zeros(inputs.shape, dtype=torch.int64)
    return DataBundle(
        train=Split(inputs, targets.get(facts.targets, torch.zeros(2, facts.outputs))),
        val=None,
        input_shape=facts.input_shape,
        outputs=facts.outputs,
        class_names=tuple(map(str, range(facts.outputs))) if "class" in facts.targets else (),
        vocabulary=tuple(map(str, range(facts.vocabulary))) if facts.vocabulary else (),
    )


def probe(request: dict[str, Any]) -> dict[str, Any]:
    """`{"layers": …}`, or `{"error": …, "cure": …, "traceback": …}`."""
    try:
        config = validate(request["config"])
        return {"layers": [layer._asdict() for layer in layers_of(config, Path(request["data_dir"]))]}
    except (Exception, SystemExit) as error:
        return diagnose(error)._asdict()


def main() -> None:
    """Answer the request on standard input."""
    answer = os.dup(1)
    os.dup2(2, 1)
    request = json.loads(sys.stdin.buffer.read())
    with os.fdopen(answer, "w", encoding="ascii") as file:
        json.dump(probe(request), file)


if __name__ == "__main__":
    main()
    gc.freeze()  # whoever waits for the end of this process need not wait for a search for garbage
