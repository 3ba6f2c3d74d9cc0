"""A CUDA device for these tests; where there is none, a pretended one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from engine import stepping
from tests.pretended import pretend

CUDA = torch.cuda.is_available()
PRETENDED_EAGER_FIRST = 4
"""Steps before a capture on the pretended device, which takes a hundred times as long for each."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_cuda: shows something that a pretended device can't")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not CUDA:
        for item in items:
            if item.get_closest_marker("needs_cuda"):
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(autouse=True)
def _device(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if CUDA:
        yield
        return
    monkeypatch.setattr(stepping, "EAGER_FIRST", PRETENDED_EAGER_FIRST)
    with pretend(monkeypatch):
        yield
