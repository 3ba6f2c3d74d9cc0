"""Everything needed to go on from a step, on disk whole or not at all.

    checkpoints/last -> .last-1234     what resume goes on from
    checkpoints/best -> .best-1200     weights of the best evaluation
    checkpoints/step-1000              asked for by a person, kept for good

Each is a folder with `weights.safetensors` and `state.pt`. A checkpoint is written under a draft's name, synced, and
renamed; the link then moves to it in one step, and only then does the one before it go.
"""

from __future__ import annotations

import io
import os
import random
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from engine.own_file import check_own
from engine.state_shape import fault_in
from engine.text import first_line

VERSION = 1
WEIGHTS, STATE = "weights.safetensors", "state.pt"


class CheckpointError(Exception):
    """A checkpoint that can't be used; the message is one line and names the file."""


@dataclass
class Checkpoint:
    """A run's weights and state at one step boundary."""

    step: int
    weights: dict[str, Tensor]
    """Tensors of all modules, named `module.parameter`."""
    state: dict[str, Any] = field(default_factory=dict)
    """Numbers, strings, tensors, and lists, tuples and dicts of them."""

    def load_into(self, modules: Mapping[str, nn.Module]) -> None:
        """Give `modules` their weights, by name.

        Raises:
            RuntimeError: the weights are those of other modules.
        """
        for name, module in modules.items():
            prefix = f"{name}."
            module.load_state_dict(
                {key.removeprefix(prefix): value for key, value in self.weights.items() if key.startswith(prefix)}
            )


class CheckpointStore:
    """The checkpoints of one run.

    Args:
        folder: The run's `checkpoints` folder; made if absent.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save_last(self, checkpoint: Checkpoint) -> str:
        """Write the checkpoint to resume from, in place of the one before; returns its name.

        Raises:
            OSError: it could not be written; the one before is still there.
        """
        return self._save_linked("last", checkpoint)

    def save_best(self, checkpoint: Checkpoint) -> str:
        """Write the best weights so far, in place of those before; returns their name.

        Raises:
            OSError: they could not be written; those before are still there.
        """
        return self._save_linked("best", checkpoint)

    def save_step(self, checkpoint: Checkpoint) -> str:
        """Write a checkpoint that is kept, and resume from it too; returns its name.

        Raises:
            OSError: it could not be written, and nothing of it is left.
        """
        name = f"step-{checkpoint.step}"
        if (self._folder / name).exists():
            return self.save_last(checkpoint)
        self._folder.mkdir(exist_ok=True)
        self._write_linked("last", name, checkpoint)
        return name

    def load_last(self) -> Checkpoint | None:
        """The checkpoint to resume from; None if there is none.

        Raises:
            CheckpointError: it is damaged, or holds what is not data.
        """
        folder = self._folder / "last"
        if folder.is_symlink() and not folder.exists():
            raise CheckpointError(f"checkpoint {folder} leads to {folder.readlink()}, which is gone")
        return load_checkpoint(folder) if folder.exists() else None

    def _save_linked(self, link: str, checkpoint: Checkpoint) -> str:
        self._folder.mkdir(exist_ok=True)
        name = f".{link}-{checkpoint.step}"
        again = 1
        while (self._folder / name).exists():  # the same step in another state: the learning rate was changed there
            again += 1
            name = f".{link}-{checkpoint.step}-{again}"
        self._write_linked(link, name, checkpoint)
        return link

    def _write_linked(self, link: str, name: str, checkpoint: Checkpoint) -> None:
        try:
            self._write(name, checkpoint)
            self._point(link, name)
        except BaseException:
            if not _leads_to(self._folder / link, name):  # whole, but nobody would find it, nor give its space back
                shutil.rmtree(self._folder / name, ignore_errors=True)
            raise

    def _write(self, name: str, checkpoint: Checkpoint) -> None:
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self._folder))
        try:
            _write_synced(draft / WEIGHTS, save({key: value.contiguous() for key, value in checkpoint.weights.items()}))
            # through memory: on a full disk torch's own writer dies of its clean-up and hides why
            state = io.BytesIO()
            torch.save({"version": VERSION, "step": checkpoint.step, **checkpoint.state}, state)
            _write_synced(draft / STATE, state.getbuffer())
            draft.chmod(0o755)
            draft.rename(self._folder / name)
            _sync_folder(self._folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    def _point(self, link: str, name: str) -> None:
        """Let `link` lead to `name`, and remove what it led to unless a person asked for that to be kept."""
        draft = self._folder / f".link-to-{link}"  # one that a dead engine left is in nobody's way
        draft.unlink(missing_ok=True)
        draft.symlink_to(name)
        draft.replace(self._folder / link)
        _sync_folder(self._folder)
        for stale in [*self._folder.glob(f".{link}-*"), *self._folder.glob(".draft-*")]:
            if stale.name != name:
                shutil.rmtree(stale, ignore_errors=True)


def _leads_to(link: Path, name: str) -> bool:
    try:
        return os.readlink(link) == name
    except OSError:
        return False


def load_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint in `folder`, its tensors on the CPU. Nothing in it is executed.

    Raises:
        CheckpointError: it is missing, damaged, or holds what is not data.
    """
    try:
        files = folder.resolve()  # `last` may be led elsewhere between the two
        if files.parent != folder.parent.resolve():
            raise CheckpointError(f"checkpoint {folder} leads out of its run's folder: put the checkpoint itself there")
        for name in (WEIGHTS, STATE):
            check_own(files / name)
        _check_is_stored(files / STATE)
        weights = load_file(files / WEIGHTS)
        state = torch.load(files / STATE, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise CheckpointError(f"checkpoint {folder} can't be read: {first_line(error)[:200]}") from None
    except Exception as error:  # the unpickler's own errors come from anywhere
        raise CheckpointError(
            f"checkpoint {folder} is refused: it holds more than data ({first_line(error)[:200]})"
        ) from None
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise CheckpointError(f"checkpoint {folder} was not written by this version of dltui")
    if fault := fault_in(state):
        raise CheckpointError(f"checkpoint {folder} is damaged: {fault}")
    return Checkpoint(state["step"], weights, state)


def _check_is_stored(path: Path) -> None:
    """PyTorch stores without packing: what is packed may be a small file that unpacks to fill the memory."""
    # what is no archive, or one of an unknown sort, torch refuses itself
    with suppress(zipfile.BadZipFile, NotImplementedError), zipfile.ZipFile(path) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError(f"{STATE} is packed, which dltui never does")


def _write_synced(path: Path, data: bytes | memoryview) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network disks refuse; the rename has happened all the same
            os.fsync(fd)
    finally:
        os.close(fd)


def random_states(device: torch.device) -> dict[str, Any]:
    """All random states of this process, as data that loads without unpickling objects."""
    version, internal, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    states: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "python": [version, list(internal), gauss],
        "numpy": [name, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, cached],
    }
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random_states(states: Mapping[str, Any], device: torch.device) -> None:
    """Put back what `random_states` gave."""
    torch.set_rng_state(states["torch"])
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


@contextmanager
def undisturbed_random_states(device: torch.device) -> Iterator[None]:
    """Whatever is drawn meanwhile, training goes on as if it had not been: what happens when a clock says so, or a
    person asks, must not change what is learned."""
    states = random_states(device)
    try:
        yield
    finally:
        restore_random_states(states, device)
