"""The tables of the benchmarks."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks import tables
from benchmarks.systems import load_system
from benchmarks.threads import busy_neighbour, process_with
from benchmarks.throughput import BARE, DLTUI, TUTORIAL, Row, cells, compare


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tables, "PAGE", tmp_path / "benchmarks.md")
    return tables.PAGE


def test_a_table_takes_the_place_of_the_last_one_of_its_section_only(page: Path) -> None:
    page.write_text(
        "# Benchmarks\n\nWords.\n\n<!-- a -->\nold\n<!-- /a -->\n\n<!-- b -->\nother\n<!-- /b -->\n\nEnd.\n"
    )
    tables.keep("a", "Speed", "Measured.", ["loop", "steps/s"], [["bare", "1"]])
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("# Benchmarks\n\nWords.\n\n<!-- a -->\n### Speed\n\nMeasured. ")
    assert text.endswith("| bare | 1 |\n<!-- /a -->\n\n<!-- b -->\nother\n<!-- /b -->\n\nEnd.\n")
    tables.keep("c", "More", "Measured.", ["loop"], [["bare"]])
    assert page.read_text().startswith(text.rstrip())


def test_figures_are_medians_of_ratios_within_a_round() -> None:
    speeds = {BARE: [100.0, 200.0, 50.0], TUTORIAL: [50.0, 50.0, 25.0], DLTUI: [110.0, 200.0, 40.0]}
    assert cells(DLTUI, speeds) == ["110", "1.00", "2.2", "+0"]
    assert cells(TUTORIAL, speeds) == ["50", "0.50", "1.0", "+15,000"]


def test_a_trainer_that_is_not_installed_leaves_its_row_blank(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skorch", None)
    monkeypatch.delitem(sys.modules, "benchmarks.loops.skorched", raising=False)
    preset = "linear-regression-synthetic"
    system = load_system(preset, tmp_path, {"device": "cpu", "epochs": 1}, {"rows": 100})
    names = {BARE: "bare", TUTORIAL: "tutorial", "skorch": "skorched", DLTUI: "dltui"}
    compare(preset, [Row(name, loop, system) for name, loop in names.items()], repeats=1, with_accuracy=False)
    lines = {line.split(" | ")[0]: line for line in page.read_text().splitlines() if line.startswith("| ")}
    assert lines["| skorch"].startswith("| skorch | skorch is not installed |  |  |  |")
    assert lines[f"| {BARE}"].split(" | ")[2] == "1.00"
    assert lines[f"| {DLTUI}"].count("|") == lines["| skorch"].count("|")


def test_a_neighbour_is_busy_and_leaves() -> None:
    with busy_neighbour():
        (neighbour,) = psutil.Process().children()
        while neighbour.cpu_times().user < 0.05:
            assert neighbour.is_running()
    assert not neighbour.is_running()


def test_how_threads_wait_is_settled_for_one_process_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    with process_with("PASSIVE") as passive:
        assert passive.submit(os.getenv, "OMP_WAIT_POLICY").result() == "PASSIVE"
        assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
