"""The command `dltui`: nothing is imported before an interrupt can be caught."""

from __future__ import annotations

EXIT_INTERRUPTED = 130


def main() -> int:
    """Do what the command line asks for; returns the exit status, that of an interrupt from the first moment on."""
    try:
        from tui.cli import main as run

        return run()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
