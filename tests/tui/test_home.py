"""Home, as a person uses it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from textual.events import Key
from textual.widgets import Input, Static

import tui.screens.home as home_place
import tui.screens.home_preview as home_preview
from engine import events as ev
from engine.places import user_presets_dir
from engine.run_folder import RunFolder, RunLock
from tests.tui.scripts import NOW, FakeLauncher, field_of, press, settled, slow_disk, text_of, until, write_run
from tui.app import DltuiApp
from tui.run_preview import RunPreview, preview_of
from tui.screens.configure import ConfigureScreen
from tui.screens.confirm import ConfirmScreen
from tui.screens.home import RUNS_PER_PAGE, HomeScreen
from tui.screens.run import RunScreen
from tui.widgets.home_lists import PresetList, RunList


def shown_presets(app: DltuiApp) -> str:
    """The list of presets, as text."""
    return text_of(app.screen.query_one(PresetList))


def shown_runs(app: DltuiApp) -> str:
    """The list of runs, as text."""
    return text_of(app.screen.query_one(RunList))


def about(app: DltuiApp) -> str:
    """What the pane beside the lists says, on one line."""
    return " ".join(text_of(app.screen.query_one("#about-text", Static)).split())


async def test_presets_stand_under_what_they_teach(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        await settled(pilot)
        lines = shown_presets(app).splitlines()
    assert lines == [
        "Regression",
        "y = 2x",
        "Weight decay, on",
        "Classification",
        "Tumours, benign or malignant",
        "Spiral, with ReLU",
        "Digits, 8 by 8",
    ]


async def test_presets_are_named_before_they_are_validated(
    app: DltuiApp, few_presets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a key that wants one of them has it loaded then, whatever the disk with the runs does."""
    (few_presets / "broken.toml").write_text('title = "Broken"\n[data]\nkind = 7\n')
    disk = slow_disk(monkeypatch)
    monkeypatch.setattr(home_place, "FIRST_LOOK_S", 20)
    async with app.run_test() as pilot:
        await until(lambda: "Digits, 8 by 8" in shown_presets(app))
        assert "Classification" in shown_presets(app)
        assert about(app) == ""
        await pilot.press("down", "enter")
        await until(lambda: isinstance(app.screen, ConfigureScreen))
        assert field_of(pilot, "data.kind").text == "high-dimensional"
        disk.set()


@pytest.fixture
def unfilled(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Home shows what presets are called, and no more before this is set."""
    may_fill, fill = asyncio.Event(), HomeScreen._fill

    async def held(home: HomeScreen) -> None:
        await may_fill.wait()
        fill(home)

    monkeypatch.setattr(HomeScreen, "_fill", lambda home: home.run_worker(held(home)))
    return may_fill


@pytest.mark.parametrize("key", ["enter", "n"])
async def test_a_key_before_anything_is_read_opens_what_it_was_pressed_on(
    key: str, app: DltuiApp, unfilled: asyncio.Event
) -> None:
    """It once waited for what only came after it, for ever."""
    async with app.run_test() as pilot:
        await until(lambda: "Digits, 8 by 8" in shown_presets(app))
        app.post_message(Key("end", None))
        app.post_message(Key(key, None))
        await until(lambda: isinstance(app.screen, ConfigureScreen))
        unfilled.set()
        await press(pilot)
        assert field_of(pilot, "data.kind").text == "digits"
        await press(pilot, "escape")
        await settled(pilot)


@pytest.mark.parametrize("key", ["enter", "n"])
async def test_a_preset_that_turns_out_to_be_broken_opens_no_other(
    key: str, app: DltuiApp, few_presets: Path, unfilled: asyncio.Event
) -> None:
    (few_presets / "aaa.toml").write_text('title = "Broken"\ngroup = "Classification"\n[data]\nkind = 7\n')
    async with app.run_test() as pilot:
        await until(lambda: "Broken" in shown_presets(app))
        presets = app.screen.query_one(PresetList)
        presets.highlighted = presets.get_option_index("preset aaa")
        await pilot.press(key)
        await until(lambda: any("can't be used" in note.message for note in app._notifications))
        assert "✗ aaa.toml" in shown_presets(app)
        assert isinstance(app.screen, HomeScreen)


async def test_keys_for_runs_leave_them_alone_while_a_preset_is_not_loaded_yet(
    app: DltuiApp, scripted_runs: list[RunFolder], launcher: FakeLauncher, unfilled: asyncio.Event
) -> None:
    async with app.run_test() as pilot:
        await until(lambda: "Digits, 8 by 8" in shown_presets(app))
        home = app.screen
        assert isinstance(home, HomeScreen)
        home._refresh_runs()
        await until(lambda: "digits-mlp-1" in shown_runs(app))
        home.query_one(RunList).action_last()
        await pilot.press("r", "d")
        assert launcher.spawned == []
        assert app.screen is home
        assert about(app) == ""
        unfilled.set()


async def test_what_is_searched_for_before_anything_is_read_is_found(app: DltuiApp, unfilled: asyncio.Event) -> None:
    async with app.run_test() as pilot:
        await until(lambda: "Digits, 8 by 8" in shown_presets(app))
        await pilot.press("slash", *"relu", "enter")
        await until(lambda: isinstance(app.screen, ConfigureScreen))
        await until(lambda: field_of(pilot, "data.kind").text == "spiral")
        unfilled.set()


async def test_a_disk_that_never_answers_keeps_no_preset_from_being_used(
    app: DltuiApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = slow_disk(monkeypatch)
    monkeypatch.setattr(home_place, "FIRST_LOOK_S", 0.01)
    async with app.run_test() as pilot:
        await until(lambda: "y = 2x" in str(app.screen.query_one("#about").border_title))
        await pilot.press("n")
        await until(lambda: isinstance(app.screen, ConfigureScreen))
        disk.set()


async def test_the_selected_preset_is_described(app: DltuiApp) -> None:
    async with app.run_test(size=(140, 45)) as pilot:
        await settled(pilot, "end")
        text = about(app)
    assert "A small network reads real handwriting" in text
    assert "mlp · hidden 128" in text
    assert "9,610" in text
    assert "30 epochs of 23 steps, batches of 64" in text
    assert "1x8x8 image → 10 classes, 1,437 to train on, 360 held out" in text


async def test_enter_configures_a_preset(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, "end", "enter")
        assert isinstance(app.screen, ConfigureScreen)
        assert field_of(pilot, "data.kind").text == "digits"


async def test_edited_presets_are_marked(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, "end", "enter", "@optimizer.lr", "5", "escape")
        await settled(pilot)
        assert "Digits, 8 by 8  ✎ edited" in shown_presets(app)


async def test_search_filters_presets_and_runs(app: DltuiApp, scripted_runs: list[RunFolder]) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, "slash", *"relu spi")
        assert "Spiral, with ReLU" in shown_presets(app)
        assert "Digits" not in shown_presets(app)
        assert "spiral-relu-12" in shown_runs(app)
        assert "digits" not in shown_runs(app)
        await settled(pilot, "escape")
        assert app.focused is app.screen.query_one(PresetList)
        assert "Digits" in shown_presets(app)
        assert "digits-mlp-3" in shown_runs(app)


async def test_enter_in_the_search_line_opens_what_was_found(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        home = await settled(pilot, "slash", *"adam", "down", "enter")
        assert isinstance(app.screen, ConfigureScreen)
        assert field_of(pilot, "data.kind").text == "digits"
        await press(pilot, "escape")
        assert app.screen is home
        assert app.focused is home.query_one(PresetList)


async def test_a_search_that_finds_only_runs_opens_a_run(app: DltuiApp, scripted_runs: list[RunFolder]) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, "slash", *"long-name")
        assert "weight-decay-off-with-a-long-name-2" in str(app.screen.query_one("#about").border_title)
        await press(pilot, "enter")
        assert isinstance(app.screen, RunScreen)
        assert app.screen.folder.name == "weight-decay-off-with-a-long-name-2"


async def test_what_is_typed_right_after_the_slash_reaches_the_search_line(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        home = await settled(pilot)
        await pilot.press("slash", "q", "n", "r", "slash")
        assert home.query_one("#search", Input).value == "qnr/"
        assert app.screen is home


async def test_broken_files_are_named_with_the_reason(app: DltuiApp) -> None:
    user_presets_dir().mkdir(parents=True)
    (user_presets_dir() / "torn.toml").write_text("[data\n")
    async with app.run_test() as pilot:
        await settled(pilot, "end")
        assert "✗ torn.toml: Expected" in shown_presets(app)
        assert "torn.toml: Expected ']' at the end of a table declaration (at line 1, column 6)" in about(app)
        await press(pilot, "enter")
        assert isinstance(app.screen, HomeScreen)


async def test_a_preset_saved_meanwhile_appears(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, "end", "enter")
        user_presets_dir().mkdir(parents=True)
        (user_presets_dir() / "mine.toml").write_text('extends = "digits-mlp"\ntitle = "[b]Mine[/b]"\n')
        await press(pilot, "escape")
        await settled(pilot)
        assert "★ [b]Mine[/b]" in shown_presets(app), "titles are text, not markup"
        assert "Digits, 8 by 8" in str(app.screen.query_one("#about").border_title), "the highlight stays"


async def test_runs_tell_how_they_stand(app: DltuiApp, scripted_runs: list[RunFolder]) -> None:
    async with app.run_test() as pilot:
        await settled(pilot)
        lines = [" ".join(line.split()) for line in shown_runs(app).splitlines()]
    assert lines == [
        "◌ starting digits-mlp-4",
        "▶ running digits-mlp-3 63% val/accuracy 0.955 11 s left",
        "‖ paused spiral-relu-12 37% val/accuracy 0.925 1 min ago",
        "✓ finished spiral-relu-11 val/accuracy 0.971 40 min ago",
        "■ stopped weight-decay-off-with-a… 23% val/accuracy 0.8875 3 h ago",
        "✗ failed digits-mlp-2 7% val/accuracy 0.7 1 day ago",
        "† died digits-mlp-1 40% val/accuracy 0.9308 3 days ago",
    ]


async def test_a_narrow_list_keeps_names_and_ages(app: DltuiApp, scripted_runs: list[RunFolder]) -> None:
    async with app.run_test(size=(60, 20)) as pilot:
        await settled(pilot)
        lines = [" ".join(line.split()) for line in shown_runs(app).splitlines()]
    assert lines == [
        "◌ starting digits-mlp-4",
        "▶ running digits-mlp-3 63% 0.955 in 11s",
        "‖ paused spiral-relu-12 37% 0.925 1m",
        "✓ finished spiral-relu-11 0.971 40m",
        "■ stopped weight-decay-off-w… 23% 0.8875 3h",
        "✗ failed digits-mlp-2 7% 0.7 1d",
        "† died digits-mlp-1 40% 0.9308 3d",
    ]


async def test_a_wide_list_tells_the_best_and_how_long_it_took(app: DltuiApp, scripted_runs: list[RunFolder]) -> None:
    folder = scripted_runs[2]
    with (folder.path / "events.jsonl").open("ab") as log:
        worse = ev.Evaluated(step=700, at=NOW, epoch=30, elapsed_s=31, values={"val/accuracy": 0.5})
        for event in (worse, ev.RunFinished(step=700, at=NOW, elapsed_s=3723)):
            log.write(ev.encode(event) + b"\n")
    async with app.run_test(size=(140, 45)) as pilot:
        await settled(pilot)
        lines = [" ".join(line.split()) for line in shown_runs(app).splitlines()]
    finished = next(line for line in lines if "spiral-relu-11" in line)
    assert finished.startswith("✓ finished spiral-relu-11 took 1:02:03 best val/accuracy 0.971 ")
    assert "━" not in finished
    assert any("running digits-mlp-3 ━━━━━━━━────" in line and " 63% val/accuracy 0.955" in line for line in lines)


PLACES = {
    (60, 20): {"presets": (0, 0, 60), "runs": (0, 9, 60)},
    (60, 40): {"presets": (0, 0, 60), "about": (0, 14, 60), "runs": (0, 25, 60)},
    (80, 24): {"presets": (0, 0, 38), "about": (38, 0, 42), "runs": (0, 12, 80)},
    (140, 45): {"presets": (0, 0, 42), "about": (42, 0, 98), "runs": (42, 16, 98)},
    (200, 60): {"presets": (0, 0, 56), "about": (56, 0, 144), "runs": (56, 16, 144)},
}
"""Column, line and width of the panes, by the size of the terminal."""


async def test_panes_stand_as_there_is_room(app: DltuiApp, scripted_runs: list[RunFolder]) -> None:
    async with app.run_test() as pilot:
        home = await settled(pilot)
        for size, places in PLACES.items():
            await pilot.resize_terminal(*size)
            await pilot.pause()
            regions = {name: home.query_one(f"#{name}").region for name in ("presets", "about", "runs")}
            found = {name: (place.x, place.y, place.width) for name, place in regions.items() if place.area}
            assert found == places


async def test_the_described_run_alone_is_read(
    app: DltuiApp, scripted_runs: list[RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def noted(folder: RunFolder) -> RunPreview:
        read.append(folder.name)
        return preview_of(folder)

    monkeypatch.setattr(home_preview, "preview_of", noted)
    folder = scripted_runs[2]
    config = folder.path / "config.toml"
    config.write_text(config.read_text().replace("epochs = 1000", "epochs = 3").replace("lr = 0.001", "lr = 0.5"))
    async with app.run_test(size=(140, 45)) as pilot:
        home = await settled(pilot)
        assert read == []
        await press(pilot, "tab", "end")
        home.query_one(RunList).action_first()
        home.query_one(RunList).highlighted = 3
        await until(lambda: "unchanged" not in about(app) and "preset" in about(app))
        assert "preset spiral-relu, optimizer.lr 0.5 (was 0.001), trainer.epochs 3 (was 1000)" in about(app)
        assert "train/loss ⠉" in about(app)
    assert read[-1] == folder.name
    assert {"digits-mlp-2", "weight-decay-off-with-a-long-name-2"}.isdisjoint(read)


async def test_a_live_run_moves_on(app: DltuiApp, runs: Path) -> None:
    folder = write_run(runs, "digits-mlp-1", "running", preset="digits-mlp", epoch=3, age_s=0)
    lock = RunLock(folder)
    try:
        async with app.run_test() as pilot:
            home = await settled(pilot)
            assert "10%" in shown_runs(app)
            with (folder.path / "events.jsonl").open("ab") as log:
                log.write(ev.encode(ev.EpochEnded(step=345, at=NOW, epoch=15, elapsed_s=15)) + b"\n")
            await until(lambda: "50%" in shown_runs(app))
            lock.release()
            await until(lambda: "died" in shown_runs(app))
            assert app.screen is home
    finally:
        lock.release()


async def test_the_highlight_stays_on_its_run_when_others_come(app: DltuiApp, runs: Path) -> None:
    write_run(runs, "old", "finished", preset="digits-mlp", epoch=30, age_s=60)
    async with app.run_test() as pilot:
        home = await settled(pilot, "tab")
        write_run(runs, "new", "finished", preset="digits-mlp", epoch=30, age_s=1)
        await until(lambda: "new" in shown_runs(app))
        selected = home.query_one(RunList).selected
        assert selected is not None
        assert selected.name == "old"


async def test_enter_watches_a_run_and_coming_back_points_at_it(
    app: DltuiApp, scripted_runs: list[RunFolder], launcher: FakeLauncher
) -> None:
    async with app.run_test() as pilot:
        home = await settled(pilot, "tab", "down", "down", "enter")
        assert isinstance(app.screen, RunScreen)
        assert app.screen.folder.name == "spiral-relu-12"
        await press(pilot, "q")
        assert app.screen is home
    assert launcher.spawned == []


async def test_resume_starts_a_stopped_run_only(
    app: DltuiApp, scripted_runs: list[RunFolder], launcher: FakeLauncher
) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, "r", "tab", "down", "r")
        assert launcher.spawned == [], "a preset and a running run can't be resumed"
        await press(pilot, "end", "r")
        assert [path.name for path in launcher.spawned] == ["digits-mlp-1"]
        assert isinstance(app.screen, RunScreen)


async def test_another_run_like_this_one(app: DltuiApp, scripted_runs: list[RunFolder], launcher: FakeLauncher) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, "tab", "down", "down", "n")
        assert isinstance(app.screen, ConfigureScreen)
        assert field_of(pilot, "data.kind").text == "spiral"
        assert "as run spiral-relu-12 has it" in str(app.screen.query_one("#form").border_subtitle)
        await press(pilot, "f5")
    assert [path.name for path in launcher.spawned] == ["spiral-relu-13"]


async def test_deleting_asks_first(app: DltuiApp, scripted_runs: list[RunFolder], runs: Path) -> None:
    async with app.run_test() as pilot:
        await settled(pilot, "tab", "end", "d")
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press("n")
        assert (runs / "digits-mlp-1").is_dir()
        await pilot.press("d", "y")
        await until(lambda: not (runs / "digits-mlp-1").exists())
        await until(lambda: "digits-mlp-1" not in shown_runs(app))
        await until(lambda: not [path for path in runs.iterdir() if path.name.startswith(".")])


async def test_a_run_in_use_is_not_deleted(app: DltuiApp, scripted_runs: list[RunFolder], runs: Path) -> None:
    """Somebody may resume it between the question and the answer."""
    async with app.run_test() as pilot:
        await settled(pilot, "tab", "end", "d")
        lock = RunLock(scripted_runs[5])
        try:
            await pilot.press("y")
            await until(lambda: any("is being trained by" in note.message for note in app._notifications))
        finally:
            lock.release()
    assert (runs / "digits-mlp-1" / "config.toml").is_file()


async def test_an_empty_home_says_what_to_do(app: DltuiApp) -> None:
    async with app.run_test() as pilot:
        home = await settled(pilot)
        assert "Choose a preset and press Enter" in text_of(home.query_one("#no-runs"))
        assert not home.query_one(RunList).display


async def test_a_folder_that_cannot_be_read_is_told(app: DltuiApp, runs: Path) -> None:
    runs.write_text("a file where the folder should be")
    async with app.run_test() as pilot:
        home = await settled(pilot)
        assert "can't be read: Not a directory" in text_of(home.query_one("#no-runs"))


async def test_many_runs_come_in_pages(app: DltuiApp, runs: Path) -> None:
    first = write_run(runs, "run-0", "finished", preset="digits-mlp", epoch=1, age_s=9)
    for number in range(1, RUNS_PER_PAGE + 5):
        (runs / f"run-{number}").mkdir()
        for file in ("config.toml", "events.jsonl"):
            os.link(first.path / file, runs / f"run-{number}" / file)
    async with app.run_test() as pilot:
        home = await settled(pilot, "tab", "end")
        assert "5 older: Enter shows more" in shown_runs(app)
        await settled(pilot, "enter")
        assert home.query_one(RunList).option_count == RUNS_PER_PAGE + 5


async def test_names_from_outside_are_shown_as_text(app: DltuiApp, runs: Path) -> None:
    write_run(runs, "plain", "finished", preset="digits-mlp", epoch=1, age_s=9).path.rename(runs / "[red]a\x1b[31mb")
    async with app.run_test() as pilot:
        await settled(pilot, "tab")
        assert "[red]a\N{REPLACEMENT CHARACTER}[31mb" in shown_runs(app)
