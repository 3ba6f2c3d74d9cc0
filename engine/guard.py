"""Numbers that are NaN or infinite are found before they spoil what has been learned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn


class NonFiniteFound(ArithmeticError):
    """A step came to a number that is NaN or infinite; no update was made of it.

    Args:
        what: Where it was found first.
        name: The loss's key, or the parameter's full name, as in `model.layers.2.weight`.
    """

    def __init__(self, what: Literal["loss", "gradient"], name: str) -> None:
        whose = f"the gradient of {name}" if what == "gradient" else f"the loss, {name},"
        super().__init__(f"{whose} is NaN or infinite")
        self.what, self.name = what, name


class Guard:
    """Looks at every loss and gradient before an update is made of them. It costs host syncs, so tasks have one only
    while somebody asks for it."""

    def check(self, losses: Mapping[str, Tensor], gradients: Iterable[tuple[str, Tensor | None]]) -> None:
        """Look once, with one host sync, at losses (scalars by key) and at gradients by their parameters' names.

        Gradients come in the order of the network's layers. Backpropagation meets them from the end: a number that is
        not finite spoils all gradients before the place where it arose, and the last spoilt one is nearest to it.

        Raises:
            NonFiniteFound: one was found; a loss if any, since its gradients can't be better.
        """
        found = [(name, gradient) for name, gradient in gradients if gradient is not None]
        if all_finite([*losses.values(), *(gradient for _, gradient in found)]):
            return
        for key, loss in losses.items():
            if not _is_finite(loss):
                raise NonFiniteFound("loss", key)
        for name, gradient in reversed(found):
            if not _is_finite(gradient):
                raise NonFiniteFound("gradient", name)


def finite_weights(modules: Mapping[str, nn.Module]) -> bool:
    """Whether all parameters are finite, with one host sync; buffers may not be: a mask holds -inf on purpose."""
    return all_finite([parameter.detach() for module in modules.values() for parameter in module.parameters()])


def all_finite(tensors: list[Tensor]) -> bool:
    """Whether every number is finite, with one host sync unless some are not, or are huge."""
    floating = [tensor for tensor in tensors if tensor.is_floating_point() or tensor.is_complex()]
    if not floating:
        return True
    # norms are the fastest look there is at many tensors. Those of huge numbers overflow: then each is looked at
    norms = torch.stack([norm.abs() for norm in torch._foreach_norm([tensor.detach() for tensor in floating])])
    return bool(norms.isfinite().all()) or all(map(_is_finite, floating))


def _is_finite(tensor: Tensor) -> bool:
    return bool(tensor.isfinite().all())
