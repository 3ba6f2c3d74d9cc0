"""How the learning rate moves over a run, as a factor on the optimizer's lr."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from engine.schema.base import Section

Share = Annotated[float, Field(ge=0, le=1)]


class _Schedule(Section):
    warmup: Share = Field(0.0, lt=1, description="Share of the run over which the factor climbs from 0.")


class Constant(_Schedule):
    """The learning rate stays."""

    kind: Literal["constant"] = "constant"


class Step(_Schedule):
    """Multiply by gamma every so many epochs."""

    kind: Literal["step"] = "step"
    every: int = Field(
        10, ge=1, le=1_000_000, description="Epochs between drops.", json_schema_extra={"unit": "epochs"}
    )
    gamma: float = Field(0.1, gt=0, le=1, description="Factor at each drop.")


class Exponential(_Schedule):
    """Multiply by gamma every epoch, smoothly."""

    kind: Literal["exponential"] = "exponential"
    gamma: float = Field(0.95, gt=0, le=1, description="Factor per epoch.")


class Cosine(_Schedule):
    """Half a cosine from 1 down to the floor (Loshchilov and Hutter, 2017)."""

    kind: Literal["cosine"] = "cosine"
    floor: Share = Field(0.0, description="Factor at the end of the run.")


class CosineRestarts(_Schedule):
    """Cosines that start again, each longer by a factor (SGDR, Loshchilov and Hutter, 2017)."""

    kind: Literal["cosine-restarts"] = "cosine-restarts"
    first: int = Field(
        10, ge=1, le=1_000_000, description="Epochs of the first cosine.", json_schema_extra={"unit": "epochs"}
    )
    grow: float = Field(2.0, ge=1, le=10, description="Each cosine is this many times longer than the last.")
    floor: Share = Field(0.0, description="Factor at the end of each cosine.")


class OneCycle(_Schedule):
    """Up to the peak, then down to almost nothing (Smith and Topin, 2018)."""

    kind: Literal["one-cycle"] = "one-cycle"
    rise: float = Field(0.3, gt=0, lt=1, description="Share of the run spent rising.")
    start: Share = Field(0.04, description="Factor at the start; the peak has factor 1.")
    floor: Share = Field(1e-5, description="Factor at the end of the run.")


class Cyclic(_Schedule):
    """A triangle wave between the floor and 1 (Smith, 2017)."""

    kind: Literal["cyclic"] = "cyclic"
    period: int = Field(
        4, ge=1, le=1_000_000, description="Epochs of one rise and fall.", json_schema_extra={"unit": "epochs"}
    )
    floor: Share = Field(0.1, description="Factor at the bottom of the wave.")


class InverseSqrt(_Schedule):
    """Falls with the root of the step after warm-up (Vaswani et al., 2017)."""

    kind: Literal["inverse-sqrt"] = "inverse-sqrt"
    warmup: Share = Field(0.1, lt=1, description="Share of the run over which the factor climbs from 0.")


Schedule = Annotated[
    Constant | Step | Exponential | Cosine | CosineRestarts | OneCycle | Cyclic | InverseSqrt,
    Field(discriminator="kind"),
]
