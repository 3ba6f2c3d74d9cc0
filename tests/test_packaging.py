"""What a fresh machine gets."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEFT_TO_THE_REGISTRY = re.compile(r"torch(vision)?$|triton|nvidia-(?!ml-py)|cuda-")


def pinned() -> dict[str, str]:
    """Versions in constraints.txt by normalised name."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}


def direct() -> list[str]:
    """Names of everything that pyproject.toml asks for."""
    tree = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*tree["project"]["dependencies"], *tree["dependency-groups"]["dev"], *tree["dependency-groups"]["bench"]]
    return [re.split(r"[<>=!~ \[]", requirement)[0].lower() for requirement in asked]


def test_constraints_are_plain_versions_and_leave_torch_to_the_registry() -> None:
    assert all(re.fullmatch(r"[0-9]+(\.[0-9]+)*", version) for version in pinned().values())
    assert [name for name in pinned() if LEFT_TO_THE_REGISTRY.match(name)] == []


def test_everything_that_is_asked_for_is_pinned_but_torch() -> None:
    assert [name for name in direct() if name not in pinned()] == ["torch", "torchvision"]


def test_make_help_lists_its_targets() -> None:
    listed = subprocess.run(
        ["make", "--silent", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert [line.split()[1] for line in listed.splitlines()] == ["help", "run", "test", "torture", "bench", "clean"]


@pytest.mark.parametrize("is_on_path", [False, True])
@pytest.mark.parametrize("status", [0, 3])
def test_make_run_says_what_the_command_is_where_nobody_could_guess(
    is_on_path: bool, status: int, tmp_path: Path
) -> None:
    command = tmp_path / "bin" / "dltui"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\necho "$@"\nexit {status}\n')
    command.chmod(0o755)
    (tmp_path / ".installed").touch()
    path = f"{command.parent}:/usr/bin:/bin" if is_on_path else "/usr/bin:/bin"
    done = subprocess.run(
        ["make", "--silent", "run", f"VENV={tmp_path}"], cwd=ROOT, capture_output=True, text=True, env={"PATH": path}
    )
    assert done.stdout == "train spiral-relu\n"
    told = f"the command is {command}; to call it dltui: . {command.with_name('activate')}"
    assert (told in done.stderr) is not is_on_path
    assert (done.returncode != 0) is bool(status)


def test_shell_scripts_are_sound_and_may_be_run() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True)
