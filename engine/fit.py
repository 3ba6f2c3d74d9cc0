"""What is known of data once it is loaded, and whether a configuration fits it."""

from __future__ import annotations

from pydantic_core import PydanticCustomError

from engine.data.bundle import DataBundle, DataError
from engine.schema import DataFacts, RunConfig
from engine.schema.base import Inputs
from engine.schema.run import check_facts
from engine.text import plain


def loaded_facts(config: RunConfig, data: DataBundle) -> DataFacts:
    """All facts of `data`, which is what `config` asks for."""
    facts = config.facts()
    return DataFacts(
        inputs=facts.inputs or _inputs(data),
        input_shape=data.input_shape,
        targets=facts.targets,
        outputs=data.outputs,
        train_rows=len(data.train),
        val_rows=len(data.val) if data.val else None,
        vocabulary=len(data.vocabulary) or None,
    )


def _inputs(data: DataBundle) -> Inputs:
    if data.vocabulary:
        return "tokens"
    return "image" if len(data.input_shape) == 3 else "features"


def check_fit(config: RunConfig, data: DataBundle) -> None:
    """Check what could not be checked before `data` was loaded.

    Raises:
        DataError: model and task do not fit it; in the words that the form has for that.
    """
    try:
        check_facts(config, loaded_facts(config, data))
    except PydanticCustomError as misfit:
        raise DataError(f"{misfit.context['field'] if misfit.context else ''}: {plain(misfit.message())}") from None
