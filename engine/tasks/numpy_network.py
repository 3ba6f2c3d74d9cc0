"""A network with one hidden layer, in NumPy: forward, backward and update, each derivative written out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


class Weights(NamedTuple):
    """All that is learned. Weights are (fan_out, fan_in), as in torch."""

    w1: Array
    b1: Array
    w2: Array
    b2: Array


class Forward(NamedTuple):
    """What the backward pass needs of the forward pass."""

    hidden: Array
    """(N, hidden) before the activation."""
    active: Array
    """(N, hidden) after it."""
    logits: Array
    """(N, classes)."""


def forward(weights: Weights, inputs: Array, activation: str) -> Forward:
    """Logits of inputs (N, fan_in), and what led to them."""
    hidden = inputs @ weights.w1.T + weights.b1
    active = _activate(hidden, activation)
    return Forward(hidden, active, active @ weights.w2.T + weights.b2)


def cross_entropy(logits: Array, targets: NDArray[np.int64]) -> tuple[float, Array]:
    """Mean cross-entropy of (N, C) logits and (N,) classes, and its derivative by the logits.

    The derivative is softmax minus one-hot, over N: every term of the chain through log and exp cancels to that.
    """
    rows = np.arange(len(targets))
    shifted = logits - logits.max(1, keepdims=True)  # the largest exponent is 0: nothing overflows
    exponentials = np.exp(shifted)
    totals = exponentials.sum(1, keepdims=True)
    loss = float((np.log(totals[:, 0]) - shifted[rows, targets]).mean())
    slope = exponentials / totals
    slope[rows, targets] -= 1
    return loss, slope / len(targets)


def backward(weights: Weights, inputs: Array, passed: Forward, slope: Array, activation: str) -> Weights:
    """Gradients of all weights, from the loss's `slope` by the logits back to the inputs by the chain rule."""
    hidden_slope = (slope @ weights.w2) * _derivative(passed.hidden, passed.active, activation)
    return Weights(
        w1=hidden_slope.T @ inputs,
        b1=hidden_slope.sum(0),
        w2=slope.T @ passed.active,
        b2=slope.sum(0),
    )


def update(weights: Weights, gradients: Weights, lr: float) -> None:
    """One step of gradient descent, in place."""
    for weight, gradient in zip(weights, gradients, strict=True):
        weight -= lr * gradient


def _activate(hidden: Array, activation: str) -> Array:
    match activation:
        case "relu":
            return np.maximum(hidden, 0)
        case "tanh":
            return np.tanh(hidden)
        case _:
            sigmoid: Array = 0.5 * (1 + np.tanh(0.5 * hidden))  # 1 / (1 + exp(-x)), without overflow
            return sigmoid


def _derivative(hidden: Array, active: Array, activation: str) -> Array:
    """The activation's slope, mostly in terms of its value."""
    match activation:
        case "relu":
            slope: Array = (hidden > 0).astype(hidden.dtype)
        case "tanh":
            slope = 1 - active**2
        case _:
            slope = active * (1 - active)
    return slope
