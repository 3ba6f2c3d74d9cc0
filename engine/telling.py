"""What the engine's own loggers say becomes part of the run: a download must not look like an idle run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.events import AnyEvent, LineLogged
from engine.text import plain


class _Teller(logging.Handler):
    def __init__(self, publish: Callable[[AnyEvent], None]) -> None:
        super().__init__(logging.INFO)
        self._publish = publish

    def emit(self, record: logging.LogRecord) -> None:
        level = "warning" if record.levelno >= logging.WARNING else "info"
        self._publish(LineLogged(step=0, level=level, text=plain(record.getMessage())))


@contextmanager
def told_of(publish: Callable[[AnyEvent], None]) -> Iterator[None]:
    """While in it, every line of the engine's loggers is published as an event of a run that has not begun."""
    logger, teller = logging.getLogger("engine"), _Teller(publish)
    level = logger.level
    logger.addHandler(teller)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(teller)
