"""MNIST and Fashion-MNIST from their original files, whole and damaged, here and not here."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engine.data import DataError, load_data, mnist
from engine.data.download import Download
from engine.data.idx import read_idx
from engine.schema.image_data import FashionMnist, Mnist
from tests.engine.data_files import idx_bytes, packed, write_mnist

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def test_images_stay_bytes_until_they_are_prepared(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    data = load_data(Mnist(), 0, tmp_path)
    assert data.val is not None
    assert (data.train.inputs.dtype, tuple(data.train.inputs.shape)) == (torch.uint8, (70, 1, 28, 28))
    assert (data.train.targets.dtype, data.val.targets.tolist()) == (torch.int64, [*range(10), *range(10)])
    raw = data.train.inputs.float() / 255
    assert torch.allclose(data.prepare(data.train.inputs), (raw - 0.1307) / 0.3081, atol=1e-5)
    plain = load_data(Mnist(normalise=False), 0, tmp_path)
    assert torch.allclose(plain.prepare(plain.train.inputs), raw, atol=1e-6)


def test_unpacked_files_and_a_folder_that_may_only_be_read_will_do(tmp_path: Path) -> None:
    folder = write_mnist(tmp_path, "FashionMNIST")
    for path in list(folder.iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
        path.with_suffix("").chmod(0o444)
    folder.chmod(0o555)
    before = sorted(folder.iterdir())
    data = load_data(FashionMnist(), 0, tmp_path)
    assert (len(data.train), data.class_names[9]) == (70, "boot")
    assert sorted(folder.iterdir()) == before


def test_the_real_files(shared_data: Path) -> None:
    digits = load_data(Mnist(), 0, shared_data)
    for data in (digits, load_data(FashionMnist(), 0, shared_data)):
        assert data.val is not None
        assert (len(data.train), len(data.val)) == (60_000, 10_000)
        assert data.train.targets.bincount().min() > 5000
    pixels = digits.train.inputs.float() / 255
    assert pixels.mean().item() == pytest.approx(digits.mean[0], abs=1e-4)
    assert pixels.std().item() == pytest.approx(digits.std[0], abs=1e-4)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (IMAGES, packed(idx_bytes(np.zeros((70, 28, 28))))[:-40], "is damaged"),
        (IMAGES, packed(idx_bytes(np.zeros((70, 28, 28)))[:-5]), "54,875 bytes where 54,880 are announced"),
        (IMAGES, b"no gzip at all", "is damaged"),
        (IMAGES, b"", "is damaged"),
        (IMAGES, packed(b"hello, world"), "not an IDX file of bytes"),
        (IMAGES, packed(b"\0\0\x08\x03\0\0"), "cut short"),
        (IMAGES, packed(idx_bytes(np.zeros((70, 32, 32)))), "shape (70, 32, 32), not (N, 28, 28)"),
        (IMAGES, packed(idx_bytes(np.zeros((0, 28, 28)))), "shape (0, 28, 28), not (N, 28, 28)"),
        (LABELS, packed(idx_bytes(np.zeros(69))), "shape (69,), but there are 70 images"),
        (LABELS, packed(idx_bytes(np.full(70, 11))), "class 11, not 0 to 9"),
    ],
    ids=lambda value: "content" if isinstance(value, bytes) else None,
)
def test_a_fault_names_the_file_and_the_mend(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    folder = write_mnist(tmp_path)
    (folder / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_data(Mnist(), 0, tmp_path)
    assert says in str(caught.value)
    assert str(folder / name) in str(caught.value)
    assert "delete it, and it is downloaded again" in str(caught.value)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone can't be read"):
        read_idx(tmp_path / "gone")


def test_absent_files_are_fetched_from_where_torchvision_knows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = write_mnist(tmp_path / "elsewhere")
    (elsewhere / IMAGES).rename(tmp_path / IMAGES)
    source = SimpleNamespace(mirrors=["https://a.example/m/", "https://b.example"], resources=[(IMAGES, "abc")])
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(datasets=SimpleNamespace(MNIST=source)))
    asked: list[Download] = []

    def fetch(download: Download) -> None:
        asked.append(download)
        (tmp_path / IMAGES).rename(download.target)

    monkeypatch.setattr(mnist, "fetch", fetch)
    assert len(load_data(Mnist(), 0, tmp_path / "elsewhere").train) == 70
    assert [(list(one.urls), one.target, one.md5) for one in asked] == [
        ([f"https://a.example/m/{IMAGES}", f"https://b.example/{IMAGES}"], elsewhere / IMAGES, "abc")
    ]


def test_without_a_network_all_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_mnist(tmp_path)
    (folder / IMAGES).unlink()
    (folder / LABELS).unlink()
    source = SimpleNamespace(mirrors=["https://a.example"], resources=[(IMAGES, "abc"), (LABELS, "def")])
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(datasets=SimpleNamespace(MNIST=source)))

    def fail(download: Download) -> None:
        raise DataError(f"no network: put {download.target.name} there")

    monkeypatch.setattr(mnist, "fetch", fail)
    with pytest.raises(DataError, match=f"^no network: put {IMAGES} there; so with {LABELS}$"):
        load_data(Mnist(), 0, tmp_path)


def test_torchvision_still_lists_the_four_files_and_their_checksums() -> None:
    from torchvision import datasets

    for family in (mnist.MNIST, mnist.FASHION):
        source = getattr(datasets, family.torchvision_name)
        names = {
            f"{split}-{rest}.gz" for split in ("train", "t10k") for rest in ("images-idx3-ubyte", "labels-idx1-ubyte")
        }
        assert {name for name, _ in source.resources} == names
        assert all(len(md5) == 32 for _, md5 in source.resources)
        assert source.mirrors
