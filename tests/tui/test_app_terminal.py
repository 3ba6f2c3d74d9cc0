"""The real program in a real terminal that goes away, or is needed for something else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pexpect

PATIENCE_S = 60


def open_dltui(runs: Path) -> pexpect.spawn:
    """The program, once Home is on the screen."""
    command = [sys.executable, "-P", "-c", "import sys; from tui.cli import main; sys.exit(main())"]
    env = {**os.environ, "DLTUI_RUNS": str(runs), "TERM": "xterm-256color"}
    child = pexpect.spawn(command[0], command[1:], dimensions=(24, 80), env=env, timeout=PATIENCE_S)
    child.expect("No runs yet")
    return child


def hosts_of(pid: int) -> list[str]:
    """Engine hosts that process `pid` has started."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    return [row[0] for row in rows if row[1] == str(pid) and "engine.host" in row[2]]


def is_alive(pid: str) -> bool:
    """Whether there is such a process, and it is no zombie."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def wait_for_end(pid: int) -> int:
    """Exit status of our child `pid`."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    raise AssertionError("it hangs")


def test_a_closed_terminal_ends_the_screen_and_the_unused_host(tmp_path: Path) -> None:
    child = open_dltui(tmp_path / "runs")
    deadline = time.monotonic() + PATIENCE_S
    while not (hosts := hosts_of(child.pid)):
        assert time.monotonic() < deadline, "no warm host"
        time.sleep(0.05)
    child.ptyproc.fileobj.close()
    assert wait_for_end(child.pid) == 128 + signal.SIGHUP
    while any(is_alive(host) for host in hosts):
        assert time.monotonic() < deadline + PATIENCE_S, "the warm host stays"
        time.sleep(0.1)


def test_ctrl_z_gives_the_terminal_back_and_fg_returns(tmp_path: Path) -> None:
    child = open_dltui(tmp_path / "runs")
    child.send("\x1a")
    _, status = os.waitpid(child.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    child.expect_exact("\x1b[?1049l")  # back on the ordinary screen
    os.kill(child.pid, signal.SIGCONT)
    child.expect_exact("\x1b[?1049h")
    child.expect("No runs yet")
    child.send("q")
    child.expect(pexpect.EOF)
    assert wait_for_end(child.pid) == 0
