"""What one training step means."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from engine.schema.base import Section


class Regression(Section):
    """Predict numbers."""

    targets: ClassVar = ("numbers",)
    kind: Literal["regression"] = "regression"
    loss: Literal["mse", "half-mse", "mse-sum"] = Field(
        "mse", description="Mean squared error, half of it, or summed over the batch."
    )


class RegressionScratch(Section):
    """Linear regression on bare tensors, with the update written by hand."""

    targets: ClassVar = ("numbers",)
    kind: Literal["regression-scratch"] = "regression-scratch"
    loss: Literal["half-mse"] = Field("half-mse", description="Half of the mean squared error.")


class BinaryClassification(Section):
    """Say yes or no, by one logit."""

    targets: ClassVar = ("binary",)
    kind: Literal["binary-classification"] = "binary-classification"
    loss: Literal["bce", "bce-sum"] = Field("bce", description="Binary cross-entropy, the batch's mean or its sum.")


class Classification(Section):
    """Choose one of several classes."""

    targets: ClassVar = ("classes",)
    kind: Literal["classification"] = "classification"
    loss: Literal["cross-entropy", "nll"] = Field(
        "cross-entropy", description="Cross-entropy on logits, or log-softmax followed by NLL: the same number."
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Share of the target's probability spread evenly over all classes."
    )


class ClassificationNumpy(Section):
    """A network whose forward, backward and update are written by hand in NumPy, without autograd."""

    targets: ClassVar = ("classes",)
    kind: Literal["classification-numpy"] = "classification-numpy"
    loss: Literal["cross-entropy"] = Field("cross-entropy", description="Cross-entropy on logits.")


class TokenClassification(Section):
    """Choose one of several classes for each token of a sequence."""

    targets: ClassVar = ("class-sequence",)
    kind: Literal["token-classification"] = "token-classification"
    loss: Literal["cross-entropy"] = Field(
        "cross-entropy", description="Cross-entropy on logits, averaged over tokens."
    )


class Gan(Section):
    """A generator against a discriminator, updated in turn (Goodfellow et al., 2014). Labels are not used."""

    targets: ClassVar = ("numbers", "binary", "classes")
    kind: Literal["gan"] = "gan"
    loss: Literal["bce"] = Field("bce", description="Binary cross-entropy; the generator's is the non-saturating one.")
    samples: int = Field(
        64, ge=1, le=256, description="Pictures that are drawn from noise which stays the same all through the run."
    )


Task = Annotated[
    Regression
    | RegressionScratch
    | BinaryClassification
    | Classification
    | ClassificationNumpy
    | TokenClassification
    | Gan,
    Field(discriminator="kind"),
]
