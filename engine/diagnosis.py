"""What to tell a person about an exception."""

from __future__ import annotations

import errno
import re
import traceback
from typing import NamedTuple

import torch

from engine.batch_search import is_out_of_memory
from engine.checkpoint import CheckpointError
from engine.custom_code import CustomCodeError, exit_in_words, in_words
from engine.data.bundle import DataError
from engine.devices import DeviceError
from engine.meters import NotFinite
from engine.own_traceback import own_traceback, shortened
from engine.run_folder import RunFolderError
from engine.text import plain

WIDTHS = "model.hidden, model.channels, model.ngf"


class Diagnosis(NamedTuple):
    """An exception in a person's words."""

    error: str
    """One line."""
    cure: str
    """What to do about it, empty where that is not known."""
    traceback: str
    """Empty where it would only distract."""
    is_refusal: bool = False
    """Whether what was asked for is all that is wrong."""


def diagnose(error: BaseException, batch_size: int | None = None, fits: int | None = None) -> Diagnosis:
    """What happened and, where we know it, what helps.

    Args:
        error: What was raised.
        batch_size: The batch size in use, if training had begun.
        fits: For want of memory: what `engine.batch_search` found.
    """
    if isinstance(error, CustomCodeError):
        if error.__cause__:  # the code was found, and broke
            return Diagnosis(str(error), error.cure, own_traceback(error.__cause__).text)
        return Diagnosis(str(error), error.cure, "", is_refusal=True)
    own = own_traceback(error)
    trace = own.text if own.where else shortened("".join(traceback.format_exception(error)))
    line = _message(error)
    if isinstance(error, (DataError, DeviceError)):
        return Diagnosis(line, "", "", is_refusal=True)
    if isinstance(error, RunFolderError):
        return Diagnosis(line, "", "")
    if isinstance(error, CheckpointError):
        cure = "let checkpoints/last lead to another one (ln -sfn step-N checkpoints/last), or start a new run"
        return Diagnosis(line, cure, "")
    if isinstance(error, NotFinite):
        return Diagnosis(line, _cure_of(error), "")
    if is_out_of_memory(error):
        where = "on the device" if isinstance(error, torch.OutOfMemoryError) else "in this machine"
        return Diagnosis(f"out of memory {where}: {_wanted(line)}", _cure_of_memory(batch_size, fits), trace)
    if "Expected more than 1 value per channel" in line:
        cure = "choose a trainer.batch_size that does not leave one sample for the last batch"
        return Diagnosis(f"batch norm can't take a batch of one sample: {line}", cure, trace)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Diagnosis(f"the disk is full: {_of_system(error)}", "free some space, then resume", "")
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and not own.where:
        cure = "mend its permissions, then resume"
        return Diagnosis(f"the run's folder may not be written: {_of_system(error)}", cure, "")
    if isinstance(error, SystemExit) and own.where:
        return Diagnosis(f"{exit_in_words(error)} was called ({own.where})", "raise an exception instead", trace)
    return Diagnosis(f"{in_words(error)} ({own.where})" if own.where else in_words(error), "", trace)


def _cure_of(error: NotFinite) -> str:
    again = f"dltui resume {error.run} --lr {error.base_lr / 10:.2g}"
    good = (
        f"the last good checkpoint is of step {error.good_step:,}" if error.good_step else "there is no checkpoint yet"
    )
    then = "go on from it" if error.good_step else "begin again"
    otherwise = "trainer.clip_norm 1, or trainer.on_nonfinite skip or halve"
    return f"{good}: {then} with a lower learning rate, as in {again}; or start a new run with {otherwise}"


def _wanted(line: str) -> str:
    """What there was no memory for, in a person's units where it says so in bytes."""
    match = re.search(r"allocate (\d{1,18}) bytes", line)
    return f"{int(match[1]) / 1e6:,.1f} MB more were needed" if match else line[:200]


def _cure_of_memory(batch_size: int | None, fits: int | None) -> str:
    if fits:
        return f"lower trainer.batch_size to {fits} (tried: it fits)"
    if fits == 0:
        return f"lower the model's width ({WIDTHS}): not even a batch of one sample fits (tried)"
    if batch_size is None:
        return f"lower the model's width ({WIDTHS}), or take less data"
    smaller = f"lower trainer.batch_size, for instance to {batch_size // 2}, or" if batch_size > 1 else "lower"
    return f"{smaller} the model's width ({WIDTHS})"


def _of_system(error: OSError) -> str:
    """What the system says; the whole of it where something more was said."""
    return plain(error.strerror or str(error))


def _message(error: BaseException) -> str:
    try:
        return plain(str(error)).strip()[:2000] or type(error).__name__
    except Exception:  # a user's exception may fail at that too
        return type(error).__name__
