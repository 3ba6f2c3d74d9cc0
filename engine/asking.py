"""Ask a run that nobody trains: its configuration and a checkpoint are enough, its data need not be there."""

from __future__ import annotations

from typing import NamedTuple

import torch

from engine.checkpoint import CheckpointError, load_checkpoint
from engine.data.bundle import DataBundle, DataError
from engine.devices import default_threads
from engine.run_folder import RunFolder
from engine.tasks import CannotAnswer, build_task
from engine.text import plain


class AskingError(Exception):
    """A run that can't be asked; the message is one line."""


class Reply(NamedTuple):
    """What a checkpoint's model makes of a text."""

    step: int
    """At which the checkpoint was taken."""
    values: dict[str, float]
    """A probability for each class, by its name."""


def ask_checkpoint(folder: RunFolder, name: str, text: str) -> Reply:
    """What the model in the checkpoint `name` (last, best …) of a run makes of `text`, computed here on the CPU.

    Raises:
        AskingError: there is no such checkpoint, it can't be used, or the model has no answer.
        RunFolderError: the configuration can't be read.
    """
    path = folder.checkpoints / name
    if not path.exists():
        raise AskingError(f"run '{plain(folder.name)}' has no checkpoint '{plain(name)}' yet")
    config = folder.config()
    torch.set_num_threads(default_threads())
    try:
        checkpoint = load_checkpoint(path)
        data = DataBundle.from_card(checkpoint.state.get("data", {}))
        task = build_task(config, data, torch.device("cpu"))
        checkpoint.load_into(task.modules)
        return Reply(checkpoint.step, task.answer(text))
    except (CheckpointError, DataError, CannotAnswer) as error:
        raise AskingError(str(error)) from None
    except Exception as error:  # weights of another network, or a network of somebody's own that raises what it likes
        reason = (str(error).splitlines() or ["no reason given"])[0][:300]
        raise AskingError(
            f"the model of checkpoint {plain(str(path))} can't be used: {type(error).__name__}: {reason}"
        ) from None
