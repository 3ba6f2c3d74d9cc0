"""Data that a user's own function returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from engine.custom_code import call_target, in_words, said, told_as_users
from engine.data.bundle import DataBundle, DataError, Split
from engine.schema.custom import CustomData
from engine.text import plain

KEYS = ("train", "val", "class_names", "mean", "std")
MOST_TOKENS = 1_000_000
NO_DATASETS = (Tensor, np.ndarray, Mapping, str)
WANTED = "return (train, val), each a pair (inputs, targets) or a Dataset; val may be None"


class _Part(NamedTuple):
    """What one split is called in sentences, and what the user gave for it."""

    name: str
    """`load in my_net.py, train`."""
    inputs: Tensor
    targets: Tensor


def load_custom(data: CustomData, seed: int, data_dir: Path) -> DataBundle:
    """What the user's function returns, checked and brought into the shapes and types that tasks work with.

    Raises:
        CustomCodeError: the function can't be called, or raised something.
        DataError: it returned what can't be trained on; the message names the target, the split and the mend.
    """
    name = said(data.target)
    given = _by_key(call_target(data.target, data.args, {"seed": seed, "data_dir": data_dir}), name)
    parts = [_part(given[key], f"{name}, {key}") for key in ("train", "val") if given.get(key) is not None]
    for part in parts[1:]:
        _check_alike(parts[0], part)
    inputs = [_inputs(part) for part in parts]
    names = _class_names(given.get("class_names"), name) if data.targets != "numbers" else ()
    if data.targets == "classes":
        names = names or tuple(map(str, range(1 + max(_largest_class(part) for part in parts))))
        targets = [_classes(part, len(names)) for part in parts]
        if len(names) < 2:
            raise DataError(f"{name}: all targets are the same class: give two classes at least")
    else:
        targets = [_columns(part, data.targets == "binary") for part in parts]
        if data.targets == "binary":
            names = names or ("0", "1")
            if len(names) != 2:
                raise DataError(f"{name}: {len(names)} class_names for targets 0 and 1: give two")
    splits = [Split(*pair) for pair in zip(inputs, targets, strict=True)]
    mean, std = _scale(given, inputs[0], name)
    return DataBundle(
        train=splits[0],
        val=splits[1] if len(splits) > 1 else None,
        input_shape=tuple(inputs[0].shape[1:]),
        outputs=len(names) if data.targets == "classes" else targets[0].shape[1],
        class_names=names,
        mean=mean,
        std=std,
        vocabulary=_vocabulary(parts, inputs),
    )


def _by_key(given: Any, name: str) -> dict[str, Any]:
    if isinstance(given, Mapping):
        unknown = [str(key) for key in given if key not in KEYS]
        if unknown or given.get("train") is None:
            fault = f"knows no '{plain(unknown[0])[:60]}'" if unknown else "needs 'train'"
            raise DataError(f"{name}: the dict it returned {fault}: its keys are {', '.join(KEYS)}")
        return dict(given)
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        count = f" of {len(given)}" if isinstance(given, (tuple, list)) else ""
        raise DataError(f"{name} returned a {type(given).__name__}{count}: {WANTED}")
    if given[0] is None or isinstance(given[0], (Tensor, np.ndarray)):
        raise DataError(f"{name} returned {'None' if given[0] is None else 'a tensor'} as train: {WANTED}")
    return {"train": given[0], "val": given[1]}


def _part(given: Any, name: str) -> _Part:
    """The inputs and targets of a split as tensors on the CPU, as many of the one as of the other."""
    if isinstance(given, (tuple, list)):
        if len(given) != 2:
            raise DataError(f"{name} is a {type(given).__name__} of {len(given)}: give a pair (inputs, targets)")
        inputs, targets = given
    elif hasattr(given, "__getitem__") and hasattr(given, "__len__") and not isinstance(given, NO_DATASETS):
        inputs, targets = _materialised(given, name)
    else:
        raise DataError(
            f"{name} is a {type(given).__name__}: give a pair (inputs, targets), or a Dataset with a length"
        )
    part = _Part(name, _tensor(inputs, f"{name}: inputs"), _tensor(targets, f"{name}: targets"))
    if part.inputs.ndim == 0 or part.targets.ndim == 0 or len(part.inputs) != len(part.targets):
        shapes = f"inputs {tuple(part.inputs.shape)} and targets {tuple(part.targets.shape)}"
        raise DataError(f"{name} has {shapes}: give one target for each sample")
    if part.inputs.numel() == 0:
        raise DataError(f"{name} is empty: give samples, or None for no held-out split")
    return part


def _materialised(dataset: Any, name: str) -> tuple[Any, Any]:
    """All samples of a map-style dataset, in two lists of tensors made into one each."""
    with told_as_users(f"{name}, a {type(dataset).__name__}"):
        samples = [dataset[place] for place in range(len(dataset))]
    for place, sample in enumerate(samples):
        if not isinstance(sample, (tuple, list)) or len(sample) != 2:
            raise DataError(f"{name}, sample {place} is a {type(sample).__name__}: give pairs (input, target)")
    if not samples:
        raise DataError(f"{name} is empty: give samples, or None for no held-out split")
    return tuple(
        _stacked([_tensor(sample[column], f"{name}, sample {place}") for place, sample in enumerate(samples)], name)
        for column in (0, 1)
    )  # type: ignore[return-value] # two columns make two


def _stacked(tensors: list[Tensor], name: str) -> Tensor:
    for place, tensor in enumerate(tensors):
        if tensor.shape != tensors[0].shape:
            shapes = f"{tuple(tensors[0].shape)} and {tuple(tensor.shape)}"
            raise DataError(f"{name}: samples 0 and {place} have shapes {shapes}: bring all to one shape")
    return torch.stack(tensors)


def _tensor(value: Any, name: str) -> Tensor:
    try:
        tensor = value.detach().cpu() if isinstance(value, Tensor) else torch.from_numpy(_array(value))
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{name} can't be made a tensor ({in_words(error)[:120]}): give a tensor or an array") from None
    if tensor.dtype in (torch.uint16, torch.uint32, torch.uint64):  # torch can hold these, but not compare them
        tensor = tensor.to(torch.int64)
    if tensor.is_complex() or tensor.is_sparse or tensor.is_quantized:
        raise DataError(f"{name} are {tensor.dtype}, {tensor.layout}: give dense real numbers")
    return tensor


def _array(value: Any) -> np.ndarray:
    array = np.asarray(value, order="C")
    if array.dtype.kind in "uif" and not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array if array.flags.writeable else array.copy()  # torch warns of the former


def _check_alike(train: _Part, val: _Part) -> None:
    for what, one, other in (("inputs", train.inputs, val.inputs), ("targets", train.targets, val.targets)):
        if one.shape[1:] != other.shape[1:]:
            shapes = f"{tuple(other.shape[1:])}, those of train {tuple(one.shape[1:])}"
            raise DataError(f"{val.name}: {what} have shape {shapes}: they have to be alike")
    if _is_whole(train.inputs) != _is_whole(val.inputs) or (train.inputs.dtype == torch.uint8) != (
        val.inputs.dtype == torch.uint8
    ):
        raise DataError(f"{val.name}: inputs are {val.inputs.dtype}, those of train {train.inputs.dtype}: use one type")


def _is_whole(numbers: Tensor) -> bool:
    return not numbers.is_floating_point() and numbers.dtype != torch.bool


def _inputs(part: _Part) -> Tensor:
    """Bytes of pictures as they are, (N, length) whole numbers as token ids, everything else as float32."""
    inputs = part.inputs
    if inputs.ndim < 2:
        raise DataError(f"{part.name}: inputs have shape {tuple(inputs.shape)}: give (N, features), as with [:, None]")
    if inputs.ndim == 4 and inputs.dtype == torch.uint8:
        return inputs.contiguous()
    if inputs.ndim == 2 and _is_whole(inputs) and inputs.dtype != torch.uint8:
        if inputs.min() < 0 or inputs.max() >= MOST_TOKENS:
            raise DataError(
                f"{part.name}: inputs go from {int(inputs.min()):,} to {int(inputs.max()):,}; whole numbers are token "
                f"ids, which lie between 0 and {MOST_TOKENS - 1:,}: give features as floating-point numbers"
            )
        return inputs.to(torch.int64).contiguous()
    return _finite(inputs, part, "inputs")


def _finite(numbers: Tensor, part: _Part, what: str) -> Tensor:
    """`numbers` as float32.

    Raises:
        DataError: one of them is NaN, infinite, or too large for that.
    """
    found = numbers.to(torch.float32).contiguous()
    rows = found.isfinite().flatten(1).all(1) if found.ndim > 1 else found.isfinite()
    if not rows.all():
        place = int(rows.logical_not().nonzero()[0, 0])
        raise DataError(
            f"{part.name}: {what} of {int((~rows).sum()):,} sample{'s' if int((~rows).sum()) != 1 else ''} hold NaN or "
            f"infinity, first those of sample {place:,}: mend them or leave them out"
        )
    return found


def _largest_class(part: _Part) -> int:
    return int(_whole_classes(part).max())


def _whole_classes(part: _Part) -> Tensor:
    targets = part.targets
    if targets.is_floating_point() or targets.ndim != 1:
        raise DataError(
            f"{part.name}: targets are {str(targets.dtype).removeprefix('torch.')} of shape {tuple(targets.shape)}: "
            "classes are whole numbers of shape (N,); for real numbers set data.targets to numbers"
        )
    found = targets.to(torch.int64)
    if int(found.min()) < 0:
        raise DataError(f"{part.name}: targets go down to {int(found.min())}: classes are counted from 0")
    return found


def _classes(part: _Part, classes: int) -> Tensor:
    found = _whole_classes(part)
    if int(found.max()) >= classes:
        raise DataError(
            f"{part.name}: targets go up to {int(found.max())}, but there are {classes} class_names: "
            "classes are counted from 0"
        )
    return found


def _columns(part: _Part, is_binary: bool) -> Tensor:
    """(N, K) float32 of (N,) or (N, K) numbers; (N, 1) of zeros and ones."""
    targets = part.targets
    if targets.ndim > 2 or (targets.ndim == 2 and ((is_binary and targets.shape[1] != 1) or not targets.shape[1])):
        wanted = "(N,)" if is_binary else "(N,) or (N, K)"
        raise DataError(f"{part.name}: targets have shape {tuple(targets.shape)}: give {wanted}")
    found = _finite(targets, part, "targets").reshape(len(targets), -1)
    if is_binary and not ((found == 0) | (found == 1)).all():
        wrong = found[(found != 0) & (found != 1)][0].item()
        raise DataError(f"{part.name}: targets hold {wrong:g}: give 0 and 1, or set data.targets to classes or numbers")
    return found


def _class_names(given: Any, name: str) -> tuple[str, ...]:
    if given is None:
        return ()
    if isinstance(given, str) or not isinstance(given, (Sequence, np.ndarray)):
        raise DataError(f"{name}: class_names is a {type(given).__name__}: give a list of names")
    names = tuple(plain(str(word)) for word in given)
    if len(set(names)) < len(names):
        raise DataError(f"{name}: two class_names are the same: give each class its own")
    return names


def _scale(given: Mapping[str, Any], inputs: Tensor, name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of pixels from 0 to 1, for all channels or for each."""
    found = []
    for key, default in (("mean", 0.0), ("std", 1.0)):
        value = given.get(key)
        if value is not None and inputs.dtype != torch.uint8:
            raise DataError(f"{name}: {key} is for pictures of type uint8 (N, C, H, W): scale other inputs yourself")
        try:
            numbers = tuple(map(float, np.ravel(np.asarray(default if value is None else value, dtype=np.float64))))
        except (TypeError, ValueError):
            numbers = ()
        if len(numbers) not in (1, inputs.shape[1]) or not all(map(isfinite, numbers)):
            raise DataError(f"{name}: {key} has to be one number, or one for each of {inputs.shape[1]} channels")
        found.append(numbers)
    mean, std = found
    if min(std) <= 0:
        raise DataError(f"{name}: std has to be above 0")
    width = max(len(mean), len(std))
    return (mean * width)[:width], (std * width)[:width]


def _vocabulary(parts: Sequence[_Part], inputs: Sequence[Tensor]) -> tuple[str, ...]:
    """Token ids stand for themselves."""
    if inputs[0].dtype != torch.int64:
        return ()
    return tuple(map(str, range(1 + max(int(part.max()) for part in inputs))))
