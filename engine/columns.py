"""Rows of a log in columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Columns(NamedTuple):
    """What one row of metrics after another says: (rows,) each."""

    steps: Ints
    at: Floats
    elapsed_s: Floats
    values: dict[str, Floats]
    """NaN where a value was not finite."""
    lr: Floats
