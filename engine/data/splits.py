"""Which rows are held out, and how columns are scaled."""

from __future__ import annotations

import numpy as np

from engine.csv_shape import held_out_rows


def hold_out(rows: int, share: float, classes: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the rows to train on and of those held out, each ascending.

    The choice depends on nothing but the table, so that runs with other seeds are measured on the same rows. It is the
    choice of scikit-learn's `train_test_split(test_size=share, random_state=0, stratify=classes)`, so that results can
    be laid beside those of others.

    Args:
        rows: How many rows there are, at least 2.
        share: Share of them to hold out.
        classes: (rows,) class of each row; each class is then held out in the same share.
    """
    rng = np.random.RandomState(0)
    held_out = held_out_rows(rows, share)
    chosen = rng.permutation(rows)[:held_out] if classes is None else _stratified(classes, held_out, rng)
    is_held_out = np.zeros(rows, bool)
    is_held_out[chosen] = True
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)


def _stratified(classes: np.ndarray, held_out: int, rng: np.random.RandomState) -> np.ndarray:
    _, class_of, counts = np.unique(classes, return_inverse=True, return_counts=True)
    train_counts = _in_proportion(counts, len(classes) - held_out, rng)
    _in_proportion(counts - train_counts, held_out, rng)  # takes all that is left: only its draws matter
    chosen = []
    for place, count in enumerate(counts):
        members = np.flatnonzero(class_of == place)
        chosen.append(members[rng.permutation(count)[train_counts[place] :]])
    return np.concatenate(chosen)


def _in_proportion(counts: np.ndarray, total: int, rng: np.random.RandomState) -> np.ndarray:
    """Whole numbers that add up to `total`, in proportion to `counts`; equal remainders draw lots."""
    exact = counts / counts.sum() * total
    whole = np.floor(exact)
    remainder, missing = exact - whole, int(total - whole.sum())
    for value in np.unique(remainder)[::-1]:
        if missing == 0:
            break
        tied = np.flatnonzero(remainder == value)
        lots = rng.choice(tied, size=min(len(tied), missing), replace=False)
        whole[lots] += 1
        missing -= len(lots)
    numbers: np.ndarray = whole.astype(int)
    return numbers


def standardised(columns: np.ndarray, train: np.ndarray) -> np.ndarray:
    """(N, D) `columns` with mean 0 and deviation 1 over the rows `train`; a constant column becomes 0."""
    mean, deviation = columns[train].mean(0), columns[train].std(0)
    scaled: np.ndarray = (columns - mean) / np.where(deviation > 0, deviation, 1.0)
    return scaled
