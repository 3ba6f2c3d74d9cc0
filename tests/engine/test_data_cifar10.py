"""CIFAR-10 from its folder, its archive and the network, whole and damaged."""

from __future__ import annotations

import hashlib
import io
import pickle
import shutil
import sys
import tarfile
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from engine.data import DataBundle, DataError, cifar10, load_data
from engine.data.cifar10 import ARCHIVE, FOLDER
from engine.schema.image_data import Cifar10
from tests.engine.data_files import cifar10_batch, write_cifar10


def load(data_dir: Path, **fields: Any) -> DataBundle:
    return load_data(Cifar10(**fields), 0, data_dir)


def write_archive(data_dir: Path) -> Path:
    """The archive alone, with more in it than is wanted."""
    folder = write_cifar10(data_dir)
    (folder / "batches.meta").write_bytes(b"names")
    (folder / "readme.html").write_text("hello")
    with tarfile.open(data_dir / ARCHIVE, "w:gz", compresslevel=1) as tar:
        tar.add(folder, FOLDER)
    shutil.rmtree(folder)
    return data_dir / ARCHIVE


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def serve_instead(monkeypatch: pytest.MonkeyPatch, url: str, md5: str) -> None:
    """Let torchvision say that the archive is at `url`."""
    source = SimpleNamespace(url=url, tgz_md5=md5)
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "torchvision.datasets", SimpleNamespace(CIFAR10=source))


def test_batches_as_torchvision_unpacks_them(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    data = load(tmp_path)
    assert data.val is not None
    assert (data.train.inputs.dtype, tuple(data.train.inputs.shape)) == (torch.uint8, (70, 3, 32, 32))
    assert (len(data.val), data.val.targets.dtype, data.val.targets.tolist()) == (20, torch.int64, [*range(10)] * 2)
    assert (data.class_names[0], data.class_names[9], data.outputs) == ("airplane", "truck", 10)
    raw = data.train.inputs.float() / 255
    mean, std = torch.tensor(cifar10.MEAN).view(3, 1, 1), torch.tensor(cifar10.STD).view(3, 1, 1)
    assert torch.allclose(data.prepare(data.train.inputs), (raw - mean) / std, atol=1e-5)
    assert torch.allclose(load(tmp_path, normalise=False).prepare(data.train.inputs), raw, atol=1e-6)
    assert load(tmp_path, flip=True).augmentation.flip and load(tmp_path, rotate=10).augmentation.rotate == 10


def test_rows_are_read_as_torchvision_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import CIFAR10

    folder = write_cifar10(tmp_path)
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(cifar10.CLASS_NAMES)}))
    monkeypatch.setattr(CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda path, md5: True)
    theirs, ours = CIFAR10(str(tmp_path), train=True), load(tmp_path)
    assert (theirs.data.transpose(0, 3, 1, 2) == ours.train.inputs.numpy()).all()
    assert theirs.targets == ours.train.targets.tolist()
    assert tuple(theirs.classes) == ours.class_names


def test_batches_pickled_anew_will_do(tmp_path: Path) -> None:
    folder = write_cifar10(tmp_path)
    before = load(tmp_path).train
    for path in folder.iterdir():
        path.write_bytes(pickle.dumps(pickle.loads(path.read_bytes(), encoding="latin1"), protocol=4))
    assert torch.equal(load(tmp_path).train.inputs, before.inputs)


def test_an_archive_is_unpacked_whole_or_not_at_all(tmp_path: Path) -> None:
    write_archive(tmp_path)
    (tmp_path / f"{FOLDER}.part").mkdir()
    (tmp_path / f"{FOLDER}.part" / "left by one that was killed").touch()
    from_archive = load(tmp_path)
    assert names_in(tmp_path) == [FOLDER, ARCHIVE]
    assert names_in(tmp_path / FOLDER) == sorted(cifar10.MEMBERS)
    (tmp_path / ARCHIVE).unlink()
    assert torch.equal(load(tmp_path).train.inputs, from_archive.train.inputs)


def test_where_nothing_can_be_written_the_archive_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path)

    def full(batches: dict[str, bytes], draft: Path) -> None:
        draft.mkdir()
        (draft / "data_batch_1").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cifar10, "_write", full)
    assert len(load(tmp_path).train) == 70
    assert names_in(tmp_path) == [ARCHIVE]


def test_who_comes_second_finds_it_unpacked(tmp_path: Path) -> None:
    write_archive(tmp_path)
    threads = [Thread(target=load, args=(tmp_path,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names_in(tmp_path) == [FOLDER, ARCHIVE]


def test_members_that_lead_elsewhere_stay_in_the_archive(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "data")
    link = tarfile.TarInfo(f"{FOLDER}/data_batch_1")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    outside = tarfile.TarInfo("../outside")
    outside.size = 4
    with tarfile.open(archive) as tar:
        others = [(member, tar.extractfile(member).read()) for member in tar if member.isreg()]  # type: ignore[union-attr]
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.addfile(outside, io.BytesIO(b"evil"))
        tar.addfile(link)
        for member, content in others:
            tar.addfile(member, io.BytesIO(content))
    assert len(load(tmp_path / "data").train) == 70
    assert names_in(tmp_path) == ["data"]
    assert not (tmp_path / "data" / FOLDER / "data_batch_1").is_symlink()


@pytest.mark.parametrize("damage", [lambda whole: whole[: len(whole) // 2], lambda whole: b"", lambda whole: b"no tar"])
def test_a_damaged_archive_is_named_and_leaves_nothing(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    archive = write_archive(tmp_path)
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert f"{archive} is damaged (" in str(caught.value)
    assert "delete it, and it is downloaded again" in str(caught.value)
    assert names_in(tmp_path) == [ARCHIVE]


def test_an_archive_of_something_else_is_named(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / ARCHIVE, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo(f"{FOLDER}/data_batch_1"))
    with pytest.raises(DataError, match="is damaged \\(without cifar-10-batches-py/data_batch_2, "):
        load(tmp_path)


# --- batches that are not what they should be -------------------------------------------------------------------------


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


PIXELS = np.zeros((4, 3072), np.uint8)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is damaged (Ran out of input)"),
        (b"hello, world", "is damaged ("),
        (cifar10_batch(PIXELS, [0] * 4)[:-500], "is damaged ("),
        (pickle.dumps([1, 2]), "holds something else (no data and labels)"),
        (pickle.dumps({"data": PIXELS}), "holds something else (no data and labels)"),
        (pickle.dumps({"data": "text", "labels": []}), "(str, not (N, 3072) bytes)"),
        (cifar10_batch(PIXELS[:, :784], [0] * 4), "(uint8 of shape (4, 784), not (N, 3072) bytes)"),
        (pickle.dumps({"data": PIXELS.astype(float), "labels": []}, 4), "(float64 of shape (4, 3072), not (N, 3072)"),
        (cifar10_batch(PIXELS[:0], [0]), "(no pictures)"),
        (cifar10_batch(PIXELS, [0] * 3), "(3 labels, but 4 pictures)"),
        (cifar10_batch(PIXELS, [0, 10, 0, 0]), "(class 10, not 0 to 9)"),
        (cifar10_batch(PIXELS, [0, -1, 0, 0]), "(class -1, not 0 to 9)"),
        (pickle.dumps({"data": PIXELS, "labels": ["cat"] * 4}, 4), "(labels that are no list of numbers)"),
    ],
    ids=lambda value: "batch" if isinstance(value, bytes) else None,
)
def test_a_fault_names_the_file_and_the_mend(tmp_path: Path, content: bytes, says: str) -> None:
    folder = write_cifar10(tmp_path)
    (folder / "data_batch_3").write_bytes(content)
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert str(caught.value).startswith(f"{folder / 'data_batch_3'} ")
    assert says in str(caught.value)
    assert str(caught.value).endswith(f"delete the folder {FOLDER}, and it is unpacked or downloaded again")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda path: Call(exec, f"open({str(path)!r}, 'w')"), "builtins.exec"),
        (lambda path: Call(shutil.copyfile, __file__, str(path)), "shutil.copyfile"),
        (lambda path: Call(np.save, str(path), [1]), "numpy.save"),
    ],
)
def test_a_batch_that_would_run_something_is_refused(tmp_path: Path, call: Callable[[Path], Call], says: str) -> None:
    folder, made = write_cifar10(tmp_path), tmp_path / "made"
    (folder / "test_batch").write_bytes(pickle.dumps({"data": call(made), "labels": []}))
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert f"{folder / 'test_batch'} holds more than data ({says}): delete the folder" in str(caught.value)
    assert not made.exists()


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    (write_cifar10(tmp_path) / "test_batch").unlink()
    with pytest.raises(DataError, match="test_batch can't be read: No such file or directory: delete the folder"):
        load(tmp_path)


# --- the network ------------------------------------------------------------------------------------------------------


def test_it_is_downloaded_from_where_torchvision_knows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = write_archive(tmp_path / "server")
    digest = hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Say nothing on the test's output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(archive.parent))) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        serve_instead(monkeypatch, f"http://127.0.0.1:{server.server_port}/{ARCHIVE}", digest)
        data = load(tmp_path / "data")
        server.shutdown()
    assert (len(data.train), names_in(tmp_path / "data")) == (70, [FOLDER, ARCHIVE])


def test_without_a_network_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        port = server.server_port
    serve_instead(monkeypatch, f"http://127.0.0.1:{port}/{ARCHIVE}", "0" * 32)
    monkeypatch.setattr("engine.data.download.time.sleep", lambda seconds: None)
    with pytest.raises(DataError) as caught:
        load(tmp_path / "data")
    assert "could not be downloaded" in str(caught.value)
    assert f"put it by hand into {tmp_path / 'data'}, or name another data folder" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert names_in(tmp_path / "data") == []


def test_torchvision_still_names_the_same_files() -> None:
    from torchvision.datasets import CIFAR10

    assert (CIFAR10.base_folder, CIFAR10.filename) == (FOLDER, ARCHIVE)
    assert [name for name, _ in CIFAR10.train_list] == list(cifar10.TRAIN)
    assert [name for name, _ in CIFAR10.test_list] == list(cifar10.TEST)
    assert CIFAR10.url.endswith(ARCHIVE) and len(CIFAR10.tgz_md5) == 32
