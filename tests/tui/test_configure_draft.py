"""The form's model: text in, configuration or problems out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.schema.fields import SECTIONS, fields_of, known_kinds
from presets import Preset, load_preset
from tui.draft import Draft, parse, run_size, text_of


@pytest.fixture
def preset(few_presets: object) -> Preset:
    """Digits with an MLP and Adam."""
    return load_preset("digits-mlp")


@pytest.fixture
def draft(preset: Preset) -> Draft:
    """A draft without changes."""
    return Draft(preset)


def all_fields() -> list[object]:
    """Every field of every kind there is."""
    return [spec for section in SECTIONS for kind in known_kinds(section) or [""] for spec in fields_of(section, kind)]


@pytest.mark.parametrize("spec", all_fields(), ids=lambda spec: spec.path)
def test_every_default_survives_being_shown_and_typed(spec: object) -> None:
    """What the form shows for a value is read back as that value."""
    assert parse(spec, text_of(spec.default)) == spec.default


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-5, "1e-5"),
        (0.001, "0.001"),
        (3.0, "3"),
        (1e16, "1e16"),
        (True, "on"),
        ([256, 128], "256, 128"),
        ("full", "full"),
    ],
)
def test_values_are_written_as_people_type_them(value: object, text: str) -> None:
    assert text_of(value) == text


def test_a_fresh_draft_is_the_preset(draft: Draft, preset: Preset) -> None:
    assert draft.check().config == preset.config
    assert not draft.changed


def test_a_change_is_validated_and_marked(draft: Draft) -> None:
    draft.set_text("optimizer.lr", "0.05")
    check = draft.check()
    assert check.config is not None
    assert check.config.optimizer.lr == 0.05
    assert draft.differs("optimizer.lr")
    assert not draft.differs("optimizer.beta1")


def test_typing_the_presets_value_is_no_change(draft: Draft) -> None:
    draft.set_text("optimizer.lr", "0.05")
    draft.set_text("optimizer.lr", "1e-3")
    assert not draft.changed


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("optimizer.lr", "-1", "must be above 0 (got -1)"),
        ("optimizer.lr", "fast", "must be a number (got 'fast')"),
        ("optimizer.lr", "", "is empty: give a number"),
        ("optimizer.lr", "nan", "must be a finite number"),
        ("trainer.epochs", "2.5", "must be a whole number"),
        ("trainer.batch_size", "", "is empty: give a whole number or full"),
        ("model.hidden", "", "is empty: give whole numbers"),
        ("model.hidden", "256, 0", "number 2: must be at least 1"),
        ("model.hidden", "256,, 64", "number 2: is empty: give a whole number there, or leave out a comma"),
        ("model.hidden", "256,", "number 2: is empty"),
        ("trainer.device", "gpu", "must be"),
        ("data.kind", "cubic", ""),
    ],
)
def test_a_wrong_value_is_refused_where_it_stands(draft: Draft, path: str, text: str, message: str) -> None:
    draft.set_text(path, text)
    check = draft.check()
    assert check.config is None
    if message:
        assert message in check.problems[path]


def test_a_misfit_is_blamed_on_the_field_that_mends_it(draft: Draft) -> None:
    draft.set_text("data.kind", "cubic")
    assert list(draft.check().problems) == ["task.kind"]
    assert "choose task 'regression'" in draft.check().problems["task.kind"]


def test_another_kind_drops_the_fields_of_the_old_one(draft: Draft) -> None:
    draft.set_text("optimizer.beta1", "0.5")
    draft.set_text("optimizer.kind", "sgd")
    assert draft.tree["optimizer"] == {"kind": "sgd"}
    names = [spec.name for spec in draft.fields("optimizer")]
    assert names[0] == "kind"
    assert "momentum" in names
    assert "beta1" not in names


def test_the_presets_kind_brings_back_the_presets_values(draft: Draft) -> None:
    draft.set_text("model.hidden", "7")
    draft.set_text("model.kind", "linear")
    draft.set_text("model.kind", "mlp")
    assert draft.text("model.hidden") == "128"
    assert not draft.changed


@pytest.mark.parametrize(("section", "kind"), [(s, kind) for s in SECTIONS for kind in known_kinds(s)])
def test_every_kind_can_be_chosen(draft: Draft, section: str, kind: str) -> None:
    """It brings its own fields, and whatever does not fit it any more is blamed on a field that is there."""
    draft.set_text(f"{section}.kind", kind)
    names = [spec.name for spec in draft.fields(section)]
    assert names == ["kind", *(spec.name for spec in fields_of(section, kind))]
    known = {spec.path for name in SECTIONS for spec in draft.fields(name)}
    assert set(draft.check().problems) <= known


def test_reset_takes_back_one_field(draft: Draft) -> None:
    draft.set_text("optimizer.lr", "fast")
    draft.set_text("trainer.epochs", "3")
    draft.reset("optimizer.lr")
    assert draft.text("optimizer.lr") == "0.001"
    assert draft.text("trainer.epochs") == "3"


def test_reset_in_another_kind_gives_its_default(draft: Draft) -> None:
    draft.set_text("optimizer.kind", "sgd")
    draft.set_text("optimizer.momentum", "0.9")
    assert not draft.follows_preset("optimizer.momentum")
    draft.reset("optimizer.momentum")
    assert draft.text("optimizer.momentum") == "0"
    assert draft.differs("optimizer.kind")


def test_a_field_that_its_kind_lacks_is_an_error(draft: Draft) -> None:
    with pytest.raises(KeyError):
        draft.set_text("optimizer.momentum", "0.9")


def test_changes_are_told_in_words(draft: Draft) -> None:
    draft.set_text("optimizer.kind", "sgd")
    draft.set_text("optimizer.nesterov", "on")
    draft.set_text("model.hidden", "[64 32]")
    assert draft.changes_in_words() == "model.hidden = 64, 32, optimizer.kind = sgd, optimizer.nesterov = on"


def test_the_size_of_a_run(draft: Draft) -> None:
    config = draft.check().config
    assert config is not None
    assert run_size(config) == (9610, 23, 690)


def test_the_size_is_unknown_before_the_data_is(draft: Draft) -> None:
    draft.set_text("data.kind", "csv")
    draft.set_text("task.kind", "binary-classification")
    config = draft.check().config
    assert config is not None
    assert run_size(config) == (None, None, None)


PATHS = (
    "optimizer.lr",
    "model.hidden",
    "trainer.batch_size",
    "trainer.device",
    "trainer.shuffle",
    "data.kind",
    "display.overlay",
)


@given(st.lists(st.tuples(st.sampled_from(PATHS), st.text(max_size=12)), max_size=5))
def test_nothing_that_is_typed_breaks_the_draft(typed: list[tuple[str, str]]) -> None:
    """Whatever is typed, there is a configuration or at least one problem; resetting all gives the preset."""
    draft = Draft(load_preset("digits-mlp"))
    for path, text in typed:
        if path != "data.kind" or text in known_kinds("data"):  # a choice offers nothing else
            draft.set_text(path, text)
    config, problems = draft.check()
    assert (config is None) == bool(problems)
    draft.reset_all()
    assert draft.check().config == draft.preset.config


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("{}", {}),
        ("width = 32, depth = 2", {"width": 32, "depth": 2}),
        (
            '{ name = "x, y", sizes = [1, 2.5], deep = { on = true } }',
            {"name": "x, y", "sizes": [1, 2.5], "deep": {"on": True}},
        ),
        ("width 32", "width 32"),
        ("a = 1}\nb = {c = 2", "a = 1}\nb = {c = 2"),
    ],
)
def test_a_table_is_typed_with_or_without_braces(text: str, value: object) -> None:
    spec = next(spec for spec in fields_of("model", "custom") if spec.name == "args")
    assert parse(spec, text) == value
    assert parse(spec, text_of(value)) == value


def custom(draft: Draft, target: str = "my_net.py:Net") -> Draft:
    draft.set_text("model.kind", "custom")
    draft.set_text("model.target", target)
    return draft


def test_a_target_that_is_empty_says_what_is_wanted(draft: Draft) -> None:
    draft.set_text("model.kind", "custom")
    wanted = "is empty: give a Python file or module and a name in it, as in my_net.py:Net"
    assert draft.text("model.target") == ""
    assert draft.check().problems == {"model.target": wanted}
    draft.set_text("model.target", "")
    assert draft.check().problems == {"model.target": wanted}


def test_a_target_is_looked_for_where_dltui_runs(draft: Draft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = custom(draft).check().config
    assert config is not None and config.model.model_dump()["target"] == f"{tmp_path}/my_net.py:Net"
    assert draft.text("model.target") == "my_net.py:Net"


def test_args_are_what_was_typed_and_nothing_of_the_presets(draft: Draft, tmp_path: Path) -> None:
    custom(draft).set_text("model.args", "width = 32, depth = 2")
    config = draft.check().config
    assert config is not None
    again = Draft(Preset("mine", tmp_path / "mine.toml", config, {}))
    assert again.text("model.args") == "width = 32, depth = 2"
    again.set_text("model.args", "depth = 3")
    again.set_text("model.target", "other.py:Net")
    changed = again.check().config
    assert changed is not None and changed.model.model_dump()["args"] == {"depth": 3}
    again.set_text("model.args", "depth")
    assert "must be a table, such as" in again.check().problems["model.args"]
    again.set_text("model.args", "width = 32, depth = 2")
    assert not again.differs("model.args")
