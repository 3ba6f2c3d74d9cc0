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


def run(config: RunConfig, folder: Path | None = None, data_dir: Path | None = None) -> AsyncIterator[Event]:
    """Train `config` in a worker thread of this process and yield its events, ending with how the run ended.

    Args:
        config: A validated configuration.
        folder: An existing run folder to record into; without it a temporary one is used and removed at the end.
        data_dir: Where data sets lie; the user's data folder if absent.
    """
    from engine.session import stream  # torch is imported here, not before

    return stream(config, folder, data_dir)
