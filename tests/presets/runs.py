"""Presets trained through the engine, as `dltui train` trains them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import engine
from engine.events import FigureDrawn, RunFailed
from engine.figures import load_figure
from engine.run_folder import RunFolder, create_run
from engine.run_state import RunState
from engine.schema import overlay, validate
from presets import load_preset


class Trained:
    """A preset's run after its end."""

    def __init__(self, folder: RunFolder, state: RunState, drawn: list[FigureDrawn]) -> None:
        self.folder, self.state, self.drawn = folder, state, drawn

    def last(self, key: str) -> float:
        """The last value of a metric."""
        value = self.state.latest[key]
        assert value is not None
        return value

    def values(self, key: str) -> list[float]:
        """All values of a metric."""
        return list(self.state.series[key].values)

    def figure(self, name: str) -> dict[str, Any]:
        """Arrays of a figure as it was drawn last."""
        return load_figure(self.folder.path / self.state.figures[name].file)


async def train(name: str, at: Path, data_dir: Path | None = None, **over: Any) -> Trained:
    """Train a preset on the CPU to its end, with sections laid over it, in a run folder below `at`."""
    settings = {"trainer": {"device": "cpu"}}
    config = validate(overlay(overlay(load_preset(name).tree, settings), over))
    folder, state, drawn = create_run(at, config, data_dir or at), RunState(), []
    async for event in engine.run(config, folder.path):
        assert not isinstance(event, RunFailed), event.error
        state.apply(event)
        if isinstance(event, FigureDrawn):
            drawn.append(event)
    return Trained(folder, state, drawn)
