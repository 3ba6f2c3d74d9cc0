"""Class folders of pictures: whole and damaged, in a folder and in a .zip."""

from __future__ import annotations

import io
import logging
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.data import DataBundle, DataError, image_folder, load_data
from engine.folder_shape import ENCRYPTED
from engine.schema.image_data import ImageFolder
from tests.engine.data_files import write_emoji, write_pictures


def load(data_dir: Path, path: str = "pets", seed: int = 0, **fields: Any) -> DataBundle:
    return load_data(ImageFolder(path=path, **{"size": 8, **fields}), seed, data_dir)


def write_grey(folder: Path, shades: dict[str, list[int]]) -> None:
    """Pictures of one shade each, so that every one can be told from any other."""
    for name, values in shades.items():
        (folder / name).mkdir(parents=True)
        for value in values:
            Image.new("L", (10, 12), value).save(folder / name / f"{value:03}.png")


def shades(pictures: torch.Tensor) -> list[int]:
    return pictures[:, 0, 0, 0].tolist()


def test_pictures_stay_bytes_in_the_order_of_their_names(tmp_path: Path) -> None:
    write_grey(tmp_path / "pets" / "train", {"dogs": [9, 30, 7], "cats": [100, 250]})
    write_grey(tmp_path / "pets" / "val", {"dogs": [1], "cats": [2]})
    data = load(tmp_path)
    assert data.val is not None
    assert (data.class_names, data.outputs, data.input_shape) == (("cats", "dogs"), 2, (3, 8, 8))
    assert (data.train.inputs.dtype, tuple(data.train.inputs.shape)) == (torch.uint8, (5, 3, 8, 8))
    assert (shades(data.train.inputs), data.train.targets.tolist()) == ([100, 250, 7, 9, 30], [0, 0, 1, 1, 1])
    assert (shades(data.val.inputs), data.val.targets.tolist()) == ([2, 1], [0, 1])
    assert load(tmp_path, color=False).input_shape == (1, 8, 8)


def test_a_zip_holds_the_same_and_is_read_in_place(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pets", {"train/a": 3, "train/b": 2, "test/a": 1, "test/b": 1}, side=20)
    unpacked = load(tmp_path)
    shutil.make_archive(str(folder), "zip", tmp_path, "pets")
    shutil.rmtree(folder)
    (tmp_path / "pets.zip").chmod(0o444)
    packed = load(tmp_path)
    assert torch.equal(packed.train.inputs, unpacked.train.inputs)
    assert packed.val is not None and unpacked.val is not None
    assert torch.equal(packed.val.inputs, unpacked.val.inputs)
    assert os.listdir(tmp_path) == ["pets.zip"]


def test_a_share_of_each_class_is_held_out_whatever_the_seed(tmp_path: Path) -> None:
    write_grey(tmp_path / "pets", {"cats": list(range(20)), "dogs": list(range(100, 105)), "lone": [200]})
    drawn = []
    for seed in (0, 1):
        data = load(tmp_path, seed=seed, val_share=0.4)
        assert data.val is not None
        assert data.val.targets.bincount().tolist() == [8, 2]
        assert sorted([*shades(data.train.inputs), *shades(data.val.inputs)]) == [*range(20), *range(100, 105), 200]
        assert shades(data.val.inputs) == sorted(shades(data.val.inputs))
        drawn.append(shades(data.val.inputs))
    assert drawn[0] == drawn[1] != [*range(8), 100, 101], "drawn, but by every seed the same"
    assert load(tmp_path, val_share=0).val is None


@pytest.mark.parametrize("val_share", [0.0, 0.2, 0.5, 0.9])
def test_facts_are_what_is_loaded(tmp_path: Path, val_share: float) -> None:
    write_pictures(tmp_path / "pets", {"a": 7, "b": 1, "c": 2}, side=8)
    fields = ImageFolder(path="pets", size=8, val_share=val_share)
    facts, data = fields.facts(tmp_path), load(tmp_path, val_share=val_share)
    assert facts.val_rows == (len(data.val) if data.val else None)
    assert (facts.train_rows, facts.outputs, facts.input_shape) == (len(data.train), data.outputs, data.input_shape)


def test_one_class_of_transparent_pictures(tmp_path: Path) -> None:
    write_emoji(tmp_path)
    data = load(tmp_path, "noto_emoji64", size=64, val_share=0)
    assert (data.class_names, len(data.train), data.val) == (("emoji",), 8, None)
    assert data.train.inputs.min() > 100  # hardly opaque, on white


def test_each_channel_is_shifted_and_scaled_by_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folder, "COUNTED_AT_ONCE", 3)
    write_pictures(tmp_path / "pets", {"a": 5, "b": 6}, side=8)
    data = load(tmp_path, val_share=0)
    prepared = data.prepare(data.train.inputs).double()
    assert torch.allclose(prepared.mean((0, 2, 3)), torch.zeros(3).double(), atol=1e-5)
    assert torch.allclose(prepared.std((0, 2, 3), correction=0), torch.ones(3).double(), atol=1e-5)
    assert torch.allclose(data.black(prepared), data.prepare(torch.zeros(1, 3, 1, 1, dtype=torch.uint8))[0])  # type: ignore[arg-type]
    plain = load(tmp_path, val_share=0, normalise=False)
    assert torch.allclose(plain.prepare(plain.train.inputs), plain.train.inputs / 255)


def test_a_channel_that_never_changes_is_not_divided_by_nothing(tmp_path: Path) -> None:
    write_grey(tmp_path / "pets", {"a": [50]})
    data = load(tmp_path, val_share=0)
    assert data.std == (1.0, 1.0, 1.0)
    assert data.prepare(data.train.inputs).abs().max() < 1e-6


def test_moving_to_a_device_changes_no_type(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pets", {"a": 5, "b": 6}, side=8)
    data = load(tmp_path, flip=True, rotate=10)
    moved = data.to(torch.device("meta"))
    assert moved.val is not None
    assert {split.inputs.dtype for split in (moved.train, moved.val)} == {torch.uint8}
    assert {split.targets.dtype for split in (moved.train, moved.val)} == {torch.int64}
    assert moved.augmentation == data.augmentation and (data.augmentation.flip, data.augmentation.rotate) == (True, 10)


# --- bad input ------------------------------------------------------------------------------------------------------


def test_pictures_that_cannot_be_read_are_passed_over_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_grey(tmp_path / "pets", {"cats": list(range(10)), "dogs": [100, 101]})
    for number in range(4):
        path = tmp_path / "pets" / "cats" / f"{number:03}.png"
        path.write_bytes(path.read_bytes()[:40])
    (tmp_path / "pets" / "dogs" / "\x1b[31mtext.jpg").write_text("no picture")
    bomb = io.BytesIO()
    Image.new("1", (12_000, 9_000)).save(bomb, "PNG")
    (tmp_path / "pets" / "dogs" / "zbomb.png").write_bytes(bomb.getvalue())
    data = load(tmp_path, val_share=0)
    assert shades(data.train.inputs) == [*range(4, 10), 100, 101]
    assert data.train.targets.tolist() == [0] * 6 + [1] * 2
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(
        "pets: 6 of 14 pictures can't be read and are passed over: cats/000.png, cats/001.png, cats/002.png, 3 more ("
    )
    assert not set("\n\x1b") & set(record.getMessage())


def test_a_name_that_would_be_obeyed_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_grey(tmp_path / "pets", {"\x1b[2Jcats\n": [1]})
    (tmp_path / "pets" / "\x1b[2Jcats\n" / "\x1b[31m.png").write_text("no picture")
    assert load(tmp_path).class_names == ("�[2Jcats ",)
    assert "\x1b" not in caplog.text


def test_long_loading_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(image_folder, "TOLD_EVERY_S", 0)
    monkeypatch.setattr(image_folder, "READ_AT_ONCE", 4)
    caplog.set_level(logging.INFO)
    write_pictures(tmp_path / "pets", {"a": 6, "b": 6}, side=4)
    data = load(tmp_path, val_share=0)
    assert [record.getMessage() for record in caplog.records] == ["read 4 of 12 pictures", "read 8 of 12 pictures"]
    assert data.train.targets.tolist() == [0] * 6 + [1] * 6


def test_pictures_outside_class_folders_are_mentioned(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_grey(tmp_path / "pets", {"cats": [1, 2]})
    Image.new("L", (4, 4)).save(tmp_path / "pets" / "stray.png")
    assert len(load(tmp_path, val_share=0).train) == 2
    assert caplog.messages == ["pets: pictures that lie in no class folder are passed over: 1"]


@pytest.mark.parametrize("split", ["cats", "train/cats", "val/cats"])
def test_a_class_of_which_nothing_can_be_read_is_named(tmp_path: Path, split: str) -> None:
    others = ["train/cats", "train/dogs", "val/cats", "val/dogs"] if "/" in split else ["cats", "dogs"]
    write_pictures(tmp_path / "pets", dict.fromkeys(others, 2), side=4)
    for path in (tmp_path / "pets" / split).iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert f"pets has class folder {split}, of which no picture can be read (not a picture): mend it" in str(
        caught.value
    )


def test_a_held_out_picture_that_cannot_be_read_leaves_nothing_held_out(tmp_path: Path) -> None:
    write_grey(tmp_path / "pets", {"cats": [0, 1]})
    held_out = load(tmp_path, val_share=0.5).val
    assert held_out is not None
    (tmp_path / "pets" / "cats" / f"{shades(held_out.inputs)[0]:03}.png").write_bytes(b"nothing")
    data = load(tmp_path, val_share=0.5)
    assert (len(data.train), data.val) == (1, None)


def fails(data_dir: Path, path: str = "pets") -> str:
    with pytest.raises(DataError) as caught:
        load(data_dir, path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    assert fails(tmp_path) == (
        f"{tmp_path / 'pets'} is not there: set data.path to a folder of pictures, or to a .zip of one"
    )
    assert "/gone is not there" in fails(tmp_path, "/gone")
    assert "can't be read: File name too long" in fails(tmp_path, "x" * 4000)


def test_a_wrong_layout_is_named(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pets", {"train/cats": 1, "train/dogs": 0, "val/cats": 1}, side=4)
    assert f"{tmp_path / 'pets'} has class dogs in train and not in val: both need" in fails(tmp_path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pets.tar").write_bytes(b"x")
    assert "pets.tar is neither a folder nor a .zip: unpack it, and name the folder" in fails(tmp_path, "pets.tar")


def test_a_zip_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pets", {"a": 3}, side=8)
    whole = Path(shutil.make_archive(str(tmp_path / "whole"), "zip", folder)).read_bytes()
    for part in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.zip").write_bytes(whole[:part])
        assert "cut.zip is damaged or cut short (" in fails(tmp_path, "cut")


def test_a_damaged_member_is_a_picture_that_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_pictures(tmp_path / "pets", {"a": 3}, side=8)
    packed = Path(shutil.make_archive(str(folder), "zip", folder))
    with zipfile.ZipFile(packed) as archive:
        offset = archive.getinfo("a/001.png").header_offset
    content = bytearray(packed.read_bytes())
    content[offset + 60 : offset + 70] = bytes(10)
    packed.write_bytes(content)
    assert len(load(tmp_path, "pets.zip", val_share=0).train) == 2
    assert "1 of 3 pictures can't be read and are passed over: a/001.png (" in caplog.text


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pets", {"a": 1}, side=8)
    content = bytearray(Path(shutil.make_archive(str(folder), "zip", folder)).read_bytes())
    entry = content.rindex(b"PK\1\2")  # the entry of the last member in the archive's table of contents
    content[entry + 8] |= ENCRYPTED
    (tmp_path / "locked.zip").write_bytes(content)
    assert "locked.zip is encrypted (a/000.png): unpack it, and name the folder" in fails(tmp_path, "locked")


def test_more_pictures_than_memory_are_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path / "pets", {"a": 4}, side=4)
    monkeypatch.setattr(image_folder.psutil, "virtual_memory", lambda: type("", (), {"available": 700}))
    with pytest.raises(DataError, match=r"4 pictures of 8 px take 0\.0 GB, .*: make data\.size smaller"):
        load(tmp_path, val_share=0)


# --- real data ------------------------------------------------------------------------------------------------------


def test_the_emoji(shared_data: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = load(shared_data, "noto_emoji64", size=64, val_share=0)
    assert (tuple(data.train.inputs.shape), data.class_names, data.val) == ((3573, 3, 64, 64), ("all",), None)
    assert not caplog.records
    prepared = data.prepare(data.train.inputs[::20])
    assert (prepared.mean((0, 2, 3)).abs().max(), prepared.std((0, 2, 3)).mean()) == pytest.approx((0, 1), abs=0.1)


def test_photographs_of_different_sizes(shared_data: Path) -> None:
    data = load(shared_data, "hymenoptera_data", size=32)
    assert data.val is not None
    assert (data.class_names, data.train.targets.bincount().tolist()) == (("ants", "bees"), [123, 121])
    assert data.val.targets.bincount().tolist() == [70, 83]


def test_a_part_of_cifar10(shared_data: Path) -> None:
    data = load(shared_data, "cifar10_subset", size=32)
    assert data.val is not None
    assert data.train.targets.bincount().tolist() == [400] * 10
    assert data.val.targets.bincount().tolist() == [100] * 10
    assert np.allclose(data.mean, (0.4914, 0.4822, 0.4465), atol=0.01)
    assert np.allclose(data.std, (0.2470, 0.2435, 0.2616), atol=0.01)
