"""A user's own table: what is read, and how a fault in it is named."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
import torch

from engine import csv_shape as shapes
from engine.csv_shape import csv_shape
from engine.data import DataBundle, DataError, load_data
from engine.data.csv_table import load_csv
from engine.schema import validate
from engine.schema.data import Csv

ROWS = "1,2,0\n3,4,1\n5,6,0\n7,8,1\n9,10,1\n"


def load(folder: Path, content: str | bytes, name: str = "t.csv", **settings: object) -> DataBundle:
    data = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return load_csv(Csv.model_validate({"path": name, **settings}), 0, folder)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (ROWS, "t.csv"),
        (ROWS, "t.csv.gz"),
        ("hours,sleep,passed\n" + ROWS, "t.csv"),
        ("\ufeffhours,sleep,passed\r\n" + ROWS.replace("\n", "\r\n"), "t.csv"),
        (ROWS.replace(",", ";"), "t.csv"),
        (ROWS.replace(",", "\t"), "t.csv"),
        (ROWS.replace(",", ", "), "t.csv"),
        ('"a","b","c"\n' + "".join('"' + line.replace(",", '","') + '"\n' for line in ROWS.split()), "t.csv"),
        ("\n\n" + ROWS.replace("\n", "\n\n") + "\n", "t.csv"),
        (ROWS.rstrip("\n"), "t.csv"),
        (ROWS.replace("5", "5\f"), "t.csv"),
    ],
    ids=range(11),
)
def test_the_same_table_in_many_guises(tmp_path: Path, content: str, name: str) -> None:
    data = load(tmp_path, content, name, val_share=0.4)
    assert data.val is not None
    rows = torch.cat([torch.cat([split.inputs, split.targets], 1) for split in (data.train, data.val)])
    assert sorted(rows.tolist()) == [[1, 2, 0], [3, 4, 1], [5, 6, 0], [7, 8, 1], [9, 10, 1]]
    assert (len(data.train), len(data.val), data.input_shape, data.outputs) == (3, 2, (2,), 1)
    assert csv_shape(tmp_path / name) == (5, 3)


def test_the_target_may_be_any_column(tmp_path: Path) -> None:
    first = load(tmp_path, "0,5,6\n1,7,8\n0,5,6\n", target=0)
    assert first.input_shape == (2,)
    assert set(first.train.targets.flatten().tolist()) <= {0.0, 1.0}
    numbers = load(tmp_path, "0,5.5,6\n1,7,8\n", target=-2, targets="numbers")
    assert numbers.val is not None
    assert {numbers.train.targets.item(), numbers.val.targets.item()} == {5.5, 7.0}
    assert numbers.class_names == ()


def test_features_are_scaled_by_the_training_rows(tmp_path: Path) -> None:
    data = load(tmp_path, ROWS, standardise=True)
    assert data.train.inputs.mean(0).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("a,b,c\n", "has a header and no rows"),
        ("1\n2\n", "has one column"),
        ("a\n1\n", "has one column"),
        ("1,2,0\n", "has one row"),
        ("1,2,0\n3,x,1\n", "line 2, column 2: 'x' is not a number"),
        ("h,s,p\n\n1,2,0\n3,,1\n", "line 4, column 2: the cell is empty"),
        ("1,2,0\n3,nan,1\n", "line 2, column 2: 'nan' is not a finite number"),
        ("1,2,0\n3,1e39,1\n", "line 2, column 2: '1e39' is not a finite number"),
        ("1,2,0\n3,1\n", "line 2: 2 columns, where the first line has 3"),
        ("1,2,0\n3,4,1,5\n", "line 2: 4 columns, where the first line has 3"),
        ("a,1,0\n3,4,1\n", "line 1, column 1: 'a' is not a number"),
        ("1,2,0\n3,\x1b[31mred,1\n", "line 2, column 2: '�[31mred' is not a number"),
        ("h,s,p\n1,2,0\n3,4,2\n", "line 3, column 3: 2 is neither 0 nor 1"),
        (b"1,2,0\n3,\xff\xfe,1\n", "is not UTF-8 text"),
        ("1,2,0\n3,4_0,1\n", "line 2, column 2: '4_0' is not a number"),
        ("1,2,0\n3,\uff11\uff12,1\n", "line 2, column 2: '\uff11\uff12' is not a number"),
        ('1,2,0\n3,"4,1\n5,6,1\n', "line 2: a quotation mark without a second one"),
        ("1,2,0\n3\f,4,1\n5,x,1\n", "line 3, column 2: 'x' is not a number"),
        ("1,2,0\n3\u2028,4,1\n5,x,1\n", "line 3, column 2: 'x' is not a number"),
    ],
)
def test_a_fault_is_named_where_it_stands(tmp_path: Path, content: str | bytes, says: str) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path, content)
    assert says in str(caught.value)
    assert "t.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_path_that_is_meant_from_the_current_folder_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "bin.csv").write_text(ROWS)
    monkeypatch.chdir(tmp_path / "here")
    told = (
        f"is not there: .*; relative paths start at the data folder; the one here is --data.path {Path.cwd()}/bin.csv$"
    )
    for named in ("./bin.csv", "bin.csv", "../here/bin.csv"):
        with pytest.raises(DataError, match=told):
            load_data(Csv(path=named), 0, tmp_path / "data")
    with pytest.raises(DataError, match=r"gone\.csv is not there: set data\.path to a \.csv or \.csv\.gz file$"):
        load_data(Csv(path="gone.csv"), 0, tmp_path / "data")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "bin.csv").touch()
    with pytest.raises(DataError, match=r"is empty: it needs rows of numbers$"):
        load_data(Csv(path="bin.csv"), 0, tmp_path / "data")


def test_a_missing_damaged_or_strange_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv is not there: set data\.path"):
        load_csv(Csv(path="gone.csv"), 0, tmp_path)
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(ROWS.encode())[:-12])
    with pytest.raises(DataError, match=r"cut\.csv\.gz can't be read"):
        load_csv(Csv(path="cut.csv.gz"), 0, tmp_path)
    (tmp_path / "fake.csv.gz").write_bytes(ROWS.encode())
    with pytest.raises(DataError, match=r"fake\.csv\.gz can't be read"):
        load_csv(Csv(path="fake.csv.gz"), 0, tmp_path)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=r"folder\.csv can't be read"):
        load_csv(Csv(path="folder.csv"), 0, tmp_path)
    with pytest.raises(DataError, match=r"has 3 columns: data\.target 3 is none of -3 to 2"):
        load(tmp_path, ROWS, target=3)


def test_an_absolute_path_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(ROWS)
    assert len(load_csv(Csv(path=str(tmp_path / "t.csv")), 0, Path("/nonexistent")).train) == 4


def test_the_form_learns_rows_and_columns_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + ROWS)
    config = validate(
        {
            "task": {"kind": "binary-classification"},
            "data": {"kind": "csv", "path": "t.csv", "val_share": 0.4},
            "model": {"kind": "mlp", "hidden": [6, 4]},
            "trainer": {"batch_size": 2},
        }
    )
    assert config.facts().input_shape is None
    assert config.parameter_count() is None and config.steps_per_epoch() is None
    facts = config.facts(tmp_path)
    assert (facts.input_shape, facts.train_rows, facts.val_rows) == ((2,), 3, 2)
    assert config.parameter_count(facts) == 3 * 6 + 7 * 4 + 5
    assert config.steps_per_epoch(facts) == 2
    assert config.facts(tmp_path / "elsewhere").train_rows is None
    (tmp_path / "t.csv").write_text("1\n")
    assert config.facts(tmp_path).train_rows is None


def test_facts_of_a_table_are_those_of_its_bundle(tmp_path: Path) -> None:
    data = load(tmp_path, ROWS, val_share=0.5)
    facts = Csv(path="t.csv", val_share=0.5).facts(tmp_path)
    assert data.val is not None
    assert (data.input_shape, len(data.train), len(data.val)) == (facts.input_shape, facts.train_rows, facts.val_rows)


def test_counting_gives_up_on_what_is_too_large_or_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    with pytest.raises(FileNotFoundError):
        csv_shape(path)
    for content in (b"", b"\n\n", b"\xff\xfe\n", b"1" * (2 << 20)):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"empty|damaged|too large"):
            csv_shape(path)
    path.write_text(ROWS)
    monkeypatch.setattr(shapes, "COUNTED_BYTES", 10)
    shapes._counted.cache_clear()
    with pytest.raises(ValueError, match="too large"):
        csv_shape(path)


def test_a_changed_file_is_counted_anew(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(ROWS)
    assert csv_shape(path) == (5, 3)
    path.write_text(ROWS + "1,1,1\n")
    os.utime(path, ns=(1, 1))
    assert csv_shape(path) == (6, 3)
