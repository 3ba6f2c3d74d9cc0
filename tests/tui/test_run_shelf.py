"""A folder of thousands of runs is looked at once a second, for little."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tui.scripts import write_run
from tui import run_index
from tui.run_shelf import RunShelf

MANY = 60
SHARE = 10
"""Known runs that are looked at again each time, here."""


@pytest.fixture
def many(runs: Path, few_presets: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs that have ended, `run-0` the first of them and `run-59` the last."""
    monkeypatch.setattr(run_index, "STATS_PER_LOOK", SHARE)
    first = write_run(runs, "run-0", "stopped", preset="digits-mlp", epoch=2, age_s=0)
    log = (first.path / "events.jsonl").read_bytes()
    for number in range(MANY):
        folder = runs / f"run-{number}"
        folder.mkdir(exist_ok=True)
        (folder / "events.jsonl").write_bytes(log)
        (folder / "config.toml").touch()
        os.utime(folder / "events.jsonl", (1000 + number, 1000 + number))
    return runs


def names(shelf: RunShelf, limit: int = 5, words: tuple[str, ...] = ()) -> list[str]:
    return [row.name for row in shelf.read(limit, words).rows]


def test_only_the_newest_are_read_and_the_rest_is_counted(many: Path) -> None:
    shelf = RunShelf(many)
    read = shelf.read(5)
    assert [row.name for row in read.rows] == [f"run-{number}" for number in (59, 58, 57, 56, 55)]
    assert read.older == MANY - 5
    assert names(shelf, words=("un-7",)) == ["run-7"], "a search goes over all names"


def test_what_comes_and_goes_is_seen_at_once(many: Path) -> None:
    shelf = RunShelf(many)
    shelf.read(5)
    (many / "run-0").rename(many / "again")
    (many / "run-59").rename(many.parent / "away")
    assert names(shelf, words=("again",)) == ["again"]
    assert names(shelf)[0] == "run-58"
    (many.parent / "away").rename(many / "run-59")
    assert names(shelf)[0] == "run-59"
    assert shelf.read(5).older == MANY - 5


def test_an_old_run_that_goes_on_moves_up_before_long(many: Path) -> None:
    shelf = RunShelf(many)
    shelf.read(5)
    os.utime(many / "run-3" / "events.jsonl")
    seen = [names(shelf)[0] for _ in range(MANY // SHARE)]
    assert seen[-1] == "run-3"


def test_each_look_costs_little_however_many_there_are(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, looked_at = RunShelf(many), []
    stat = os.stat

    def counted(path: object, *args: object, **kwargs: object) -> os.stat_result:
        if str(path).endswith("events.jsonl"):
            looked_at.append(path)
        return stat(path, *args, **kwargs)  # type: ignore[arg-type, call-overload]

    monkeypatch.setattr(os, "stat", counted)
    shelf.read(5)
    assert len(looked_at) >= MANY
    looked_at.clear()
    shelf.read(5)
    assert len(looked_at) <= SHARE + 5
