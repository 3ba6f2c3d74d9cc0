"""Making what lasts as long as its process, without the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting() -> Iterator[None]:
    """What is made within is never looked through for garbage, be it while it is made, later, or when the process ends.

    `import torch` makes half a million objects: looking through them as they come is a tenth of its time, and once more
    at the end of the process takes as long as a short command's work.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
