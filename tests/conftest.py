"""What all tests share."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


# Torch, thousands of tests and screens of thousands of objects each: looking through them all the time took a fifth of
# the time of collecting the tests, and as much of that of the screens'.
gc.set_threshold(10_000, 50, 100)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--torture`: the full counts of tests/faults instead of a quick draw of each."""
    parser.addoption("--torture", action="store_true", help="try every fault as often as docs/reliability.md promises")


def pytest_configure(config: pytest.Config) -> None:
    """Properties: the same examples in every `make test`, others in every `make torture`; never a deadline.

    How long an example takes says how busy the machine is.
    """
    settings.register_profile("dltui", deadline=None, derandomize=not config.getoption("--torture"))
    settings.load_profile("dltui")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees or touches the runs, data and presets of the person who runs it."""
    home = tmp_path_factory.mktemp("home")
    for name in ("runs", "data", "presets"):
        monkeypatch.setenv(f"DLTUI_{name.upper()}", str(home / name))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))


@pytest.fixture(autouse=True)
def _all_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Screens look the same in whatever terminal the tests run."""
    monkeypatch.setenv("COLORTERM", "truecolor")


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data sets beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no ../shared/data beside this checkout")
    return SHARED_DATA


@pytest.fixture
def run_python() -> Callable[[str], str]:
    """Runs a line of Python in a fresh interpreter and gives what it printed."""

    def run(code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120, env=os.environ
        )
        return done.stdout.strip()

    return run
