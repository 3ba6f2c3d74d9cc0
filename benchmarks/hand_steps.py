"""Training steps as one writes them by hand, for what the GPU benchmark compares."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.cuda_graph import CudaGraphs
from engine.data.bundle import DataBundle
from engine.models import build_model
from engine.models.dcgan import build_dcgan
from engine.schema import RunConfig
from engine.schema.image_model import Dcgan
from engine.schema.optimizer import Adam, Sgd

Step = Callable[[Tensor, Tensor], Tensor]
"""One update on prepared inputs and targets; gives the loss, on the device."""


def make_step(config: RunConfig, data: DataBundle, device: torch.device) -> tuple[Step, nn.Module]:
    """A tuned step of the preset's system, with new weights, and what it trains: fused update, channels last for
    pictures, autocast where the preset has bf16, and nothing but the update."""
    torch.manual_seed(config.trainer.seed)
    return _gan(config, data, device) if isinstance(config.model, Dcgan) else _supervised(config, data, device)


def optimizer_of(config: RunConfig, module: nn.Module) -> torch.optim.Optimizer:
    """The preset's optimizer, fused, and fit to be captured.

    Raises:
        ValueError: it is one that no benchmark has needed so far.
    """
    match config.optimizer:
        case Sgd() as o:
            return torch.optim.SGD(module.parameters(), o.lr, o.momentum, weight_decay=o.weight_decay, fused=True)
        case Adam() as o:
            on_cuda = next(module.parameters()).is_cuda
            betas = (o.beta1, o.beta2)
            return torch.optim.Adam(
                module.parameters(), o.lr, betas, o.eps, o.weight_decay, fused=True, capturable=on_cuda
            )
        case other:
            raise ValueError(f"no hand-written optimizer for '{other.kind}'")


def loss_of(config: RunConfig, outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy, or the mean squared error."""
    if config.task.kind == "classification":
        return F.cross_entropy(outputs, targets)
    return F.mse_loss(outputs, targets)


def autocast(config: RunConfig, device: torch.device) -> torch.autocast | nullcontext[None]:
    """bf16 where the preset has it."""
    return torch.autocast(device.type, torch.bfloat16) if config.trainer.precision == "bf16" else nullcontext()


def _supervised(config: RunConfig, data: DataBundle, device: torch.device) -> tuple[Step, nn.Module]:
    model = build_model(config.model, data).to(device)
    if len(data.input_shape) == 3:
        model = model.to(memory_format=torch.channels_last)
    optimizer, clip = optimizer_of(config, model), config.trainer.clip_norm
    parameters = list(model.parameters())

    def step(inputs: Tensor, targets: Tensor) -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        with autocast(config, device):
            loss = loss_of(config, model(inputs).float(), targets)
        loss.backward()  # type: ignore[no-untyped-call] # torch has not typed it
        if clip:
            nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
        return loss.detach()

    return step, model


def _gan(config: RunConfig, data: DataBundle, device: torch.device) -> tuple[Step, nn.Module]:
    assert isinstance(config.model, Dcgan)
    latent = config.model.latent
    generator, judge = (
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload] # torch has not typed this form
        for network in build_dcgan(config.model, data.input_shape)
    )
    for_generator, for_judge = optimizer_of(config, generator), optimizer_of(config, judge)

    def step(inputs: Tensor, targets: Tensor) -> Tensor:
        with autocast(config, device):
            made = generator(torch.randn(len(inputs), latent, 1, 1, device=device))
            loss = F.softplus(-judge(inputs).float()).mean() + F.softplus(judge(made.detach()).float()).mean()
        for_judge.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call] # torch has not typed it
        for_judge.step()
        with autocast(config, device):
            fooled = F.softplus(-judge(made).float()).mean()
        for_generator.zero_grad(set_to_none=True)
        fooled.backward()  # type: ignore[no-untyped-call] # torch has not typed it
        for_generator.step()
        return loss.detach()

    return step, nn.ModuleList([generator, judge])


def graphed(step: Step, inputs: Tensor, targets: Tensor) -> Step:
    """`step` as a CUDA graph, made as PyTorch's notes on CUDA graphs make it. It moves the weights a little."""
    static_inputs, static_targets = inputs.clone(), targets.clone()
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call] # torch has not typed it
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step(static_inputs, static_targets)
    torch.cuda.current_stream().wait_stream(stream)
    # torch's own, and if it breaks off nothing stays behind that other loops would suffer from
    launch, loss = CudaGraphs().capture(lambda: step(static_inputs, static_targets))
    given: tuple[Tensor, Tensor] | None = None

    def replay(inputs: Tensor, targets: Tensor) -> Tensor:
        nonlocal given
        if inputs.shape != static_inputs.shape:  # the last batch of an epoch
            return step(inputs, targets)
        if given is None or inputs is not given[0] or targets is not given[1]:  # all rows at once are always the same
            static_inputs.copy_(inputs)
            static_targets.copy_(targets)
            given = inputs, targets
        launch()
        return loss

    return replay
