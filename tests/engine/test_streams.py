"""Standard output kept for a result, and a result that can't be written."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from engine.streams import write_result


def run(code: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60)


@pytest.mark.parametrize("is_for_program", [True, False])
def test_whoever_prints_a_program_reads_the_result_alone(is_for_program: bool) -> None:
    done = run(
        "import os, subprocess; from engine.streams import result_stream, write_result\n"
        f"with result_stream({is_for_program}) as stream:\n"
        "    print('step done', end=' ')\n"
        "    os.write(1, b'from C ')\n"
        "    subprocess.run(['echo', 'from a process'])\n"
        "    write_result('{}', stream)\n"
        "print('after')"
    )
    assert done.returncode == 0
    if is_for_program:
        assert done.stdout == "{}\nafter\n"
    for words in ("step done", "from C", "from a process"):
        assert words in (done.stderr if is_for_program else done.stdout)


@pytest.mark.parametrize("is_for_program", [True, False])
def test_a_result_that_a_full_disk_swallows_is_an_error_told_once(is_for_program: bool) -> None:
    if not Path("/dev/full").exists():
        assert sys.platform != "linux"
        return
    code = (
        "import errno; from engine.streams import result_stream, write_result\n"
        f"with result_stream({is_for_program}) as stream:\n"
        "    try:\n"
        "        write_result('{}', stream)\n"
        "    except OSError as error:\n"
        "        raise SystemExit(7 if error.errno == errno.ENOSPC else 8)"
    )
    with open("/dev/full", "w") as full:
        done = run(code, full.fileno())
    assert (done.returncode, done.stderr) == (7, "")


@pytest.mark.parametrize("error", [BrokenPipeError(errno.EPIPE, "x"), OSError(errno.EIO, "x"), ValueError("closed")])
def test_a_reader_that_has_gone_is_no_error(error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("builtins.print", fail)
    with (tmp_path / "out").open("w") as stream:
        write_result("{}", stream)
