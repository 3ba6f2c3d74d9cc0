"""Data sets of text, read as tokens."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from engine.schema.base import DataFacts, Section


class Words(Section):
    """How text becomes tokens."""

    asks: ClassVar[str] = "text"
    """What a person may type to have it classified."""
    vocabulary: int = Field(
        20_000,
        ge=3,
        le=1_000_000,
        description="Tokens: padding, the unknown word, and the most frequent words.",
    )
    length: int = Field(
        256, ge=1, le=8192, description="Words taken of each text, from its start.", json_schema_extra={"unit": "words"}
    )


class Imdb(Words):
    """50,000 film reviews, half of them held out, positive or negative (Maas et al., 2011)."""

    asks: ClassVar = "a review"
    kind: Literal["imdb"] = "imdb"
    path: str = Field(
        "",
        max_length=4096,
        description="A folder as published (train/pos/*.txt …) or with train.tsv and test.tsv; empty looks for aclImdb "
        "and imdb in the data folder, and downloads them if need be.",
    )

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        return DataFacts("tokens", (self.length,), "classes", 2, None, None, self.vocabulary)


class Tsv(Words):
    """Texts of your own: lines of a label, a tab, and a text."""

    kind: Literal["tsv"] = "tsv"
    path: str = Field(
        min_length=1,
        max_length=4096,
        description="A .tsv or .tsv.gz file: an absolute path, or one below the data folder.",
    )
    val_path: str = Field(
        "", max_length=4096, description="Another such file, to be held out; empty holds out a share."
    )
    val_share: float = Field(0.2, gt=0, lt=1, description="Share of the lines held out, where there is no other file.")

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        return DataFacts("tokens", (self.length,), "classes", None, None, None, self.vocabulary)


class Hello(Section):
    """The word hello, each letter of which is to be answered with a letter of ohlol."""

    kind: Literal["hello"] = "hello"

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        return DataFacts("tokens", (5,), "class-sequence", 4, 1, None, 4)
