"""What can be wrong with a run's folder."""

from __future__ import annotations


class RunFolderError(Exception):
    """Something about a run folder that a person has to mend; the message is one line and says how."""


class RunLocked(RunFolderError):
    """Another engine holds the run."""
