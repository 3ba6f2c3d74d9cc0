"""A CUDA device that is none: numbers on the CPU, manners of a GPU.

Tensors that are moved there say that they are on `cuda:0`, meet no tensor of the CPU without an error, wait where
those of a device would have the host wait, and can be captured into graphs that replay what they did and nothing of the
Python around it. What it can't show is what needs CUDA itself: speed, memory, streams, kernels, and autocast.
"""

from tests.pretended.cuda import pretend
from tests.pretended.device import SYNC_ERROR, OnDevice, waits

__all__ = ["SYNC_ERROR", "OnDevice", "pretend", "waits"]
