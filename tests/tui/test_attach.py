"""A run that is opened at once: its curves first, Home and the configuration after them."""

from __future__ import annotations

import asyncio
import shutil
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

import tui.app
from engine.run_folder import RunFolder, create_run
from engine.schema import RunConfig, overlay, validate
from presets import load_preset
from tests.tui.run_scenes import seen
from tests.tui.scripts import NOW, FakeLauncher, press, settled, text_of, until, write_run
from tui.app import DltuiApp, make_app
from tui.run_follower import RunFollower
from tui.screens.configure import ConfigureScreen
from tui.screens.help import HelpScreen
from tui.screens.home import HomeScreen
from tui.screens.run import RunScreen
from tui.widgets.chart import Chart
from tui.widgets.home_lists import PresetList, RunList

BRAILLE = {chr(code) for code in range(0x2801, 0x2900)}
Attach = Callable[..., Any]


@pytest.fixture
def folder(runs: Path, few_presets: Path) -> RunFolder:
    """The run to be opened; another one lies beside it."""
    write_run(runs, "spiral-relu-1", "stopped", preset="spiral-relu", epoch=3, age_s=30)
    return write_run(runs, "digits-mlp-1", "finished", preset="digits-mlp", epoch=30, age_s=60)


@pytest.fixture
def attach(runs: Path) -> Attach:
    """Opens the application on a run, and waits for its screen."""

    @asynccontextmanager
    async def opened(folder: RunFolder) -> AsyncIterator[tuple[DltuiApp, Pilot[Any]]]:
        if sys.version_info >= (3, 12):  # as Textual has it, but in tests
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        app = make_app(runs, Path("data"), folder, warm=False, clock=lambda: NOW, launcher=FakeLauncher())
        async with app.run_test(size=(140, 45)) as pilot:
            await until(lambda: isinstance(app.screen, RunScreen))
            yield app, pilot

    return opened


def home_of(app: DltuiApp) -> HomeScreen:
    """Home, wherever it lies."""
    home = app.screen_stack[0]
    assert isinstance(home, HomeScreen)
    return home


def is_bare(app: DltuiApp) -> bool:
    """Whether Home has no panes yet."""
    return not home_of(app).query(PresetList)


async def at_rest(app: DltuiApp) -> list[str]:
    """The lines of the screen, once they have stayed the same for a while."""
    lines: list[str] = []
    while lines != (lines := seen(app).splitlines()):
        await asyncio.sleep(0.3)
    return lines


# --- Home comes later -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["q", "escape"])
async def test_going_back_at_once_shows_home_with_the_run(key: str, folder: RunFolder, attach: Attach) -> None:
    async with attach(folder) as (app, pilot):
        assert is_bare(app)
        await pilot.press(key)
        await until(lambda: isinstance(app.screen, HomeScreen))
        home = await settled(pilot)
        runs = home.query_one(RunList)
        assert runs.has_focus
        assert runs.selected is not None
        assert runs.selected.name == folder.name
        assert "Digits, 8 by 8" in text_of(home.query_one(PresetList))
        assert home.query_one("#panes").query("*").first() is home.query_one(PresetList)


async def test_home_is_made_while_the_run_is_looked_at(
    folder: RunFolder, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tui.app, "FURNISH_LATER_S", 0.01)
    async with attach(folder) as (app, pilot):
        await until(lambda: not is_bare(app))
        assert isinstance(app.screen, RunScreen)
        await pilot.pause()
        assert isinstance(app.focused, Chart), "the keys still go to the run"
        await press(pilot, "q")
        home = await settled(pilot)
        assert home.query_one(RunList).has_focus
        assert "Runs" in str(home.query_one(RunList).border_title)


async def test_home_is_made_once_however_often_it_is_asked_for(folder: RunFolder, attach: Attach) -> None:
    async with attach(folder) as (app, pilot):
        home = home_of(app)
        first = asyncio.ensure_future(home.furnish())
        await asyncio.sleep(0)
        first.cancel()  # as a second key calls off what the first began
        await asyncio.gather(home.furnish(), home.furnish(), home.furnish())
        assert len(home.query(PresetList)) == 1
        assert len(home.query("*")) == len({id(widget) for widget in home.query("*")})
        await press(pilot, "q")
        assert await settled(pilot) is home


async def test_going_back_twice_at_once_quits(folder: RunFolder, attach: Attach) -> None:
    async with attach(folder) as (app, pilot):
        await pilot.press("q", "q")
        await until(lambda: not app.is_running)
    assert app.return_code == 0


async def test_a_bare_home_that_comes_to_light_makes_its_panes(folder: RunFolder, attach: Attach) -> None:
    async with attach(folder) as (app, pilot):
        assert is_bare(app)
        await app.pop_screen()
        home = await settled(pilot)
        assert home.query_one(PresetList).has_focus
        assert folder.name in text_of(home.query_one(RunList))
        assert home._ticks is not None
        assert home._ticks._active.is_set(), "it goes on looking at the runs"


async def test_leaving_while_the_screen_ends(
    folder: RunFolder, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No panes are made then, and there is nothing to point at."""
    furnish = HomeScreen.furnish

    async def late(home: HomeScreen) -> bool:
        monkeypatch.setattr(home.app, "_running", False)
        return await furnish(home)

    async with attach(folder) as (app, _):
        monkeypatch.setattr(HomeScreen, "furnish", late)
        await app.leave_run()
        assert is_bare(app)
        monkeypatch.setattr(app, "_running", True)
        monkeypatch.setattr(app, "_screen_stacks", {"_default": []})
        await app.leave_run()
        app._furnish_home()
        monkeypatch.undo()
    assert app.return_code in (0, None)


@pytest.mark.parametrize("key", ["ctrl+q", "ctrl+c"])
async def test_quitting_before_there_is_a_home(key: str, folder: RunFolder, attach: Attach) -> None:
    async with attach(folder) as (app, pilot):
        assert is_bare(app)
        await pilot.press(key)
        await until(lambda: not app.is_running)
    assert app.return_code == 0


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.05, 0.1, 0.15, 0.2])
async def test_the_screen_can_end_at_any_moment(
    after_s: float, folder: RunFolder, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is being read or made then comes too late, and fails nothing."""
    monkeypatch.setattr(tui.app, "FURNISH_LATER_S", 0.05)
    async with attach(folder) as (app, _):
        await asyncio.sleep(after_s)
        app.exit()
    assert app.return_code == 0


async def test_keys_typed_before_home_is_there_reach_it(folder: RunFolder, attach: Attach) -> None:
    async with attach(folder) as (app, pilot):
        await pilot.press("escape", "slash", *"relu")
        await until(lambda: isinstance(app.screen, HomeScreen))
        home = await settled(pilot)
        assert home.query_one("#search").has_focus
        assert "Spiral, with ReLU" in text_of(home.query_one(PresetList))
        assert "Digits" not in text_of(home.query_one(PresetList))
        await press(pilot, "enter")
        assert isinstance(app.screen, ConfigureScreen)


async def test_help_over_a_run_needs_no_home(folder: RunFolder, attach: Attach) -> None:
    async with attach(folder) as (app, pilot):
        await press(pilot, "question_mark")
        assert isinstance(app.screen, HelpScreen)
        await press(pilot, "escape", "q")
        await settled(pilot)


async def test_a_resize_before_home_is_there(folder: RunFolder, attach: Attach) -> None:
    async with attach(folder) as (app, pilot):
        await pilot.resize_terminal(80, 24)
        await press(pilot, "q")
        home = await settled(pilot)
        assert app.size.width == 80
        assert home.query_one("#panes").size.width <= 80
        assert "digits-mlp-1" in text_of(home.query_one(RunList))


async def test_a_run_that_was_deleted_meanwhile_is_left_all_the_same(folder: RunFolder, attach: Attach) -> None:
    async with attach(folder) as (app, pilot):
        shutil.rmtree(folder.path)
        await until(lambda: "is gone" in seen(app))
        await press(pilot, "q")
        home = await settled(pilot)
        assert "digits-mlp-1" not in text_of(home.query_one(RunList))
        assert "spiral-relu-1" in text_of(home.query_one(RunList))


def test_a_home_without_panes_has_no_keys() -> None:
    home = HomeScreen(is_bare=True)
    assert {home.check_action(action, ()) for action in ("search", "end_search", "configure", "resume", "delete")} == {
        False
    }


# --- the curve first --------------------------------------------------------------------------------------------------


async def test_the_first_picture_has_the_curve(
    folder: RunFolder, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    draw = Chart.draw

    def noted(chart: Chart, *args: Any) -> Any:
        strips = draw(chart, *args)
        drawn.append("\n".join(strip.text for strip in strips))
        return strips

    monkeypatch.setattr(Chart, "draw", noted)
    async with attach(folder):
        await until(lambda: bool(drawn))
    assert BRAILLE & set(drawn[0])


async def test_the_configuration_comes_after_the_curve(
    folder: RunFolder, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on, config = threading.Event(), RunFolder.config

    def slow(folder: RunFolder) -> RunConfig:
        assert may_go_on.wait(20)
        return config(folder)

    monkeypatch.setattr(RunFolder, "config", slow)
    async with attach(folder) as (app, _):
        await until(lambda: bool(BRAILLE & set(seen(app))) and "? Help" in seen(app))
        before = await at_rest(app)
        assert "Digits, 8 by 8" not in before[0]
        assert "finished" in before[0]
        may_go_on.set()
        await until(lambda: "Digits, 8 by 8" in seen(app))
        after = await at_rest(app)
    assert after[0].replace("Digits, 8 by 8", " " * 14) == before[0]
    assert after[1:] == before[1:], "nothing else moves"


@pytest.mark.parametrize("damage", ["", "[trainer]\nbatch_size = -5\n"], ids=["whole", "not valid"])
async def test_the_axis_is_the_configured_one_from_the_first(
    damage: str, runs: Path, folder: RunFolder, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = load_preset("digits-mlp").config.model_dump(mode="json")
    config = validate(overlay(tree, {"display": {"log_y": True}}))
    other = create_run(runs, config, Path("data"), "logarithmic")
    shutil.copy(folder.path / "events.jsonl", other.path)
    if damage:
        text = (other.path / "config.toml").read_text()
        (other.path / "config.toml").write_text(text.replace("[trainer]\n", damage, 1).replace("\nbatch_size = 64", ""))
    looks: list[bool] = []
    draw = Chart.draw

    def noted(chart: Chart, *args: Any) -> Any:
        if chart.id == "run-loss":
            looks.append(chart._content.look.log_y)
        return draw(chart, *args)

    monkeypatch.setattr(Chart, "draw", noted)
    async with attach(other) as (app, pilot):
        await until(lambda: isinstance(app.screen, RunScreen) and app.screen.is_settled)
        await pilot.pause()
        assert bool(damage) == ("batch_size" in seen(app))
    assert looks
    assert all(looks)


async def test_a_slow_disk_holds_up_no_key(folder: RunFolder, attach: Attach, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(follower: RunFollower) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(RunFollower, "poll", never)
    async with attach(folder) as (app, pilot):
        await until(lambda: "reading what has happened so far" in seen(app))
        await press(pilot, "q")
        await until(lambda: isinstance(app.screen, HomeScreen))
