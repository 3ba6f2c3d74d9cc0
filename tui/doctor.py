"""`dltui doctor`: what this box has, and what is wrong with it."""

from __future__ import annotations

import fcntl
import getpass
import json
import locale
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

from engine.cores import Cores
from engine.places import data_dir, user_presets_dir
from engine.text import plain
from presets import load_presets
from tui.output import can_show, print_json, styled

PROBE = (sys.executable, "-P", "-m", "engine.probe")
PROBE_LIMIT_S = 120.0
LOW_SPACE_BYTES = 1 << 30
LEAST_COLUMNS, LEAST_LINES = 80, 24
IDX_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

Level = Literal["ok", "note", "broken"]
MARKS: dict[Level, tuple[str, str, str]] = {
    "ok": ("✓", "+", "green"),
    "note": ("!", "!", "yellow"),
    "broken": ("✗", "x", "red"),
}


class Finding(NamedTuple):
    """One thing that was looked at."""

    level: Level
    name: str
    text: str


def doctor(args: Namespace) -> int:
    """`dltui doctor`: exit 1 if anything is broken."""
    findings: list[Finding] = []
    for finding in examine(args.runs, args.data or data_dir()):
        findings.append(finding)
        if not args.json:
            print(_line(finding), flush=True)
    if args.json:
        print_json([finding._asdict() for finding in findings])
    return 1 if any(finding.level == "broken" for finding in findings) else 0


def _line(finding: Finding) -> str:
    mark, ascii_mark, style = MARKS[finding.level]
    return f"{styled(mark if can_show(mark) else ascii_mark, style)} {finding.name:<11}  {finding.text}"


def examine(runs: Path, data: Path) -> Iterator[Finding]:
    """Look at everything, quick things first."""
    yield Finding("ok", "dltui", version("dltui"))
    yield Finding("ok", "Python", f"{platform.python_version()}, {plain(sys.executable)}")
    yield from _terminal()
    yield _folder("runs", runs, "--runs or DLTUI_RUNS")
    yield _folder("data", data, "--data or DLTUI_DATA")
    yield _folder("presets", user_presets_dir(), "DLTUI_PRESETS")
    with suppress(OSError, KeyError):  # an account without a name
        yield from _logout(getpass.getuser(), Path("/"))
    yield from _presets()
    yield from _data_sets(data)
    yield from _torch()


def _terminal() -> Iterator[Finding]:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield Finding("note", "terminal", "none here: dltui needs one on stdin and stdout, dltui train does not")
    else:
        yield _terminal_size()
    encoding = getattr(sys.stdout, "encoding", "") or locale.getpreferredencoding()
    if encoding.lower().replace("-", "") != "utf8":
        yield Finding("note", "encoding", f"{encoding}: charts want UTF-8, as in export LANG=C.UTF-8")


def _terminal_size() -> Finding:
    columns, lines = shutil.get_terminal_size()
    kind = os.environ.get("TERM", "")
    truecolor = os.environ.get("COLORTERM", "") in ("truecolor", "24bit")
    colours = "no colours (NO_COLOR)" if os.environ.get("NO_COLOR") else "16 million colours" if truecolor else ""
    colours = colours or ("256 colours" if "256" in kind else "8 to 256 colours")
    around = {"TMUX": "inside tmux", "STY": "inside screen", "SSH_CONNECTION": "over SSH"}
    places = [words for key, words in around.items() if key in os.environ]
    parts = [f"{columns}x{lines}", plain(kind) or "TERM not set", colours, *places]
    text = ", ".join(parts)
    if kind in ("", "dumb"):
        return Finding("note", "terminal", f"{text}: the screen needs a TERM such as xterm-256color")
    if columns < LEAST_COLUMNS or lines < LEAST_LINES:
        return Finding("note", "terminal", f"{text}: {LEAST_COLUMNS}x{LEAST_LINES} is the least that shows everything")
    return Finding("ok", "terminal", text)


def _folder(name: str, path: Path, moved_by: str) -> Finding:
    shown = plain(str(path))
    existing = path
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        return Finding(
            "broken", name, f"{shown}: {plain(str(existing))} is not a folder; choose another with {moved_by}"
        )
    try:
        free = shutil.disk_usage(existing).free
        if existing == path:
            _try_writing(path)
        elif not os.access(existing, os.W_OK | os.X_OK):
            raise PermissionError(0, "permission denied")
    except OSError as error:
        reason = (error.strerror or "unusable").lower()
        if name == "data" and existing == path:
            text = f"{shown} can't be written ({reason}): what is there can be used, what is not can't be downloaded"
            return Finding("note", name, text)
        return Finding("broken", name, f"{shown} can't be used ({reason}); choose another with {moved_by}")
    made = "" if existing == path else ", made when needed"
    space = f"{free / 1e9:,.1f} GB free" if free >= 1e9 else f"{free / 1e6:,.1f} MB free"
    if free < LOW_SPACE_BYTES:
        return Finding("note", name, f"{shown}{made}, only {space}: make room, or choose another with {moved_by}")
    return Finding("ok", name, f"{shown}{made}, {space}")


def _try_writing(folder: Path) -> None:
    """Make a file that goes away by itself, and lock it as engines lock their runs."""
    with tempfile.TemporaryFile(dir=folder) as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _logout(user: str, root: Path) -> Iterator[Finding]:
    """Where systemd kills what a person leaves behind at logout, a run is safe only if that person may linger."""
    kills = False
    folders = [root / place / "systemd" for place in ("etc", "run", "usr/local/lib", "usr/lib")]
    parts = {path.name: path for folder in reversed(folders) for path in sorted(folder.glob("logind.conf.d/*.conf"))}
    main = next((path for folder in folders if (path := folder / "logind.conf").exists()), None)
    for path in [*([main] if main else []), *(parts[name] for name in sorted(parts))]:
        with suppress(OSError):
            for value in re.findall(r"(?m)^\s*KillUserProcesses\s*=\s*(\w*)", path.read_text("utf-8", "replace")):
                kills = value.lower() in ("1", "yes", "y", "true", "t", "on")
    if kills and user != "root" and not (root / "var/lib/systemd/linger" / user).exists():
        text = f"this box ends everything of yours, runs too (KillUserProcesses): loginctl enable-linger {plain(user)}"
        yield Finding("note", "logout", text)


def _presets() -> Iterator[Finding]:
    for error in load_presets()[1]:
        yield Finding("note", "preset", str(error))


def _data_sets(data: Path) -> Iterator[Finding]:
    for name in ("MNIST", "FashionMNIST"):
        raw = data / name / "raw"
        here = sum((raw / file).exists() or (raw / f"{file}.gz").exists() for file in IDX_FILES)
        if here == len(IDX_FILES):
            yield Finding("ok", "data set", f"{name} is here")
        else:
            some = f"{here} of {len(IDX_FILES)} files" if here else "not"
            yield Finding("note", "data set", f"{name} is {some} here: downloaded when a run first needs it")


def _torch() -> Iterator[Finding]:
    try:
        found = _probe()
    except _ProbeError as error:
        yield Finding("broken", "PyTorch", f"{error}: reinstall torch and torchvision together")
        return
    yield Finding("ok", "PyTorch", found["torch"])
    if found["torchvision"]:
        yield Finding("ok", "torchvision", found["torchvision"])
    else:
        reason = plain(found["torchvision_error"])[:200]
        yield Finding("note", "torchvision", f"can't be imported ({reason}): reinstall it together with torch")
    yield from _devices(found)


def _devices(found: dict[str, Any]) -> Iterator[Finding]:
    for index, device in enumerate(found["cuda"]):
        memory = f"{device['memory_bytes'] / 2**30:,.0f} GiB"
        yield Finding("ok", f"cuda:{index}", f"{plain(device['name'])}, {memory}")
    if found["mps"]:
        yield Finding("ok", "mps", "Apple GPU")
    if not found["cuda"] and shutil.which("nvidia-smi"):
        why = (
            f"torch is built for CUDA {found['torch_cuda']}"
            if found["torch_cuda"]
            else "this torch is built without CUDA"
        )
        yield Finding("note", "cuda", f"there is an NVIDIA driver, but torch finds no device ({why}): see nvidia-smi")
    used = "auto takes the GPU" if found["cuda"] or found["mps"] else "auto takes it"
    yield Finding("ok", "cpu", f"{plain(found['cpu'])}; {used}")
    yield _threads(found["threads"], Cores(**found["cores"]), _load())


def _load() -> float | None:
    """How many threads of all processes want a core now; None where the system doesn't say."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _threads(threads: int, cores: Cores, load: float | None) -> Finding:
    """How many threads a run computes with, and why; `load` is how many threads of all processes want a core now."""
    one = cores.usable == 1
    of = "1 core" if one else f"{cores.usable} cores"
    if cores.quota is not None and cores.quota < cores.allowed:
        of += f" (this container may use {cores.quota:g} of {cores.allowed})"
    why = "" if one else "; one stays free, since a busy neighbour costs a full machine most of its speed"
    text = f"{threads} for training, of {of}{why}"
    if load is not None and load > max(1, cores.usable - threads) + 0.5:
        return Finding("note", "threads", f"{text}. It is busy now: load {load:.1f}")
    return Finding("ok", "threads", text)


class _ProbeError(Exception):
    """Torch could not say what is here; the message is one line."""


def _probe() -> dict[str, Any]:
    try:
        done = subprocess.run(PROBE, capture_output=True, timeout=PROBE_LIMIT_S, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise _ProbeError(f"importing torch takes more than {PROBE_LIMIT_S:g} s") from None
    except OSError as error:
        raise _ProbeError(f"no process can be started ({error.strerror})") from None
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    try:
        if done.returncode == 0 and lines:
            found = json.loads(lines[-1])
            if isinstance(found, dict):
                return found
    except ValueError:
        pass
    words = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    raise _ProbeError(plain(words[-1])[:200] if words else f"torch ended its process with status {done.returncode}")
