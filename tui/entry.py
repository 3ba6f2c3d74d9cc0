"""The command `dltui`: nothing is imported before an interrupt can be caught."""

from __future__ import annotations


def main() -> int:
    """Do what the command line asks for; returns the exit status, that of an interrupt from the first moment on."""
    try:
        from tui.cli import main as run

        return run()
    except KeyboardInterrupt:
        return 130
