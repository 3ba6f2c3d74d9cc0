"""A kind that nothing builds is found at import."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.complete import check_complete
from engine.layer_probe import layers_of
from engine.schema.fields import known_kinds
from engine.schema.model import Mlp
from tests.engine.helpers import config

KINDS = known_kinds("model")


@pytest.mark.parametrize(
    ("built", "message"),
    [
        (KINDS[1:], "nothing builds model 'linear': add what does to _TABLE in a.py"),
        (
            [*KINDS, "wave"],
            "_TABLE in a.py builds model 'wave', which the schema does not know: add its class to Model in "
            "engine/schema/model.py",
        ),
    ],
)
def test_what_is_missing_and_where_it_goes(built: list[str], message: str) -> None:
    with pytest.raises(NotImplementedError, match=re.escape(message)):
        check_complete("model", built, "_TABLE in a.py")


def test_what_is_built_elsewhere_is_not_missing() -> None:
    check_complete("model", KINDS[1:], "_TABLE in a.py", elsewhere={"linear"})


def test_a_model_that_does_not_tell_its_layers_is_built_to_see_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = layers_of(config(), tmp_path)
    monkeypatch.delattr(Mlp, "layers")
    assert config().parameter_count() is None
    assert layers_of(config(), tmp_path) == told
