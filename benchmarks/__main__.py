"""`python -m benchmarks`: all that can be measured without a GPU, one after the other."""

from __future__ import annotations

from importlib import import_module

NAMES = ("throughput", "threads", "start", "growth", "screen")


def main() -> None:
    """Each writes its own part of docs/benchmarks.md."""
    for name in NAMES:
        import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
