"""Append-only lines: whole for every reader, whatever the writer went through."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import run_log
from engine.run_log import LogReader, LogWriter

Item = dict[str, int]
of_item = msgspec.json.Decoder(Item).decode


def decode(line: bytes) -> list[Item]:
    return [of_item(line)]


def line(number: int) -> bytes:
    return msgspec.json.encode({"n": number})


def reader_of(path: Path) -> LogReader[Item]:
    return LogReader(path, decode)


def numbers(reader: LogReader[Item]) -> list[int]:
    return [item["n"] for item in reader.read_all()]


def test_what_is_appended_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writer, reader = LogWriter(path), reader_of(path)
    assert numbers(reader) == []
    writer.append(line(1), line(2))
    assert numbers(reader) == [1, 2]
    assert numbers(reader) == []
    writer.append(line(3))
    assert numbers(reader) == [3]


def test_a_log_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    reader = reader_of(tmp_path / "log")
    assert numbers(reader) == []
    LogWriter(tmp_path / "log").append(line(1))
    assert numbers(reader) == [1]


def test_a_half_written_last_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    reader = reader_of(path)
    path.write_bytes(line(1) + b"\n" + line(2)[:4])
    assert numbers(reader) == [1]
    path.write_bytes(line(1) + b"\n" + line(2) + b"\n")
    assert numbers(reader) == [2]
    assert reader.damages == []


def test_a_writer_fences_off_what_a_dead_one_left_half_written(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(line(1) + b"\n" + b'{"n":')
    LogWriter(path).append(line(2))
    reader = reader_of(path)
    assert numbers(reader) == [1, 2]
    assert [(damage.file, damage.line) for damage in reader.damages] == [("log", 2)]


def test_damage_is_named_with_its_line_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\n".join([line(1), b"\xff\xfe", b'{"n": "one"}', b"[" * 100_000, line(2)]) + b"\n")
    reader = reader_of(path)
    assert numbers(reader) == [1, 2]
    assert [damage.line for damage in reader.damages] == [2, 3, 4]
    assert str(reader.damages[0]).startswith("log, line 2: ")


def test_lines_are_counted_across_reads(tmp_path: Path) -> None:
    path = tmp_path / "log"
    reader = reader_of(path)
    path.write_bytes(line(1) + b"\n" + line(2) + b"\n")
    numbers(reader)
    with path.open("ab") as file:
        file.write(b"nonsense\n")
    numbers(reader)
    assert [damage.line for damage in reader.damages] == [3]


def test_a_line_without_end_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "CHUNK_BYTES", 4096)
    monkeypatch.setattr(run_log, "LINE_LIMIT_BYTES", 4096)
    path = tmp_path / "log"
    path.write_bytes(line(1) + b"\n" + b"x" * 20_000 + b"\n" + line(2) + b"\n")
    reader = reader_of(path)
    found = []
    while reader.offset < path.stat().st_size:
        found += [item["n"] for item in reader.read()]
    assert found == [1, 2]
    assert [damage.line for damage in reader.damages] == [2]


def test_reading_all_goes_on_beyond_a_chunk_of_nothing_but_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "CHUNK_BYTES", 64)
    path = tmp_path / "log"
    path.write_bytes(line(1) + b"\n" + b"nonsense\n" * 50 + line(2) + b"\n")
    assert numbers(reader_of(path)) == [1, 2]


def test_a_log_that_was_cut_or_replaced_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    reader = reader_of(path)
    path.write_bytes(line(1) + b"\n" + line(2) + b"\n")
    assert numbers(reader) == [1, 2]
    path.write_bytes(line(3) + b"\n")
    assert numbers(reader) == [3]
    other = tmp_path / "other"
    other.write_bytes(line(4) + b"\n" + line(5) + b"\n" + line(6) + b"\n")
    other.replace(path)
    assert numbers(reader) == [4, 5, 6]


def test_several_writers_never_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"

    def write(first: int) -> None:
        writer = LogWriter(path)
        for number in range(first, first + 200):
            writer.append(line(number), line(number))
        writer.close()

    threads = [threading.Thread(target=write, args=(1000 * index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reader = reader_of(path)
    found = numbers(reader)
    assert reader.damages == []
    assert sorted(found) == sorted(2 * [1000 * index + number for index in range(4) for number in range(200)])


def test_a_write_that_fails_half_way_costs_that_line_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    writer = LogWriter(path)
    writer.append(line(1))
    real = os.write
    taken = iter([4])

    def full_disk(fd: int, data: bytes) -> int:
        room = next(taken, None)
        if room is None:
            raise OSError(28, "No space left on device")
        return real(fd, data[:room])

    monkeypatch.setattr(os, "write", full_disk)
    with pytest.raises(OSError, match="No space left"):
        writer.append(line(2))
    monkeypatch.setattr(os, "write", real)
    writer.append(line(3))
    assert numbers(reader_of(path)) == [1, 3]


@given(st.lists(st.binary(max_size=30)), st.integers(1, 40))
def test_any_bytes_in_any_pieces_give_the_same_as_all_at_once(pieces: list[bytes], chunk: int) -> None:
    data = b"".join(piece.replace(b"\n", b"") + b"\n" + line(number) + b"\n" for number, piece in enumerate(pieces))
    whole, piecemeal = reader_of(Path("log")), reader_of(Path("log"))
    expected = whole._take(data)
    found: list[Item] = []
    for end in range(0, len(data) + chunk, chunk):
        found += piecemeal._take(data[piecemeal.offset : end])
    assert found == expected
    assert piecemeal.damages == whole.damages
    assert {"n": len(pieces) - 1} in found or not pieces


def test_a_log_put_in_the_place_of_another_may_be_taken_for_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    reader = LogReader(path, decode, rereads=False)
    path.write_bytes(line(1) + b"\n")
    assert numbers(reader) == [1]
    other = tmp_path / "other"
    other.write_bytes(line(1) + b"\n" + line(2) + b"\n")
    other.replace(path)
    assert numbers(reader) == []
    LogWriter(path).append(line(3))
    assert numbers(reader) == [3]
