"""Data sets a run can train on. `facts` tells their shape without loading them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from engine.csv_shape import csv_shape, held_out_rows
from engine.schema.base import DataFacts, Section
from engine.schema.custom import CustomData
from engine.schema.image_data import Cifar10, Digits, FashionMnist, ImageFolder, Mnist
from engine.schema.text_data import Hello, Imdb, Tsv

Rows = Annotated[int, Field(ge=1, le=10_000_000)]
Noise = Annotated[float, Field(ge=0, le=100)]
NOISE = "Standard deviation of the noise added to each target."


class Points(Section):
    """The points (1, 2), (2, 4), (3, 6); held out: (4, 8)."""

    kind: Literal["points"] = "points"

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        return DataFacts("features", (1,), "numbers", 1, 3, 1)


class LinearSynthetic(Section):
    """x ~ N(0, 1) in two dimensions, y = 2 x1 - 3.4 x2 + 4.2 + noise."""

    kind: Literal["linear-synthetic"] = "linear-synthetic"
    rows: Rows = Field(1000, description="Rows to train on; a fifth as many are drawn to be held out.")
    noise: Noise = Field(0.01, description=NOISE)

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        return DataFacts("features", (2,), "numbers", 1, self.rows, max(1, self.rows // 5))


class Polynomial(Section):
    """y = 5 + 1.2 x - 3.4 x^2 + 5.6 x^3 + noise, with the powers of x as features."""

    kind: Literal["polynomial"] = "polynomial"
    degree: int = Field(3, ge=1, le=10, description="Features are x, x^2 … up to this power.")
    train_rows: Rows = Field(100, description="Rows to train on, from the start of the draw.")
    val_rows: Rows = Field(100, description="Rows held out.")
    noise: Noise = Field(0.1, description=NOISE)

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        return DataFacts("features", (self.degree,), "numbers", 1, self.train_rows, self.val_rows)


class HighDimensional(Section):
    """y = 0.05 + 0.01 (x1 + … + xn) + noise: more features than rows, made for overfitting."""

    kind: Literal["high-dimensional"] = "high-dimensional"
    features: int = Field(200, ge=1, le=100_000, description="Number of features, each N(0, 1).")
    train_rows: Rows = Field(20, description="Rows to train on.")
    val_rows: Rows = Field(100, description="Rows held out.")
    noise: Noise = Field(0.01, description=NOISE)

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        return DataFacts("features", (self.features,), "numbers", 1, self.train_rows, self.val_rows)


class Cubic(Section):
    """y = x^3 + noise for x spread evenly over [-1, 1]."""

    kind: Literal["cubic"] = "cubic"
    rows: Rows = Field(100, description="Rows to train on; as many are drawn to be held out.")
    noise: Noise = Field(0.05, description=NOISE)

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        return DataFacts("features", (1,), "numbers", 1, self.rows, self.rows)


class Hours(Section):
    """Hours studied, 1, 2 and 3, and whether the exam was passed: no, no, yes."""

    kind: Literal["hours"] = "hours"

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        return DataFacts("features", (1,), "binary", 1, 3, None)


class Xor(Section):
    """The four points of exclusive or."""

    kind: Literal["xor"] = "xor"

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        return DataFacts("features", (2,), "binary", 1, 4, None)


class Spiral(Section):
    """Arms of a spiral, one class each; a fresh draw of a fifth as many points is held out."""

    kind: Literal["spiral"] = "spiral"
    arms: int = Field(3, ge=2, le=10, description="Number of arms, which is the number of classes.")
    points: int = Field(1000, ge=5, le=1_000_000, description="Points per arm to train on.")
    noise: Noise = Field(
        0.2, description="Standard deviation of the noise on the angle.", json_schema_extra={"unit": "rad"}
    )

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        return DataFacts(
            "features", (2,), "classes", self.arms, self.arms * self.points, self.arms * (self.points // 5)
        )


class BreastCancer(Section):
    """569 tumours, 30 measurements, malignant or benign (bundled with scikit-learn); a fifth is held out."""

    kind: Literal["breast-cancer"] = "breast-cancer"
    standardise: bool = Field(
        True, description="Shift and scale each feature to mean 0 and deviation 1 (of the training rows)."
    )

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        return DataFacts("features", (30,), "binary", 1, 455, 114)


class Csv(Section):
    """A table of numbers, one column of which is the target."""

    kind: Literal["csv"] = "csv"
    path: str = Field(
        "tabular/diabetes.csv.gz",
        min_length=1,
        max_length=4096,
        description="A .csv or .csv.gz file: an absolute path, or one below the data folder.",
    )
    target: int = Field(
        -1, ge=-10_000, le=10_000, description="Column of the target, counted from 0, or from the end if negative."
    )
    targets: Literal["binary", "numbers"] = Field(
        "binary", description="What the target column holds: 0 or 1, or any numbers."
    )
    val_share: float = Field(0.2, gt=0, lt=1, description="Share of the rows held out.")
    standardise: bool = Field(
        False, description="Shift and scale each feature to mean 0 and deviation 1 (of the training rows)."
    )

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        """Rows and columns are known if the file lies in `data_dir` and is small enough to be counted in passing."""
        unknown = DataFacts("features", None, self.targets, 1, None, None)
        if data_dir is None:
            return unknown
        try:
            rows, columns = csv_shape(data_dir / Path(self.path).expanduser())
        except (OSError, ValueError, RuntimeError):  # loading it will say what is wrong
            return unknown
        if rows < 2 or columns < 2:
            return unknown
        held_out = held_out_rows(rows, self.val_share)
        return unknown._replace(input_shape=(columns - 1,), train_rows=rows - held_out, val_rows=held_out)


Data = Annotated[
    Points
    | LinearSynthetic
    | Polynomial
    | HighDimensional
    | Cubic
    | Hours
    | Xor
    | Spiral
    | Digits
    | BreastCancer
    | Csv
    | Mnist
    | FashionMnist
    | Cifar10
    | ImageFolder
    | Imdb
    | Tsv
    | Hello
    | CustomData,
    Field(discriminator="kind"),
]
