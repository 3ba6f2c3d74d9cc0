"""Loads damaged checkpoints in a process of its own: `python -m tests.faults.checkpoint_fuzzer FOLDER SEED COUNT`.

A crash in native code is then the end of this process, and `FOLDER/at` says at which input.
"""

from __future__ import annotations

import json
import random
import struct
import sys
from pathlib import Path

from engine.checkpoint import STATE, WEIGHTS, CheckpointError, load_checkpoint
from tests.faults.mutations import Watch, damaged


def main(folder: Path, seed: int, count: int) -> None:
    """Damage the checkpoint in `FOLDER/real` in `count` ways; print what came of them as JSON."""
    real = {name: (folder / "real" / name).read_bytes() for name in (WEIGHTS, STATE)}
    tried, came_to, watch = folder / "tried", {"loaded": 0, "refused": 0}, Watch()
    tried.mkdir()
    for number in range(count):
        draw = random.Random(f"{seed}-{number}")
        (folder / "at").write_text(f"seed {seed}, input {number}")
        broken = draw.choice((WEIGHTS, STATE, STATE))
        for name, whole in real.items():
            (tried / name).write_bytes(_broken(name, whole, draw, tuple(real.values())) if name == broken else whole)
        with watch.on(f"seed {seed}, input {number}"):
            try:
                load_checkpoint(tried)
                came_to["loaded"] += 1
            except CheckpointError as error:
                assert "\n" not in str(error)
                came_to["refused"] += 1
    print(json.dumps({**came_to, "slowest_s": watch.slowest_s}))


def _broken(name: str, whole: bytes, draw: random.Random, others: tuple[bytes, ...]) -> bytes:
    if name == WEIGHTS and draw.random() < 0.5:
        return _header_replaced(whole, draw)
    return damaged(whole, draw, others)


def _header_replaced(whole: bytes, draw: random.Random) -> bytes:
    """The weights with a header that lies: about its own length, shapes, types, or where tensors lie."""
    (length,) = struct.unpack("<Q", whole[:8])
    header, body = whole[8 : 8 + length], whole[8 + length :]
    tensors = json.loads(header)
    key = draw.choice(list(tensors))
    lies = {
        "dtype": ("F64", "BOOL", "F8_E5M2", "", "X" * 1000, None, 7),
        "shape": ([], [0], [2**62, 4], [-1], [2**64], [1] * 5000, "x", None, [1.5]),
        "data_offsets": ([0, 0], [0, 2**63], [-1, 4], [4, 0], [0], [], None, [0, len(body)]),
        "more": ({"a": [[]]}, "x", 1),
    }
    field = draw.choice(list(lies))
    tensors[key] = {**tensors[key], field: draw.choice(lies[field])}
    text = json.dumps(tensors).encode() if draw.random() < 0.7 else damaged(header, draw)
    said = len(text) if draw.random() < 0.8 else draw.choice((0, 7, 2**31, 2**63, 2**64 - 1, len(whole)))
    return struct.pack("<Q", said) + text + body


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
