"""What figures hold, and that drawing them leaves no trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.data.bundle import DataBundle, Split
from engine.evaluation import evaluate
from engine.figures import Figure, FigureError, load_figure, save_figure
from engine.tasks import Task
from engine.tasks.base import Observation, Sample
from tests.engine.data_files import write_table
from tests.engine.test_tasks import DIGITS, HOURS, PLANE, SPIRAL, make

XOR: dict[str, Any] = {**HOURS, "data": {"kind": "xor"}, "model": {"kind": "mlp", "hidden": [4]}}
CANCER: dict[str, Any] = {**HOURS, "data": {"kind": "breast-cancer"}}
CUBIC: dict[str, Any] = {**PLANE, "data": {"kind": "cubic"}, "model": {"kind": "mlp", "dropout": 0.3}}
POLYNOMIAL: dict[str, Any] = {**PLANE, "data": {"kind": "polynomial"}}
WIDE: dict[str, Any] = {**PLANE, "data": {"kind": "high-dimensional"}}
SOFTMAX: dict[str, Any] = {"data": {"kind": "digits"}, "model": {"kind": "linear"}}
POINTS: dict[str, Any] = {**PLANE, "data": {"kind": "points"}}
DROPPED: dict[str, Any] = {**SPIRAL, "model": {"kind": "mlp", "hidden": [8], "norm": "batch", "dropout": 0.5}}
CASES = {
    "points": (POINTS, ["fit:curve", "parameters:compare", "history:metrics"]),
    "plane": (PLANE, ["parameters:compare", "history:metrics", "agreement:curve"]),
    "polynomial": (POLYNOMIAL, ["fit:curve", "parameters:compare", "history:metrics"]),
    "wide": (WIDE, ["history:metrics", "agreement:curve"]),
    "cubic": (CUBIC, ["fit:curve"]),
    "hours": (HOURS, ["probability:curve"]),
    "xor": (XOR, ["regions:regions"]),
    "cancer": (CANCER, ["matrix:matrix"]),
    "spiral": (DROPPED, ["regions:regions"]),
    "digits": ({**DIGITS, "task": {"kind": "classification"}}, ["matrix:matrix", "mistakes:mistakes"]),
    "numpy": (DIGITS, ["matrix:matrix", "mistakes:mistakes"]),
    "softmax": (SOFTMAX, ["weights:weights", "matrix:matrix", "mistakes:mistakes"]),
}


def drawn(tree: dict[str, Any], steps: int = 3) -> tuple[dict[str, Figure], Task, DataBundle]:
    task, data, _ = make(tree)
    for _ in range(steps):
        task.train_step(data.train.inputs, data.train.targets)
    return {figure.name: figure for figure in task.figures(data.val or data.train)}, task, data


@pytest.mark.parametrize("case", CASES)
def test_each_kind_of_run_has_its_pictures_and_they_can_be_stored(case: str, tmp_path: Path) -> None:
    tree, expected = CASES[case]
    figures, _, _ = drawn(tree)
    assert [f"{figure.name}:{figure.kind}" for figure in figures.values()] == expected
    for figure in figures.values():
        assert figure.title
        stored = load_figure(tmp_path / save_figure(tmp_path, figure))
        assert {name: array.dtype for name, array in stored.items()} == {
            name: array.dtype for name, array in figure.arrays.items()
        }


@pytest.mark.parametrize("case", CASES)
def test_drawing_leaves_no_trace(case: str) -> None:
    tree, _ = CASES[case]
    task, data, _ = make(tree)
    modules = task.modules["model"]
    modules.train()
    torch.manual_seed(3)
    random, numpy_random = torch.get_rng_state(), np.random.get_state(legacy=True)[1]
    state = {key: tensor.clone() for key, tensor in modules.state_dict().items()}
    task.figures(data.val or data.train)
    assert torch.equal(torch.get_rng_state(), random)
    assert (np.random.get_state(legacy=True)[1] == numpy_random).all()
    assert all(torch.equal(tensor, state[key]) for key, tensor in modules.state_dict().items())
    assert all(module.training for module in modules.modules())
    assert all(parameter.grad is None for parameter in modules.parameters())


def test_regions_are_the_predictions_with_the_top_row_first() -> None:
    figures, task, data = drawn(SPIRAL)
    arrays = figures["regions"].arrays
    assert arrays["classes"].shape == (80, 120) and arrays["classes"].dtype == np.int16
    x0, x1, y0, y1 = arrays["extent"]
    corners = torch.tensor([[x0, y1], [x1, y1], [x0, y0], [x1, y0]], dtype=torch.float32)
    guess = task.evaluate(corners, torch.zeros(4, dtype=torch.int64))["outputs"].argmax(1)
    assert [arrays["classes"][row, column] for row in (0, -1) for column in (0, -1)] == guess.tolist()
    x, y = data.train.inputs.numpy().T
    assert x0 < x.min() < x.max() < x1 and y0 < y.min() < y.max() < y1
    assert arrays["names"].tolist() == ["arm 1", "arm 2", "arm 3"]
    assert data.val is not None
    assert arrays["points"].shape == (len(data.val), 2)


def test_regions_show_at_most_600_points_of_every_class() -> None:
    figures, _, _ = drawn({**SPIRAL, "data": {"kind": "spiral", "points": 5000}}, steps=0)
    labels = figures["regions"].arrays["labels"]
    assert len(labels) == 600
    assert np.bincount(labels).tolist() == [200, 200, 200]


def test_the_curve_is_the_model_over_the_data_and_the_truth_beside_it() -> None:
    figures, task, data = drawn(POLYNOMIAL)
    arrays = figures["fit"].arrays
    assert arrays["x"].tolist() == pytest.approx(data.train.inputs[:, 0].tolist())
    x = torch.tensor(arrays["line_x"], dtype=torch.float32)
    inputs = torch.stack([x, x**2, x**3], 1)
    outputs = task.evaluate(inputs, torch.zeros(len(x), 1))["outputs"]
    assert arrays["line_y"].tolist() == pytest.approx(outputs[:, 0].tolist(), rel=1e-3, abs=1e-3)
    assert arrays["truth_y"] == pytest.approx(
        5 + 1.2 * x.numpy() - 3.4 * x.numpy() ** 2 + 5.6 * x.numpy() ** 3, abs=0.01
    )
    assert data.val is not None
    every_x = torch.cat([data.train.inputs[:, 0], data.val.inputs[:, 0]])
    assert arrays["line_x"].min() < every_x.min() and arrays["line_x"].max() > every_x.max()


def test_the_line_reaches_the_point_held_out() -> None:
    figures, _, _ = drawn(POINTS)
    assert figures["fit"].arrays["x"].tolist() == [1, 2, 3]
    assert figures["fit"].arrays["line_x"].max() > 4


def test_learned_stands_beside_true() -> None:
    figures, task, _ = drawn(PLANE)
    arrays = figures["parameters"].arrays
    assert arrays["names"].tolist() == ["w1", "w2", "b"]
    assert arrays["truth"].tolist() == [2.0, -3.4, 4.2]
    assert arrays["learned"].tolist() == task.gauged().tolist()
    assert figures["history"].arrays["keys"].tolist() == ["param/w1", "param/w2", "param/b"]


def test_the_norm_stands_for_many_weights() -> None:
    assert drawn(WIDE)[0]["history"].arrays["keys"].tolist() == ["norm/weight"]


def test_the_probability_curve_marks_where_the_guess_flips() -> None:
    task, data, _ = make(HOURS)
    model = task.modules["model"]
    with torch.no_grad():
        model.get_parameter("weight").fill_(2.0)
        model.get_parameter("bias").fill_(-5.0)
    (figure,) = task.figures(data.train)
    assert figure.arrays["boundary"].tolist() == pytest.approx([2.5], abs=1e-5)
    assert "2.50" in figure.title
    middle = np.interp(2.5, figure.arrays["line_x"], figure.arrays["line_y"])
    assert middle == pytest.approx(0.5, abs=1e-3)
    with torch.no_grad():
        model.get_parameter("bias").fill_(100.0)
    (figure,) = task.figures(data.train)
    assert "boundary" not in figure.arrays


@pytest.mark.parametrize("case", CASES)
def test_what_an_evaluation_found_gives_the_same_pictures(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found in several pieces, one of which did not fit into memory at once."""
    figures, task, data = drawn(CASES[case][0])
    evaluate_rows, refused = task.evaluate, list[int]()

    def evaluate_few(inputs: Tensor, targets: Tensor) -> Observation:
        if not refused and len(targets) > 1:
            refused.append(len(targets))
            raise torch.OutOfMemoryError("out of memory")
        return evaluate_rows(inputs, targets)

    monkeypatch.setattr("engine.batches.CPU_EVALUATION_BYTES", 0)
    monkeypatch.setattr("engine.batches.CPU_EVALUATION_ROWS", 7)
    monkeypatch.setattr(task, "evaluate", evaluate_few)
    found = evaluate(task, data, lambda: False)
    assert found is not None
    split = data.val or data.train
    if not task.draws_outputs:
        assert not found.outputs
        return
    sample = Sample(split.inputs, split.targets, torch.cat(found.outputs))
    for figure in task.figures(sample):
        for name, array in figure.arrays.items():
            predicted = figures[figure.name].arrays[name]
            assert (
                (array == predicted).all() if array.dtype.kind == "U" else array == pytest.approx(predicted, abs=1e-6)
            )


def test_the_matrix_counts_every_sample_once() -> None:
    figures, task, data = drawn(SOFTMAX)
    counts = figures["matrix"].arrays["counts"]
    assert data.val is not None
    assert counts.sum(1).tolist() == data.val.targets.bincount().tolist()
    accuracy = task.measure([task.evaluate(data.val.inputs, data.val.targets)])["accuracy"].item()
    assert np.trace(counts) / counts.sum() == pytest.approx(accuracy)
    assert "360 held-out" in figures["matrix"].title


def test_mistakes_are_the_surest_wrong_guesses() -> None:
    figures, task, data = drawn(SOFTMAX, steps=60)
    arrays = figures["mistakes"].arrays
    assert data.val is not None
    probabilities = task.evaluate(data.val.inputs, data.val.targets)["outputs"].softmax(1)
    wrong = probabilities.argmax(1) != data.val.targets
    assert arrays["confidence"].tolist() == pytest.approx(
        probabilities[wrong].max(1)[0].sort(descending=True)[0][:12].tolist()
    )
    assert (arrays["truth"] != arrays["guess"]).all()
    assert arrays["images"].shape == (12, 8, 8) and arrays["images"].dtype == np.uint8
    assert arrays["images"].max() == 255
    assert f"{int(wrong.sum())} of 360" in figures["mistakes"].title


@pytest.mark.parametrize("tree", [SOFTMAX, DROPPED])
def test_a_picture_of_a_part_says_of_what_it_is_a_part(tree: dict[str, Any]) -> None:
    task, data, _ = make(tree)
    assert data.val is not None
    half = len(data.val) // 2
    part = Sample(data.val.inputs[:half], data.val.targets[:half])
    figures = {figure.name: figure for figure in task.figures(part)}
    for name in figures.keys() & {"matrix", "mistakes", "regions"}:
        assert f"{half} among the {len(data.val)} held-out " in figures[name].title
    whole = {figure.name: figure.title for figure in task.figures(data.val)}
    assert not any("among" in title for title in whole.values())


def test_a_model_without_mistakes_has_an_empty_picture_of_them() -> None:
    _, task, data = drawn(SOFTMAX)
    guess = task.evaluate(data.train.inputs, data.train.targets)["outputs"].argmax(1)
    figures = {figure.name: figure for figure in task.figures(Split(data.train.inputs, guess))}
    assert figures["mistakes"].arrays["images"].shape == (0, 8, 8)


def test_weights_are_a_picture_per_class() -> None:
    figures, task, _ = drawn(SOFTMAX)
    images = figures["weights"].arrays["images"]
    assert images.shape == (10, 8, 8)
    assert np.allclose(images.reshape(10, 64), task.modules["model"].get_parameter("weight").detach().numpy())


def test_a_diverged_model_still_draws(tmp_path: Path) -> None:
    for tree, _ in CASES.values():
        task, data, _ = make(tree)
        with torch.no_grad():
            for parameter in task.modules["model"].parameters():
                parameter.fill_(float("nan"))
        for figure in task.figures(data.val or data.train):
            save_figure(tmp_path, figure)


def test_a_table_of_two_columns_is_drawn_as_a_plane(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv.gz", features=2)
    figures, _, _ = drawn({**HOURS, "data": {"kind": "csv", "path": str(path)}})
    assert list(figures) == ["regions"]


def test_a_damaged_or_monstrous_figure_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"PK\3\4 nothing")
    with pytest.raises(FigureError, match=r"bad\.npz can't be read"):
        load_figure(tmp_path / "bad.npz")
    with pytest.raises(FigureError, match=r"gone\.npz can't be read"):
        load_figure(tmp_path / "gone.npz")
    huge = Figure("huge", "weights", "Huge", {"images": np.zeros((3, 1024, 1024))})
    with pytest.raises(FigureError, match="unpacks to more than 16 MiB"):
        load_figure(tmp_path / save_figure(tmp_path, huge))
    pickled = Figure("pickled", "metrics", "Pickled", {"keys": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        save_figure(tmp_path, pickled)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.npz", "huge.npz"]
