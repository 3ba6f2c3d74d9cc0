"""What is made to last is none of the garbage collector's business."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest

from engine.lasting import lasting


@pytest.fixture(autouse=True)
def _thawed() -> object:
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.parametrize("was_enabled", [True, False])
def test_the_collector_waits_and_is_then_as_it_was(was_enabled: bool) -> None:
    if not was_enabled:
        gc.disable()
    with pytest.raises(ImportError), lasting():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled() is was_enabled


def test_what_was_made_is_not_looked_through() -> None:
    with lasting():
        made: list[object] = [[] for _ in range(1000)]
    assert gc.get_freeze_count() > len(made)
    assert not any(one is made for one in gc.get_objects())


def test_torch_is_imported_so(run_python: Callable[[str], str]) -> None:
    importing = "import gc; from tui.train import _import_engine; _import_engine('a run')"
    frozen, enabled = run_python(f"{importing}; print(gc.get_freeze_count(), gc.isenabled())").split()
    assert int(frozen) > 100_000
    assert enabled == "True"
