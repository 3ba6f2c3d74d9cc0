"""The form, as a person uses it."""

from __future__ import annotations

import errno
import threading
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

import tui.screens.configure as configure_place
from engine.places import user_presets_dir
from engine.run_folder import RunFolder
from engine.schema.optimizer import Muon
from presets import load_preset
from tests.tui.scripts import FakeLauncher, field_of, press, settled, until
from tui.app import DltuiApp
from tui.screens.configure import ConfigureScreen
from tui.screens.home import HomeScreen
from tui.screens.run import RunScreen
from tui.widgets.form_field import FormField
from tui.widgets.form_summary import FieldHelp, SizeSummary

DIGITS = ("end", "enter")
"""Open the form of the last preset, digits-mlp."""
TABLE = ("down", "down", "enter")
"""Open that of logistic-tabular, whose file is not there."""


def verdict(pilot: Pilot[Any]) -> str:
    """What the form says of itself."""
    return str(pilot.app.screen.query_one("#verdict", Static).visual)


def help_text(pilot: Pilot[Any]) -> str:
    """What is said of the focused field."""
    return pilot.app.screen.query_one(FieldHelp).render().plain


def line_of(field: FormField) -> str:
    """What one sees of a field's editor."""
    return field.editor.render_line(0).text.strip()


async def test_a_changed_value_is_what_is_trained(app: DltuiApp, launcher: FakeLauncher) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, *DIGITS, "@optimizer.lr", *"0.05", "f5")
        assert isinstance(app.screen, RunScreen)
        assert [path.name for path in launcher.spawned] == ["digits-mlp-1"]
        config = RunFolder(launcher.spawned[0]).config()
    assert config.optimizer.lr == 0.05
    assert config == load_preset("digits-mlp").config.model_copy(update={"optimizer": config.optimizer})


async def test_what_was_typed_last_counts_even_if_start_follows_at_once(app: DltuiApp, launcher: FakeLauncher) -> None:
    """A paste followed by F5 arrives faster than messages travel."""
    async with app.run_test() as pilot:
        await settled(pilot, *DIGITS)
        field_of(pilot, "optimizer.lr").editor.value = "0.25"
        assert isinstance(app.screen, ConfigureScreen)
        app.screen.action_start()
        app.screen.action_start()
        await press(pilot)
        assert len(launcher.spawned) == 1
        assert RunFolder(launcher.spawned[0]).config().optimizer.lr == 0.25


async def test_a_wrong_value_is_refused_and_pointed_at(app: DltuiApp, launcher: FakeLauncher, runs: Path) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, *DIGITS, "@optimizer.lr", *"-1", "@task.kind", "f5")
        field = field_of(pilot, "optimizer.lr")
        assert field.problem == "must be above 0 (got -1)"
        assert "must be above 0" in field.render().plain
        assert app.focused is field.editor
        assert verdict(pilot) == "✗ can't start: mend optimizer.lr"
        assert app.screen.query_one(SizeSummary).run_size == (None, None, None)
        await pilot.press("backspace", "backspace", "1")
        await pilot.pause()
        assert verdict(pilot) == "✓ ready to start"
    assert launcher.spawned == []
    assert not runs.exists()


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_no_row_moves_while_one_types(size: tuple[int, int], app: DltuiApp) -> None:
    """What is wrong stands beside the value, or in the panel until one leaves the field."""
    async with app.run_test(size=size) as pilot:
        await settled(pilot, *DIGITS, "@optimizer.lr")
        lr, below = field_of(pilot, "optimizer.lr"), field_of(pilot, "optimizer.weight_decay")
        place = below.region
        await press(pilot, *"-1")
        assert lr.problem
        assert below.region == place
        assert "must be above 0" in f"{lr.render().plain} {help_text(pilot)}"
        await press(pilot, "@task.kind")
        assert "must be above 0" in lr.render().plain


async def test_a_wide_form_begins_with_the_epochs(app: DltuiApp) -> None:
    async with app.run_test(size=(140, 45)) as pilot:
        await settled(pilot, *DIGITS)
        assert app.focused is field_of(pilot, "trainer.epochs").editor


async def test_a_small_terminal_shows_more_fields_than_help(app: DltuiApp) -> None:
    async with app.run_test(size=(60, 20)) as pilot:
        await settled(pilot, *DIGITS)
        assert app.focused is field_of(pilot, "task.kind").editor
        assert app.screen.query_one("#form").size.height > app.screen.query_one("#side").size.height
        assert app.screen.query_one(SizeSummary).render().plain == "parameters 9,610   per epoch 23   steps 690"


async def test_another_kind_swaps_the_fields(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, *DIGITS, "@optimizer.kind", "left", "left", "left")
        names = [field.spec.name for field in app.screen.query(FormField) if field.spec.section == "optimizer"]
        assert names[:2] == ["kind", "lr"]
        assert "momentum" in names
        assert "beta1" not in names
        assert field_of(pilot, "optimizer.lr").text == "0.01"
        assert app.focused is field_of(pilot, "optimizer.kind").editor
        assert "Stochastic gradient descent" in help_text(pilot)
        assert "was adam" in field_of(pilot, "optimizer.kind").render().plain


async def test_a_kind_is_chosen_from_a_list_by_its_first_letter(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, *DIGITS, "@optimizer.kind", "enter", "m", "enter")
        assert field_of(pilot, "optimizer.kind").text == "muon"
        await press(pilot, "enter", "home", "escape")
        assert field_of(pilot, "optimizer.kind").text == "muon"


async def test_start_works_while_a_list_is_open(app: DltuiApp, launcher: FakeLauncher) -> None:
    """And takes what the highlight is on, with the defaults of that kind."""
    async with app.run_test() as pilot:
        await settled(pilot, *DIGITS, "@optimizer.kind", "enter", "m", "f5")
        await until(lambda: isinstance(app.screen, RunScreen))
    optimizer = RunFolder(launcher.spawned[0]).config().optimizer
    assert optimizer == Muon()
    assert optimizer.lr != load_preset("digits-mlp").config.optimizer.lr


async def test_a_slash_goes_to_a_field_by_its_name(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, *DIGITS, "slash", *"lr")
        assert str(app.screen.query_one("#found", Static).visual) == "⏎ optimizer.lr"
        await press(pilot, "enter")
        assert app.focused is field_of(pilot, "optimizer.lr").editor
        await press(pilot, "slash", *"none", "enter", "escape")
        assert app.focused is field_of(pilot, "optimizer.lr").editor
        await press(pilot, "slash", *"ep")
        assert str(app.screen.query_one("#found", Static).visual) == "⏎ optimizer.eps, trainer.epochs"
        await press(pilot, "o", "enter", "5")
        assert field_of(pilot, "trainer.epochs").text == "5"
        assert not app.screen.query_one("#search-line").display


async def test_a_slash_is_typed_where_there_may_be_one(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, *TABLE, "@data.path", *"a/b")
        assert field_of(pilot, "data.path").text == "a/b"
        app.screen.set_focus(app.screen.query_one("#run-name"))
        await press(pilot, "slash")
        assert app.focused is app.screen.query_one("#run-name")


async def test_a_misfit_is_shown_where_it_is_mended(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, *DIGITS, "@data.kind", "left", "left", "f5")
        assert "choose task 'binary-classification'" in field_of(pilot, "task.kind").problem
        assert app.focused is field_of(pilot, "task.kind").editor


async def test_reset_brings_back_the_presets_value(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, *DIGITS, "@optimizer.lr", "5")
        assert "● 1 change" in str(app.screen.query_one("#form").border_subtitle)
        assert "the preset has 0.001; ^r resets it" in help_text(pilot)
        await press(pilot, "ctrl+r")
        assert field_of(pilot, "optimizer.lr").text == "0.001"
        assert field_of(pilot, "optimizer.lr").was is None
        await press(pilot, "7")  # as into any field that one comes to
        assert field_of(pilot, "optimizer.lr").text == "7"


async def test_reset_all_brings_back_kinds_too(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, *DIGITS, "@model.kind", "left", "@trainer.epochs", "7", "f8")
        assert field_of(pilot, "model.hidden").text == "128"
        assert field_of(pilot, "trainer.epochs").text == "30"
        assert all(field.was is None for field in app.screen.query(FormField))


async def test_the_size_of_the_run_follows_what_is_typed(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, *DIGITS)
        assert app.screen.query_one(SizeSummary).run_size == (9610, 23, 690)
        await press(pilot, "@model.hidden", *"256, 128")
        assert app.screen.query_one(SizeSummary).run_size == (64 * 256 + 256 + 256 * 128 + 128 + 1290, 23, 690)


async def test_the_size_of_a_table_is_counted(app: DltuiApp, tmp_path: Path) -> None:
    """Four rows with a header: three to train on, one held out; two features."""
    (tmp_path / "data" / "tabular").mkdir(parents=True)
    (tmp_path / "data" / "tabular" / "diabetes.csv").write_text("a,b,y\n1,2,0\n2,3,1\n3,4,0\n4,5,1\n5,6,1\n")
    async with app.run_test() as pilot:
        await settled(pilot, *("down",) * 2, "enter")
        assert app.screen.query_one(SizeSummary).run_size == (None, None, None)
        field_of(pilot, "data.path").editor.value = "tabular/diabetes.csv"
        await press(pilot)
        assert app.screen.query_one(SizeSummary).run_size == (3, 1, 100)


async def test_a_file_that_is_not_there_is_told_while_one_types(
    app: DltuiApp, launcher: FakeLauncher, tmp_path: Path
) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, *TABLE)
        path = field_of(pilot, "data.path")
        assert path.problem == "data/tabular/diabetes.csv.gz is not there: set data.path to a .csv or .csv.gz file"
        assert verdict(pilot) == "✗ wrong: data.path"
        await press(pilot, "f5")
        assert app.focused is path.editor
        assert verdict(pilot) == "✗ can't start: mend data.path"
        path.editor.value = str(tmp_path / "mine.csv")
        await press(pilot)
        assert path.problem.startswith(f"{tmp_path / 'mine.csv'} is not there")
        (tmp_path / "mine.csv").write_text("1,2\n2,3\n")
        await press(pilot, "f5")
    assert [path.name for path in launcher.spawned] == ["logistic-tabular-1"]


async def test_a_slow_disk_holds_up_nothing_but_the_start(
    app: DltuiApp, launcher: FakeLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = threading.Event()
    monkeypatch.setattr(
        configure_place, "absent", lambda files: {str(place): "" for place in files if not disk.wait(20)}
    )
    async with app.run_test() as pilot:
        await settled(pilot)
        await pilot.press(*TABLE)
        await until(lambda: isinstance(app.screen, ConfigureScreen) and verdict(pilot) == "… looking for its files")
        field_of(pilot, "optimizer.lr").editor.focus()
        await pilot.press("5", "f5", "f5")
        assert field_of(pilot, "optimizer.lr").text == "5"
        assert launcher.spawned == []
        disk.set()
        await until(lambda: isinstance(app.screen, RunScreen))
    assert len(launcher.spawned) == 1


async def test_a_path_fills_its_column_and_is_shortened_in_its_middle(app: DltuiApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, *TABLE)
        path = field_of(pilot, "data.path")
        assert path.editor.size.width > 45
        path.editor.value = f"/somewhere/{'far/' * 20}away.csv"
        path.editor.focus()
        await press(pilot)
        assert not line_of(path).startswith("/somewhere/")
        await press(pilot, "tab")
        assert line_of(path).startswith("/somewhere/far/")
        assert line_of(path).endswith("far/away.csv")
        assert "…" in line_of(path)
        former = path.render().plain.splitlines()[0]
        assert former.endswith(" was tabula…sv.gz")
        assert len(former) < path.size.width


async def test_a_long_list_fills_its_column_too(app: DltuiApp) -> None:
    async with app.run_test(size=(200, 60)) as pilot:
        await settled(pilot, *DIGITS)
        hidden = field_of(pilot, "model.hidden")
        hidden.editor.value = ", ".join(["128"] * 9)
        await press(pilot)
        assert line_of(hidden) == ", ".join(["128"] * 9)
        await pilot.resize_terminal(60, 20)
        await press(pilot)
        assert "…" in line_of(hidden)
        await pilot.resize_terminal(140, 45)
        await press(pilot)
        assert hidden.editor.region.width == field_of(pilot, "model.dropout").editor.region.width


async def test_the_form_follows_the_terminals_size(app: DltuiApp) -> None:
    async with app.run_test(size=(140, 45)) as pilot:
        await settled(pilot, *DIGITS)
        assert app.screen.query_one(SizeSummary).size.height == 3
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert app.screen.query_one(SizeSummary).size.height == 1
        assert app.screen.query_one("#side").region.y > app.screen.query_one("#form").region.y


async def test_changes_are_there_when_one_comes_back(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, *DIGITS, "@optimizer.lr", *"abc", "escape")
        assert isinstance(app.screen, HomeScreen)
        await settled(pilot, "enter")
        assert field_of(pilot, "optimizer.lr").text == "abc"
        assert field_of(pilot, "optimizer.lr").problem


async def test_a_taken_name_is_told_and_nothing_is_started(app: DltuiApp, launcher: FakeLauncher, runs: Path) -> None:
    (runs / "mine").mkdir(parents=True)
    async with app.run_test() as pilot:
        await settled(pilot, *DIGITS)
        app.screen.set_focus(app.screen.query_one("#run-name"))
        await press(pilot, *"mine", "enter")
        assert "run 'mine' exists" in verdict(pilot)
        await press(pilot, "2", "enter")
    assert [path.name for path in launcher.spawned] == ["mine2"]


async def test_a_folder_that_cannot_be_made_is_told(app: DltuiApp, launcher: FakeLauncher, runs: Path) -> None:
    runs.write_text("a file where the folder should be")
    async with app.run_test() as pilot:
        await settled(pilot, *DIGITS, "f5")
        assert "can't make a run in" in verdict(pilot)
        assert isinstance(app.screen, ConfigureScreen)
    assert launcher.spawned == []


async def test_a_host_that_cannot_be_started_leaves_no_run(app: DltuiApp, launcher: FakeLauncher, runs: Path) -> None:
    launcher.refusal = OSError(errno.EAGAIN, "Resource temporarily unavailable")
    async with app.run_test() as pilot:
        await settled(pilot, *DIGITS, "f5")
        assert "can't start a process to train in: Resource temporarily unavailable" in verdict(pilot)
    assert list(runs.iterdir()) == []


async def test_a_preset_of_ones_own(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, *DIGITS, "@optimizer.lr", *"0.05", "ctrl+s", "enter")
        assert isinstance(app.screen, ConfigureScreen)
    preset = load_preset("digits-mlp-mine")
    assert preset.path.parent == user_presets_dir()
    assert preset.config.optimizer.lr == 0.05
    assert preset.config.title == "digits-mlp-mine"
    assert preset.config.teaches == "Digits, 8 by 8, with optimizer.lr = 0.05"


async def test_a_preset_is_replaced_only_when_asked_twice(app: DltuiApp) -> None:
    path = user_presets_dir() / "digits-mlp-mine.toml"
    async with app.run_test() as pilot:
        await settled(pilot, *DIGITS)
        path.parent.mkdir(parents=True)
        path.write_text("precious")
        await press(pilot, "ctrl+s", "enter")
        message = str(app.screen.query_one("#preset-message", Static).visual)
        assert message == "✗ this replaces your preset 'digits-mlp-mine': Enter again does it"
        assert path.read_text() == "precious"
        await press(pilot, "enter")
    assert "adam" in path.read_text()


async def test_nothing_wrong_is_saved(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, *DIGITS, "@optimizer.lr", "0", "ctrl+s")
        assert isinstance(app.screen, ConfigureScreen)
        assert verdict(pilot) == "✗ can't save: mend optimizer.lr"
    assert not user_presets_dir().exists()
