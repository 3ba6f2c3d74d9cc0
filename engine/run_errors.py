"""What can be wrong with a run's folder."""

from __future__ import annotations

import errno


class RunFolderError(Exception):
    """Something about a run folder that a person has to mend; the message is one line and says how."""


class RunLocked(RunFolderError):
    """Another engine holds the run."""


class RunRefused(RunFolderError):
    """A new run can't be trained as it was asked for; nothing of it is left."""


def mend(error: OSError) -> str:
    """What a person can do about an error of the disk."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "mend its permissions"
    return "see to the disk"
