"""What lies in a folder of pictures, told by names alone: these files hold no picture at all."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import folder_shape as shapes
from engine.folder_shape import LayoutError, find_layout, folder_shape, open_source
from engine.schema.image_data import ImageFolder


def lay_out(at: Path, *files: str) -> Path:
    """Empty files below `at`; a name that ends in / is an empty folder."""
    for name in files:
        if name.endswith("/"):
            (at / name).mkdir(parents=True)
        else:
            (at / name).parent.mkdir(parents=True, exist_ok=True)
            (at / name).touch()
    return at


def zip_up(folder: Path) -> Path:
    """A .zip of a folder, the folder itself being in it."""
    return Path(shutil.make_archive(str(folder), "zip", folder.parent, folder.name))


def layout_of(path: Path) -> shapes.Layout:
    with open_source(path) as source:
        return find_layout(source.names())


@pytest.fixture(params=["folder", "zip"])
def stored(request: pytest.FixtureRequest) -> Callable[[Path], Path]:
    """A folder as it is, and packed."""
    return zip_up if request.param == "zip" else lambda folder: folder


def test_class_folders(tmp_path: Path, stored: Callable[[Path], Path]) -> None:
    path = stored(lay_out(tmp_path / "pets", "dogs/b.jpg", "dogs/a.PNG", "cats/more/deep.webp", "cats/c.jpeg"))
    layout = layout_of(path)
    assert layout.class_names == ("cats", "dogs")
    assert [[Path(name).name for name in names] for names in layout.train] == [
        ["c.jpeg", "deep.webp"],
        ["a.PNG", "b.jpg"],
    ]
    assert layout.val is None
    assert folder_shape(path, 0.5) == (2, 2, 2)
    assert folder_shape(path, 0.0) == (2, 4, None)


@pytest.mark.parametrize("val", ["val", "valid", "test", "Test"])
def test_splits_of_their_own_inside_one_more_folder(tmp_path: Path, stored: Callable[[Path], Path], val: str) -> None:
    path = stored(
        lay_out(
            tmp_path / "outer", "pets/train/a/1.png", "pets/train/b/2.png", f"pets/{val}/a/3.png", f"pets/{val}/b/4.png"
        )
    )
    layout = layout_of(path)
    assert (layout.class_names, layout.val_name) == (("a", "b"), val.lower())
    assert layout.val is not None and [len(names) for names in layout.val] == [1, 1]
    assert folder_shape(path, 0.5) == (2, 2, 2)


def test_val_goes_before_test_and_a_test_without_labels_is_none(tmp_path: Path) -> None:
    both = lay_out(tmp_path / "both", "train/a/1.png", "val/a/2.png", "test/a/3.png", "test/a/4.png")
    assert (layout_of(both).val_name, folder_shape(both, 0)) == ("val", (1, 1, 1))
    unlabelled = lay_out(tmp_path / "unlabelled", "train/a/1.png", "train/a/2.png", "test/3.png")
    assert (layout_of(unlabelled).val, layout_of(unlabelled).outside) == (None, 1)


def test_one_class_as_gans_have_it(tmp_path: Path, stored: Callable[[Path], Path]) -> None:
    path = stored(lay_out(tmp_path / "celeba", "img_align_celeba/000001.jpg", "img_align_celeba/000002.jpg"))
    assert layout_of(path).class_names == ("img_align_celeba",)
    assert folder_shape(path, 0) == (1, 2, None)


def test_what_is_hidden_or_no_picture_is_passed_over(tmp_path: Path, stored: Callable[[Path], Path]) -> None:
    path = stored(
        lay_out(
            tmp_path / "pets",
            "cats/1.png",
            "cats/._1.png",
            "cats/notes.txt",
            "cats/.thumbs/2.png",
            ".ipynb_checkpoints/",
            "__MACOSX/cats/1.png",
            "README.md",
        )
    )
    assert (layout_of(path).class_names, folder_shape(path, 0)) == (("cats",), (1, 1, None))


def test_a_class_called_train_is_a_class(tmp_path: Path) -> None:
    path = lay_out(tmp_path, "bus/1.png", "train/2.png")
    assert layout_of(path).class_names == ("bus", "train")


def test_pictures_outside_class_folders_are_counted(tmp_path: Path) -> None:
    path = lay_out(
        tmp_path,
        "stray.png",
        "train/a/1.png",
        "train/stray.png",
        "extra/deep/stray.png",
        "val/a/2.png",
        "val/stray.png",
    )
    assert layout_of(path).outside == 4
    assert folder_shape(path, 0) == (1, 1, 1)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (["a.png", "b.png"], "holds pictures, but no class folders: put the pictures of each class into a folder"),
        (["notes.txt"], "holds no pictures: put"),
        (["cats/1.png", "dogs/"], "has a class folder without pictures, dogs: put some there, or remove it"),
        (["train/cats/1.png", "train/dogs/x.txt", "val/cats/1.png", "val/dogs/1.png"], "without pictures, train/dogs:"),
        (["train/cats/1.png", "val/cats/"], "without pictures, val/cats:"),
        (["train/a/1.png", "train/b/1.png", "val/a/1.png"], "has class b in train and not in val: both need the same"),
        (["train/a/1.png", "test/a/1.png", "test/c/1.png"], "has class c in test and not in train"),
    ],
)
def test_another_layout_is_refused_with_a_mend(tmp_path: Path, files: list[str], says: str) -> None:
    path = lay_out(tmp_path / "pets", *files)
    with pytest.raises(LayoutError) as caught:
        layout_of(path)
    assert says in str(caught.value)
    with pytest.raises(ValueError):
        folder_shape(path, 0.2)


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    real = lay_out(tmp_path / "real", "1.png", "2.png")
    pets = lay_out(tmp_path / "pets", "dogs/3.png")
    (pets / "cats").symlink_to(real)
    (pets / "dogs" / "again").symlink_to(pets)
    (pets / "dogs" / "gone.png").symlink_to(tmp_path / "nowhere")
    assert layout_of(pets).train == (["cats/1.png", "cats/2.png"], ["dogs/3.png"])


def test_a_pipe_with_the_name_of_a_picture_is_not_waited_for(tmp_path: Path) -> None:
    pets = lay_out(tmp_path / "pets", "dogs/1.png")
    os.mkfifo(pets / "dogs" / "2.png")
    os.mkfifo(tmp_path / "pipe.zip")
    assert folder_shape(pets, 0) == (1, 1, None)
    with pytest.raises(LayoutError, match=r"neither a folder nor a \.zip"):
        folder_shape(tmp_path / "pipe.zip", 0)


def test_folders_without_end_are_not_followed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "deep.zip", "w") as archive:
        archive.writestr("a/" * 3000 + "1.png", b"")
        archive.writestr("a/2.png", b"")
    assert folder_shape(tmp_path / "deep.zip", 0) == (1, 1, None)


def test_a_zip_is_found_without_its_ending_and_a_folder_goes_first(tmp_path: Path) -> None:
    zip_up(lay_out(tmp_path / "pets", "cats/1.png", "cats/2.png"))
    (tmp_path / "pets" / "cats" / "2.png").unlink()
    assert folder_shape(tmp_path / "pets", 0) == (1, 1, None)
    shutil.rmtree(tmp_path / "pets")
    assert folder_shape(tmp_path / "pets", 0) == (1, 2, None)
    assert folder_shape(tmp_path / "pets.zip", 0) == (1, 2, None)


def test_a_changed_zip_is_counted_again(tmp_path: Path) -> None:
    lay_out(tmp_path / "pets", "cats/1.png")
    assert folder_shape(zip_up(tmp_path / "pets"), 0) == (1, 1, None)
    lay_out(tmp_path / "pets", "cats/2.png")
    assert folder_shape(zip_up(tmp_path / "pets"), 0) == (1, 2, None)


def test_facts_know_what_can_be_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path / "pets", *(f"cats/{number}.png" for number in range(10)), "dogs/1.png")
    data = ImageFolder(path="pets", size=32, color=False, val_share=0.25)
    assert data.facts().outputs is None
    assert data.facts(tmp_path / "elsewhere").train_rows is None
    facts = data.facts(tmp_path)
    assert (facts.input_shape, facts.outputs, facts.train_rows, facts.val_rows) == ((1, 32, 32), 2, 8, 3)
    assert ImageFolder(path=str(tmp_path / "pets")).facts(Path("/nowhere")).outputs == 2
    monkeypatch.setattr(shapes, "COUNTED_NAMES", 5)
    assert data.facts(tmp_path).train_rows is None


def test_the_real_ones(shared_data: Path) -> None:
    counted = {
        name: folder_shape(shared_data / name, 0) for name in ("noto_emoji64", "cifar10_subset", "hymenoptera_data")
    }
    assert counted == {
        "noto_emoji64": (1, 3573, None),
        "cifar10_subset": (10, 4000, 1000),
        "hymenoptera_data": (2, 244, 153),
    }
