"""Memory runs out: the run names what would fit, or dies visibly, and can go on afterwards."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from engine import events as ev
from engine.batch_search import largest_batch_that_fits
from engine.checkpoint import load_checkpoint
from engine.data import load_data
from engine.run_folder import RunFolder
from engine.run_summary import status_of, summarize
from engine.tasks import _TASKS, Observation, Task
from engine.tasks.classification import ClassificationTask
from engine.tasks.supervised import Supervised
from tests.e2e.processes import wait_until
from tests.engine.helpers import collect, last_weights, make_run, recorded, same_bits, stop_at
from tests.faults.curve import assert_every_step_once, state_of


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is busy with tests a search may take longer than a person would wait."""
    monkeypatch.setattr(largest_batch_that_fits, "__defaults__", (120.0,))


WIDE: dict[str, Any] = {
    "data": {"kind": "spiral", "points": 10_000},
    "model": {"kind": "mlp", "hidden": [256]},
    "trainer": {"epochs": 1, "batch_size": "full"},
}
ROOM_MIB = 130
"""Enough for small batches, and too little for the first hidden layer's activations of all 30,000 rows."""
LIMITED_HOST = (
    "import resource, sys, engine.session\n"
    "from pathlib import Path\n"
    "used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
    "resource.setrlimit(resource.RLIMIT_AS, (used + (int(sys.argv[2]) << 20),) * 2)\n"
    "engine.batch_search.largest_batch_that_fits.__defaults__ = (120.0,)\n"
    "import engine.host; sys.exit(engine.host.main([sys.argv[1]]))"
)
"""An engine that may take so many MiB more than it has after its start."""


def train_limited(run: RunFolder, mib: int) -> ev.AnyEvent:
    """How the run ends in an engine with so much memory."""
    env = {**os.environ, "MALLOC_ARENA_MAX": "1"}  # each thread's own arena would count
    subprocess.run([sys.executable, "-P", "-c", LIMITED_HOST, str(run.path), str(mib)], env=env, timeout=120)
    return recorded(run)[-1]


def test_out_of_memory_names_the_batch_size_that_fits_and_it_does(
    tmp_path: Path, times: Callable[[int, int], int], tally: Callable[[str, int], None]
) -> None:
    run = make_run(tmp_path, **WIDE)
    ending = train_limited(run, ROOM_MIB)
    assert isinstance(ending, ev.RunFailed)
    assert re.fullmatch(r"out of memory in this machine: [\d.]+ MB more were needed", ending.error)
    found = re.fullmatch(r"lower trainer.batch_size to (\d+) \(tried: it fits\)", ending.cure)
    assert found, ending.cure
    assert 100 < int(found[1]) < 30_000
    tally("out of memory: the size named was tried", 1)
    if times(0, 1) == 0:
        return  # another engine, which takes seconds to start
    smaller = make_run(tmp_path, **WIDE | {"trainer": {"epochs": 1, "batch_size": int(found[1])}})
    assert isinstance(train_limited(smaller, ROOM_MIB), ev.RunFinished)


class Glutton(ClassificationTask):
    """A task whose device has room for so many samples."""

    room = 0
    tried: ClassVar[list[int]] = []

    def train_step(self, inputs: torch.Tensor, targets: torch.Tensor) -> Observation:
        self.tried.append(len(targets))
        if len(targets) > self.room:
            held = torch.zeros(1000)
            type(self).held = weakref.ref(held)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        assert getattr(type(self), "held", lambda: None)() is None, "memory of the step that failed is still held"
        return super().train_step(inputs, targets)


@pytest.mark.parametrize(("room", "fits"), [(60, 60), (59, 40), (79, 60), (5, 5), (1, 1), (0, 0)])
async def test_the_search_halves_until_it_fits_and_refines_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, fits: int
) -> None:
    monkeypatch.setattr(Glutton, "room", room)
    monkeypatch.setattr(Glutton, "tried", [])
    monkeypatch.setitem(_TASKS, "classification", Glutton)
    run = make_run(tmp_path, trainer={"batch_size": 80})
    ending = (await collect(run.config(), run))[-1]
    assert isinstance(ending, ev.RunFailed)
    assert ending.error == "out of memory on the device: CUDA out of memory. Tried to allocate 20.00 GiB"
    if fits:
        assert ending.cure == f"lower trainer.batch_size to {fits} (tried: it fits)"
    else:
        assert ending.cure.startswith("lower the model's width (model.hidden, ")
        assert ending.cure.endswith("not even a batch of one sample fits (tried)")
    assert len(Glutton.tried) < 20
    assert not list(run.checkpoints.iterdir()), "weights that were disturbed by the search were kept"


def test_a_search_that_takes_too_long_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Glutton, "room", 20)
    monkeypatch.setattr(Glutton, "tried", [])
    whole = make_run(tmp_path).config()
    task = Glutton(whole, load_data(whole.data, 0, tmp_path), torch.device("cpu"))
    assert largest_batch_that_fits(task, 80, within_s=0) is None
    assert Glutton.tried == []
    assert largest_batch_that_fits(task, 80) == 20


async def test_an_evaluation_takes_as_many_rows_as_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain_run, run = make_run(tmp_path / "a"), make_run(tmp_path / "b")
    await collect(plain_run.config(), plain_run)
    evaluate = Supervised.evaluate

    def greedy(task: Task, inputs: torch.Tensor, targets: torch.Tensor) -> Observation:
        if len(targets) > 20:
            raise MemoryError
        return evaluate(task, inputs, targets)

    monkeypatch.setattr(Supervised, "evaluate", greedy)
    await collect(run.config(), run)
    assert isinstance(recorded(run)[-1], ev.RunFinished)
    assert same_bits(last_weights(plain_run), last_weights(run))
    measured = [state_of(folder).series["val/loss"].values for folder in (plain_run, run)]
    assert list(measured[0]) == pytest.approx(list(measured[1]), rel=1e-5)


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A control group that limits memory; removed with the test, when nothing runs in it any more."""
    v1, v2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    parent = v1 if v1.is_dir() else v2
    group = parent / f"dltui-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        pytest.skip("making a control group takes root and a writable /sys/fs/cgroup")
    try:
        if not any((group / name).exists() for name in ("memory.limit_in_bytes", "memory.max")):
            pytest.skip("the control groups here do not limit memory")
        yield group
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text(), "the group's processes' end")
        group.rmdir()


def used_bytes(group: Path) -> int:
    v1 = group / "memory.usage_in_bytes"
    return int((v1 if v1.exists() else group / "memory.current").read_text())


def limit(group: Path, size_bytes: int) -> None:
    v1 = group / "memory.limit_in_bytes"
    (v1 if v1.exists() else group / "memory.max").write_text(str(size_bytes))


JOIN = ("sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"')
GROWING = "held = [bytearray(10 << 20) for _ in range(200)]"


def test_a_run_killed_by_the_system_for_want_of_memory_shows_as_died_and_goes_on(
    tmp_path: Path, cgroup: Path, host: Callable[..., subprocess.Popen[bytes]]
) -> None:
    run = make_run(tmp_path, trainer={"epochs": 1_000_000, "log_every": 20, "checkpoint_every_s": 0.1})
    log = run.path / "events.jsonl"
    engine = host(run, *JOIN, str(cgroup))
    wait_until(lambda: log.read_bytes().count(b"CheckpointSaved") >= 2, "two checkpoints")
    Path(f"/proc/{engine.pid}/oom_score_adj").write_text("1000")  # of the two in the group, the one to be killed
    limit(cgroup, used_bytes(cgroup) + (50 << 20))
    subprocess.run([*JOIN, str(cgroup), sys.executable, "-c", GROWING], timeout=120)
    assert engine.wait(120) == -signal.SIGKILL
    state = state_of(run)
    assert state.ending is None
    assert status_of(run, state) == summarize(run).status == "died"
    saved = load_checkpoint(run.checkpoints / "last").step
    asyncio.run(stop_at(run, saved + 40))
    resumed = state_of(run)
    assert resumed.started is not None
    assert resumed.started.step == saved > 0
    assert resumed.step >= saved + 40
    assert_every_step_once(recorded(run))
