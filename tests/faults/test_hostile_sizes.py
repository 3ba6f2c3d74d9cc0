"""Files far too large, too long or too many: read in bounded memory, a bounded time each step; the rest is shown."""

from __future__ import annotations

import os
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import commands as cmd
from engine import events as ev
from engine import folder_shape as shapes
from engine.checkpoint import STATE, WEIGHTS, CheckpointError, load_checkpoint
from engine.figures import FigureError, load_figure
from engine.folder_shape import folder_shape
from engine.places import user_presets_dir
from engine.run_folder import RunFolder, RunFolderError
from engine.run_log import CHUNK_BYTES, LINE_LIMIT_BYTES
from engine.run_state import FIGURES_LIMIT, MARKERS_KEPT, RunState
from engine.run_summary import summarize
from engine.series import SERIES_LIMIT
from engine.session import Session
from presets import PresetError, load_preset, load_presets
from tests.cli.conftest import Dltui, make_run
from tests.cli.conftest import dltui as dltui
from tests.faults.drawn import draw_all, draw_figure
from tests.faults.mutations import Watch
from tests.tui import scripted as s
from tui.launcher import last_words
from tui.run_follower import RunFollower

Times = Callable[[int, int], int]
Measured = Callable[[str, float], None]
GIB = 1 << 30
MOST_BYTES = 12 * CHUNK_BYTES
"""That a reader may hold at once: a chunk, its lines, and what they say."""


@pytest.fixture
def run() -> RunFolder:
    """A run that goes on."""
    row = ev.MetricsLogged(step=1, steps=1, elapsed_s=0.1, lr=0.1, values={"train/loss": 1.0})
    return make_run("strange", s.started(), row)


@contextmanager
def bounded(limit_bytes: int = MOST_BYTES) -> Iterator[None]:
    """What is done here must not need more memory than so much."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit_bytes
    finally:
        tracemalloc.stop()


def stretch(path: Path, size: int, *after: bytes) -> None:
    """Let a file go on with `size` zeros, which take no room on disk, and then with lines."""
    with path.open("ab") as file:
        file.truncate(file.tell() + size)
        file.seek(0, os.SEEK_END)
        file.writelines(line + b"\n" for line in after)


def write(path: Path, items: Iterable[ev.AnyEvent]) -> None:
    """Append events."""
    with path.open("ab") as file:
        file.writelines(ev.encode(item) + b"\n" for item in items)


def read_in_steps(run: RunFolder, measured: Measured) -> tuple[RunState, Any]:
    """Read and fold a log as viewers do, each step watched."""
    reader, state, watch = run.read_history(), RunState(), Watch()
    while True:
        before = reader.offset
        with watch.on(f"from {before:,}"):
            events = reader.read()
        for start in range(0, len(events), 2000):
            with watch.on(f"events of {before:,}"):
                state.apply_all(events[start : start + 2000])
        if reader.offset == before:
            measured("one step of reading a huge log", watch.slowest_s)
            return state, reader


@pytest.mark.parametrize("kind", ["zeros", "one line", "lines too long"])
def test_gigabytes_in_a_log_are_passed_over(
    dltui: Dltui, run: RunFolder, kind: str, times: Times, measured: Measured
) -> None:
    path, last = run.path / "events.jsonl", ev.encode(ev.LineLogged(step=1, at=5, level="info", text="after it all"))
    if kind == "zeros":
        stretch(path, times(1, 3) * GIB, b"", last)
    else:
        size, count = (times(64, 1024) << 20, 1) if kind == "one line" else (LINE_LIMIT_BYTES + 1, times(32, 512))
        with path.open("ab") as file:
            for _ in range(count):
                file.write(b'{"event":"LineLogged","step":1,"level":"info","text":"' + b"x" * size + b'"}\n')
            file.write(last + b"\n")
    with bounded():
        for _ in run.read_events().read_all():
            pass
    state, reader = read_in_steps(run, measured)
    assert state.lines[-1].text == "after it all"
    assert "longer than" in reader.damages[0].reason
    with Watch().on("its summary"):
        assert summarize(run).state.lines[-1].text == "after it all"
    done = dltui("show", "strange")
    assert "after it all" in done.out
    assert "longer than" in done.err


async def test_a_log_of_a_gigabyte_is_followed_without_holding_up_the_screen(run: RunFolder) -> None:
    stretch(run.path / "events.jsonl", GIB)
    follower, began_s = RunFollower(run), time.monotonic()
    while not follower.is_caught_up:
        await follower.poll()
        assert time.monotonic() - began_s < 60
    assert follower.state.started is not None
    assert not follower.lost


def test_gigabytes_of_commands_are_passed_over(run: RunFolder) -> None:
    path = run.path / "commands.jsonl"
    with path.open("ab") as file:
        file.writelines(cmd.encode(cmd.Pause()) + b"\n" for _ in range(50_000))
    stretch(path, GIB, b"", cmd.encode(cmd.Stop()))
    with bounded(), Watch().on("an engine's start"):
        session = Session(run)
    assert session._commands.damages
    session._lock.release()


def test_gigabytes_elsewhere_are_refused_or_read_from_their_end(run: RunFolder, tmp_path: Path) -> None:
    watch = Watch()
    stretch(run.path / "console.log", GIB, b"", b"last words")
    with bounded(), watch.on("console.log"):
        assert last_words(run) == "last words"
        assert RunFollower(run)._console_tail()[-1].endswith("last words")
    stretch(run.path / "config.toml", GIB)
    with bounded(), watch.on("config.toml"), pytest.raises(RunFolderError, match="is damaged: larger than 64 KiB"):
        run.config()
    user_presets_dir().mkdir(parents=True)
    stretch(user_presets_dir() / "huge.toml", GIB)
    with bounded(), watch.on("presets"):
        assert "larger than 64 KiB" in str(load_presets()[1][0])
    for name in (WEIGHTS, STATE):
        stretch(tmp_path / name, GIB)
    with watch.on("checkpoint"), pytest.raises(CheckpointError, match="can't be read"):
        load_checkpoint(tmp_path)
    stretch(tmp_path / "huge.npz", GIB)
    with bounded(), watch.on("figure"), pytest.raises(FigureError, match="can't be read"):
        load_figure(tmp_path / "huge.npz")


NESTED = {
    "dotted": "a" + ".a" * 30_000 + " = 1",
    "quoted": 'a."\\""' + '."\\""' * 10_000 + " = 1",
    "header": "[" + "a." * 30_000 + "a]",
    "brackets": "a = " + "[" * 60_000,
    "tables": "a = " + "{a = " * 12_000,
    "deep but whole": "a = " + "{a = " * 150 + "1" + "}" * 150,
    "open string": 'a = "' + '\\"' * 30_000,
    "digits": "a = " + "9" * 60_000,
    "hexadecimal": "[optimizer]\nlr = 0x" + "f" * 60_000,
    "keys": "\n".join(f"a{number} = 1" for number in range(5000)),
    "a long key": "a" * 60_000 + " = 1",
    "a long list": "[model]\nhidden = [" + "1," * 30_000 + "]",
    "a long kind": f"[model]\nkind = '{'x' * 60_000}'",
    "arrays of tables": "[[a]]\n" * 10_000,
}


@pytest.mark.parametrize("kind", NESTED)
def test_configurations_that_wind_and_wind_are_refused_soon(run: RunFolder, tmp_path: Path, kind: str) -> None:
    text = NESTED[kind]
    for path in (run.path / "config.toml", tmp_path / "strange.toml"):
        path.write_text(f"extends = 'spiral-relu'\n{text}" if path.name == "strange.toml" else text)
    with Watch().on(kind), pytest.raises(RunFolderError) as told:
        run.config()
    assert len(str(told.value)) < 12_000
    with Watch().on(kind), pytest.raises(PresetError) as told:
        load_preset(str(tmp_path / "strange.toml"))
    assert len(str(told.value)) < 12_000
    assert "\n" not in str(told.value)


def test_folders_too_large_to_count_are_not_counted_while_somebody_types(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cats").mkdir()
    for number in range(200):
        (tmp_path / "cats" / f"{number}.png").touch()
    assert folder_shape(tmp_path, 0) == (1, 200, None)
    monkeypatch.setattr(shapes, "COUNTED_S", 0.0)
    with pytest.raises(ValueError, match="holds too much"):
        folder_shape(tmp_path, 0)
    monkeypatch.setattr(shapes._Directory, "names", None)  # it is not even tried again
    shapes._too_large[tmp_path] += 60
    with pytest.raises(ValueError, match="holds too much"):
        folder_shape(tmp_path, 0)


def test_pictures_that_unpack_to_gigabytes_are_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "zeros.npz", keys=np.zeros(1 << 28, np.uint8))
    # a million million texts without a letter take no bytes at all
    header = b"{'descr': '<U0', 'fortran_order': False, 'shape': (1099511627776,), }".ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "texts.npz", "w") as archive:
        archive.writestr("keys.npy", b"\x93NUMPY\x01\x00v\x00" + header)
    for name in ("zeros.npz", "texts.npz"):
        with bounded(), Watch().on(name), pytest.raises(FigureError, match="unpacks to more than 16 MiB"):
            load_figure(tmp_path / name)


@pytest.mark.parametrize("kind", ["words", "mistakes", "weights", "gallery", "matrix", "compare", "regions", "curve"])
def test_pictures_of_very_many_things_are_drawn_soon(tmp_path: Path, kind: str, measured: Measured) -> None:
    many, watch = 1_000_000, Watch()
    ones, ints = np.ones(many), np.zeros(many, np.int16)
    arrays: dict[str, dict[str, Any]] = {
        "words": {"labels": np.full(many, "a"), "texts": np.full(many, "b")},
        "mistakes": {"images": np.zeros((many, 1, 1), np.uint8), "truth": ints, "guess": ints, "confidence": ones},
        "weights": {"images": np.zeros((many, 1, 2), np.float32), "names": np.full(many, "a")},
        "gallery": {
            "titles": np.full(many, "a"),
            **{f"images_{n}": np.zeros((9, 400, 400), np.uint8) for n in range(9)},
        },
        "matrix": {"counts": np.zeros((4000, 4000), np.int8), "names": np.full(2, "a")},
        "compare": {"names": np.full(many, "a"), "learned": ones / 1, "truth": ones.astype(np.float16)},
        "regions": {"classes": np.zeros((1000, 1000), np.int16), "extent": np.array([0.0, 1, 0, 1])},
        "curve": {"x": np.arange(many, dtype=np.float32), "y": ones.astype(np.float32)},
    }
    more: dict[str, dict[str, Any]] = {
        "mistakes": {"names": np.full(2, "a")},
        "regions": {"points": np.ones((many, 2), np.float16), "labels": ints, "names": np.full(9999, "a")},
        "curve": {"line_x": np.arange(many, dtype=np.float32), "line_y": ones.astype(np.float32)},
    }
    np.savez_compressed(tmp_path / "many.npz", **arrays[kind], **more.get(kind, {}))
    with watch.on(kind):
        assert draw_figure(tmp_path / "many.npz", kind)
    measured("one picture of very many things", watch.slowest_s)


def test_very_many_of_anything_are_counted_and_cut(run: RunFolder, times: Times, measured: Measured) -> None:
    count, path = times(5_000, 1_000_000), run.path / "events.jsonl"
    values = {f"train/loss{number}": 1.0 for number in range(5000)}
    write(path, [ev.MetricsLogged(step=n, steps=1, elapsed_s=n, lr=1.0, values=values) for n in range(1, 20)])
    # the same names again, or new ones each time
    write(path, (_row(number) for number in range(count // 2)))
    write(path, (_drawn(number) for number in range(count)))
    write(path, (ev.RunPaused(step=5, at=number) for number in range(count)))
    write(path, (ev.LearningRateChanged(step=5, at=1, old=1.0, new=number + 1) for number in range(5000)))
    # going back again and again, each time over all that came before
    for number in range(times(500, 20_000)):
        better = {"val/accuracy": number * 1e-6}
        write(path, [ev.Evaluated(step=9, epoch=9, elapsed_s=9.0, values=better), s.started(step=8, epochs=2**62)])
    write(path, [ev.LineLogged(step=1, level="info", text="w" * 900_000) for _ in range(50)])
    state, _ = read_in_steps(run, measured)
    assert len(state.series) == SERIES_LIMIT
    assert len(state.figures | state.kept) <= FIGURES_LIMIT
    assert len(state.markers) <= 2 * MARKERS_KEPT
    watch = Watch()
    with watch.on("drawing it"):
        draw_all(run, state)
    measured("drawing a run of very many things", watch.slowest_s)


def _row(number: int) -> ev.AnyEvent:
    return ev.MetricsLogged(step=20, steps=1, elapsed_s=20.0, lr=1.0, values={f"k{number}": 1.0})


def _drawn(number: int) -> ev.AnyEvent:
    epoch = None if number % 2 else number
    return ev.FigureDrawn(step=20, name=f"n{number}", kind="words", title="x", file="figures/x.npz", epoch=epoch)
