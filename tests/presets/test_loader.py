"""Preset files: read, extended, saved; and what is said of a broken one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from engine.places import user_presets_dir
from engine.schema.text_model import Lstm
from engine.toml_text import LIMIT_BYTES
from presets import PresetError, load_preset, load_presets, preset_titles, save_preset
from presets.loader import EXTENDS_LIMIT, SHIPPED

WHOLE = """
title = "Mine"
[data]
kind = "spiral"
[model]
kind = "mlp"
hidden = [8]
"""


@pytest.fixture
def mine() -> Path:
    """The user's preset folder."""
    folder = user_presets_dir()
    folder.mkdir(parents=True)
    return folder


def refused(name: str) -> str:
    with pytest.raises(PresetError) as caught:
        load_preset(name)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_every_shipped_preset_loads_in_the_order_of_the_course() -> None:
    presets, errors = load_presets()
    names = [preset.name for preset in presets]
    assert errors == []
    assert names.index("spiral-relu") < names.index("digits-mlp")
    assert all(preset.config.preset == preset.name for preset in presets)
    assert all(preset.config.title and preset.config.teaches and preset.config.group for preset in presets)


def test_a_preset_of_the_users_own_comes_last_and_goes_before_a_shipped_one_of_its_name(mine: Path) -> None:
    (mine / "zebra.toml").write_text(WHOLE)
    (mine / "spiral-relu.toml").write_text(WHOLE)
    (mine / ".hidden.toml").write_text("nonsense")
    presets, errors = load_presets()
    assert errors == []
    assert {preset.name for preset in presets if preset.is_users} == {"zebra", "spiral-relu"}
    assert presets[-1].is_users
    assert load_preset("spiral-relu").config.title == "Mine"


def test_a_broken_preset_is_told_of_and_hides_no_other(mine: Path) -> None:
    (mine / "broken.toml").write_text("[model\n")
    presets, errors = load_presets()
    assert "spiral-relu" in [preset.name for preset in presets]
    assert [str(error) for error in errors] == [str(errors[0])]
    assert "broken.toml: " in str(errors[0])
    assert "line 1" in str(errors[0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"title = ", "(at end of document)"),
        (b'title = "a"\ntitle = "b"\n', "line 2"),
        (b"\xff\xfe", "not UTF-8 text"),
        (b"x = " + b"[" * 50_000, "x.toml: "),
        (b"#" * (LIMIT_BYTES + 1), "larger than 64 KiB"),
        (b"extends = 5", "extends wants the name or path of a preset"),
        (b"extends = 'nonsense-preset'", "extends: no preset 'nonsense-preset'"),
        (b"extends = 'spiral-relu'\n[optimizer]\nlr = 0", "optimizer.lr: must be above 0 (got 0)"),
        (b"[data]\nkind = 'spiral'", "model: is missing"),
        (b"big = 1" + b"0" * 5000, "x.toml: "),
    ],
    ids=range(10),
)
def test_a_file_that_will_not_do_is_told_why(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    told = refused(str(path))
    assert told.startswith(str(path))
    assert message in told


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    assert refused(str(tmp_path / "none.toml")).endswith("none.toml: no such file or directory")
    (tmp_path / "folder.toml").mkdir()
    assert refused(str(tmp_path / "folder.toml")).endswith("folder.toml: is a directory")


def test_an_unknown_name_gets_the_nearest() -> None:
    assert refused("spiral-rleu") == "no preset 'spiral-rleu'; did you mean 'spiral-relu'?"
    assert refused("\x1b[31mzzz") == "no preset '\N{REPLACEMENT CHARACTER}[31mzzz'; dltui presets lists them"


def test_a_preset_extends_a_shipped_one_and_one_beside_it(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text("extends = 'spiral-relu'\n[optimizer]\nlr = 0.5\n")
    (tmp_path / "mine.toml").write_text("extends = './base.toml'\n[model]\nkind = 'linear'\n")
    preset = load_preset(str(tmp_path / "mine.toml"))
    assert preset.name == "mine"
    assert (preset.config.optimizer.kind, preset.config.optimizer.lr) == ("adam", 0.5)
    assert preset.tree["model"] == {"kind": "linear"}


def test_a_mark_that_an_editor_puts_first_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xef\xbb\xbf" + WHOLE.encode())
    assert load_preset(str(tmp_path / "mine.toml")).config.title == "Mine"


def test_presets_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("extends = './b.toml'")
    (tmp_path / "b.toml").write_text("extends = './a.toml'")
    assert f"more than {EXTENDS_LIMIT} files deep" in refused(str(tmp_path / "a.toml"))


def test_a_shipped_preset_extends_a_shipped_one_whatever_the_user_calls_theirs(mine: Path) -> None:
    before, listed = load_preset("spiral-relu").tree, preset_titles()
    (mine / "spiral-linear.toml").write_text("extends = 'xor'\ntitle = 'Mine'\ngroup = 'My own'\n")
    assert load_preset("spiral-linear").config.data.kind == "xor"
    assert load_preset("spiral-relu").tree == before
    assert load_preset(str(SHIPPED / "spiral-relu.toml")).tree == before
    named = {title.name: title for title in preset_titles()}
    assert all(named[title.name] == title for title in listed if title.name != "spiral-linear")
    assert named["spiral-linear"].group == "My own"


def test_a_users_preset_may_extend_the_shipped_one_of_its_name(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = load_preset("spiral-linear").config
    (mine / "spiral-linear.toml").write_text("extends = 'spiral-linear'\n[optimizer]\nlr = 0.5\n")
    (mine / "heir.toml").write_text("extends = 'spiral-linear'\ntitle = 'Heir'\n")
    monkeypatch.chdir(mine)
    for name in ("spiral-linear", "./spiral-linear.toml", "heir"):
        config = load_preset(name).config
        assert (config.data, config.optimizer.lr) == (shipped.data, 0.5)
    assert {title.group for title in preset_titles() if title.is_users} == {shipped.group}


def test_a_preset_that_can_only_mean_itself_is_refused(mine: Path) -> None:
    (mine / "mine.toml").write_text("extends = 'mine'")
    assert "extends: no other preset 'mine'; " in refused("mine")
    assert "did you mean 'mine'" not in refused("mine")
    assert "did you mean 'mine'" in refused("mime")


def test_a_runs_configuration_is_a_preset_that_keeps_its_name_and_its_data(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'data_dir = "/some/data"\npreset = "spiral-relu"\n{WHOLE}')
    preset = load_preset(str(path))
    assert (preset.name, preset.data_dir) == ("spiral-relu", Path("/some/data"))
    path.write_text(f"data_dir = 5\n{WHOLE}")
    assert "data_dir: unknown key" in refused(str(path))


def test_saving_and_loading_gives_the_same(mine: Path) -> None:
    config = load_preset("spiral-relu").config
    tree: dict[str, Any] = config.model_dump(mode="json")
    path = save_preset("my-spiral", tree | {"title": "Día ✓"})
    assert path == mine / "my-spiral.toml"
    assert load_preset("my-spiral").config == config.model_copy(update={"preset": "my-spiral", "title": "Día ✓"})
    assert [file.name for file in mine.iterdir()] == ["my-spiral.toml"]


@pytest.mark.parametrize("name", ["", "Mine", "../up", "a b", "-x", "é", "x" * 81])
def test_a_name_that_will_not_do_is_refused(name: str) -> None:
    with pytest.raises(PresetError, match="is no name for a preset"):
        save_preset(name, load_preset("spiral-relu").tree)
    assert not user_presets_dir().exists()


def test_what_is_not_valid_is_not_saved(mine: Path) -> None:
    with pytest.raises(PresetError, match="epochs: must be at least 1"):
        save_preset("mine", load_preset("spiral-relu").tree | {"trainer": {"epochs": 0}})
    assert list(mine.iterdir()) == []


def test_what_could_not_be_read_again_is_not_saved(mine: Path) -> None:
    data = {"kind": "custom", "target": "/a.py:f", "args": {"words": "\x01" * 20_000}}
    with pytest.raises(PresetError, match="it would be larger than 64 KiB"):
        save_preset("mine", {"data": data, "model": {"kind": "linear"}})
    assert list(mine.iterdir()) == []


def test_a_folder_that_can_not_be_written_is_told_of() -> None:
    user_presets_dir().parent.mkdir(parents=True, exist_ok=True)
    user_presets_dir().write_text("a file where the folder should be")
    with pytest.raises(PresetError, match="can't write to"):
        save_preset("mine", load_preset("spiral-relu").tree)
    assert load_presets()[1] == []


def test_saving_over_a_preset_replaces_it_whole_or_not_at_all(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_preset("mine", load_preset("spiral-relu").tree)
    before = (mine / "mine.toml").read_bytes()

    def refuse(source: str, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PresetError, match="No space left"):
        save_preset("mine", load_preset("digits-mlp").tree)
    assert (mine / "mine.toml").read_bytes() == before
    assert [file.name for file in mine.iterdir()] == ["mine.toml"]


CUSTOM = """
[data]
kind = "custom"
target = "code/my_net.py:load"
[model]
kind = "custom"
target = "~/my_net.py:Net"
"""


def test_a_users_code_is_found_from_where_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mine: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "whole.toml").write_text(CUSTOM)
    (tmp_path / "near.toml").write_text('extends = "far/whole.toml"\n[model]\ntarget = "../my_net.py:Net"\n')
    monkeypatch.chdir(tmp_path / "far")
    whole, near = load_preset("./whole.toml").config, load_preset("../near.toml").config
    assert whole.data.model_dump()["target"] == f"{tmp_path}/far/code/my_net.py:load"
    assert whole.model.model_dump()["target"] == f"{tmp_path}/home/my_net.py:Net"
    assert near.data == whole.data
    assert near.model.model_dump()["target"] == f"{tmp_path.parent}/my_net.py:Net"
    saved = load_preset(save_preset("saved", near.model_dump()).stem).config
    assert (saved.data, saved.model) == (near.data, near.model)


def test_a_module_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(CUSTOM.replace("code/my_net.py", "package.my_net"))
    assert load_preset(str(tmp_path / "a.toml")).config.data.model_dump()["target"] == "package.my_net:load"


def test_args_survive_being_saved(mine: Path) -> None:
    args = {"a b": [1, 2.5, "x\n\"'", True, {"deep": []}], "table": {"inner": {"n": 1e-5}}, "empty": {}}
    tree = {"data": {"kind": "custom", "target": "/a.py:f", "args": args}, "model": {"kind": "linear"}}
    save_preset("mine", tree)
    assert load_preset("mine").config.data.model_dump()["args"] == args


def test_titles_are_those_of_the_presets() -> None:
    """Read without validating, they stand in the same order, under the same names and headings."""
    presets, _ = load_presets()
    assert [(title.name, title.title, title.group) for title in preset_titles()] == [
        (preset.name, preset.config.title, preset.config.group) for preset in presets
    ]


def test_titles_of_files_that_are_none_are_left_out() -> None:
    folder = user_presets_dir()
    folder.mkdir(parents=True)
    for name, text in {
        "a": 'title = "A"\nextends = "b"',
        "b": 'title = "B"\nextends = "a"',
        "list": "title = [1]",
        "cut": 'title = "',
        "kind": 'title = "K"\ngroup = 7\nextends = 3',
    }.items():
        (folder / f"{name}.toml").write_text(text)
    own = [(title.name, title.title, title.group) for title in preset_titles() if title.is_users]
    assert own == [("a", "A", ""), ("b", "B", ""), ("kind", "K", "")]


def test_a_fault_in_one_kind_of_model_takes_no_other_preset_along(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise ZeroDivisionError("no layers\n\x1b[31m")

    before, _ = load_presets()
    monkeypatch.setattr(Lstm, "layers", fail)
    presets, errors = load_presets()
    assert [preset.name for preset in before if preset.config.model.kind != "lstm"] == [one.name for one in presets]
    (message,) = map(str, errors)
    assert message.endswith("imdb-lstm.toml: ZeroDivisionError: no layers \N{REPLACEMENT CHARACTER}[31m")
