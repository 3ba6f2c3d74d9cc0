"""A real SSH server on the loopback interface, and terminals on it whose lines can be cut."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.e2e.processes import wait_until
from tests.e2e.screen import Screen

PASSED_ON = ("DLTUI_RUNS", "DLTUI_DATA", "DLTUI_PRESETS", "XDG_CONFIG_HOME")
SERVER_CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
PrintLastLog no
UseDNS no
"""


class SshServer:
    """An sshd of our own: its keys, its port and its log lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = _free_port()
        for name in ("host_key", "user_key"):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
        (folder / "sshd_config").write_text(SERVER_CONFIG.format(port=self.port, folder=folder))
        self.log = folder / "sshd.log"
        self.process = subprocess.Popen(
            [_sshd(), "-D", "-f", str(folder / "sshd_config"), "-E", str(self.log)], stdin=subprocess.DEVNULL
        )
        wait_until(self._answers, f"the SSH server on port {self.port} (see {self.log})")

    def terminal(self, columns: int = 120, lines: int = 40) -> Screen:
        """A terminal in which somebody has logged in, with a shell."""
        known = {name: os.environ[name] for name in PASSED_ON}
        shell = ["env", *(f"{name}={value}" for name, value in known.items()), "PS1=at:home$ ", "bash", "--norc", "-i"]
        options = ["UserKnownHostsFile=/dev/null", "StrictHostKeyChecking=no", "LogLevel=ERROR", "IdentitiesOnly=yes"]
        argv = ["ssh", "-tt", "-F", "none", "-p", str(self.port), "-i", str(self._folder / "user_key")]
        argv += [word for option in options for word in ("-o", option)]
        argv += [f"{getpass.getuser()}@127.0.0.1", shlex.join(shell)]
        screen = Screen(argv, columns, lines, program=())
        try:
            screen.wait_for(r"at:home\$")
        except AssertionError as error:
            screen.close()
            log = self.log.read_text("utf-8", "replace")
            if "account is locked" in log:
                pytest.skip("this account is locked: an SSH server lets nobody in")
            raise AssertionError(f"{error}\n{log}") from None
        return screen

    def sessions(self) -> list[psutil.Process]:
        """The server's own processes for the connections that are open, not what people run in them."""
        with suppress(psutil.NoSuchProcess):
            below = psutil.Process(self.process.pid).children(recursive=True)
            return [process for process in below if _is_sshd(process)]
        return []

    def cut_all(self) -> None:
        """Kill what serves the connections, so that nobody closes anything politely."""
        for process in self.sessions():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """End the server and every connection."""
        self.cut_all()
        self.process.kill()
        self.process.wait(timeout=30)

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            return connection.recv(4) == b"SSH-"
        return False


@contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    """An SSH server for as long as the block lasts; the test is skipped where there is none to be had."""
    for program, package in (("sshd", "openssh-server"), ("ssh", "openssh-client"), ("ssh-keygen", "openssh-client")):
        if not (_sshd() if program == "sshd" else shutil.which(program)):
            pytest.skip(f"there is no {program} here: install {package}")
    if os.geteuid() == 0:  # where an unprivileged part of sshd is locked into; packages leave it to the service
        with suppress(OSError):
            Path("/run/sshd").mkdir(mode=0o755, parents=True, exist_ok=True)
    server = SshServer(folder)
    try:
        yield server
    finally:
        server.close()


def dltui(*argv: str) -> str:
    """`dltui argv`, as it is typed into a shell."""
    return shlex.join([sys.executable, "-P", "-m", "tui.cli", *argv])


def _sshd() -> str:
    """Where sshd is: it must be started by its whole path, and is not on everybody's own."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") or ""


def _is_sshd(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.name().startswith("sshd")
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
