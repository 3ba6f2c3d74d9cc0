"""Downloads against a server on this machine that misbehaves as told."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from engine.data import DataError
from engine.data.download import Download, fetch

CONTENT = bytes(range(256)) * 400
HALF = len(CONTENT) // 2


class Server:
    """Serves CONTENT; each request takes the next word of `script`, and whole answers when that is used up."""

    def __init__(self) -> None:
        self.script: list[str] = []
        self.ranges: list[str | None] = []
        """The Range header of each request so far."""
        self.released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *args: object) -> None:
                """Say nothing on the test's output."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/file.gz"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.ranges.append(wanted)
        act = self.script.pop(0) if self.script else "whole"
        if act.isdigit():
            request.send_error(int(act))
            return
        if act == "hang":
            self.released.wait(20)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and act != "ignore range" else 0
        if start >= len(CONTENT):
            request.send_error(416)
            return
        body = b"?" * len(CONTENT) if act == "other" else CONTENT[start:]
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[:HALF] if act == "drop" else body)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.released.set()
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def download(server: Server, tmp_path: Path) -> Download:
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    return Download([server.url], tmp_path / "raw" / "file.gz", md5, timeout_s=5, rounds=3, backoff_s=0)


def left_in(download: Download) -> list[str]:
    return sorted(path.name for path in download.target.parent.iterdir())


def test_a_file_arrives_whole_and_alone(download: Download) -> None:
    fetch(download)
    assert download.target.read_bytes() == CONTENT
    assert left_in(download) == ["file.gz"]


def test_a_break_is_mended_from_where_it_happened(download: Download, server: Server) -> None:
    server.script = ["drop"]
    fetch(download)
    assert download.target.read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={HALF}-"]


def test_the_next_run_goes_on_where_this_one_gave_up(download: Download, server: Server) -> None:
    server.script = ["drop"]
    with pytest.raises(DataError, match=f"broke off after {HALF:,} of {len(CONTENT):,} bytes"):
        fetch(replace(download, rounds=1))
    assert left_in(download) == ["file.gz.part"]
    fetch(download)
    assert server.ranges[-1] == f"bytes={HALF}-"
    assert download.target.read_bytes() == CONTENT
    assert left_in(download) == ["file.gz"]


def test_a_server_that_knows_no_ranges_begins_anew(download: Download, server: Server) -> None:
    server.script = ["drop", "ignore range"]
    fetch(download)
    assert download.target.read_bytes() == CONTENT
    assert len(server.ranges) == 2


def test_a_part_that_is_whole_already_is_only_checked(download: Download, server: Server) -> None:
    download.target.parent.mkdir()
    download.target.with_name("file.gz.part").write_bytes(CONTENT)
    fetch(download)
    assert download.target.read_bytes() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT)}-"]


def test_a_wrong_checksum_starts_over(download: Download, server: Server) -> None:
    server.script = ["other"]
    fetch(download)
    assert download.target.read_bytes() == CONTENT
    assert server.ranges == [None, None]


def test_what_never_has_the_right_checksum_is_not_kept(download: Download, server: Server) -> None:
    server.script = ["other"] * 3
    with pytest.raises(DataError, match="another checksum"):
        fetch(download)
    assert left_in(download) == []


def test_a_missing_file_is_not_asked_for_twice_and_the_folder_is_named(download: Download, server: Server) -> None:
    server.script = ["404"] * 9
    with pytest.raises(DataError) as caught:
        fetch(download)
    assert len(server.ranges) == 1
    assert "404" in str(caught.value)
    assert f"put it by hand into {download.target.parent}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert left_in(download) == []


def test_another_address_is_tried_where_one_has_nothing(download: Download, server: Server) -> None:
    server.script = ["404"]
    fetch(replace(download, urls=[server.url, server.url]))
    assert download.target.read_bytes() == CONTENT


def test_a_server_in_trouble_is_tried_again(download: Download, server: Server) -> None:
    server.script = ["500", "503"]
    fetch(download)
    assert len(server.ranges) == 3


def test_a_server_that_says_nothing_is_given_up(download: Download, server: Server) -> None:
    server.script = ["hang", "hang"]
    with pytest.raises(DataError, match="timed out"):
        fetch(replace(download, timeout_s=0.1, rounds=2))
    assert left_in(download) == []


def test_without_a_network_one_line_says_so(download: Download) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/file.gz"
        with pytest.raises(DataError, match=r"could not be downloaded \(.*can't be reached.*; put it by hand into"):
            fetch(replace(download, urls=[url]))
    assert left_in(download) == []


def test_a_folder_that_cannot_be_made_is_named(download: Download, tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("a file stands in the way")
    with pytest.raises(DataError, match="the folder can't be written"):
        fetch(download)


def test_two_that_want_the_same_file_load_it_once(download: Download, server: Server) -> None:
    threads = [threading.Thread(target=fetch, args=(download,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.ranges) == 1
    assert download.target.read_bytes() == CONTENT
    assert left_in(download) == ["file.gz"]
