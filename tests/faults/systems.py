"""Small runs of every kind of task, optimizer and schedule, over in a fraction of a second."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path
from typing import Any

from engine.schema import RunConfig, overlay, validate
from tests.engine.user_code import NET, write

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.05, "momentum": 0.9, "nesterov": True},
    "adagrad": {"lr": 0.02},
    "rmsprop": {"lr": 0.003, "momentum": 0.5},
    "adam": {"lr": 0.01, "amsgrad": True},
    "adamw": {"lr": 0.01},
    "nadam": {"lr": 0.01},
    "radam": {"lr": 0.01},
    "muon": {"lr": 0.02},
}
SCHEDULES: dict[str, dict[str, Any]] = {
    "constant": {},
    "step": {"every": 3, "gamma": 0.5},
    "exponential": {"gamma": 0.9},
    "cosine": {},
    "cosine-restarts": {"first": 2, "grow": 2.0},
    "one-cycle": {},
    "cyclic": {"period": 3},
    "inverse-sqrt": {},
}
PAIRS = list(product(OPTIMIZERS, SCHEDULES))
PLAIN_SGD = {"lr": 0.05}

MLP: dict[str, Any] = {
    "task": {"kind": "classification"},
    "data": {"kind": "spiral", "points": 40},
    "model": {"kind": "mlp", "hidden": [8, 8], "dropout": 0.2},
    "trainer": {"epochs": 10, "batch_size": 16, "device": "cpu", "threads": 1, "checkpoint_every_s": 0.05},
}
DIGITS: dict[str, Any] = {"kind": "digits", "flip": True, "rotate": 15}

SYSTEMS: dict[str, dict[str, Any]] = {
    "MLP with dropout": {},
    "MLP with batch norm": {"model": {"kind": "mlp", "hidden": [8, 8], "norm": "batch"}},
    "regression": {
        "task": {"kind": "regression"},
        "data": {"kind": "polynomial"},
        "model": {"kind": "mlp", "hidden": [4, 4]},
        "trainer": {"epochs": 12},
    },
    "binary classification, all rows at once": {
        "task": {"kind": "binary-classification"},
        "data": {"kind": "xor"},
        "trainer": {"epochs": 80, "batch_size": "full"},
    },
    "CNN with flips and turns": {
        "data": DIGITS,
        "model": {"kind": "cnn", "channels": [3, 4], "kernel": 3, "padding": "same", "norm": "batch", "hidden": [6]},
        "trainer": {"epochs": 5, "batch_size": 128},
    },
    "LSTM": {
        "data": {"kind": "tsv", "path": "texts.tsv", "vocabulary": 30, "length": 6},
        "model": {"kind": "lstm", "embedding": 4, "hidden": 4, "head": 4, "dropout": 0.1},
        "trainer": {"epochs": 9, "batch_size": 8, "clip_norm": 1.0},
    },
    "RNN over letters": {
        "task": {"kind": "token-classification"},
        "data": {"kind": "hello"},
        "model": {"kind": "rnn", "variant": "embedding"},
        "trainer": {"epochs": 70, "batch_size": 1},
    },
    "network and data of one's own": {
        "data": {"kind": "custom", "target": "my_net.py:load"},
        "model": {"kind": "custom", "target": "my_net.py:Net"},
        "trainer": {"epochs": 14, "batch_size": 8},
    },
    "early stopping": {"optimizer": {"lr": 1e-9}, "trainer": {"epochs": 50, "eval_every": 1, "patience": 8}},
    "GAN": {
        "task": {"kind": "gan", "samples": 2},
        "data": DIGITS,
        "model": {"kind": "dcgan", "latent": 4, "ngf": 2, "ndf": 2},
        "trainer": {"epochs": 5, "batch_size": 128},
    },
    "regression by hand": {
        "task": {"kind": "regression-scratch"},
        "data": {"kind": "linear-synthetic", "rows": 120},
        "model": {"kind": "linear"},
    },
    "classification in NumPy": {
        "task": {"kind": "classification-numpy"},
        "model": {"kind": "mlp", "hidden": [8], "dropout": 0.0},
    },
}
"""What is laid over `MLP`, by a name for the table of what was tried."""
BY_HAND = ("regression by hand", "classification in NumPy")
"""Those that know no other update than plain SGD."""


def build(system: str, number: int, draw: random.Random, folder: Path) -> RunConfig:
    """A run of `system`, with the pair of optimizer and schedule that is its `number`th, and the rest drawn.

    Pairs go round: whatever the number of runs of each system, every optimizer and every schedule gets its turn.

    Args:
        folder: The data folder; what the system reads is written into it.
    """
    over = SYSTEMS[system]
    place = list(SYSTEMS).index(system)
    optimizer, schedule = PAIRS[(9 * place + number) % len(PAIRS)]  # 9: both move on from one system to the next
    if system == "GAN" and optimizer == "muon":
        optimizer = "adam"
    by_hand = system in BY_HAND
    chosen = PLAIN_SGD if by_hand else {**OPTIMIZERS[optimizer], **draw.choice([{}, _decaying(draw)])}
    tree: dict[str, Any] = {
        **MLP,
        "optimizer": {"kind": "sgd" if by_hand else optimizer, **chosen},
        "schedule": {"kind": schedule, **SCHEDULES[schedule], "warmup": draw.choice([0.0, 0.3])},
    }
    tree = overlay(tree, {key: value for key, value in over.items() if key not in ("data", "model")})
    tree |= {key: over[key] for key in ("data", "model") if key in over}
    settings: dict[str, Any] = {
        "seed": draw.randrange(1000),
        "log_every": draw.choice([1, 1, 3, 7]),
        "eval_every": draw.choice([1, 2, 3]),
    }
    if not by_hand:
        settings["clip_norm"] = draw.choice([0.0, 0.5])
        settings["precision"] = draw.choice(["fp32", "fp32", "fp32", "bf16"])
    tree["trainer"] = {**settings, **tree["trainer"]}
    _write_files(tree, folder)
    return validate(tree)


def _decaying(draw: random.Random) -> dict[str, Any]:
    return {"weight_decay": 0.01, "decay": draw.choice(["all", "weights"])}


def _write_files(tree: dict[str, Any], folder: Path) -> None:
    """Write the texts or the code that a system reads, and name them by their absolute paths."""
    if tree["data"]["kind"] == "tsv":
        words = ["good", "bad", "fine", "dull", "long", "short", "film", "plot"]
        pick = random.Random(0)
        lines = [f"{number % 2}\t{' '.join(pick.choices(words, k=7))}" for number in range(75)]
        path = write(folder, "\n".join(lines) + "\n", "texts.tsv")
        tree["data"] = {**tree["data"], "path": str(path)}
    if tree["data"]["kind"] == "custom":
        write(folder, NET)
        for key in ("data", "model"):
            tree[key] = {**tree[key], "target": f"{folder / tree[key]['target']}"}
