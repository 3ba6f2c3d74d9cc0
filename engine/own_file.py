"""Files that may come from anybody, opened without falling into a trap.

In a run folder from a stranger, a file may be a named pipe, at which an ordinary open waits for ever, a device without
an end, or a link to some file of one's own, which would then be shown, or written to.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_own(path: Path | str, flags: int, *, dir_fd: int | None = None, follow: bool = False) -> int:
    """A descriptor of a real file, opened with `flags`.

    Args:
        path: The file.
        flags: As for `os.open`; a file made by it has mode 0o644.
        dir_fd: The folder that a relative path starts from.
        follow: Whether `path` may be a link to a file. Links among the folders above it are always followed.

    Raises:
        OSError: it is a link or no file, or can't be opened.
    """
    extra = os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    try:
        fd = os.open(path, flags | extra, 0o644, dir_fd=dir_fd)
    except OSError as error:
        if error.errno == errno.ELOOP and not follow:
            raise OSError(errno.ELOOP, "a link, where the file itself should be", str(path)) from None
        if error.errno == errno.ENXIO:  # a pipe without a reader, or a socket
            raise OSError(errno.ENXIO, "not a file", str(path)) from None
        raise
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, "not a file", str(path))
    return fd


def read_own(path: Path, *, follow: bool = False) -> BinaryIO:
    """A real file, to be read as `open_own` says.

    Raises:
        OSError: it is a link or no file, or can't be opened.
    """
    return os.fdopen(open_own(path, os.O_RDONLY, follow=follow), "rb")


def check_own(path: Path) -> None:
    """See that `path` is a real file, for libraries that open it themselves.

    Raises:
        OSError: it is a link or no file, or not there.
    """
    os.close(open_own(path, os.O_RDONLY))


def check_own_folder(path: Path) -> None:
    """See that `path` is a real folder, if there is anything.

    Raises:
        OSError: it is a link, or no folder.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, "a link, where the folder itself should be", str(path))
    if not stat.S_ISDIR(mode):
        raise OSError(errno.ENOTDIR, "not a folder", str(path))
