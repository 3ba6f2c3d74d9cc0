"""The door to torch, for the few commands that compute in their own process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from engine.lasting import lasting
from engine.text import plain
from tui.errors import CommandError


@contextmanager
def importing_torch() -> Iterator[None]:
    """What is imported within brings torch, which takes seconds.

    Raises:
        CommandError: it can't be imported.
    """
    try:
        with lasting():
            yield
    except (ImportError, OSError) as error:  # a library that is missing or does not match raises either
        raise CommandError(f"PyTorch can't be imported ({plain(str(error))[:200]}); see: dltui doctor", 1) from None
