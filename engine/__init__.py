"""The engine: trains models and records what happened. It knows nothing of screens.

``async for event in engine.run(config): ...`` is the whole interface for headless code and tests. Importing this
package does not import torch, so that viewers can read a run's schema, events and folder cheaply.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.events import Event
    from engine.schema import RunConfig

__all__ = ["run"]


def run(
    config: RunConfig, folder: Path | str | None = None, data_dir: Path | str | None = None
) -> AsyncIterator[Event]:
    """Train `config` in a worker thread of this process and yield its events, ending with how the run ended.

    Args:
        config: A validated configuration.
        folder: Where the run is kept. One that is empty or not there is made into a run's folder; a run of this
            configuration that is there goes on. Without it a temporary one is used and removed at the end.
        data_dir: Where data sets lie; the folder the run was made with, or the user's data folder, if absent.

    Raises:
        RunFolderError: by the first step of the iteration, if `folder` holds another run or none that can be trained.
    """
    from engine.headless import stream  # torch is imported here, not before

    return stream(config, _absolute(folder), _absolute(data_dir))


def _absolute(path: Path | str | None) -> Path | None:
    return None if path is None else Path(path).absolute()
