"""The line drops: the run goes on without a pause, and a new login is back in it, with control."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from engine import events as ev
from engine.run_folder import RunFolder
from tests.e2e.processes import alive, events_of, wait_for_step, wait_until
from tests.e2e.screen import Screen
from tests.e2e.test_terminal import RUN, configure, fill_in, run
from tests.faults.sshd import SshServer, dltui, ssh_server

__all__ = ["run"]
LONGEST_GAP_S = 10.0
"""Rows come several times a second; on a machine that is busy with other tests they may be late, but not missing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    """An SSH server, where one can be had."""
    with ssh_server(tmp_path) as server:
        yield server


def client_killed(screen: Screen, server: SshServer) -> None:
    """`kill -9` of ssh, as when a laptop runs out of power."""
    screen.process.kill(signal.SIGKILL)


def server_killed(screen: Screen, server: SshServer) -> None:
    """`kill -9` of what holds the line at the far end: nobody says goodbye to anybody."""
    server.cut_all()


def terminal_closed(screen: Screen, server: SshServer) -> None:
    """The window in which ssh runs is closed."""
    screen.close()


CUTS = (client_killed, server_killed, terminal_closed)


def test_a_run_outlives_its_line_and_the_next_login_is_back_in_it(
    server: SshServer,
    run: Path,
    times: Callable[[int, int], int],
    tally: Callable[[str, int], None],
    measured: Callable[[str, float], None],
) -> None:
    screen = server.terminal()
    begin_in(screen)
    wait_for_step(run, 200)
    (begun,) = [event for event in events_of(run) if isinstance(event, ev.RunStarted)]
    cuts = CUTS * times(1, 4)
    for cut in cuts:
        rate = raise_rate(screen, run)
        cut_at = cut_line(cut, screen, server)
        wait_until(lambda cut_at=cut_at: last_row(run).at > cut_at + 1, "steps after the cut")
        screen = server.terminal()
        measured("from `dltui attach` to the curve, after a new login", attach(screen))
        screen.wait_for(rf"learning rate [0-9.e-]+ → {rate}")
        assert first_step_on_the_axis(screen) == 0
        measured("between two rows of the log, around a cut", longest_gap_s(run, cut_at))
        assert longest_gap_s(run, cut_at) < LONGEST_GAP_S
    screen.press("space")
    screen.wait_for(rf"paused +{RUN}")
    screen.press("space")
    screen.wait_for(rf"running +{RUN}")
    screen.press("s")
    screen.wait_for(r"Stop this run\?")
    screen.press("s")
    screen.wait_for(rf"stopped +{RUN}")
    screen.close()
    wait_until(lambda: not alive(begun.pid), "the engine's end")
    assert [event.pid for event in events_of(run) if isinstance(event, ev.RunStarted)] == [begun.pid]
    assert_no_step_is_missing(run)
    tally("SSH connection cut: the run went on, and the next login steered it", len(cuts))


def cut_line(cut: Callable[[Screen, SshServer], None], screen: Screen, server: SshServer) -> float:
    """Cut the line to the viewer, and see both gone; returns the instant of the cut."""
    viewer, cut_at = viewer_below(server), time.time()
    cut(screen, server)
    wait_until(lambda: not server.sessions() and not alive(viewer.pid), "the end of the old connection")
    screen.close()
    return cut_at


def begin_in(screen: Screen) -> None:
    """Start a long run from the screen's form."""
    screen.press(dltui(), "enter")
    configure(screen, "spiral-relu")
    fill_in(screen, "trainer.epochs", "10000000")
    screen.press("f5")
    screen.wait_for(rf"running +{RUN}")


def attach(screen: Screen) -> float:
    """Open the run in a shell; returns the seconds until its curve stands there."""
    screen.process.send(dltui("attach"))
    screen.look(0.5)
    began_s = time.monotonic()
    screen.press("enter")
    screen.wait_for(rf"(?s)running +{RUN}.*loss +● train [0-9.e+-]+")
    return time.monotonic() - began_s


def raise_rate(screen: Screen, run: Path) -> str:
    """Press + and wait until it is done and said so; returns the new learning rate, as the log pane has it."""
    before = len(rates(run))
    screen.press("+")
    # looking takes what the screen sends: one whose terminal takes nothing waits for it, keys and all
    wait_until(lambda: screen.look(0.1) and len(rates(run)) > before, "the new rate")
    rate = re.escape(f"{rates(run)[-1]:.4g}")
    screen.wait_for(rf"→ {rate} at step")
    return rate


def rates(run: Path) -> list[float]:
    return [event.new for event in events_of(run) if isinstance(event, ev.LearningRateChanged)]


def viewer_below(server: SshServer) -> psutil.Process:
    """The `dltui` that runs in a connection."""
    below = psutil.Process(server.process.pid).children(recursive=True)
    (viewer,) = [process for process in below if "tui.cli" in process.cmdline() and "python" in process.name()]
    return viewer


def first_step_on_the_axis(screen: Screen) -> float:
    """The leftmost number below the curve of losses."""
    return float(screen.wait_for(r"└┬─[^\n]*\n[│┃ ]*([0-9.]+) ")[1])


def last_row(run: Path) -> ev.MetricsLogged:
    """The latest row of metrics."""
    return [event for event in events_of(run) if isinstance(event, ev.MetricsLogged)][-1]


def longest_gap_s(run: Path, around: float) -> float:
    """The longest time between two rows from a few seconds before the instant `around` to now."""
    rows = [event.at for event in events_of(run) if isinstance(event, ev.MetricsLogged) and event.at > around - 5]
    return max(later - earlier for earlier, later in pairwise(rows))


def assert_no_step_is_missing(run: Path) -> None:
    """Each row takes up where the one before it ended."""
    rows = [event for event in events_of(run) if isinstance(event, ev.MetricsLogged)]
    assert len(rows) > 10 and RunFolder(run).holder() is None
    for earlier, later in pairwise(rows):
        assert later.step - later.steps == earlier.step
