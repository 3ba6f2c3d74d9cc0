"""What keys do on the run screen."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual._compositor import Compositor
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode

from engine import commands as cmd
from engine import events as ev
from engine.run_folder import RunFolder
from tests.tui import run_scenes as scenes
from tests.tui import scripted as s
from tests.tui.run_scenes import Scene
from tests.tui.run_table import SMALL, Table, open_table
from tui.screens.home import HomeScreen
from tui.screens.run import RunScreen
from tui.widgets.chart import Chart

Opener = Callable[..., Any]


@pytest.fixture
def opened(runs: Path, few_presets: Path) -> Opener:
    """Opens a scene's run."""
    return partial(open_table, Table, runs)


# -- steering --------------------------------------------------------------------------------------------------------


async def test_space_pauses_and_goes_on(opened: Opener) -> None:
    async with opened(scenes.classifier) as table:
        assert "▶ pausing…" in await table.press("space")
        assert table.asked() == ["Pause"]
        at = s.BEGAN_AT + 12
        assert "‖ paused" in await table.engine_says(ev.RunPaused(step=424, at=at))
        assert "‖ continuing…" in await table.press("space")
        assert table.asked() == ["Pause", "Continue"]
        assert "▶ running" in await table.engine_says(ev.RunContinued(step=424, at=at))


async def test_stop_asks_once(opened: Opener) -> None:
    async with opened(scenes.classifier) as table:
        assert "Stop this run?" in await table.press("s")
        assert table.asked() == []
        shown = await table.press("s")
        assert "Stop this run?" not in shown
        assert "stopping…" in shown
        assert table.asked() == ["Stop"]


async def test_y_stops_only_when_asked(opened: Opener) -> None:
    async with opened(scenes.classifier) as table:
        await table.press("y")
        assert table.asked() == []
        await table.press("s", "y")
        assert table.asked() == ["Stop"]


async def test_any_other_key_takes_the_question_back(opened: Opener) -> None:
    async with opened(scenes.classifier) as table:
        for key in ("l", "space", "escape", "tab", "k"):
            assert "Stop this run?" in await table.press("s")
            assert "Stop this run?" not in await table.press(key)
            await table.press("y")
        assert table.asked() == ["Pause"]


async def test_learning_rate_goes_by_tenths_of_a_decade(opened: Opener) -> None:
    async with opened(scenes.classifier) as table:
        assert "lr down…" in await table.press("plus", "equals_sign", "minus")
        commands = table.folder.read_commands().read()
        factors = [command.factor for command in commands if isinstance(command, cmd.ScaleLearningRate)]
        assert factors == pytest.approx([10**0.1, 10**0.1, 10**-0.1])
        changed = ev.LearningRateChanged(step=424, at=s.BEGAN_AT + 12, old=0.00126, new=0.00158)
        shown = await table.engine_says(changed)
        assert "lr 0.00158" in shown
        assert "lr down…" not in shown


async def test_checkpoint(opened: Opener) -> None:
    async with opened(scenes.classifier) as table:
        assert "saving…" in await table.press("c")
        assert table.asked() == ["SaveCheckpoint"]
        saved = ev.CheckpointSaved(
            step=424, at=s.BEGAN_AT + 12, folder="checkpoints/step-424", reason="asked", took_s=0.1
        )
        assert "▶ running" in await table.engine_says(saved)


async def test_a_refusal_of_the_engine_is_told(opened: Opener) -> None:
    async with opened(scenes.classifier) as table:
        await table.press("space")
        rejected = ev.CommandRejected(step=424, at=s.BEGAN_AT + 12, command="pause", reason="[b]paused already[/b]")
        assert "pausing…" not in await table.engine_says(rejected)
        assert "pause: [b]paused already[/b]" in table.notes()


async def test_a_finished_run_answers_with_a_word(opened: Opener) -> None:
    async with opened(scenes.digits_finished, alive=False) as table:
        for count, key in enumerate(("space", "s", "c", "plus", "minus"), 1):
            await table.press(key)
            assert table.notes() == ["the run has finished"] * count
        assert table.asked() == []


async def test_a_finished_run_cannot_be_resumed_but_says_what_can_be_done(opened: Opener) -> None:
    async with opened(scenes.digits_finished, alive=False) as table:
        await table.press("r")
        assert "trainer.epochs" in table.notes()[0]


@pytest.mark.parametrize("scene", [scenes.died, scenes.failed])
async def test_r_resumes(opened: Opener, scene: Scene) -> None:
    async with opened(scene, alive=False) as table:
        assert "r resumes" in table.text() or "r begins anew" in table.text()
        await table.press("r")
        assert table.app.launcher.spawned == [table.folder.path]


async def test_q_leaves_the_run_running(opened: Opener) -> None:
    async with opened(scenes.classifier) as table:
        await table.pilot.press("q")
        for _ in range(100):
            if isinstance(table.app.screen, HomeScreen):
                break
            await asyncio.sleep(0.02)
        assert isinstance(table.app.screen, HomeScreen)
        assert table.asked() == []


# -- looking ---------------------------------------------------------------------------------------------------------


async def test_the_loss_axis_switches_to_log_and_back(opened: Opener) -> None:
    async with opened(scenes.line) as table:
        assert "1e-4" in await table.press("l")
        assert "log y" in table.text()
        assert "log y" not in await table.press("l")


async def test_the_x_axis_goes_round(opened: Opener) -> None:
    async with opened(scenes.digits_finished, alive=False) as table:
        assert "by epoch" in await table.press("x")
        assert "by time" in await table.press("x")
        assert "3s" in table.text()
        assert "by step" in await table.press("x")


async def test_smoothing_goes_up_to_its_end_and_back(opened: Opener) -> None:
    async with opened(scenes.classifier) as table:
        seen = [await table.press("right_square_bracket") for _ in range(6)]
        for text, weight in zip(seen, ("0.5", "0.8", "0.9", "0.97", "0.99", "0.99"), strict=True):
            assert f"smooth {weight} " in text
        await table.press(*["left_square_bracket"] * 6)
        assert "smooth" not in table.text().replace("Smooth", "")


async def test_zoom_gives_one_pane_the_screen(opened: Opener) -> None:
    async with opened(scenes.classifier) as table:
        shown = await table.press("2", "z")
        assert "╭─ loss" not in shown
        assert table.screen.query_one("#run-metric", Chart).region.height >= 40
        assert "▶ running" not in shown
        assert "▶ running" in await table.press("escape")


async def test_tab_goes_through_the_panes_in_a_small_terminal(opened: Opener) -> None:
    async with opened(scenes.classifier, size=SMALL) as table:
        titles = ["━ loss ", "━ accuracy ", "━ Decision regions ", "━ Log "]
        for title in [*titles[1:], titles[0]]:
            assert title in await table.press("tab")
        assert titles[3] in await table.press("shift+tab")


async def test_f_brings_up_pictures_and_goes_through_them(opened: Opener) -> None:
    async with opened(scenes.digits_finished, alive=False, size=SMALL) as table:
        assert "found" in await table.press("f")
        assert "1 of 2, f next" in table.text()
        assert "→" in await table.press("f")
        assert "found" in await table.press("f")


async def test_a_run_without_pictures_says_so(opened: Opener) -> None:
    async with opened(scenes.failed, alive=False) as table:
        assert "this run drew no pictures" in table.text()
        await table.press("f")
        assert "no picture" in table.notes()[0]


async def test_a_damaged_picture_is_one_line(opened: Opener) -> None:
    def damaged(runs: Path) -> tuple[RunFolder, float]:
        folder, now = scenes.classifier(runs)
        (folder.figures / "regions.npz").write_bytes(b"PK nonsense")
        return folder, now

    async with opened(damaged) as table:
        assert "regions.npz can't be read" in table.text()


async def test_plainer_markers(opened: Opener) -> None:
    async with opened(scenes.classifier) as table:
        await table.press("m", "m")
        assert "•" in table.text()
        assert "DLTUI_MARKER=dot" in table.notes()[-1]


async def test_overlay_draws_another_run_of_the_preset(opened: Opener) -> None:
    def two(runs: Path) -> tuple[RunFolder, float]:
        scenes.paused(runs)
        return scenes.classifier(runs)

    async with opened(two) as table:
        assert "spiral-relu-5" not in table.text()
        await table.press("o")
        for _ in range(100):
            if "○ spiral-relu-5" in await table.press():
                break
            await asyncio.sleep(0.02)
        assert "○ spiral-relu-5" in table.text()
        # at the end of the curve stands which of that run's it is; the border names the run
        assert "○ val" in table.text()
        assert "spiral-relu…" not in table.text()
        assert "○ spiral-relu-5" not in await table.press("o")


async def test_overlay_says_when_there_is_nothing_to_draw(opened: Opener) -> None:
    async with opened(scenes.classifier) as table:
        await table.press("o")
        for _ in range(100):
            if "no other run of spiral-relu" in await table.press():
                break
            await asyncio.sleep(0.02)
        assert "no other run of spiral-relu to overlay" in table.text()


async def test_a_failure_shows_its_cure_and_its_traceback_as_plain_text(opened: Opener) -> None:
    async with opened(scenes.failed, alive=False) as table:
        shown = await table.press("4", "z")
        assert "set trainer.batch_size to 16384" in shown
        assert "[red]Not markup[/red]" in shown
        assert shown.index("torch.OutOfMemoryError") < shown.index("✗ CUDA out of memory")


async def test_a_folder_that_goes_away_is_one_line(opened: Opener) -> None:
    async with opened(scenes.classifier) as table:
        shutil.move(table.folder.path, table.folder.path.with_name("elsewhere"))
        for _ in range(200):
            if table.screen.follower.lost:
                break
            await asyncio.sleep(0.02)
        shown = await table.press("space")
        assert "✗ Lost" in shown
        assert "is gone: moved or deleted" in " ".join(shown.split())
        assert table.notes() == ["the run's folder can't be reached"]


async def test_a_run_that_has_not_begun_says_what_it_waits_for(opened: Opener) -> None:
    def starting(runs: Path) -> tuple[RunFolder, float]:
        return s.make_run(runs, "fresh-1", s.SPIRAL), s.BEGAN_AT + 1

    async with opened(starting) as table:
        assert "◌ starting" in table.text()
        assert "waiting for its engine" in table.text()
        await table.press("space")
        assert table.notes() == ["the run is still starting"]
        shown = await table.engine_says(s.started(), *s.classifier_events(20, 2, 10, 1, 35.0))
        assert "▶ running" in shown


async def test_every_size_is_drawn(opened: Opener) -> None:
    async with opened(scenes.classifier) as table:
        for size in ((1, 1), (30, 7), (110, 24), (80, 60)):
            await table.pilot.resize_terminal(*size)
            for keys in ((), ("3", "z"), ("z", "4", "1")):
                await table.press(*keys)
            assert all(len(line) <= size[0] for line in table.text().splitlines())


def test_every_key_has_a_name_and_a_word() -> None:
    for binding in RunScreen.BINDINGS:
        assert binding.description  # type: ignore[union-attr]
        if binding.action != "confirm_stop":  # type: ignore[union-attr]
            assert binding.id.startswith("run.")  # type: ignore[union-attr]
            assert binding.tooltip  # type: ignore[union-attr]


# -- what keys cost --------------------------------------------------------------------------------------------------


async def test_another_pane_or_axis_is_shown_without_painting_the_whole_screen(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(scenes.classifier) as table:
        painted = []
        home = table.app.screen_stack[-2]
        assert isinstance(home, HomeScreen)
        await home.furnish()  # it would do so in a moment, and Textual paints what lies above
        await table.press()
        paint = Compositor.render_full_update
        monkeypatch.setattr(Compositor, "render_full_update", lambda *a, **kw: painted.append("all") or paint(*a, **kw))
        assert "┏━ loss" in table.text()
        assert "┏━ accuracy" in await table.press("2")
        assert "log y" in await table.press("l")
        assert painted == []


async def test_panes_that_stay_in_sight_are_not_drawn_anew_because_others_come(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(scenes.classifier) as table:
        offered = list[str | None]()
        monkeypatch.setattr(RunScreen, "refresh_view", lambda *_, **__: None)
        monkeypatch.setattr(Chart, "offer", lambda chart, *_, **__: offered.append(chart.id))
        await table.pilot.press("2", "3", "1", "z")
        assert offered == []
        await table.pilot.press("z")
        assert offered == ["run-metric"]


async def test_the_curves_give_way_to_a_key_once(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(scenes.classifier) as table:
        refreshed = list[str]()
        table.app.key_came_at_s = float("inf")  # as if a key were held down
        monkeypatch.setattr(RunScreen, "refresh_view", lambda *_, **__: refreshed.append("again"))
        for _ in range(4):
            table.screen._refresh_in_turn()
        assert refreshed == ["again"] * 2


async def test_zoom_styles_no_widget_anew(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(scenes.classifier) as table:
        styled, shown = list[DOMNode](), table.app.screen

        def note(self: Stylesheet, nodes: Iterable[DOMNode], animate: bool = False) -> None:
            styled.extend(node for node in nodes if shown in node.ancestors_with_self)  # Home is made meanwhile

        monkeypatch.setattr(Stylesheet, "update_nodes", note)
        assert (await table.press("z")).startswith(" ▸1 loss")
        assert (await table.press("z")).startswith(" ▶ running")
        monkeypatch.undo()  # screens that go away style what has no screen any more
        assert styled == []
