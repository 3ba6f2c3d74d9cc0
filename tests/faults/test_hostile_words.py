"""Words from strangers are shown as words: no terminal obeys them, no markup comes of them, no screen breaks."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len

from engine import events as ev
from engine.figures import Figure, save_figure
from engine.places import runs_dir, user_presets_dir
from engine.run_folder import RunFolder, RunLock
from tests.cli.conftest import Dltui, make_run
from tests.cli.conftest import dltui as dltui
from tests.e2e.screen import Screen
from tests.faults.absurd import HOSTILE
from tests.tui import run_scenes
from tests.tui import scripted as s
from tests.tui.conftest import few_presets as few_presets
from tests.tui.conftest import runs as runs
from tests.tui.scripts import NOW, FakeLauncher, until
from tests.tui.scripts import settled as home_settled
from tui.app import make_app
from tui.launcher import HostDeath
from tui.offline_answer import Answer
from tui.parting import parting_words
from tui.screens.home import HomeScreen
from tui.screens.run_ask import RunAsk
from tui.widgets.home_lists import RunList

Tally = Any
NAMES = (
    "[bold red]x[b]",
    "\x1b[2J\x1b[31mred",
    "\u202etxet",
    "a\nb",
    "日本日本",
    "e" + "\u0301" * 60,
    "$error",
    "%s{0}",
)
QUICK = (
    "\x1b[31m\x07\u202e\n\u2028\x9b1m" + "e" + "\u0301" * 40 + "日本 %s{x!r}",
    "[bold red]x[/] [@click=app.quit]q[/] $error [",
)
"""What harms most, in two words."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Two words for every test, or all."""
    if "word" in metafunc.fixturenames:
        words = (*QUICK, *HOSTILE) if metafunc.config.getoption("--torture") else QUICK
        metafunc.parametrize("word", words, ids=range(len(words)))


def obeyed(text: str) -> list[str]:
    """Characters of `text` that a terminal would act on instead of showing them."""
    unseen = {"\u200b", "\u200c", "\u200d", "\u00ad"}
    return [
        char
        for char in text
        if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and char not in unseen | {"\n"}
    ]


def strange_run(name: str, word: str, ending: str = "failed") -> RunFolder:
    """A run that says `word` wherever it may say anything."""
    folder = make_run("draft")
    figures = [
        Figure("words", "words", word, {"labels": np.array([word] * 3), "texts": np.array([word] * 3)}),
        Figure("matrix", "matrix", word, {"counts": np.eye(2, dtype=int), "names": np.array([word, word])}),
        Figure("compare", "compare", word, {"names": np.array([word]), "learned": np.ones(1), "truth": np.ones(1)}),
    ]
    drawn = [
        ev.FigureDrawn(step=2, name=word + figure.name, kind=figure.kind, title=word, file=f"figures/{file}")
        for figure in figures
        for file in [save_figure(folder.figures, figure)]
    ]
    values = {"train/loss": 1.0, word: 2.0, f"train/{word}": 0.5, f"val/{word}": 0.5}
    begun = s.started(host=word, device=word, device_name=word, torch=word, metric=f"val/{word}"[:1000])
    end = {
        "failed": ev.RunFailed(step=9, at=NOW, error=word, cure=word, traceback=f"{word}\n{word}"),
        "stopped": ev.RunStopped(step=9, at=NOW, elapsed_s=2.0, reason=word),
        "finished": ev.RunFinished(step=9, at=NOW, elapsed_s=2.0, reason=word),
    }
    rows = [
        begun,
        *(ev.MetricsLogged(step=n, at=NOW, steps=1, elapsed_s=n, lr=0.1, values=values) for n in (1, 2)),
        ev.Evaluated(step=2, at=NOW, epoch=1, elapsed_s=2.0, values={f"val/{word}": 0.5, word: 1.0}),
        *drawn,
        ev.CheckpointSaved(step=2, at=NOW, folder=word, reason=word, took_s=1.0),
        ev.LineLogged(step=2, at=NOW, level=word, text=word),
        ev.LineLogged(step=2, at=NOW, level="warning", text=word),
        ev.CommandRejected(step=2, at=NOW, command=word, reason=word),
        ev.StepSkipped(step=2, at=NOW, what=word, layer=word, lr=0.1),
        ev.RolledBack(step=2, at=NOW, from_step=3, lr=0.1, reason=word),
        ev.Answered(step=2, at=NOW, id="7", values={word: 0.9, "b" + word: 0.1}),
        ev.Answered(step=2, at=NOW, id="8", values={}, refusal=word),
        *([end[ending]] if ending in end else []),
    ]
    s.write_events(folder, rows, damage=f'{{"event": "{word}"}}\n{word}\n'.encode("utf-8", "replace"))
    (folder.path / "console.log").write_text(f"{word}\n" * 3, "utf-8", "replace")
    return RunFolder(folder.path.rename(folder.path.with_name(name)))


def config_of(word: str) -> str:
    """A preset that says `word` wherever it may say anything."""
    said = json.dumps(word.replace("\x7f", "\x01")[:70])
    return (
        f"title = {said}\nteaches = {said}\ngroup = {said}\n[data]\nkind = 'spiral'\n[model]\nkind = 'mlp'\n"
        f"hidden = [8]\n[display]\noverlay = {said}\n"
    )


def test_the_command_line_shows_words_as_words(dltui: Dltui, word: str, tally: Tally) -> None:
    name = word.replace("/", "-").replace("\x00", "")[:60].strip(".") or "-"
    strange_run(name, word)
    strange_run(f"{name}-2", word, "died")
    user_presets_dir().mkdir(parents=True)
    (user_presets_dir() / "strange.toml").write_text(config_of(word))
    (user_presets_dir() / f"{name}.toml").write_text(f"extends = {json.dumps(word)}\n{json.dumps(word)} = 1")
    (runs_dir() / name / "config.toml").write_text(config_of(word))
    lines = [["runs"], ["runs", "--json"], ["presets"], ["presets", "--json"], ["show", f"{runs_dir()}/{name}"]]
    lines += [
        ["show", f"{runs_dir()}/{name}-2"],
        ["show", f"{runs_dir()}/{name}", "--json"],
        ["train", word, "--dry-run"],
    ]
    lines += [["train", f"{user_presets_dir()}/{name}.toml"], ["show", word], ["pause", f"{runs_dir()}/{name}"], [word]]
    lines += [["set", f"{runs_dir()}/{name}", f"{word}=1"], ["train", "strange", f"--{word}", "1"], ["doctor", word]]
    lines += [["train", "strange", f"--model.kind={word}"], ["attach", word], ["ask", f"{runs_dir()}/{name}-2", word]]
    for line in lines:
        if any("\x00" in part for part in line):
            continue  # no shell can say that
        done = dltui(*line)
        assert done.status in (0, 1, 2), (line, done)
        assert obeyed(done.out + done.err) == [], (line, done)
        assert "Traceback" not in done.err, (line, done)
    assert obeyed(parting_words(runs_dir(), [RunFolder(runs_dir() / name)])) == []
    tally("commands with hostile words", len(lines))


async def test_the_run_screen_shows_words_as_words(runs: Path, few_presets: Path, word: str, tally: Tally) -> None:
    folder = strange_run("strange", word)
    (folder.path / "config.toml").write_text(config_of(word))
    app = run_scenes.app_on(folder, NOW, runs_dir())
    async with app.run_test(size=(150, 45), notifications=True) as pilot:
        screen = await run_scenes.settled(pilot)
        looks = [run_scenes.seen(app)]
        for key in ("f", "f", "f", "x", "l", "o", "z", "f", "4", "z"):
            await run_scenes.settled(pilot, key)
            looks.append(run_scenes.seen(app))
        ask = screen.query_one(RunAsk)
        ask.display = True
        ask.line.show_answer(Answer({word: 0.9, "b" + word: 0.1}, 3, word))
        screen.dltui.launcher.dead.append(HostDeath(folder, word))  # type: ignore[attr-defined]
        app._report_dead_hosts()
        await pilot.pause()
        looks.append(run_scenes.seen(app))
    for look in looks:
        assert obeyed(look) == []
        assert {cell_len(line) for line in look.splitlines()} <= {150, 149, 151} or not word.isascii()
    assert any("did not start" in look for look in looks)
    if word.startswith("[bold red]"):
        assert "[bold red]x[/]" in looks[0]
    tally("run screens with hostile words", len(looks))


async def test_home_shows_words_as_words(runs: Path, few_presets: Path, tally: Tally) -> None:
    names = [*NAMES, os.fsdecode(b"\xff\xfe"), " ", "-rf", "~", "x" * 250]
    user_presets_dir().mkdir(parents=True)
    for number, name in enumerate(names):
        strange_run(name, HOSTILE[number % len(HOSTILE)], ("failed", "died", "stopped", "finished")[number % 4])
        (user_presets_dir() / f"p{number}.toml").write_text(config_of(HOSTILE[number % len(HOSTILE)]))
        (user_presets_dir() / f"{name[:200]}.toml").write_text(f"{json.dumps(HOSTILE[number])} = 1")
    app = make_app(runs_dir(), Path("data"), warm=False, clock=lambda: NOW, launcher=FakeLauncher())
    looks = []
    async with app.run_test(size=(150, 45), notifications=True) as pilot:
        await home_settled(pilot)
        assert app.screen.query_one(RunList).option_count == len(names)
        await pilot.press("end")
        for _ in names:
            looks.append(run_scenes.seen(app))
            await pilot.press("up")
        await pilot.press("tab", "home")
        for _ in names:
            await pilot.pause()
            looks.append(run_scenes.seen(app))
            await pilot.press("down")
        await pilot.press("d")
        await pilot.pause()
        looks.append(run_scenes.seen(app))
        await pilot.press("escape", "question_mark")
        await pilot.pause()
        looks.append(run_scenes.seen(app))
    assert [obeyed(look) for look in looks] == [[]] * len(looks)
    assert any("[bold red]x[b]" in look for look in looks)
    tally("looks at Home with hostile words", len(looks))


async def test_a_strange_host_that_dies_is_told_of_in_plain_words(runs: Path, few_presets: Path) -> None:
    launcher = FakeLauncher()
    app = make_app(runs_dir(), Path("data"), warm=False, clock=lambda: NOW, launcher=launcher)
    async with app.run_test(size=(150, 45), notifications=True) as pilot:
        await home_settled(pilot)
        for name in NAMES[2::-1]:
            launcher.dead.append(HostDeath(RunFolder(runs_dir() / name), name))
        app._report_dead_hosts()
        await until(lambda: "did not start" in run_scenes.seen(app))
        assert isinstance(app.screen, HomeScreen)
        look = run_scenes.seen(app)
    assert obeyed(look) == []
    assert "[bold red]x[b] did not start" in look


def test_a_real_terminal_gets_nothing_to_obey() -> None:
    name = "\x1b]0;title\x07\x1b[31mred"
    folder = strange_run(name, "\x1b]0;mine\x07\x1b[41m[red]x[/]", "died")
    lock = RunLock(folder)
    raw: list[str] = []
    with Screen(["attach", str(folder.path)]) as screen:
        feed = screen._feed
        screen._feed = lambda data: (raw.append(data), feed(data))  # type: ignore[method-assign, assignment, func-returns-value]
        screen.wait_for(r"\[red\]x\[/\]")
        screen.press("q")
        screen.wait_for("Presets")
        screen.press("q")
        screen.wait_for("goes on")
        text = screen.look()
    lock.release()
    assert "\x1b]0;mine" not in "".join(raw)
    assert "\x1b]0;title" not in "".join(raw)
    assert "]0;title" in text
