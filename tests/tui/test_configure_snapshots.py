"""Pictures of the form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.tui.scripts import settled
from tui.app import DltuiApp

SIZES = {"small": (80, 24), "large": (140, 45)}
OPEN = ("end", "enter")
SHOTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "fresh": ("small large", ()),
    "changed": ("large", ("@optimizer.lr", *"0.05", "down", *"1e-4")),
    "wrong": ("small large", ("@optimizer.lr", *"-1", "f5")),
    "kind": ("large", ("@optimizer.kind", "left", "left", "left")),
    "misfit": ("small", ("@data.kind", "left", "left", "f5")),
    "menu": ("small", ("@optimizer.kind", "enter")),
    "save": ("small", ("@optimizer.lr", *"0.05", "ctrl+s", *"a b", "enter")),
    "help": ("small", ("f1",)),
    "light": ("large", ("@optimizer.lr", "0", "ctrl+t")),
}


@pytest.mark.parametrize(("shot", "size"), [(shot, size) for shot in SHOTS for size in SHOTS[shot][0].split()])
def test_configure(shot: str, size: str, app: DltuiApp, snap_compare: Callable[..., bool]) -> None:
    """The form looks as it did when somebody last looked hard at it."""

    async def prepare(pilot: Any) -> None:
        await settled(pilot, *OPEN, *SHOTS[shot][1])

    assert snap_compare(app, terminal_size=SIZES[size], run_before=prepare)
