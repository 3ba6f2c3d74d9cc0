"""scikit-learn's own data, read without scikit-learn; and which rows are held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.data import DataError, bundled
from engine.data.bundled import load_breast_cancer, load_digits
from engine.data.splits import hold_out, standardised
from engine.schema.data import BreastCancer, Digits

NOWHERE = Path("/nonexistent")


def test_tables_are_those_that_scikit_learn_loads_and_splits() -> None:
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    images, classes = datasets.load_digits(return_X_y=True)
    train, val, train_classes, val_classes = train_test_split(
        images, classes, test_size=0.2, random_state=0, stratify=classes
    )
    data = load_digits(Digits(), 0, NOWHERE)
    assert data.val is not None
    assert sorted(map(tuple, (data.val.inputs.flatten(1) * 16).tolist())) == sorted(map(tuple, val.tolist()))
    assert data.val.targets.bincount().tolist() == np.bincount(val_classes).tolist()
    assert data.train.targets.bincount().tolist() == np.bincount(train_classes).tolist()
    assert len(data.train) == len(train)

    measurements, benign = datasets.load_breast_cancer(return_X_y=True)
    raw = load_breast_cancer(BreastCancer(standardise=False), 0, NOWHERE)
    assert raw.val is not None
    everything = torch.cat([raw.train.inputs, raw.val.inputs])
    assert np.allclose(np.sort(everything.numpy(), axis=0), np.sort(measurements, axis=0), rtol=1e-6)
    assert torch.cat([raw.train.targets, raw.val.targets]).sum() == benign.sum()
    assert raw.class_names == ("malignant", "benign")

    for rows, share, kinds in ((20, 0.2, 2), (101, 0.33, 3), (569, 0.5, 2), (50, 0.2, None)):
        labels = None if kinds is None else np.random.default_rng(rows).integers(0, kinds, rows)
        expected = train_test_split(np.arange(rows), test_size=share, random_state=0, stratify=labels)
        for ours, theirs in zip(hold_out(rows, share, labels), expected, strict=True):
            assert ours.tolist() == sorted(theirs)


def test_standardised_columns_use_training_rows_only() -> None:
    data = load_breast_cancer(BreastCancer(), 0, NOWHERE)
    assert data.train.inputs.mean(0).abs().max() < 1e-5
    assert data.train.inputs.std(0, correction=0).tolist() == pytest.approx([1.0] * 30, abs=1e-4)
    columns = np.array([[0.0, 7.0], [2.0, 7.0], [100.0, 9.0]])
    assert standardised(columns, np.array([0, 1])).tolist() == [[-1.0, 0.0], [1.0, 0.0], [99.0, 2.0]]


def test_a_class_of_one_row_and_a_table_of_two_rows_are_split_all_the_same() -> None:
    train, val = hold_out(3, 0.5, np.array([0, 1, 1]))
    assert sorted([*train, *val]) == [0, 1, 2]
    assert [len(part) for part in hold_out(2, 0.9)] == [1, 1]


def test_a_damaged_or_missing_scikit_learn_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "datasets" / "data"
    folder.mkdir(parents=True)
    (folder / "digits.csv.gz").write_bytes(b"not packed")

    class Spec:
        submodule_search_locations = [str(tmp_path)]

    monkeypatch.setattr(bundled, "find_spec", lambda name: Spec())
    with pytest.raises(DataError, match=r"digits\.csv\.gz can't be read .*install scikit-learn again"):
        load_digits(Digits(), 0, NOWHERE)
    monkeypatch.setattr(bundled, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install scikit-learn"):
        load_digits(Digits(), 0, NOWHERE)
