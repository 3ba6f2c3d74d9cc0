"""What to tell a person about an exception."""

from __future__ import annotations

import errno
import traceback
from typing import NamedTuple

import torch

from engine.checkpoint import CheckpointError
from engine.custom_code import CustomCodeError, in_words
from engine.data.bundle import DataError
from engine.devices import DeviceError
from engine.meters import NotFinite
from engine.own_traceback import own_traceback, shortened
from engine.run_folder import RunFolderError
from engine.text import plain


class Diagnosis(NamedTuple):
    """An exception in a person's words."""

    error: str
    """One line."""
    cure: str
    """What to do about it, empty where that is not known."""
    traceback: str
    """Empty where it would only distract."""


def diagnose(error: BaseException, batch_size: int | None = None) -> Diagnosis:
    """What happened and, where we know it, what helps.

    Args:
        error: What was raised.
        batch_size: The batch size in use, if training had begun.
    """
    if isinstance(error, CustomCodeError):
        return Diagnosis(str(error), error.cure, own_traceback(error.__cause__).text if error.__cause__ else "")
    own = own_traceback(error)
    trace = own.text if own.where else shortened("".join(traceback.format_exception(error)))
    line = _message(error)
    if isinstance(error, (DataError, DeviceError, RunFolderError)):
        return Diagnosis(line, "", "")
    if isinstance(error, CheckpointError):
        cure = "let checkpoints/last lead to another one (ln -sfn step-N checkpoints/last), or start a new run"
        return Diagnosis(line, cure, "")
    if isinstance(error, NotFinite):
        return Diagnosis(
            line, f"lower optimizer.lr (now {error.lr:.4g}), or set trainer.clip_norm to 1, and start again", ""
        )
    if isinstance(error, torch.OutOfMemoryError):
        half = f", for instance {max(1, batch_size // 2)}" if batch_size else ""
        return Diagnosis(f"out of memory on the device: {line[:200]}", f"lower trainer.batch_size{half}", trace)
    if isinstance(error, MemoryError) or "not enough memory" in line:
        return Diagnosis(f"out of memory: {line[:200]}", "lower trainer.batch_size, or the model's width", trace)
    if "Expected more than 1 value per channel" in line:
        cure = "choose a trainer.batch_size that does not leave one sample for the last batch"
        return Diagnosis(f"batch norm can't take a batch of one sample: {line}", cure, trace)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Diagnosis(f"the disk is full: {line}", "free some space, then resume", "")
    if isinstance(error, SystemExit) and own.where:
        return Diagnosis(f"sys.exit({error.code!r}) was called ({own.where})", "raise an exception instead", trace)
    return Diagnosis(f"{in_words(error)} ({own.where})" if own.where else in_words(error), "", trace)


def _message(error: BaseException) -> str:
    try:
        return plain(str(error)).strip() or type(error).__name__
    except Exception:  # a user's exception may fail at that too
        return type(error).__name__
