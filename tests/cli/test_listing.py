"""Lists of presets and runs, and all about one run."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from engine import events as ev
from engine.places import runs_dir, user_presets_dir
from presets import load_presets
from tests.cli.conftest import Dltui, make_run, record
from tests.engine.test_run_state import evaluated, logged, started
from tui import listing
from tui.output import ago, table


def test_presets_say_what_they_teach_on_what_and_how_large_they_are(dltui: Dltui) -> None:
    done = dltui("presets")
    assert (done.status, done.err) == (0, "")
    for preset in load_presets()[0]:
        assert f"  {preset.name} " in done.out
        assert preset.config.title in done.out
    assert "spiral, 603 parameters" in done.out


def test_presets_as_json_are_whole(dltui: Dltui) -> None:
    presets = json.loads(dltui("presets", "--json").out)
    spiral = next(preset for preset in presets if preset["name"] == "spiral-relu")
    assert {"name", "title", "teaches", "group", "data", "parameters", "config"} <= spiral.keys()
    assert spiral["config"]["optimizer"]["lr"] == 1e-3
    assert spiral["parameters"] == 603


def test_a_broken_preset_of_the_users_own_is_a_warning(dltui: Dltui) -> None:
    user_presets_dir().mkdir(parents=True)
    (user_presets_dir() / "mine.toml").write_text("extends = 'spiral-relu'\ntitle = 'My \x7f[bold]own'")
    (user_presets_dir() / "good.toml").write_text("extends = 'spiral-relu'\ntitle = '[bold]Mine[/bold] \\u001b[31m'")
    for argv in (["presets"], ["presets", "--json"]):
        done = dltui(*argv)
        assert done.status == 0
        assert done.err.startswith(f"dltui: warning: {user_presets_dir() / 'mine.toml'}: ")
        assert "spiral-relu" in done.out
        assert "\x1b[31m" not in done.out
    assert "Your own" in dltui("presets").out


def test_runs_are_listed_newest_first_with_how_they_stand(dltui: Dltui) -> None:
    finished = make_run("done", started(), logged(40, 0.5), evaluated(40, 0.91), ev.RunFinished(step=40, elapsed_s=4.0))
    make_run("dead", started(), logged(10, 0.25))
    an_hour_ago = time.time() - 3700
    os.utime(finished.path / "events.jsonl", (an_hour_ago, an_hour_ago))
    header, *rows = dltui("runs").out.splitlines()
    assert header.split() == ["run", "state", "progress", "metric", "changed"]
    assert [row.split("  ") for row in rows] != []
    assert rows[0].startswith("dead  died      epoch 1/4, 25 %   train/loss 0.25")
    assert rows[1].startswith("done  finished  epoch 4/4, 100 %  val/accuracy 0.91")
    assert rows[1].endswith("1 h ago")


def test_runs_as_json(dltui: Dltui) -> None:
    make_run("one", started(), logged(10, None))
    (run,) = json.loads(dltui("runs", "--json").out)
    assert run["run"] == "one"
    assert run["dir"] == str(runs_dir() / "one")
    assert (run["state"], run["epochs"], run["of_epochs"], run["steps"], run["of_steps"]) == ("died", 1, 4, 10, 40)
    assert run["metrics"] == {"train/loss": None}
    assert run["changed_at"] == pytest.approx(time.time(), abs=60)


def test_no_runs_are_an_empty_list_or_a_hint(dltui: Dltui) -> None:
    assert dltui("runs", "--json").out == "[]\n"
    done = dltui("runs")
    assert (done.status, done.out) == (0, "")
    assert done.err == f"no runs in {runs_dir()} yet; make one: dltui train spiral-relu\n"


def test_a_runs_folder_that_is_a_file_is_told_of(dltui: Dltui, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for command in ("runs", "attach"):
        done = dltui(command, "--runs", str(tmp_path / "file"))
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith(f"dltui: {tmp_path / 'file'}: not a directory; choose another folder with --runs")


def test_a_live_run_is_running_and_a_paused_one_paused(dltui: Dltui) -> None:
    folder = make_run("live", started(), logged(10))
    lock = folder.lock()
    assert json.loads(dltui("show", "live", "--json").out)["state"] == "running"
    record(folder, ev.RunPaused(step=12))
    assert "live  paused" in dltui("runs").out
    lock.release()
    assert "live  died" in dltui("runs").out


def test_showing_a_run_says_everything_a_person_asks(dltui: Dltui) -> None:
    folder = make_run(
        "mine",
        started(),
        *(logged(step, 1.0 / step) for step in range(1, 20)),
        ev.LearningRateChanged(step=12, old=0.001, new=0.01),
        evaluated(20, 0.75),
        evaluated(30, 0.5),
        ev.RunStopped(step=30, elapsed_s=3.0, reason="asked"),
    )
    (folder.checkpoints / "last").mkdir()
    (folder.checkpoints / ".last-30").mkdir()
    config = folder.path / "config.toml"
    config.write_text(config.read_text().replace("epochs = 1000", "epochs = 4").replace("lr = 0.001", "lr = 0.1"))
    done = dltui("show", "mine")
    assert (done.status, done.err) == (0, "")
    shown = {line.split("  ")[1]: line for line in done.out.splitlines() if line.startswith("  ") and line[2] != " "}
    assert done.out.startswith("mine  stopped\n")
    assert shown["preset"].endswith("spiral-relu, with optimizer.lr 0.1 (was 0.001), trainer.epochs 4 (was 1000)")
    assert shown["progress"].endswith("epoch 3/4, 75 %, step 30 of 40, 3.0 s, 10 steps/s")
    assert shown["best"].endswith("val/accuracy 0.75 at epoch 2, step 20")
    assert shown["checkpoints"].endswith("  last")
    assert shown["optimizer.lr"].endswith("0.01, changed while it ran")
    assert shown["folder"].endswith(str(folder.path))
    assert "train/loss" in done.out.partition("│")[2], "its curve"
    assert done.out.rstrip().endswith("stopped at step 30 (asked)")


def test_values_that_are_not_finite_are_gaps_in_what_is_shown(dltui: Dltui) -> None:
    steps = [logged(step, None if step % 5 == 0 else 1.0 / step) for step in range(1, 20)]
    make_run("gaps", started(), *steps, evaluated(10, 0.5), evaluated(20, None), evaluated(30, None))
    done = dltui("show", "gaps")
    assert (done.status, done.err) == (0, "")
    assert "train/loss" in done.out.partition("│")[2], "its curve"
    assert "val/accuracy 0.5 at epoch 1, step 10" in done.out
    assert "nan" not in done.out.lower()
    make_run("nothing", started(), *(logged(step, None) for step in range(1, 20)), evaluated(20, None))
    done = dltui("show", "nothing")
    assert (done.status, done.err) == (0, "")
    assert "best" not in done.out
    assert json.loads(dltui("show", "nothing", "--json").out)


def test_another_kind_is_told_with_its_fields(dltui: Dltui) -> None:
    folder = make_run("other", started())
    config = folder.path / "config.toml"
    before, _, after = config.read_text().partition("[model]")
    config.write_text(
        before + '[model]\nkind = "linear"\ninit = "normal"\n\n[optimizer]' + after.partition("[optimizer]")[2]
    )
    out = dltui("show", "other").out
    assert "model.kind linear (was mlp)" in out
    assert "model.init normal" in out
    assert "hidden" not in out


def test_a_failure_comes_with_its_cure_and_its_traceback(dltui: Dltui) -> None:
    failure = ev.RunFailed(
        step=7, error="out of memory \x1b[2J", cure="lower trainer.batch_size", traceback="Traceback\n  File x"
    )
    make_run("bad", started(), logged(7), failure)
    out = dltui("show", "bad").out
    assert "Traceback\n  File x\n" in out
    assert out.rstrip().endswith(
        "failed: out of memory \N{REPLACEMENT CHARACTER}[2J\nmend it by: lower trainer.batch_size"
    )
    shown = json.loads(dltui("show", "bad", "--json").out)
    assert (shown["state"], shown["cure"]) == ("failed", "lower trainer.batch_size")


def test_a_run_that_died_says_how_it_goes_on(dltui: Dltui) -> None:
    make_run("dead", started(), logged(7))
    assert "it goes on from its last checkpoint with: dltui resume dead" in dltui("show", "dead").out


def test_damage_is_a_warning_and_the_rest_is_shown(dltui: Dltui) -> None:
    folder = make_run("hurt", started(), logged(5))
    with (folder.path / "events.jsonl").open("ab") as file:
        file.write(b"\x00\xff[bold]nonsense\n")
    record(folder, logged(8))
    (folder.path / "config.toml").write_text("[oops")
    done = dltui("show", "hurt")
    assert done.status == 0
    assert "step 8 of 40" in done.out
    assert "config.toml is damaged" in done.out
    assert done.err.startswith("dltui: warning: events.jsonl, line 3: ")


def test_a_run_folder_with_next_to_nothing_in_it_is_shown(dltui: Dltui) -> None:
    make_run("new")
    assert dltui("show", "new").out.startswith("new  starting\n")
    folder = make_run("empty")
    (folder.path / "events.jsonl").unlink()
    assert dltui("show", "empty").status == 0
    assert [run["run"] for run in json.loads(dltui("runs", "--json").out)] == ["new"]


def test_a_preset_that_is_gone_is_no_error(dltui: Dltui) -> None:
    folder = make_run("old", started())
    config = folder.path / "config.toml"
    config.write_text(config.read_text().replace('preset = "spiral-relu"', 'preset = "gone"'))
    assert "gone, which is not here" in dltui("show", "old").out


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (59, "59 s ago"),
        (61, "1 min ago"),
        (7200, "2 h ago"),
        (86400, "1 day ago"),
        (1e6, "11 days ago"),
    ],
)
def test_ages_in_words(seconds: float, words: str) -> None:
    assert ago(seconds) == words


def test_a_table_lines_up_whatever_the_width_of_its_characters() -> None:
    header, first, second = table(["a", "b"], [["日本", "x"], ["z", "y"]]).splitlines()
    assert (header, first, second) == ("a     b", "日本  x", "z     y")


def test_a_table_of_thousands_ends_with_how_to_see_the_rest(dltui: Dltui, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "NEWEST", 2)
    for number in range(5):
        folder = make_run(f"r{number}", started(), logged(1))
        os.utime(folder.path / "events.jsonl", (number, number))
    done = dltui("runs")
    assert [line.split()[0] for line in done.out.splitlines()] == ["run", "r4", "r3"]
    assert done.err == "dltui: 3 older runs are not listed; all of them: dltui runs --all\n"
    everything = dltui("runs", "--all")
    assert (everything.out.count("\n"), everything.err) == (6, "")
    assert len(json.loads(dltui("runs", "--json").out)) == 5
