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
from textual.widgets import Static

from engine import commands as cmd
from engine import events as ev
from engine.run_folder import RunFolder
from tests.tui import run_scenes as scenes
from tests.tui import scripted as s
from tests.tui.run_scenes import Scene
from tests.tui.run_table import SMALL, Table, open_table
from tests.tui.scripts import until
from tui.screens.configure import ConfigureScreen
from tui.screens.help import HelpScreen
from tui.screens.home import HomeScreen
from tui.screens.run import RunScreen
from tui.widgets.chart import Chart
from tui.widgets.key_footer import KeyFooter
from tui.widgets.window import WindowLines

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
        assert "r Resume" in table.text() or "r Begin anew" in table.text()
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


# -- what the footer says of keys ------------------------------------------------------------------------------------


def footer(table: Table) -> str:
    return table.text().splitlines()[-1]


async def test_the_footer_names_what_keys_do_as_things_stand(opened: Opener) -> None:
    async with opened(scenes.classifier) as table:
        steering = ("s Stop", "c Save", "+- lr")
        assert all(name in footer(table) for name in ("space Pause", *steering, "f Picture", "n New run"))
        assert "Resume" not in footer(table) and "Epoch" not in footer(table)
        at = s.BEGAN_AT + 12
        await table.engine_says(ev.RunPaused(step=424, at=at))
        assert all(name in footer(table) for name in ("space Continue", *steering))
        await table.engine_says(ev.RunContinued(step=424, at=at))
        assert "space Pause" in footer(table)
        await table.engine_says(ev.RunStopped(step=430, at=at, elapsed_s=12, reason="asked"))
        assert "r Resume" in footer(table)
        assert not any(name in footer(table) for name in ("space", *steering))


@pytest.mark.parametrize(
    ("scene", "resume"),
    [(scenes.digits_finished, ""), (scenes.failed, "r Begin anew"), (scenes.died, "r Resume")],
)
async def test_the_footer_offers_no_key_that_would_do_nothing(opened: Opener, scene: Scene, resume: str) -> None:
    async with opened(scene, alive=False) as table:
        assert not any(name in footer(table) for name in ("space", "s Stop", "c Save", "+- lr"))
        assert footer(table).lstrip().startswith(resume or "n New run")
        assert bool(resume) or "Resume" not in footer(table)


async def test_the_footer_is_painted_anew_only_when_it_says_something_else(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(scenes.classifier) as table:
        painted, published = list[int](), list[int]()
        line = table.screen.query_one(KeyFooter)
        monkeypatch.setattr(line, "refresh", lambda *_, **__: painted.append(1))
        await table.press("2", "l")
        assert painted == []
        with monkeypatch.context() as patch:
            patch.setattr(table.screen, "refresh_bindings", lambda: published.append(1))
            for _ in range(3):
                table.screen.refresh_view()
        assert published == []


@pytest.mark.parametrize("width", [20, 40, 60, 80])
async def test_a_narrow_footer_keeps_the_way_out_and_drops_others_whole(opened: Opener, width: int) -> None:
    async with opened(scenes.classifier, size=(width, 24)) as table:
        assert footer(table).endswith("? Help q Leave ")
        names = "space Pause s Stop c Save +- lr n New run z Zoom f Picture o Overlay l Log y x Axis [] Smooth"
        shown = footer(table).removesuffix("? Help q Leave ").strip()
        assert names.startswith(shown) and (not shown or names[len(shown) :][:1] in ("", " "))


async def test_a_click_on_a_key_of_the_footer_does_what_the_key_does(opened: Opener) -> None:
    async with opened(scenes.classifier) as table:
        for text, command in (("space Pause", "Pause"), ("- lr", "ScaleLearningRate"), ("c Save", "SaveCheckpoint")):
            at = footer(table).index(text)
            await table.pilot.click(KeyFooter, offset=(at, 0))
            await table.press()
            assert table.asked()[-1] == command


async def test_the_help_has_the_most_important_keys_first_and_one_row_for_panes(opened: Opener) -> None:
    async with opened(scenes.classifier, size=SMALL) as table:
        await table.pilot.press("question_mark")
        await until(lambda: isinstance(table.app.screen, HelpScreen))
        await table.pilot.pause()
        rows = scenes.seen(table.app)
        names = ("Pause", "Resume", "Stop", "Save", "lr up", "lr down", "New run", "Zoom", "Picture", "Leave")
        places = [rows.index(f"  {name} ") for name in names]
        assert places == sorted(places)
        keys = table.app.screen.query_one(WindowLines)
        words = "\n".join(strip.text for strip in keys.render_lines(keys.size.region))
        assert words.count("  Pane ") == 1 and "1 2 3 4  Pane" in words
        assert "^c ^q  Quit" in words


# -- an engine that has yet to speak ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("scene", "word"), [(scenes.died, "resuming from step 300"), (scenes.failed, "starting anew")])
async def test_after_r_the_screen_says_what_is_coming(opened: Opener, scene: Scene, word: str) -> None:
    async with opened(scene, alive=False) as table:
        seen_s = table.screen.follower.elapsed_s
        shown = await table.press("r")
        assert f"◌ {word}" in shown
        assert f"◌ {word.capitalize()}" in shown
        assert "† " not in shown and "✗ Failed" not in shown and "steps/s" not in shown
        assert "r Resume" not in footer(table) and "space" not in footer(table)
        assert table.notes() == []
        assert table.screen.follower.elapsed_s == seen_s


async def test_an_engine_that_does_not_come_leaves_the_run_as_it_was(opened: Opener) -> None:
    async with opened(scenes.died, alive=False) as table:
        await table.press("r")
        table.app.dead_runs[table.folder.path] = "no torch"
        await until(lambda: table.screen.follower.status == "died")
        assert "† Died" in await table.press()


async def test_n_opens_the_form_with_the_values_of_this_run_and_leads_back(opened: Opener) -> None:
    async with opened(scenes.failed, alive=False) as table:
        await table.pilot.press("n")
        await until(lambda: isinstance(table.app.screen, ConfigureScreen))
        await table.pilot.pause()
        assert "as run digits-wide-2 has it" in scenes.seen(table.app)
        await table.pilot.press("escape")
        await until(lambda: isinstance(table.app.screen, RunScreen))


async def test_tabs_have_short_names_and_the_picture_keeps_its_title(opened: Opener) -> None:
    async with opened(scenes.digits_finished, alive=False, size=SMALL) as table:
        shown = await table.press("f", "f")
        assert "▸3 mistakes   4 log" in shown
        assert "Worst mistakes" in shown


# -- what the banner says ----------------------------------------------------------------------------------------------


NOT_FINITE = "the loss became NaN or infinite at step 47, with learning rate 100"
WITHOUT = (
    "there is no checkpoint yet: begin again with a lower learning rate, as in dltui resume digits-1 --lr 10; "
    "or start a new run with trainer.clip_norm 1"
)
WITH = "the last good checkpoint is of step 46: go on from it with a lower learning rate, as in dltui resume a --lr 1"


def failing(error: str, cure: str, saved: bool = False, began: bool = True) -> Scene:
    """A run that ended so."""

    def scene(runs: Path) -> tuple[RunFolder, float]:
        folder, at = s.make_run(runs, "digits-1", s.DIGITS), s.BEGAN_AT + 1
        told: list[ev.AnyEvent] = [s.started(steps_per_epoch=23, epochs=30)] if began else []
        if saved:
            told.append(ev.CheckpointSaved(step=46, at=at, folder="checkpoints/last", reason="schedule", took_s=0.1))
        s.write_events(folder, [*told, ev.RunFailed(step=46 * began, at=at, error=error, cure=cure, traceback="")])
        return folder, at + 60

    return scene


@pytest.mark.parametrize(
    ("scene", "words"),
    [
        (
            failing(NOT_FINITE, WITHOUT),
            f"✗ Failed {NOT_FINITE} → Cure there is no checkpoint yet: begin again with a lower learning rate; "
            "or start a new run with trainer.clip_norm 1 · n opens its values in the form",
        ),
        (
            failing(NOT_FINITE, WITH, saved=True),
            f"✗ Failed {NOT_FINITE} → Cure the last good checkpoint is of step 46: go on from it with a lower learning "
            "rate · r resumes · n opens its values in the form",
        ),
        (
            failing("/x.csv is not there: set data.path", "", began=False),
            "✗ Failed /x.csv is not there: set data.path → n opens its values in the form, to mend them "
            "· r tries again",
        ),
        (
            failing("the disk is full", "free some space, then resume", saved=True),
            "✗ Failed at step 46: the disk is full → Cure free some space, then resume · last checkpoint: step 46 "
            "· r resumes · n opens its values in the form",
        ),
        (scenes.digits_finished, "✓ Finished 30 epochs in 3.3 s · n begins another like it"),
    ],
)
async def test_the_banner_says_each_thing_once_and_names_keys_that_help(
    opened: Opener, scene: Scene, words: str
) -> None:
    async with opened(scene, alive=False) as table:
        await table.press()
        said = str(table.screen.query_one("#run-banner", Static).content)
        assert " ".join(said.split()) == words


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
        assert shown.startswith(" ▶ running   epoch 420/1,000   step 420   lr 0.00126   0:00:16 left")
        assert "━ run ━" not in shown and "best accuracy" not in shown
        assert "best accuracy" in await table.press("escape")


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
        assert (await table.press("z")).splitlines()[1].startswith(" ▸1 loss")
        assert "run ━" in (await table.press("z")).splitlines()[1]
        monkeypatch.undo()  # screens that go away style what has no screen any more
        assert styled == []
