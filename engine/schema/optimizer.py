"""Update rules. Fields carry the names and defaults of torch.optim."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from engine.schema.base import Section, reject

Beta = Annotated[float, Field(ge=0, lt=1)]
Epsilon = Annotated[float, Field(gt=0, le=1)]
LEARNING_RATE = "Size of the steps, before the schedule's factor; + and - change it while the run goes on."
WEIGHT_DECAY = "How strongly weights are pulled towards zero."


class _Optimizer(Section):
    lr: float = Field(0.01, gt=0, le=100, description=LEARNING_RATE)
    weight_decay: float = Field(0.0, ge=0, le=100, description=WEIGHT_DECAY)
    decay: Literal["all", "weights"] = Field(
        "all", description="What weight decay applies to: every parameter, or weights but not biases and norms."
    )


class Sgd(_Optimizer):
    """Stochastic gradient descent, with or without momentum."""

    kind: Literal["sgd"] = "sgd"
    momentum: float = Field(0.0, ge=0, lt=1, description="Share of the last step carried into the next.")
    nesterov: bool = Field(False, description="Look ahead along the momentum before taking the gradient.")

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Sgd:
        if self.nesterov and self.momentum == 0:
            reject("nesterov", "nesterov needs momentum: set momentum above 0, for instance 0.9")
        return self


class Adagrad(_Optimizer):
    """Steps scaled by the root of all squared gradients so far (Duchi et al., 2011)."""

    kind: Literal["adagrad"] = "adagrad"
    eps: Epsilon = Field(1e-10, description="Added to the denominator.")


class RmsProp(_Optimizer):
    """Steps scaled by a running root mean square of gradients (Hinton, 2012)."""

    kind: Literal["rmsprop"] = "rmsprop"
    alpha: Beta = Field(0.99, description="Memory of the running mean square.")
    momentum: float = Field(0.0, ge=0, lt=1, description="Share of the last step carried into the next.")
    eps: Epsilon = Field(1e-8, description="Added to the denominator.")


class _AdamLike(_Optimizer):
    lr: float = Field(1e-3, gt=0, le=100, description=LEARNING_RATE)
    beta1: Beta = Field(0.9, description="Memory of the running mean of gradients.")
    beta2: Beta = Field(0.999, description="Memory of the running mean of squared gradients.")
    eps: Epsilon = Field(1e-8, description="Added to the denominator.")


class Adam(_AdamLike):
    """Adaptive moments (Kingma and Ba, 2015)."""

    kind: Literal["adam"] = "adam"
    amsgrad: bool = Field(False, description="Keep the largest second moment seen (Reddi et al., 2018).")


class AdamW(_AdamLike):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    kind: Literal["adamw"] = "adamw"
    weight_decay: float = Field(0.01, ge=0, le=100, description=WEIGHT_DECAY)
    amsgrad: bool = Field(False, description="Keep the largest second moment seen (Reddi et al., 2018).")


class NAdam(_AdamLike):
    """Adam with Nesterov momentum (Dozat, 2016)."""

    kind: Literal["nadam"] = "nadam"
    lr: float = Field(2e-3, gt=0, le=100, description=LEARNING_RATE)


class RAdam(_AdamLike):
    """Adam whose early variance is rectified (Liu et al., 2020)."""

    kind: Literal["radam"] = "radam"


class Muon(_Optimizer):
    """Orthogonalised momentum for matrices (Jordan, 2024); everything else is trained by AdamW."""

    kind: Literal["muon"] = "muon"
    lr: float = Field(2e-2, gt=0, le=100, description=LEARNING_RATE)
    momentum: float = Field(0.95, ge=0, lt=1, description="Share of the last step carried into the next.")
    adamw_lr_ratio: float = Field(0.05, gt=0, le=10, description="Learning rate of the AdamW part, as a share of lr.")


Optimizer = Annotated[Sgd | Adagrad | RmsProp | Adam | AdamW | NAdam | RAdam | Muon, Field(discriminator="kind")]
