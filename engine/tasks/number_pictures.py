"""Gauges and figures of models that predict numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from engine.data.bundle import DataBundle, Split
from engine.data.draws import floats
from engine.figures import Figure

Predict = Callable[[Tensor], Tensor]
"""From prepared inputs (N, ...) to outputs (N, outputs) on the CPU."""

POINTS_SHOWN = 600
LINE_POINTS = 200
NAMED_WEIGHTS = 4
"""A model with more weights shows their norm instead of each."""


def linear_gauged(model: nn.Module) -> Tensor:
    """(weights + 1,) copy: the weights of one line or plane, and its bias."""
    weight, bias = model.get_parameter("weight"), model.get_parameter("bias")
    return torch.cat((weight.detach().view(-1), bias.detach()))


def linear_gauges(gauged: Tensor) -> dict[str, Tensor]:
    """Weights and bias, each by itself, or the weights' norm if they are many: (rows,) each.

    Args:
        gauged: (rows, weights + 1), from `linear_gauged`.
    """
    if gauged.shape[1] - 1 > NAMED_WEIGHTS:
        # one by one: how many rows are worked out together must not show in the last digits
        norms = [torch.linalg.vector_norm(row[:-1]) for row in gauged]
        return {"norm/weight": torch.stack(norms), "param/b": gauged[:, -1]}
    *weights, bias = gauged.unbind(1)
    names = ["w"] if len(weights) == 1 else [f"w{place}" for place in range(1, len(weights) + 1)]
    return {f"param/{name}": column for name, column in zip([*names, "b"], (*weights, bias), strict=True)}


def history_figure(gauges: dict[str, Tensor]) -> Figure:
    """How a linear model's parameters move while it learns."""
    if "norm/weight" in gauges:
        return Figure("history", "metrics", "Size of the weights, step by step", {"keys": np.array(["norm/weight"])})
    return Figure("history", "metrics", "Weights and bias, step by step", {"keys": np.array(list(gauges))})


def compare_figure(data: DataBundle, gauges: dict[str, Tensor]) -> Figure | None:
    """A linear model's parameters, (1,) each, beside the true ones; None where those are not known."""
    truth = data.true_parameters
    if not truth or not all(f"param/{name}" in gauges for name in truth):
        return None
    arrays = {
        "names": np.array(list(truth)),
        "learned": np.array([float(gauges[f"param/{name}"]) for name in truth]),
        "truth": np.array(list(truth.values())),
    }
    return Figure("parameters", "compare", "Learned and true parameters", arrays)


def fit_figure(data: DataBundle, predict: Predict) -> Figure:
    """The curve a model draws over one-dimensional data, with the training points and, if known, the truth."""
    points = thinned(data.train)
    line_x = x_axis(data)
    arrays = {
        "x": points.inputs[:, data.x_column].cpu().numpy().astype(np.float64),
        "y": points.targets.cpu().numpy().reshape(-1).astype(np.float64),
        "line_x": line_x,
        "line_y": predict(inputs_at(data, line_x)).numpy().reshape(-1).astype(np.float64),
    }
    if data.true_function is None:
        return Figure("fit", "curve", "Fitted curve and training points", arrays)
    arrays["truth_y"] = data.true_function(line_x)
    return Figure("fit", "curve", "Fitted curve, training points and the truth without noise", arrays)


def agreement_figure(data: DataBundle, sample: Split, predict: Predict) -> Figure:
    """Predictions over targets: a perfect model's points lie on the line."""
    points = thinned(sample)
    truth = points.targets.cpu().numpy().reshape(-1).astype(np.float64)
    guess = predict(data.prepare(points.inputs)).numpy().reshape(-1).astype(np.float64)
    ends = torch.stack(finite_ends(points.targets.reshape(-1))).cpu().numpy().astype(np.float64)
    arrays = {"x": truth, "y": guess, "line_x": ends, "line_y": ends}
    return Figure("agreement", "curve", "Predictions over targets: on the line they agree", arrays)


def thinned(split: Split, rows: int = POINTS_SHOWN) -> Split:
    """At most `rows` samples, evenly spread over the split."""
    if len(split) <= rows:
        return split
    chosen = torch.linspace(0, len(split) - 1, rows, device=split.inputs.device).long()
    return Split(split.inputs[chosen], split.targets[chosen])


def x_axis(data: DataBundle, margin: float = 0.05) -> np.ndarray:
    """(M,) values over all of one-dimensional data, held-out rows as well, and a `margin` (a share of it) beyond."""
    columns = [split.inputs[:, data.x_column] for split in (data.train, data.val) if split is not None]
    low, high = map(float, finite_ends(torch.cat(columns)))
    beyond = margin * ((high - low) or 1.0)
    return np.linspace(low - beyond, high + beyond, LINE_POINTS)


def finite_ends(points: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the largest finite numbers in each column of (N, ...), for axes; 0 and 1 where there are none."""
    known = points.isfinite()
    low = torch.where(known, points, torch.inf).amin(0)
    high = torch.where(known, points, -torch.inf).amax(0)
    return torch.where(known.any(0), low, 0.0), torch.where(known.any(0), high, 1.0)


def inputs_at(data: DataBundle, x: np.ndarray) -> Tensor:
    """(M, ...) inputs of samples that lie at (M,) places on the x axis."""
    return floats(data.features_of_x(x) if data.features_of_x else x[:, None])
