"""Two networks that train each other: one makes pictures, the other tells them from real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import ceil, isfinite

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.batches import mix_seed
from engine.data.bundle import DataBundle, DataError, Split
from engine.figures import Figure
from engine.guard import NonFiniteFound
from engine.kept import Kept, tensors_of
from engine.models.dcgan import build_dcgan
from engine.optimizers import build_optimizers, lean_step, set_lr
from engine.schema import RunConfig
from engine.schema import image_model as models
from engine.schema import task as schema
from engine.tasks.base import Observation, Task
from engine.tasks.pixels import shrunk

MOST_KEPT = 200
"""Pictures kept of a run: one may be a megabyte, and a disk must not fill with what nobody can step through."""

FEWEST_TOGETHER = 64
"""Pictures made at once for a figure, even if fewer are shown: batch norm wants company."""

Network = Callable[[Tensor], Tensor]


class GanTask(Task):
    """Generative adversarial networks (Goodfellow et al., 2014), updated in turn: the discriminator on real and on
    made pictures, then the generator so that the discriminator takes what it made for real."""

    metric = ""
    higher_is_better = False

    def __init__(self, config: RunConfig, data: DataBundle, device: torch.device) -> None:
        super().__init__(config, from_minus_one_to_one(data), device)
        model, task = config.model, config.task
        assert isinstance(model, models.Dcgan) and isinstance(task, schema.Gan)
        # channels last: a sixth less time on a CPU
        self._generator, self._discriminator = (
            network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            for network in build_dcgan(model, data.input_shape)
        )
        self.modules = {"generator": self._generator, "discriminator": self._discriminator}
        self._generate = self._cast(self._generator)
        self._judge = self._cast(self._discriminator)
        by_module = {name: build_optimizers(config.optimizer, {name: module}) for name, module in self.modules.items()}
        self.optimizers = {f"{name}.{kind}": rule for name, rules in by_module.items() for kind, rule in rules.items()}
        self._updates = {
            name: _update(self.modules[name], rules.values(), config.trainer.clip_norm)
            for name, rules in by_module.items()
        }
        self._norms = [
            norm for module in self.modules.values() for norm in module.modules() if isinstance(norm, nn.BatchNorm2d)
        ]
        self._latent, self._shown = model.latent, task.samples
        self._same_noise = self._fixed_noise(max(task.samples, FEWEST_TOGETHER), "samples")

    def set_lr(self, lr: float) -> None:
        set_lr(self.optimizers.values(), lr)

    def train_step(self, inputs: Tensor, targets: Tensor) -> Observation:
        if self.guard is None:
            return self._play(inputs)
        # the discriminator has been updated by the time the generator's gradients are known
        rules = [rule for name, rule in self.optimizers.items() if name.startswith("discriminator.")]
        kept = Kept(tensors_of([self._discriminator]), rules)
        try:
            return self._play(inputs)
        except NonFiniteFound:
            kept.put_back()
            raise

    def _play(self, inputs: Tensor) -> Observation:
        made = self._generate(torch.randn(len(inputs), self._latent, 1, 1, device=self.device))
        # apart: a batch norm that saw both at once would tell one from the other by itself
        real, fake = self._judge(inputs), self._judge(made.detach())
        loss_d = taken_for_real(real) + taken_for_made(fake)
        loss_d.backward()  # type: ignore[no-untyped-call]
        if self.guard is not None:
            self.check({"loss_d": loss_d}, ["discriminator"])
        self._updates["discriminator"]()
        self._discriminator.requires_grad_(False)  # its weights' gradients would be work for nothing
        fooled = self._judge(made)
        loss_g = taken_for_real(fooled)
        loss_g.backward()  # type: ignore[no-untyped-call]
        self._discriminator.requires_grad_(True)
        if self.guard is not None:
            self.check({"loss_g": loss_g}, ["generator"])
        self._updates["generator"]()
        return {"real": real.detach(), "fake": fake.detach(), "fooled": fooled.detach()}

    def evaluate(self, inputs: Tensor, targets: Tensor) -> Observation:
        noise = self._fixed_noise(len(inputs), "evaluation")
        with self._without_a_trace():
            return {"real": self._judge(inputs), "fake": self._judge(self._generate(noise))}

    def measure(self, observations: Sequence[Observation]) -> dict[str, Tensor]:
        """Both losses, and how real the discriminator finds real pictures, D(x), and made ones, D(G(z)).

        Of an evaluation only what held-out pictures tell: whether the discriminator knows its training ones by heart.
        """
        logits = {key: torch.cat([observation[key] for observation in observations]) for key in observations[0]}
        real, fake = logits["real"], logits["fake"]
        loss_d, d_real = taken_for_real(real) + taken_for_made(fake), real.sigmoid().mean()
        if "fooled" not in logits:
            return {"loss_d": loss_d, "d_real": d_real}
        loss_g = taken_for_real(logits["fooled"])
        return {"loss_d": loss_d, "loss_g": loss_g, "d_real": d_real, "d_fake": fake.sigmoid().mean()}

    def figures(self, sample: Split) -> list[Figure]:
        return [self._samples()]

    def end_epoch(self, epoch: int) -> list[Figure]:
        return [self._samples()] if self.keeps(epoch) else []

    def keeps(self, epoch: int) -> bool:
        """Whether the pictures of `epoch`, one at which an evaluation is due, are kept."""
        settings = self.config.trainer
        interval = settings.eval_interval()
        evaluations = ceil(settings.epochs / interval)
        return epoch % (interval * ceil(evaluations / MOST_KEPT)) == 0 or epoch == settings.epochs

    def _samples(self) -> Figure:
        with self._without_a_trace():
            made = shrunk(self._generate(self._same_noise)[: self._shown])
        arrays = {"titles": np.array(["from noise that stays the same"]), "images_0": picture_bytes(made)}
        return Figure("samples", "gallery", "Samples", arrays)

    @contextmanager
    def _without_a_trace(self) -> Iterator[None]:
        """Without gradients, and with the statistics of the batch at hand, as in training, but without keeping them.

        Running statistics show another game: they lag behind a generator that has just begun, whose pictures they
        turn grey, and they blend the discriminator's real and made batches, which it never sees together: after 300
        steps on MNIST held-out digits look real to it with 0.82 by their own statistics, and with 0.01 by those.
        """
        for norm in self._norms:
            norm.track_running_stats = False
        try:
            with torch.no_grad():
                yield
        finally:
            for norm in self._norms:
                norm.track_running_stats = True

    def _fixed_noise(self, rows: int, purpose: str) -> Tensor:
        """(rows, latent, 1, 1) normal draws that follow from the seed alone, the same on every device."""
        generator = torch.Generator().manual_seed(mix_seed(self.config.trainer.seed, purpose))
        return torch.randn(rows, self._latent, 1, 1, generator=generator).to(self.device)

    def _cast(self, network: nn.Module) -> Network:
        """`network` at the precision asked for, with outputs in float32, since losses want it."""
        is_bf16 = self.config.trainer.precision == "bf16"

        def forward(inputs: Tensor) -> Tensor:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=is_bf16):
                outputs: Tensor = network(inputs)
            return outputs.float()

        return forward


def taken_for_real(logits: Tensor) -> Tensor:
    """Mean binary cross-entropy of logits against "real": -log D."""
    return F.softplus(-logits).mean()


def taken_for_made(logits: Tensor) -> Tensor:
    """Mean binary cross-entropy of logits against "made": -log(1 - D)."""
    return F.softplus(logits).mean()


def from_minus_one_to_one(data: DataBundle) -> DataBundle:
    """`data` with pictures whose prepared pixels lie between -1 and 1, as those of a generator that ends in tanh.

    Raises:
        DataError: pixels are not finite.
    """
    train = data.train
    if train.inputs.dtype != torch.uint8:
        low, high = train.inputs.min().item(), train.inputs.max().item()
        if not isfinite(high - low):
            raise DataError("pictures hold values that are not finite: mend the data")
        data = replace(
            data, train=_bytes_of(train, low, high), val=_bytes_of(data.val, low, high) if data.val else None
        )
    return replace(data, mean=(0.5,), std=(0.5,))


def _bytes_of(split: Split, low: float, high: float) -> Split:
    levels = (split.inputs - low) * (255 / ((high - low) or 1))
    return replace(split, inputs=levels.round_().clamp_(0, 255).to(torch.uint8))


def picture_bytes(pictures: Tensor) -> np.ndarray:
    """(N, H, W), or (N, H, W, 3) in colour, uint8 of (N, C, H, W) pictures from -1 to 1."""
    levels = pictures.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    levels = levels.permute(0, 2, 3, 1) if levels.shape[1] == 3 else levels.float().mean(1).to(torch.uint8)
    found: np.ndarray = levels.cpu().contiguous().numpy()
    return found


def _update(module: nn.Module, optimizers: Iterable[torch.optim.Optimizer], clip_norm: float) -> Callable[[], None]:
    """What moves a network along its gradients, and forgets them."""
    parameters, steps = list(module.parameters()), [lean_step(optimizer) for optimizer in optimizers]

    def update() -> None:
        with torch.no_grad():
            if clip_norm:
                nn.utils.clip_grad_norm_(parameters, clip_norm)
            for step in steps:
                step()
        for parameter in parameters:
            parameter.grad = None

    return update
