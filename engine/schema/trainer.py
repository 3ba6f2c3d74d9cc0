"""How long, how large, on what, and how often to look."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from engine.schema.base import Section

BatchSize = Annotated[int, Field(ge=1, le=10_000_000)] | Literal["full"]


class Trainer(Section):
    """Settings of the training loop. 0 means off or automatic where a description says so."""

    epochs: int = Field(10, ge=1, le=10_000_000, description="Passes over the training data.")
    batch_size: BatchSize = Field(64, description="Samples per step, or full for all of them at once.")
    seed: int = Field(0, ge=0, lt=2**31, description="Draws of the data, the weights and the order all follow from it.")
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d{1,2})?)$",
        description="auto takes cuda, then mps, then cpu; or name one: cpu, mps, cuda, cuda:1.",
        json_schema_extra={"pattern_in_words": "auto, cpu, mps, cuda or cuda with a number, as in cuda:1"},
    )
    precision: Literal["fp32", "bf16"] = Field("fp32", description="bf16 runs matrix products in bfloat16 autocast.")
    compile: bool = Field(False, description="Compile the model with torch.compile; pays on long runs.")
    cuda_graph: Literal["auto", "on", "off"] = Field(
        "auto",
        description="On a CUDA GPU, capture a step once and replay it; auto does so unless the network is your own.",
    )
    deterministic: bool = Field(False, description="Allow only algorithms that repeat bit for bit; slower on a GPU.")
    threads: int = Field(0, ge=0, le=1024, description="CPU threads for tensor work; 0 takes all cores but one.")
    clip_norm: float = Field(0.0, ge=0, le=1e6, description="Largest norm of all gradients together; 0 is off.")
    on_nonfinite: Literal["stop", "skip", "halve"] = Field(
        "stop",
        description="On a NaN or infinite loss or gradient: stop, skip that step, or go back and halve the rate.",
    )
    shuffle: bool = Field(True, description="Draw a new order of the training data every epoch.")
    patience: int = Field(
        0, ge=0, le=1_000_000, description="Stop after so many evaluations without a better one; 0 is off."
    )
    eval_every: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Epochs between evaluations; 0 evaluates about 100 times a run at most.",
        json_schema_extra={"unit": "epochs"},
    )
    log_every: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Steps per logged row; 0 logs about 500 rows a run.",
        json_schema_extra={"unit": "steps"},
    )
    checkpoint_every_s: float = Field(
        30.0,
        ge=0.05,
        le=86400,
        description="Longest stretch of training a crash can cost.",
        json_schema_extra={"unit": "s"},
    )

    def eval_interval(self) -> int:
        """Epochs between evaluations, with automatic resolved."""
        return self.eval_every or max(1, self.epochs // 100)


class Display(Section):
    """How viewers show the run; training does not depend on it."""

    log_y: bool = Field(False, description="Start with a logarithmic loss axis.")
    overlay: str = Field(
        "", max_length=80, description="Preset whose latest run is drawn beside this one's curves, for comparison."
    )
