"""Which files the engine would not find."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.schema import RunConfig
from tui.named_files import absent, named_files

TABLE = {"task": {"kind": "binary-classification"}, "model": {"kind": "linear"}}
TEXTS = {"model": {"kind": "lstm"}}
PICTURES = {"model": {"kind": "mlp"}}
SPIRAL = {"data": {"kind": "spiral"}}

CASES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "nothing named": ({**SPIRAL, "model": {"kind": "mlp"}}, {}),
    "downloaded": ({**PICTURES, "data": {"kind": "mnist"}}, {}),
    "below the data folder": ({**TABLE, "data": {"kind": "csv", "path": "table.csv"}}, {}),
    "no table": (
        {**TABLE, "data": {"kind": "csv", "path": "gone.csv"}},
        {"data.path": "{data}/gone.csv is not there: set data.path to a .csv or .csv.gz file"},
    ),
    "a folder": (
        {**TABLE, "data": {"kind": "csv", "path": "reviews"}},
        {"data.path": "{data}/reviews is a folder: set data.path to a .csv or .csv.gz file"},
    ),
    "below a file": (
        {**TABLE, "data": {"kind": "csv", "path": "table.csv/x"}},
        {"data.path": "{data}/table.csv/x can't be read (Not a directory): set data.path to a .csv or .csv.gz file"},
    ),
    "no name of a file": (
        {**TABLE, "data": {"kind": "csv", "path": "a\0b"}},
        {"data.path": "{data}/a�b can't be the name of a file: set data.path to a .csv or .csv.gz file"},
    ),
    "no other texts": (
        {**TEXTS, "data": {"kind": "tsv", "path": "table.csv", "val_path": "gone.tsv"}},
        {"data.val_path": "{data}/gone.tsv is not there: set data.val_path to a .tsv or .tsv.gz file"},
    ),
    "reviews to be downloaded": ({**TEXTS, "data": {"kind": "imdb"}}, {}),
    "reviews": ({**TEXTS, "data": {"kind": "imdb", "path": "reviews"}}, {}),
    "no reviews": (
        {**TEXTS, "data": {"kind": "imdb", "path": "gone"}},
        {"data.path": "{data}/gone is not there: name a folder of reviews with data.path, or leave it empty"},
    ),
    "packed pictures": ({**PICTURES, "data": {"kind": "image-folder", "path": "pets"}}, {}),
    "no pictures": (
        {**PICTURES, "data": {"kind": "image-folder", "path": "gone"}},
        {"data.path": "{data}/gone is not there: set data.path to a folder of pictures, or to a .zip of one"},
    ),
    "own code": ({**SPIRAL, "model": {"kind": "custom", "target": "{data}/my.py:Net"}}, {}),
    "a module": ({**SPIRAL, "model": {"kind": "custom", "target": "none.such:Net"}}, {}),
    "no code": (
        {**SPIRAL, "model": {"kind": "custom", "target": "{data}/gone.py:Net"}},
        {"model.target": "{data}/gone.py is not there: mend the path before ':Net'"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_the_engine_would_not_find_is_told(case: str, tmp_path: Path) -> None:
    (tmp_path / "reviews").mkdir()
    for name in ("table.csv", "pets.zip", "my.py"):
        (tmp_path / name).write_text("")
    config, told = CASES[case]
    config = {name: dict(section) for name, section in config.items()}
    if "target" in config["model"]:
        config["model"]["target"] = config["model"]["target"].format(data=tmp_path)
    found = absent(named_files(RunConfig.model_validate(config), tmp_path))
    assert found == {field: message.format(data=tmp_path) for field, message in told.items()}


def test_one_in_the_current_folder_is_pointed_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "table.csv").touch()
    monkeypatch.chdir(tmp_path)
    config = RunConfig.model_validate({**TABLE, "data": {"kind": "csv", "path": "table.csv"}})
    told = absent(named_files(config, tmp_path / "data"))["data.path"]
    assert told.endswith(f"; relative paths start at the data folder; the one here is --data.path {tmp_path}/table.csv")
