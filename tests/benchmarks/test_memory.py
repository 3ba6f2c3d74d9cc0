"""Memory over many steps is that of the processes, as far as they have come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks import memory


def test_memory_is_known_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: Path, *_: Any, **__: Any) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", missing)
    assert memory.resident_bytes() == pytest.approx(psutil.Process().memory_info().rss, rel=0.1)


def test_memory_over_some_time_is_that_of_both_processes(tmp_path: Path) -> None:
    engine, screen = memory.over_time(tmp_path, seconds=2)
    for (what, figure, *_), name in ((engine, "the engine"), (screen, "the UI")):
        assert what.startswith(f"memory of {name}")
        assert "10 / 50 / 100 % of 2 s" in what
        assert all(float(one) > 10 for one in figure.removesuffix(" MiB").split(" / "))


def test_it_is_noted_when_so_many_steps_are_done() -> None:
    watch = memory._MemoryWatch("steps", 1000)
    assert [watch.look(elapsed_s, step) for elapsed_s, step in ((1.0, 99), (2.0, 100), (3.0, 999))] == [False] * 3
    assert set(watch.noted) == {"0.1", "0.5", "s", "steps"}
    assert watch.look(4.0, 1001)
    assert (watch.noted["s"], watch.noted["steps"], "1.0" in watch.noted) == (4.0, 1001, True)
