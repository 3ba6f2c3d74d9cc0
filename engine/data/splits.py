"""Which rows are held out, and how columns are scaled."""

from __future__ import annotations

import numpy as np

from engine.csv_shape import held_out_rows
from engine.data.draws import generator


def hold_out(rows: int, share: float, classes: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the rows to train on and of those held out, each ascending.

    The choice depends on nothing but the table, so that runs with different seeds are measured on the same rows.

    Args:
        rows: How many rows there are, at least 2.
        share: Share of them to hold out.
        classes: (rows,) class of each row; each class is then held out in the same share.
    """
    order = generator(0, "hold-out").permutation(rows)
    if classes is not None:
        order = order[np.argsort(_place_in_class(classes[order]), kind="stable")]
    held_out = order[: held_out_rows(rows, share)]
    chosen = np.zeros(rows, bool)
    chosen[held_out] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _place_in_class(classes: np.ndarray) -> np.ndarray:
    """(N,) for each row, the share of its class that comes before it: any start of this order is stratified."""
    places = np.empty(len(classes))
    for value in np.unique(classes):
        members = np.flatnonzero(classes == value)
        places[members] = (np.arange(len(members)) + 0.5) / len(members)
    return places


def standardised(columns: np.ndarray, train: np.ndarray) -> np.ndarray:
    """(N, D) `columns` with mean 0 and deviation 1 over the rows `train`; a constant column becomes 0."""
    mean, deviation = columns[train].mean(0), columns[train].std(0)
    scaled: np.ndarray = (columns - mean) / np.where(deviation > 0, deviation, 1.0)
    return scaled
