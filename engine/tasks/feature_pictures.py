"""What convolutions look for, and what they find in one picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import activation, batchnorm

from engine.data.bundle import DataBundle, Split
from engine.figures import Figure
from engine.tasks.pixels import bytes_of, shrunk

STAGES_SHOWN = 3
PICTURES_SHOWN = 64
"""Of a group."""
BRIGHTEST = 0.99
"""Quantile of what is above zero that is drawn white: a few outliers must not leave all else in the dark."""
SAME_STAGE = (nn.Conv2d, *(getattr(activation, name) for name in activation.__all__), batchnorm._BatchNorm)
"""Layers whose output takes the place of a convolution's, if it has the same shape."""


class _Maps(NamedTuple):
    """What came out of a convolution, or of the activation after it."""

    name: str
    layer: nn.Conv2d
    output: Tensor
    """(C, H, W)."""


def features_figure(data: DataBundle, model: nn.Module, sample: Split) -> Figure | None:
    """The first picture of `sample`, the filters that look at it, and the maps of them and of later layers.

    Of several convolutions at one size the last is shown. The model has to be in evaluation mode. None if it has no
    convolutions, or the samples are no pictures.
    """
    if len(data.input_shape) != 3 or not any(isinstance(layer, nn.Conv2d) for layer in model.modules()):
        return None
    # two, since a network of somebody's own may take a batch of one for no batch at all
    pictures = sample.inputs[:2]
    with _noting(model) as maps:
        model(data.prepare(pictures))
    if not maps:
        return None
    first = maps[0]
    groups = [
        (f"input{_of_class(data, sample)}", bytes_of(shrunk(pictures[:1]))),
        (f"filters of {first.name}", _filters(first.layer.weight.detach().float().cpu())),
        *((f"maps of {stage.name}, {_size(stage.output)}", _found(stage.output)) for stage in _stages(maps)),
    ]
    arrays = {f"images_{place}": images[:PICTURES_SHOWN] for place, (_, images) in enumerate(groups)}
    titles = {"titles": np.array([title for title, _ in groups])}
    return Figure("features", "gallery", "Features: what the layers find in one picture", {**titles, **arrays})


@contextmanager
def _noting(model: nn.Module) -> Iterator[list[_Maps]]:
    """Fills the list with what the convolutions of a forward pass find, in order."""
    maps: list[_Maps] = []
    names = {layer: name for name, layer in model.named_modules()}

    def note(layer: nn.Module, _: Any, output: Any) -> None:
        if not isinstance(output, Tensor) or output.ndim != 4:
            return
        if isinstance(layer, nn.Conv2d):
            maps.append(_Maps(names[layer] or "the model", layer, output[0]))
        elif maps and output[0].shape == maps[-1].output.shape:
            maps[-1] = maps[-1]._replace(output=output[0])

    hooks = [layer.register_forward_hook(note) for layer in model.modules() if isinstance(layer, SAME_STAGE)]
    try:
        yield maps
    finally:
        for hook in hooks:
            hook.remove()


def _stages(maps: Sequence[_Maps]) -> list[_Maps]:
    """The last maps of each size, or some of them, evenly chosen, where there are many sizes."""
    last = [one for one, after in zip(maps, [*maps[1:], None], strict=True) if _is_last_of_size(one, after)]
    places = np.linspace(0, len(last) - 1, min(STAGES_SHOWN, len(last))).round().astype(int)
    return [last[place] for place in places]


def _is_last_of_size(maps: _Maps, after: _Maps | None) -> bool:
    return after is None or after.output.shape[1:] != maps.output.shape[1:]


def _found(output: Tensor) -> np.ndarray:
    """Maps (C, H, W) as bytes, dark where nothing was found; as signed numbers where there are any below zero."""
    maps = torch.nan_to_num(shrunk(output.detach()[None].float())[0].cpu(), posinf=0.0, neginf=0.0)
    if (maps < 0).any():
        signed: np.ndarray = maps.numpy()
        return signed
    found = maps[maps > 0]
    most = found.quantile(BRIGHTEST) if 0 < len(found) <= 1 << 24 else torch.ones(())
    # the root lifts what is faint: most maps find little beside the strongest of them
    shades: np.ndarray = ((maps / most).clamp(0, 1).sqrt() * 255).to(torch.uint8).numpy()
    return shades


def _filters(weight: Tensor) -> np.ndarray:
    """Filters (N, C, H, W) that look at one channel as signed numbers, at three as colours, grey standing for zero."""
    if weight.shape[1] != 3:
        signed: np.ndarray = weight.mean(1).numpy()
        return signed
    finite = torch.nan_to_num(weight, posinf=0.0, neginf=0.0)
    most = finite.abs().max().clamp_min(torch.finfo(torch.float32).tiny)
    colors: np.ndarray = ((finite / most + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return colors


def _of_class(data: DataBundle, sample: Split) -> str:
    """What the first picture of a sample shows, after a colon."""
    if not data.class_names:
        return ""
    name = data.class_names[int(sample.targets.reshape(len(sample), -1)[0, 0])]
    return f": {'an' if name == '8' else 'a'} {name}" if name.isdigit() else f": {name}"


def _size(output: Tensor) -> str:
    return "x".join(map(str, output.shape[1:]))
