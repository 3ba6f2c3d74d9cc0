"""The real program in a real terminal that goes away, or is needed for something else."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest

PATIENCE_S = 60
COMMAND = [sys.executable, "-P", "-c", "import sys; from tui.cli import main; sys.exit(main())"]


def open_dltui(runs: Path) -> pexpect.spawn:
    """The program, once Home is on the screen."""
    env = {**os.environ, "DLTUI_RUNS": str(runs), "TERM": "xterm-256color"}
    child = pexpect.spawn(COMMAND[0], COMMAND[1:], dimensions=(24, 80), env=env, timeout=PATIENCE_S)
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


def status_of(child: pexpect.spawn) -> int | None:
    """Exit status of `child`, which has closed its terminal."""
    deadline = time.monotonic() + PATIENCE_S
    while child.isalive():
        assert time.monotonic() < deadline, "it hangs"
        time.sleep(0.05)
    status: int | None = child.exitstatus
    return status


def job_stopped(shell: pexpect.spawn, command: str) -> list[str]:
    """States of the processes in the terminal that are no shell, after Ctrl+Z in the Home that `command` opened."""
    shell.sendline(command)
    shell.expect("No runs yet")
    shell.send("\x1a")
    shell.expect_exact("\x1b[?1049l")  # back on the ordinary screen
    shell.expect_exact("ready> ")
    listed = subprocess.run(["ps", "-A", "-o", "pid=,tty=,stat="], capture_output=True, text=True, check=True).stdout
    rows = {int(pid): (terminal, stat) for pid, terminal, stat in map(str.split, listed.splitlines())}
    terminal, _ = rows.pop(shell.pid)
    return [stat[0] for other, stat in rows.values() if other == terminal]


@pytest.mark.parametrize("behind", [[], ["sh", "-c", '"$@"; exit $?', "sh"]], ids=["itself", "in a script"])
def test_ctrl_z_gives_the_terminal_back_and_fg_returns(behind: list[str], tmp_path: Path) -> None:
    """To a shell that waits for all that it has started, not only for the screen."""
    env = {**os.environ, "DLTUI_RUNS": str(tmp_path / "runs"), "TERM": "xterm-256color", "PS1": "ready> ", "ENV": ""}
    shell = pexpect.spawn("sh", ["-i"], dimensions=(24, 80), env=env, timeout=PATIENCE_S)
    shell.expect_exact("ready> ")
    assert set(job_stopped(shell, shlex.join([*behind, *COMMAND]))) == {"T"}
    shell.sendline("fg")
    shell.expect_exact("\x1b[?1049h")
    shell.expect("No runs yet")
    shell.send("q")
    shell.expect_exact("\x1b[?1049l")
    shell.expect_exact("ready> ")
    shell.sendline("exit $?")
    shell.expect(pexpect.EOF)
    assert status_of(shell) == 0


def test_ctrl_z_does_nothing_where_no_shell_could_bring_it_back(tmp_path: Path) -> None:
    child = open_dltui(tmp_path / "runs")
    child.send("\x1a")
    child.expect_exact("\x1b[?1049l")
    child.expect_exact("\x1b[?1049h")
    child.expect("No runs yet")
    child.send("q")
    child.expect(pexpect.EOF)
    assert status_of(child) == 0
