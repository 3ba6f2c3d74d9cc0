"""Numbers to be fitted, with the truth known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.data.bundle import DataBundle, Split
from engine.data.draws import floats, generator
from engine.schema import DataFacts
from engine.schema import data as schema

LINEAR_WEIGHTS, LINEAR_BIAS = (2.0, -3.4), 4.2
POLYNOMIAL_WEIGHTS, POLYNOMIAL_BIAS = (1.2, -3.4, 5.6), 5.0
HIGH_DIMENSIONAL_WEIGHT, HIGH_DIMENSIONAL_BIAS = 0.01, 0.05


def load_points(data: schema.Points, seed: int, data_dir: Path) -> DataBundle:
    """The points on y = 2 x; nothing is drawn."""
    x = np.array([[1.0], [2.0], [3.0], [4.0]])
    points = _split(x, 2 * x)
    return DataBundle(
        train=Split(points.inputs[:3], points.targets[:3]),
        val=Split(points.inputs[3:], points.targets[3:]),
        input_shape=(1,),
        outputs=1,
        true_function=lambda x: 2 * x,
        true_parameters={"w": 2.0, "b": 0.0},
    )


def load_linear(data: schema.LinearSynthetic, seed: int, data_dir: Path) -> DataBundle:
    """Rows on a plane, with noise."""

    def draw(rows: int, purpose: str) -> Split:
        rng = generator(seed, f"linear-synthetic/{purpose}")
        x = rng.standard_normal((rows, 2))
        return _split(x, _noisy(x @ np.array(LINEAR_WEIGHTS) + LINEAR_BIAS, data.noise, rng))

    return _drawn(data.facts(), draw, true_parameters=_named(LINEAR_WEIGHTS, LINEAR_BIAS))


def load_polynomial(data: schema.Polynomial, seed: int, data_dir: Path) -> DataBundle:
    """Rows on a cubic curve for x ~ N(0, 1), as powers of x."""

    def truth(x: np.ndarray) -> np.ndarray:
        y: np.ndarray = np.polynomial.polynomial.polyval(x, (POLYNOMIAL_BIAS, *POLYNOMIAL_WEIGHTS))
        return y

    def powers(x: np.ndarray) -> np.ndarray:
        return x[:, None] ** np.arange(1, data.degree + 1)

    def draw(rows: int, purpose: str) -> Split:
        # noise has its own draws: rows are the same whatever their number
        x = generator(seed, f"polynomial/x/{purpose}").standard_normal(rows)
        return _split(powers(x), _noisy(truth(x), data.noise, generator(seed, f"polynomial/noise/{purpose}")))

    known = data.degree >= len(POLYNOMIAL_WEIGHTS)
    weights = POLYNOMIAL_WEIGHTS + (0.0,) * (data.degree - len(POLYNOMIAL_WEIGHTS))
    return _drawn(
        data.facts(),
        draw,
        true_function=truth,
        features_of_x=powers,
        true_parameters=_named(weights, POLYNOMIAL_BIAS) if known else {},
    )


def load_high_dimensional(data: schema.HighDimensional, seed: int, data_dir: Path) -> DataBundle:
    """Rows on a nearly flat plane in many dimensions."""

    def draw(rows: int, purpose: str) -> Split:
        rng = generator(seed, f"high-dimensional/{purpose}")
        x = rng.standard_normal((rows, data.features))
        return _split(x, _noisy(HIGH_DIMENSIONAL_WEIGHT * x.sum(1) + HIGH_DIMENSIONAL_BIAS, data.noise, rng))

    return _drawn(data.facts(), draw)


def load_cubic(data: schema.Cubic, seed: int, data_dir: Path) -> DataBundle:
    """Rows on y = x^3; the held-out ones lie at the same x with other noise."""

    def draw(rows: int, purpose: str) -> Split:
        x = np.linspace(-1, 1, rows)
        return _split(x[:, None], _noisy(x**3, data.noise, generator(seed, f"cubic/{purpose}")))

    return _drawn(data.facts(), draw, true_function=lambda x: x**3)


def _split(inputs: np.ndarray, targets: np.ndarray) -> Split:
    return Split(floats(inputs), floats(targets.reshape(len(inputs), 1)))


def _noisy(values: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    noisy: np.ndarray = values + deviation * rng.standard_normal(len(values))
    return noisy


def _named(weights: tuple[float, ...], bias: float) -> dict[str, float]:
    return {**{f"w{i}": weight for i, weight in enumerate(weights, 1)}, "b": bias}


def _drawn(
    facts: DataFacts,
    draw: Callable[[int, str], Split],
    true_function: Callable[[np.ndarray], np.ndarray] | None = None,
    features_of_x: Callable[[np.ndarray], np.ndarray] | None = None,
    true_parameters: dict[str, float] | None = None,
) -> DataBundle:
    assert facts.input_shape is not None and facts.train_rows is not None and facts.val_rows is not None
    assert facts.outputs is not None
    return DataBundle(
        train=draw(facts.train_rows, "train"),
        val=draw(facts.val_rows, "val"),
        input_shape=facts.input_shape,
        outputs=facts.outputs,
        true_function=true_function,
        features_of_x=features_of_x,
        true_parameters=true_parameters or {},
    )
