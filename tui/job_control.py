"""Back to the shell, and from there again."""

from __future__ import annotations

import os
import signal


def stop_this_job() -> None:
    """Stop every process of this one's group, as the terminal does on Ctrl+Z; returns once the shell has it go on.

    The shell waits for all of them, such as make and its sh. Engine hosts have sessions of their own, and train on.
    Where no shell could ever have it go on, the system stops nothing.
    """
    numbers = (signal.SIGTSTP, signal.SIGCONT)
    # the kernel's own way: handlers in Python run a moment later, when the screen may be back already
    handlers = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    os.kill(0, signal.SIGTSTP)
    for number, handler in zip(numbers, handlers, strict=True):
        signal.signal(number, handler)
