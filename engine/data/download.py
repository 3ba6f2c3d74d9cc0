"""Files from the network: with time-outs, another try, going on where a break left off, and a checksum."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from engine.data.bundle import DataError
from engine.text import plain

CHUNK_BYTES = 1 << 16

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Download:
    """A file to be had."""

    urls: Sequence[str]
    """Where it lies; tried in order, and in order again."""
    target: Path
    md5: str
    """Of the whole file, in hexadecimal."""
    timeout_s: float = 15.0
    """Longest silence of a server."""
    rounds: int = 3
    """How often each address is tried."""
    backoff_s: float = 1.0
    """Wait before the second round; each later one waits twice as long."""


class _Refused(Exception):
    """An address that is not worth another try."""


class _Interrupted(Exception):
    """A break that another try may mend."""


def fetch(download: Download) -> None:
    """Bring a file to its target, whole or not at all.

    What has arrived waits beside the target in a `.part` file, from which the next try, or the next run, goes on. Two
    processes that want the same file take turns, and the second finds it there.

    Raises:
        DataError: no address gave the file; the message names the folder to put it into by hand.
    """
    try:
        download.target.parent.mkdir(parents=True, exist_ok=True)
        with _hold_part(download.target) as part:
            if not download.target.exists():
                _fill(download, part)
                os.replace(part.name, download.target)
    except OSError as error:
        raise _failed(download, f"the folder can't be written: {error.strerror or error}") from None


@contextmanager
def _hold_part(target: Path) -> Iterator[BinaryIO]:
    """The target's `.part` file, held by this process alone."""
    path = target.with_name(f"{target.name}.part")
    while True:
        with path.open("ab+") as part:
            fcntl.flock(part, fcntl.LOCK_EX)
            # who held it before may have moved it to its target: then this is a file without that name
            if path.exists() and os.path.samestat(os.fstat(part.fileno()), path.stat()):
                try:
                    yield part
                finally:
                    if path.exists() and path.stat().st_size == 0:
                        path.unlink()
                return


def _fill(download: Download, part: BinaryIO) -> None:
    urls, reasons = list(download.urls), list[str]()
    for attempt in range(download.rounds):
        if attempt:
            time.sleep(download.backoff_s * 2 ** (attempt - 1))
        for url in tuple(urls):
            try:
                _transfer(url, part, download.timeout_s)
                _verify(part, download.md5)
            except _Refused as error:
                urls.remove(url)
                reasons.append(str(error))
            except _Interrupted as error:
                reasons.append(str(error))
            else:
                return
        if not urls:
            break
    raise _failed(download, reasons[-1] if reasons else "no address is known")


def _transfer(url: str, part: BinaryIO, timeout_s: float) -> None:
    """Append what is missing of `url`'s file."""
    have = part.seek(0, os.SEEK_END)
    log.info("downloading %s%s", plain(url), f", {have:,} bytes are here already" if have else "")
    request = Request(url, headers={"User-Agent": "dltui", **({"Range": f"bytes={have}-"} if have else {})})
    try:
        with urlopen(request, timeout=timeout_s) as response:
            if have and response.status != 206:  # the server begins anew, so do we
                part.truncate(0)
            expected = response.headers.get("Content-Length")
            arrived = _copy(response, part)
    except HTTPError as error:
        if error.code == 416:  # there is no more than we have; the checksum will tell whether it is right
            return
        reason = f"{plain(url)} answers {error.code} {plain(str(error.reason))}"
        raise (_Interrupted if error.code in (408, 429) or error.code >= 500 else _Refused)(reason) from None
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _Interrupted(f"{plain(url)} broke off: {plain(str(error)) or type(error).__name__}") from None
    except OSError as error:  # urllib wraps whatever kept it from connecting
        if getattr(error, "reason", None) is None:
            raise
        raise _Interrupted(f"{plain(url)} can't be reached: {plain(str(getattr(error, 'reason', error)))}") from None
    if expected is not None and arrived < int(expected):
        raise _Interrupted(f"{plain(url)} broke off after {arrived:,} of {int(expected):,} bytes")


def _copy(response: http.client.HTTPResponse, part: BinaryIO) -> int:
    arrived = 0
    while chunk := response.read1(CHUNK_BYTES):
        part.write(chunk)
        arrived += len(chunk)
    part.flush()
    return arrived


def _verify(part: BinaryIO, md5: str) -> None:
    part.flush()
    os.fsync(part.fileno())
    part.seek(0)
    digest = hashlib.md5(usedforsecurity=False)
    while chunk := part.read(CHUNK_BYTES):
        digest.update(chunk)
    if digest.hexdigest() != md5:
        part.truncate(0)
        raise _Interrupted("what came has another checksum than it should")


def _failed(download: Download, reason: str) -> DataError:
    return DataError(
        f"{download.target.name} could not be downloaded ({reason}); "
        f"put it by hand into {plain(str(download.target.parent))}, or name another data folder"
    )
