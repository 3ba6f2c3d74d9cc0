"""Stepping through the pictures of past epochs."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import events as ev
from engine.run_folder import RunFolder, RunLock
from tests.tui import gan_scene as scene
from tests.tui import run_scenes as scenes
from tests.tui import scripted as s
from tests.tui.run_scenes import app_on, seen, settled
from tui.run_follower import RunFollower
from tui.screens.run_pictures import RunPictures


async def followed(folder: RunFolder) -> tuple[RunPictures, RunFollower]:
    """The pictures of a run, all of which has been read."""
    follower = RunFollower(folder, lambda: scene.NOW)
    await follower.open()
    while not follower.is_caught_up:
        await follower.poll()
    return RunPictures(follower, lambda: ""), follower


async def shown(pictures: RunPictures) -> str:
    """Where the chosen picture stands, once it has been read."""
    if pictures.begin():
        await pictures.load()
    assert pictures.shown is not None and not pictures.shown.problem
    return pictures.place()


async def stepped(pictures: RunPictures, *directions: int) -> list[str]:
    """What is shown after each step."""
    places = []
    for direction in directions:
        pictures.step(direction)
        places.append(await shown(pictures))
    return places


async def poll(follower: RunFollower, events: int = 1) -> None:
    version = follower.state.version + events
    while follower.state.version < version:
        await follower.poll()


LIVE = "live, press , for earlier"


def at(epoch: float) -> str:
    return f"epoch {epoch:g} of 5, press , or ."


async def test_steps_go_from_the_live_picture_to_the_first_and_back(runs: Path) -> None:
    pictures, _ = await followed(scene.gan(runs)[0])
    assert await shown(pictures) == LIVE
    assert await stepped(pictures, -1, -1, -1, -1, -1) == [at(3), at(2), at(1), at(0), at(0)]
    assert pictures.shown is not None and pictures.shown.event.file == "figures/samples-epoch-000000.npz"
    assert await stepped(pictures, 1, 1, 1, 1, 1) == [at(1), at(2), at(3), LIVE, LIVE]
    assert pictures.shown.event.file == "figures/samples.npz"


async def test_it_stays_at_its_epoch_while_training_goes_on(runs: Path) -> None:
    folder, _ = scene.gan(runs)
    pictures, follower = await followed(folder)
    await stepped(pictures, -1)
    scene.keep(folder, 4)
    scene.draw_live(folder, 1900)
    await poll(follower, 2)
    assert await shown(pictures) == at(3)
    assert await stepped(pictures, 1, 1) == [at(4), LIVE]


async def test_a_live_picture_moves_on(runs: Path) -> None:
    folder, _ = scene.gan(runs)
    pictures, follower = await followed(folder)
    await shown(pictures)
    scene.draw_live(folder, 1700)
    await poll(follower)
    assert await shown(pictures) == LIVE
    assert pictures.shown is not None and pictures.shown.event.step == 1700


async def test_the_last_picture_of_an_ended_run_is_its_last_epochs(runs: Path) -> None:
    folder, _ = scene.gan(runs)
    scene.keep(folder, 5)
    scene.draw_live(folder, 5 * scene.PER_EPOCH)
    s.write_events(folder, [ev.RunFinished(step=5 * scene.PER_EPOCH, at=scene.NOW, elapsed_s=60)])
    pictures, _ = await followed(folder)
    assert await shown(pictures) == at(5)
    assert await stepped(pictures, -1, 1) == [at(3), at(5)]


async def test_epochs_that_a_resume_takes_back_are_left(runs: Path) -> None:
    folder, _ = scene.gan(runs)
    pictures, follower = await followed(folder)
    assert await stepped(pictures, -1) == [at(3)]
    s.write_events(folder, [s.started(step=scene.PER_EPOCH, steps_per_epoch=scene.PER_EPOCH, epochs=5, metric="")])
    await poll(follower)
    assert await shown(pictures) == LIVE
    assert await stepped(pictures, -1) == [at(1)]


async def test_pictures_that_are_only_kept_are_shown_too(runs: Path) -> None:
    folder = s.make_run(runs, "dcgan-mnist-1", scene.GAN)
    s.write_events(folder, [scene.begun()])
    scene.keep(folder, 0)
    scene.keep(folder, 1)
    pictures, _ = await followed(folder)
    assert pictures.names == ["samples"]
    assert await shown(pictures) == at(1)
    assert await stepped(pictures, -1) == [at(0)]


async def test_a_picture_that_is_gone_is_told_of(runs: Path) -> None:
    folder, _ = scene.gan(runs)
    (folder.figures / "samples-epoch-000003.npz").unlink()
    pictures, _ = await followed(folder)
    pictures.step(-1)
    assert pictures.begin()
    await pictures.load()
    assert pictures.shown is not None and "samples-epoch-000003.npz can't be read" in pictures.shown.problem


async def test_of_a_key_that_is_held_down_one_picture_is_read_at_a_time(runs: Path) -> None:
    pictures, _ = await followed(scene.gan(runs)[0])
    await shown(pictures)
    pictures.step(-1)
    assert pictures.begin()
    pictures.step(-1)
    pictures.step(-1)
    assert not pictures.begin()
    await pictures.load()
    assert pictures.place() == at(3), "what is said is what is seen"
    assert await shown(pictures) == at(1), "those between were passed over"


# -- on the screen ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(140, 45), (80, 24)])
async def test_comma_and_full_stop_step_on_the_screen(runs: Path, few_presets: Path, size: tuple[int, int]) -> None:
    folder, now = scene.gan(runs)
    lock, app = RunLock(folder), app_on(folder, now, runs)
    try:
        async with app.run_test(size=size) as pilot:
            await settled(pilot, "comma")
            assert "step 1,407 · epoch 3 of 5" in seen(app)
            await settled(pilot, "comma")
            assert "step 938 · epoch 2 of 5" in seen(app)
            await settled(pilot, "full_stop", "full_stop")
            assert "step 1,600 · live" in seen(app)
    finally:
        lock.release()


async def test_a_run_that_keeps_no_pictures_says_so(runs: Path, few_presets: Path) -> None:
    folder, now = scenes.digits_finished(runs)
    app = app_on(folder, now, runs)
    async with app.run_test(size=(140, 45)) as pilot:
        await settled(pilot, "comma")
        assert [note.message for note in app._notifications] == ["no picture of a past epoch is kept here"]
