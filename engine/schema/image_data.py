"""Data sets of images."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from engine.folder_shape import folder_shape
from engine.places import expanded
from engine.schema.base import DataFacts, Section


class Images(Section):
    """What can be done to the pictures of any data set while they are trained on."""

    flip: bool = Field(False, description="Mirror every other picture left to right, drawn anew each epoch.")
    rotate: float = Field(
        0.0,
        ge=0,
        le=180,
        description="Turn each picture either way by up to so much, drawn anew each epoch.",
        json_schema_extra={"unit": "°"},
    )


class Digits(Images):
    """scikit-learn's 1,797 handwritten digits of 8x8 pixels, real data without a network; a fifth is held out."""

    kind: Literal["digits"] = "digits"

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        return DataFacts("image", (1, 8, 8), "classes", 10, 1437, 360)


class Mnist(Images):
    """70,000 handwritten digits, 28x28; the usual 10,000 are held out."""

    kind: Literal["mnist"] = "mnist"
    normalise: bool = Field(
        True, description="Shift and scale pixels by the data set's mean and deviation (0.1307, 0.3081); else 0 to 1."
    )

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        return DataFacts("image", (1, 28, 28), "classes", 10, 60_000, 10_000)


class FashionMnist(Images):
    """70,000 pictures of clothes, 28x28, ten classes; the usual 10,000 are held out."""

    kind: Literal["fashion-mnist"] = "fashion-mnist"
    normalise: bool = Field(
        False, description="Shift and scale pixels by the data set's mean and deviation (0.2860, 0.3530); else 0 to 1."
    )

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        return DataFacts("image", (1, 28, 28), "classes", 10, 60_000, 10_000)


class Cifar10(Images):
    """60,000 photographs of animals and vehicles, 32x32 in colour, ten classes; the usual 10,000 are held out."""

    kind: Literal["cifar10"] = "cifar10"
    normalise: bool = Field(
        True, description="Shift and scale each colour by the data set's mean and deviation; else 0 to 1."
    )

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        return DataFacts("image", (3, 32, 32), "classes", 10, 50_000, 10_000)


class ImageFolder(Images):
    """Pictures of your own: one folder for each class, perhaps below train and val."""

    kind: Literal["image-folder"] = "image-folder"
    path: str = Field(
        min_length=1,
        max_length=4096,
        description="A folder, or a .zip of it: an absolute path, or one below the data folder.",
    )
    size: int = Field(
        64,
        ge=4,
        le=1024,
        description="Side of the pictures as the model sees them; others are scaled and their middle is cut out.",
        json_schema_extra={"unit": "px"},
    )
    color: bool = Field(True, description="Three channels; else pictures become grey.")
    val_share: float = Field(
        0.2, ge=0, lt=1, description="Share of each class that is held out, where there is no folder val or test."
    )
    normalise: bool = Field(
        True, description="Shift and scale each channel by mean and deviation of the training pictures; else 0 to 1."
    )

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        """Classes and rows are known if the pictures lie in `data_dir` and are few enough to be counted in passing."""
        unknown = DataFacts("image", (3 if self.color else 1, self.size, self.size), "classes", None, None, None)
        if data_dir is None:
            return unknown
        try:
            classes, train_rows, val_rows = folder_shape(data_dir / expanded(self.path), self.val_share)
        except (OSError, ValueError):  # loading it will say what is wrong
            return unknown
        return unknown._replace(outputs=classes, train_rows=train_rows, val_rows=val_rows)
