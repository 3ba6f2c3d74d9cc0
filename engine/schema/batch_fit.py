"""Whether batches are large enough for a model."""

from __future__ import annotations

from engine.schema.base import DataFacts, reject
from engine.schema.model import Model
from engine.schema.trainer import BatchSize


def check_last_batch(model: Model, batch_size: BatchSize, facts: DataFacts) -> None:
    """No batch is one sample where batch norm needs two: torch would stop in the middle of the first epoch.

    Raises:
        PydanticCustomError: as `reject`, for a whole configuration.
    """
    rows = facts.train_rows
    if not rows or not model.needs_two_samples(facts) or _last_batch(rows, batch_size) > 1:
        return
    if rows == 1:
        reject("model.norm", "batch norm needs 2 samples at a time, and there is 1 to train on: set norm to none")
    what = f"the last batch of {rows:,} rows in batches of {batch_size}" if batch_size != 1 else "each batch"
    mend = _nearest(rows, int(batch_size))
    reject("trainer.batch_size", f"{what} is 1 sample, and batch norm needs 2: set batch_size to {mend}")


def _last_batch(rows: int, batch_size: BatchSize) -> int:
    """Samples in the smallest batch of an epoch."""
    if batch_size == "full" or batch_size >= rows:
        return rows
    return rows % batch_size or batch_size


def _nearest(rows: int, batch_size: int) -> int:
    """The batch size next to one that leaves a single sample."""
    sizes = (batch_size + away for distance in range(1, rows) for away in (distance, -distance))
    return next(size for size in sizes if size > 1 and _last_batch(rows, size) > 1)
