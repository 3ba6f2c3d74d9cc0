"""Reviews and texts, from the files in which they come, whole or damaged."""

from __future__ import annotations

import gzip
import logging
import tarfile
from pathlib import Path

import pytest
import torch

from engine.data import DataBundle, DataError, load_data
from engine.data import imdb as imdb_module
from engine.data.download import Download
from engine.data.vocabulary import words_of
from engine.schema.text_data import Hello, Imdb, Tsv
from tests.engine.data_files import review, write_review_folders, write_reviews

SMALL = {"length": 12, "vocabulary": 30}


def load(data: Imdb | Tsv, data_dir: Path) -> DataBundle:
    return load_data(data, 0, data_dir)


def refused(data: Imdb | Tsv, data_dir: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(data, data_dir)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(f"{data_dir}/", "")


def texts_of(bundle: DataBundle, split: str = "train") -> list[tuple[str, str]]:
    """Classes and words of all samples, sorted."""
    samples = bundle.train if split == "train" else bundle.val
    assert samples is not None
    return sorted(
        (bundle.class_names[target], " ".join(bundle.vocabulary[id] for id in row if id))
        for row, target in zip(samples.inputs.tolist(), samples.targets.tolist(), strict=True)
    )


def pack(folder: Path, archive: Path) -> Path:
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, "aclImdb")
    return archive


# -- reviews ---------------------------------------------------------------------------------------------------------


def test_reviews_are_the_same_from_folders_files_and_the_archive(tmp_path: Path) -> None:
    write_reviews(tmp_path / "tsv")
    folder = write_review_folders(tmp_path / "folders")
    (tmp_path / "packed").mkdir()
    pack(folder, tmp_path / "packed" / imdb_module.ARCHIVE)
    bundles = [load(Imdb(**SMALL), tmp_path / name) for name in ("tsv", "folders", "packed")]
    for bundle in bundles:
        assert (len(bundle.train), len(bundle.val or ()), bundle.outputs) == (40, 20, 2)
        assert bundle.class_names == ("negative", "positive")
        assert bundle.input_shape == (12,)
        assert bundle.train.inputs.dtype == torch.int64
        assert bundle.vocabulary == bundles[0].vocabulary
        assert texts_of(bundle) == texts_of(bundles[0])
        assert texts_of(bundle, "val") == texts_of(bundles[0], "val")
    assert "<unknown>" not in bundles[0].vocabulary[2:]
    assert not any(word.startswith("nobody") for word in bundles[0].vocabulary), "unsup is not read"


def test_a_sample_is_its_review(tmp_path: Path) -> None:
    write_reviews(tmp_path)
    found = texts_of(load(Imdb(**SMALL), tmp_path))
    assert ("positive", " ".join(words_of(review(True, 1))[:12])) in found


def test_held_out_reviews_are_mixed_and_always_in_the_same_order(tmp_path: Path) -> None:
    write_review_folders(tmp_path)
    first, second = (load(Imdb(**SMALL), tmp_path).val for _ in range(2))
    assert first is not None and second is not None
    assert torch.equal(first.inputs, second.inputs)
    assert 0 < first.targets[:10].sum() < 10


def test_a_path_of_ones_own_goes_before_what_lies_in_the_data_folder(tmp_path: Path) -> None:
    write_reviews(tmp_path)
    folder = write_review_folders(tmp_path / "mine", train=8, test=4)
    assert len(load(Imdb(path=str(folder), **SMALL), tmp_path).train) == 8
    assert len(load(Imdb(path="mine/aclImdb", **SMALL), tmp_path).train) == 8


def test_a_review_that_is_no_utf8_or_has_no_words_is_left_out_and_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_review_folders(tmp_path)
    (folder / "train" / "pos" / "1_7.txt").write_bytes(b"caf\xe9")
    (folder / "train" / "neg" / "0_3.txt").write_text("...")
    (folder / "test" / "neg" / "40_3.txt").write_text("")
    with caplog.at_level(logging.WARNING, "engine"):
        bundle = load(Imdb(**SMALL), tmp_path)
    assert (len(bundle.train), len(bundle.val or ())) == (38, 19)
    told = [record.getMessage().replace(f"{tmp_path}/", "") for record in caplog.records]
    assert told == [
        "aclImdb: skipped 1 review: not UTF-8 text",
        "aclImdb, train: skipped 1 text: no word in it",
        "aclImdb, test: skipped 1 text: no word in it",
    ]


@pytest.mark.parametrize("share", [0.0, 0.4, 0.999])
def test_an_archive_that_is_cut_short_is_refused_by_name(tmp_path: Path, share: float) -> None:
    archive = pack(write_review_folders(tmp_path / "from"), tmp_path / imdb_module.ARCHIVE)
    data = archive.read_bytes()
    archive.write_bytes(data[: int(share * len(data))])
    message = refused(Imdb(**SMALL), tmp_path)
    assert message.startswith("aclImdb_v1.tar.gz can't be read to its end (")
    assert message.endswith("): delete it, and it is downloaded again")
    assert refused(Imdb(path="aclImdb_v1.tar.gz", **SMALL), tmp_path).endswith(
        "): put a whole aclImdb_v1.tar.gz in its place"
    )


def test_an_archive_of_something_else_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with tarfile.open(tmp_path / "aclImdb_v1.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "other", "other")
    assert refused(Imdb(**SMALL), tmp_path).startswith("aclImdb_v1.tar.gz has no reviews in train/pos and train/neg")


def test_reviews_that_are_not_there_are_downloaded_from_their_authors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = pack(write_review_folders(tmp_path / "from"), tmp_path / "archive")
    wanted: list[Download] = []

    def fetch(download: Download) -> None:
        wanted.append(download)
        source.rename(download.target)

    monkeypatch.setattr(imdb_module, "fetch", fetch)
    (tmp_path / "data").mkdir()
    assert len(load(Imdb(**SMALL), tmp_path / "data").train) == 40
    assert wanted[0].target == tmp_path / "data" / "aclImdb_v1.tar.gz"
    assert wanted[0].md5 == "7c2ac02c03563afcf9b574c7e56c153a"
    assert wanted[0].urls[0].startswith("https://ai.stanford.edu/")


def test_a_folder_without_reviews_is_told_what_it_should_hold(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert refused(Imdb(path="mine"), tmp_path).startswith(
        "mine holds neither the folders train and test nor train.tsv: set data.path to a folder that does"
    )
    assert refused(Imdb(path="none"), tmp_path).startswith("none is not there: ")
    (tmp_path / "mine" / "train" / "neg").mkdir(parents=True)
    assert refused(Imdb(path="mine"), tmp_path).startswith("mine/train/pos can't be read (No such file or directory)")


def test_labels_of_reviews_are_numbers_or_words(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "train.tsv").write_text("pos\tgood one\nNeg\tbad one\npositive\tfine\n")
    (tmp_path / "mine" / "test.tsv").write_text("1\tgood\n0\tbad\n")
    assert texts_of(load(Imdb(path="mine", **SMALL), tmp_path))[0] == ("negative", "bad one")
    (tmp_path / "mine" / "test.tsv").write_text("1\tgood\n2\tbad\n")
    assert refused(Imdb(path="mine"), tmp_path) == (
        "mine/test.tsv, line 2: label '2' is none of those trained on (negative, positive)"
    )


# -- texts of one's own ----------------------------------------------------------------------------------------------


def tsv(data_dir: Path, content: str | bytes, name: str = "mine.tsv") -> Tsv:
    data = content.encode() if isinstance(content, str) else content
    (data_dir / name).write_bytes(data)
    return Tsv(path=name, **SMALL)


def test_labels_are_sorted_and_a_share_is_held_out_the_same_for_every_seed(tmp_path: Path) -> None:
    data = tsv(tmp_path, "".join(f"{'cba'[number % 3]}\tword{number}\n" for number in range(30)))
    bundles = [load_data(data, seed, tmp_path) for seed in (0, 1)]
    assert bundles[0].class_names == ("a", "b", "c")
    assert (len(bundles[0].train), len(bundles[0].val or ())) == (24, 6)
    assert torch.equal(bundles[0].train.inputs, bundles[1].train.inputs)
    held_out = bundles[0].val
    assert held_out is not None
    assert held_out.targets.bincount().tolist() == [2, 2, 2]
    assert (held_out.inputs[:, 0] == 1).all(), "their words are not in the vocabulary"


def test_a_file_of_its_own_is_held_out(tmp_path: Path) -> None:
    data = tsv(tmp_path, "a\tx\nb\ty\n")
    (tmp_path / "val.tsv.gz").write_bytes(gzip.compress(b"\xef\xbb\xbfb\tz y\r\n\r\n"))
    bundle = load(data.model_copy(update={"val_path": "val.tsv.gz"}), tmp_path)
    assert texts_of(bundle, "val") == [("b", "<unknown> y")]
    (tmp_path / "val.tsv").write_text("b\ty\n\nc\ty\n")
    message = refused(data.model_copy(update={"val_path": "val.tsv"}), tmp_path)
    assert message == "val.tsv, line 3: label 'c' is none of those trained on (a, b)"
    message = refused(data.model_copy(update={"val_path": "none.tsv"}), tmp_path)
    assert message == "none.tsv is not there: set data.val_path to a .tsv or .tsv.gz file"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "mine.tsv is empty: it needs lines of a label, a tab, and a text"),
        (b"\n \n", "mine.tsv is empty: it needs lines of a label, a tab, and a text"),
        (b"a\tx\nb\tcaf\xe9\n", "mine.tsv, line 2: not UTF-8 text: save the file as UTF-8"),
        ("a\tx\n".encode("utf-16"), "mine.tsv, line 1: not UTF-8 text: save the file as UTF-8"),
        (
            b"a\tx\nb y\n\tz\n",
            "mine.tsv, line 2: no label and tab before the text (so in 2 of 3 lines); write each as label, tab, text",
        ),
        (b"a\tx\n", "mine.tsv has one text: two at least are needed, one of them to be held out"),
        (b"a\tx\na\ty\na\tz\n", "mine.tsv has texts of one class only, 'a': two at least are needed"),
        (b"a\t.\nb\t!\n", "mine.tsv has no text with a word in it: put texts there, or name another file or folder"),
    ],
)
def test_a_file_of_another_form_is_refused_by_name_and_line(tmp_path: Path, content: bytes, message: str) -> None:
    assert refused(tsv(tmp_path, content), tmp_path) == message


def test_texts_before_their_labels_are_taken_for_what_they_are(tmp_path: Path) -> None:
    data = tsv(tmp_path, "".join(f"text number {number}\ta\n" for number in range(1500)))
    assert "has 1,500 different labels" in refused(data, tmp_path)


def test_a_few_lines_without_a_tab_are_left_out_and_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [f"{'ab'[number % 2]}\tword {number}" for number in range(200)]
    data = tsv(tmp_path, "\n".join([*rows, "a line that was broken", "\tanother"]))
    with caplog.at_level(logging.WARNING, "engine"):
        bundle = load(data, tmp_path)
    assert len(bundle.train) + len(bundle.val or ()) == 200
    told = [record.getMessage().replace(f"{tmp_path}/", "") for record in caplog.records]
    assert told == ["mine.tsv: skipped 2 lines: no label and tab before the text"]


@pytest.mark.parametrize("share", [0.3, 0.99])
def test_a_packed_file_that_is_cut_short_is_refused_by_name(tmp_path: Path, share: float) -> None:
    packed = gzip.compress("".join(f"{number % 2}\tword {number}\n" for number in range(500)).encode())
    data = tsv(tmp_path, packed[: int(share * len(packed))], "mine.tsv.gz")
    message = refused(data, tmp_path)
    assert message.startswith("mine.tsv.gz can't be read (")
    assert message.endswith("): put a whole file in its place")


def test_a_label_cannot_smuggle_escapes(tmp_path: Path) -> None:
    bundle = load(tsv(tmp_path, "\x1b[31mred\tx\n[b]\ty\n\u202eb\tz\n"), tmp_path)
    assert bundle.class_names == ("[b]", "\N{REPLACEMENT CHARACTER}[31mred", "\N{REPLACEMENT CHARACTER}b")


def test_texts_may_hold_more_tabs_and_other_line_ends(tmp_path: Path) -> None:
    bundle = load(tsv(tmp_path, "a\tone\ttwo\x85three\u2028four\nb\tfive\n" * 2), tmp_path)
    assert ("a", "one two three four") in texts_of(bundle)


# -- hello -----------------------------------------------------------------------------------------------------------


def test_hello_is_answered_with_ohlol(tmp_path: Path) -> None:
    bundle = load_data(Hello(), 0, tmp_path)
    word = "".join(bundle.vocabulary[id] for id in bundle.train.inputs[0])
    answer = "".join(bundle.class_names[target] for target in bundle.train.targets[0])
    assert (word, answer) == ("hello", "ohlol")
    facts = Hello().facts()
    assert (facts.input_shape, facts.outputs, facts.vocabulary) == (bundle.input_shape, bundle.outputs, 4)


def test_a_header_is_no_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = [f"{label}\ttext number {number}" for number in range(8) for label in ("no", "yes")]
    with caplog.at_level("WARNING"):
        data = load_data(tsv(tmp_path, "\n".join(["label\ttext", *lines])), 0, tmp_path)
    assert data.class_names == ("no", "yes")
    assert "taken for a header: no other has its label 'label'" in caplog.text
    rare = "\n".join(["rare\ttext", "rarer\ttext", *lines])
    assert load_data(tsv(tmp_path, rare), 0, tmp_path).class_names == ("no", "rare", "rarer", "yes")
