"""Who may import whom, and what the UI must not pull in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "torchvision", "sklearn", "safetensors")
SCREENS = "tui.app, tui.screens.home, tui.screens.configure, tui.screens.help, tui.screens.run, tui.screens.save_preset"


@pytest.mark.parametrize("modules", ["tui.cli", SCREENS, "presets", "engine, engine.run_folder, engine.run_summary"])
def test_viewers_never_import_torch(modules: str, run_python: Callable[[str], str]) -> None:
    assert run_python(f"import sys, {modules}; print([name for name in {HEAVY} if name in sys.modules])") == "[]"


def test_home_waits_for_no_charts(run_python: Callable[[str], str]) -> None:
    """What only the run screen needs is not imported before the first paint."""
    assert run_python("import sys, tui.app; print([n for n in ('numpy', 'plotext') if n in sys.modules])") == "[]"


def test_a_run_waits_for_no_schema(run_python: Callable[[str], str]) -> None:
    """The configuration is validated after the curves are there; until then nothing needs pydantic."""
    modules = "tui.cli, tui.parsers, tui.opening, tui.app, tui.screens.run"
    wanted = "('pydantic', 'engine.schema', 'tui.listing', 'importlib.metadata')"
    assert run_python(f"import sys, {modules}; print([name for name in {wanted} if name in sys.modules])") == "[]"


def test_import_contracts() -> None:
    """The layers and doors written down in pyproject.toml."""
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint_imports, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
