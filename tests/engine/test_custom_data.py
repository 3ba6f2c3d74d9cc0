"""What a user's function may return, and what is said of the rest."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, TensorDataset

from engine.data import load_data
from engine.data.bundle import DataBundle, DataError
from engine.schema.custom import CustomData
from tests.engine.user_code import NET, custom, failure, train, write

X, Y = torch.rand(6, 2), torch.tensor([0, 1, 2, 0, 1, 2])
PAIR = (X, Y)


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run puts on the path is gone with its test."""
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Loads data of which the user's function returns what the test gives."""
    file = write(tmp_path, "import sys\ndef load(): return sys.given_to_my_data\n", "my_data.py")

    def load(value: object, targets: str = "classes") -> DataBundle:
        monkeypatch.setattr(sys, "given_to_my_data", value, raising=False)
        return load_data(CustomData(target=f"{file}:load", targets=targets), 0, tmp_path)

    return load


def test_pairs_of_tensors_and_arrays(given: Any) -> None:
    for pair in (PAIR, (X.numpy(), Y.numpy()), (X.double(), Y.int()), [X.tolist(), Y.tolist()]):
        data = given((pair, PAIR))
        assert torch.allclose(data.train.inputs, X) and torch.equal(data.train.targets, Y)
        assert (data.train.inputs.dtype, data.train.targets.dtype) == (torch.float32, torch.int64)
        assert (data.input_shape, data.outputs, data.class_names) == ((2,), 3, ("0", "1", "2"))
        assert data.val is not None
    assert given((PAIR, None)).val is None


class Samples(Dataset[Any]):
    """Three samples."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, place: int) -> Any:
        if place >= 3:
            raise IndexError
        return np.full(4, place), place


def test_map_style_datasets_are_read_whole(given: Any) -> None:
    data = given((Samples(), TensorDataset(torch.rand(5, 4).long(), torch.zeros(5).long())))
    assert data.train.inputs.tolist() == [[0] * 4, [1] * 4, [2] * 4]
    assert data.train.targets.tolist() == [0, 1, 2]


def test_a_dict_says_more(given: Any) -> None:
    pictures = torch.randint(0, 255, (6, 3, 4, 4), dtype=torch.uint8)
    data = given({"train": (pictures, Y), "class_names": ["a", "b\x1b", "c", "d"], "mean": [0.1, 0.2, 0.3], "std": 0.5})
    assert data.train.inputs.dtype == torch.uint8
    assert (data.outputs, data.mean, data.std) == (4, (0.1, 0.2, 0.3), (0.5, 0.5, 0.5))
    assert data.class_names[1] == "b\N{REPLACEMENT CHARACTER}"
    assert torch.allclose(data.prepare(pictures)[:, 2], (pictures[:, 2] / 255 - 0.3) / 0.5, atol=1e-6)


def test_whole_numbers_are_token_ids(given: Any) -> None:
    data = given(((torch.tensor([[0, 3], [9, 1]]), torch.tensor([0, 1])), None))
    assert data.train.inputs.dtype == torch.int64
    assert len(data.vocabulary) == 10


@pytest.mark.parametrize(("targets", "outputs"), [(torch.rand(6), 1), (torch.rand(6, 3).double(), 3), (Y, 1)])
def test_numbers_are_columns(given: Any, targets: torch.Tensor, outputs: int) -> None:
    data = given(((X, targets), None), "numbers")
    assert data.train.targets.shape == (6, outputs) and data.outputs == outputs
    assert (data.train.targets.dtype, data.class_names) == (torch.float32, ())


@pytest.mark.parametrize("targets", [Y > 0, (Y > 0).float(), (Y > 0).long()[:, None]])
def test_binary_targets_are_one_column_of_0_and_1(given: Any, targets: torch.Tensor) -> None:
    data = given(((X, targets), None), "binary")
    assert data.train.targets.shape == (6, 1) and data.outputs == 1
    assert data.class_names == ("0", "1")


def nan_at(row: int) -> torch.Tensor:
    x = X.clone()
    x[row, 1] = float("nan")
    return x


@pytest.mark.parametrize(
    ("value", "targets", "message"),
    [
        (None, "classes", "load in my_data.py returned a NoneType: return (train, val)"),
        (PAIR, "classes", "load in my_data.py returned a tensor as train: return (train, val)"),
        ((PAIR, PAIR, PAIR), "classes", "returned a tuple of 3: return (train, val)"),
        ((None, PAIR), "classes", "returned None as train"),
        ({"train": PAIR, "vall": PAIR}, "classes", "knows no 'vall': its keys are train, val, class_names, mean, std"),
        ({"val": PAIR}, "classes", "needs 'train'"),
        (((X, Y, Y), None), "classes", "load in my_data.py, train is a tuple of 3: give a pair (inputs, targets)"),
        ((iter([]), None), "classes", "train is a list_iterator: give a pair"),
        ((PAIR, ("abc", Y)), "classes", "val: inputs can't be made a tensor (TypeError"),
        ((([[1.0], [1.0, 2.0]], Y[:2]), None), "classes", "can't be made a tensor (ValueError"),
        (((X[:0], Y[:0]), None), "classes", "train is empty: give samples"),
        ((PAIR, (X[:0], Y[:0])), "classes", "val is empty: give samples, or None"),
        (((X, Y[:5]), None), "classes", "inputs (6, 2) and targets (5,): give one target for each sample"),
        (((X[:, 0], Y), None), "classes", "inputs have shape (6,): give (N, features), as with [:, None]"),
        ((PAIR, (X[:, :1], Y)), "classes", "val: inputs have shape (1,), those of train (2,): they have to be alike"),
        ((PAIR, (X.long(), Y)), "classes", "val: inputs are torch.int64, those of train torch.float32"),
        (((nan_at(4), Y), None), "classes", "train: inputs of 1 sample hold NaN or infinity, first those of sample 4"),
        (((X.double() * 1e300, Y), None), "classes", "inputs of 6 samples hold NaN or infinity"),
        (((X.long() - 1, Y), None), "classes", "inputs go from -1 to -1; whole numbers are token ids"),
        (((X, Y.float()), None), "classes", "targets are float32 of shape (6,): classes are whole numbers"),
        (((X, Y[:, None]), None), "classes", "targets are int64 of shape (6, 1)"),
        (((X, Y - 1), None), "classes", "targets go down to -1: classes are counted from 0"),
        (((X, Y * 0), None), "classes", "all targets are the same class"),
        ({"train": PAIR, "class_names": ["a", "b"]}, "classes", "targets go up to 2, but there are 2 class_names"),
        ({"train": PAIR, "class_names": "abc"}, "classes", "class_names is a str: give a list of names"),
        ({"train": PAIR, "mean": 0.5}, "classes", "mean is for pictures of type uint8"),
        (((X, X[:, :, None]), None), "numbers", "targets have shape (6, 2, 1): give (N,) or (N, K)"),
        (((X, nan_at(0)), None), "numbers", "targets of 1 sample hold NaN or infinity"),
        (((X, Y), None), "binary", "targets hold 2: give 0 and 1, or set data.targets"),
        (((X, X), None), "binary", "targets have shape (6, 2): give (N,)"),
    ],
)  # fmt: skip
def test_what_can_not_be_trained_on_is_refused_by_name(given: Any, value: object, targets: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        given(value, targets)
    text = str(caught.value)
    assert message in text
    assert text.startswith("load in my_data.py")
    assert "\n" not in text


@pytest.mark.parametrize("scale", [{"std": 0}, {"std": [1, 1]}, {"mean": "x"}, {"mean": [float("nan")] * 3}])
def test_a_scale_that_is_none_is_refused(given: Any, scale: dict[str, object]) -> None:
    with pytest.raises(DataError, match=r"^load in my_data\.py: (mean|std) has to be"):
        given({"train": (torch.zeros(6, 3, 4, 4, dtype=torch.uint8), Y), **scale})


async def test_a_sample_that_can_not_be_read_shows_the_users_traceback(tmp_path: Path) -> None:
    source = (
        NET
        + """
class Broken:
    def __len__(self): return 3
    def __getitem__(self, place): return 1 / place
def broken(): return Broken(), None
"""
    )
    file = write(tmp_path, source)
    failed = await failure(tmp_path, custom(file, data={"kind": "custom", "target": f"{file}:broken"}))
    assert failed.error == "broken in my_net.py, train, a Broken: ZeroDivisionError: division by zero"
    assert "in __getitem__" in failed.traceback.splitlines()[1]


async def test_a_model_that_does_not_fit_is_told_once_the_data_is_known(tmp_path: Path) -> None:
    """In the form's own words, and before torch stumbles over it."""
    file = write(tmp_path, NET)
    failed = await failure(tmp_path, custom(file, {"kind": "cnn"}))
    assert failed.error.startswith("model.kind: data 'custom' yields features; model 'cnn' wants images: choose model")
    assert failed.traceback == ""


@pytest.mark.parametrize("model", [{"kind": "mlp", "hidden": [4]}, {"kind": "linear"}])
async def test_models_that_come_with_dltui_train_on_a_users_data(tmp_path: Path, model: dict[str, Any]) -> None:
    _, events = await train(tmp_path, custom(write(tmp_path, NET), model))
    assert type(events[-1]).__name__ == "RunFinished"


async def test_very_many_classes_train_without_a_matrix_of_them(tmp_path: Path) -> None:
    file = write(tmp_path, "import torch\ndef load(): return (torch.rand(9, 3), torch.arange(9) * 2500), None")
    folder, events = await train(tmp_path, custom(file, {"kind": "mlp", "hidden": [2]}))
    assert type(events[-1]).__name__ == "RunFinished"
    assert not (folder.figures / "matrix.npz").exists()
