"""Words about a run: its header, its banner, its log. Pure functions of what the follower knows."""

from __future__ import annotations

import math
import re

from textual.content import Content

from engine import events as ev
from engine.run_state import RunState
from engine.text import plain
from tui.run_follower import RunFollower
from tui.widgets.log_pane import LogLine
from tui.widgets.quantities import duration, number, rate, short_number, size
from tui.widgets.run_header import Facts

SILENT_S = 20.0
"""Heartbeats come every few seconds; without them for so long something is wrong."""
_TRACE_LINES = 200
_NAMES_STEP = re.compile(r"\bsteps? \d")
_IN_SHELL = re.compile(r",? as in dltui [^;]*")
"""Of a cure, what can be done here with a key."""
_LOADING = "Python, torch and the data are being loaded"


def header_facts(follower: RunFollower, word: str) -> Facts:
    """What the header shows; `word` stands in place of the state while something is awaited."""
    state, config = follower.state, follower.config
    started = state.started
    title = plain(config.title or config.preset) if config else ""
    if started is None:
        return Facts(follower.folder.name, title, follower.status, word, gauges=_waiting(follower))
    return Facts(
        name=follower.folder.name,
        title=title,
        status=follower.status,
        word=word or (_resuming(state) if follower.is_resuming else ""),
        device=plain(f"{started.device} · {started.device_name}"),
        epoch=f"{state.epoch_under_way:,}/{state.epochs:,}",
        epoch_share=_epoch_share(state),
        run_share=min(1.0, state.step / state.total_steps) if state.total_steps else 0.0,
        left=_left(follower),
        gauges=_gauges(follower),
    )


def _resuming(state: RunState) -> str:
    """What an engine that has not spoken yet is going to do."""
    return f"resuming from step {state.checkpoint.step:,}" if state.checkpoint else "starting anew"


def _waiting(follower: RunFollower) -> tuple[tuple[str, str], ...]:
    if follower.status != "starting" or follower.lost:
        return ()
    if not follower.is_caught_up:
        return (("", "reading what has happened so far"),)
    return (("", f"waiting for its engine: {_LOADING}"),)


def _epoch_share(state: RunState) -> float | None:
    if state.started is None or state.started.steps_per_epoch <= 1:
        return None
    return 1.0 if state.step and state.step % state.started.steps_per_epoch == 0 else state.epoch % 1


def _left(follower: RunFollower) -> str:
    eta_s = follower.state.eta_s
    return f"{duration(eta_s)} left" if follower.status == "running" and eta_s is not None else ""


def _gauges(follower: RunFollower) -> tuple[tuple[str, str], ...]:
    state, started = follower.state, follower.state.started
    gauges = []
    if state.best is not None:
        name = plain(state.best.metric).removeprefix("val/")
        gauges.append((f"best {name}", f"{number(state.best.value)} (epoch {state.best.epoch:,})"))
    if math.isfinite(state.lr):
        gauges.append(("lr", short_number(state.lr)))
    if state.steps_per_s > 0 and not follower.is_resuming:
        gauges.append(("", f"{rate(state.steps_per_s).removesuffix('/s')} steps/s"))
    gauges.append(("", duration(follower.elapsed_s)))
    gauges.append(("step", f"{state.step:,}"))
    beat = state.heartbeat
    if beat is not None:
        gpu = f" + {size(beat.gpu_memory_bytes)} GPU" if beat.gpu_memory_bytes else ""
        gauges.append(("memory", size(beat.memory_bytes) + gpu))
        gauges.append(
            ("GPU", f"{beat.gpu_percent:.0f}%") if beat.gpu_percent >= 0 else ("CPU", f"{beat.cpu_percent:.0f}%")
        )
    if started is not None:
        gauges.append(("parameters", f"{started.parameters:,}"))
        gauges.append(("rows", f"{started.train_rows:,} + {started.val_rows:,}"))
    return tuple(gauges)


# -- the banner ------------------------------------------------------------------------------------------------------


def banner(follower: RunFollower, stop_is_asked: bool) -> Content | None:
    """What a person has to know or decide now; None if there is nothing."""
    lines: list[Content] = []
    if stop_is_asked:
        lines.append(_line("$warning", "Stop this run?", "s or y stops it (r would resume it); any other key goes on"))
    if follower.lost:
        lines.append(_line("$error", "✗ Lost", f"{follower.lost}; q goes back"))
    elif not follower.is_caught_up and follower.read_share < 1:
        lines.append(_line("$text-muted", "◌ Reading", f"the log, {follower.read_share:.0%} so far"))
    else:
        lines += _standing(follower)
    if follower.config_problem and not follower.lost:
        lines.append(_line("$warning", "! Configuration", follower.config_problem))
    if follower.damages:
        where = plain(str(follower.damages[0]))
        more = f" and {len(follower.damages) - 1} more, see the log" if len(follower.damages) > 1 else ""
        lines.append(_line("$warning", "! Damaged", f"{where}{more}; the rest is shown"))
    return Content("\n").join(lines) if lines else None


def _standing(follower: RunFollower) -> list[Content]:
    state, status = follower.state, follower.status
    if follower.is_resuming:
        return [_line("$text-muted", f"◌ {_resuming(state).capitalize()}", _LOADING)]
    match status, state.ending:
        case "finished", ev.RunFinished() as end:
            why = f" ({plain(end.reason)})" if end.reason else ""
            took = f"{state.epoch:,.0f} {_plural(state.epoch)} in {duration(end.elapsed_s)}{why}"
            return [_line("$success", "✓ Finished", f"{took} · n begins another like it")]
        case "stopped", ev.RunStopped() as end:
            return [_line("$accent", "■ Stopped", f"at step {end.step:,} ({plain(end.reason)}) · r resumes")]
        case "failed", ev.RunFailed() as end:
            error = plain(end.error)
            knows_step = state.started is None or _NAMES_STEP.search(error)
            where = "" if knows_step else f"at step {end.step:,}: "
            cure = _IN_SHELL.sub("", plain(end.cure))
            return [
                _line("$error", "✗ Failed", f"{where}{error}"),
                _line("$accent", "→ Cure" if cure else "→", _way_on(cure, state)),
            ]
        case "died", _:
            return [_line("$error", "† Died", f"{_last_words(follower)} · {_way_back(state)}")]
    if follower.silent_s > SILENT_S:
        return [_line("$warning", "! Silent", f"no word from the engine for {duration(follower.silent_s)}")]
    return []


def _last_words(follower: RunFollower) -> str:
    state = follower.state
    if state.started is None:
        return "the engine never started; what it printed is in the log"
    return f"the engine went away at step {state.step:,} without a word"


def _way_back(state: RunState) -> str:
    saved = state.checkpoint
    return f"last checkpoint: step {saved.step:,} · r resumes" if saved else "no checkpoint yet · r begins anew"


def _way_on(cure: str, state: RunState) -> str:
    """What helps after a failure, and the keys for it."""
    if state.checkpoint is None:
        # to begin with the same values helps only if something else was wrong, such as a file that was not there
        return (
            f"{cure} · n opens its values in the form"
            if cure
            else "n opens its values in the form, to mend them · r tries again"
        )
    back = "r resumes" if "checkpoint" in cure else _way_back(state)
    return " · ".join(part for part in (cure, back, "n opens its values in the form") if part)


def _plural(epochs: float) -> str:
    return "epoch" if round(epochs) == 1 else "epochs"


def _line(color: str, head: str, text: str) -> Content:
    return Content.assemble((head, f"bold {color}"), "  ", text)


# -- the log ---------------------------------------------------------------------------------------------------------


def log_lines(follower: RunFollower) -> list[LogLine]:
    """The log as it is to be read: damage first, a traceback above its error, console output last."""
    lines = [LogLine(None, "warning", str(damage)) for damage in follower.damages]
    if follower.config_problem:
        lines.append(LogLine(None, "warning", follower.config_problem))
    ending = follower.state.ending
    trace = ending.traceback.splitlines()[-_TRACE_LINES:] if isinstance(ending, ev.RunFailed) else []
    for line in follower.state.lines:
        if line.level == "error" and trace and ending is not None and line.at == ending.at:
            lines += [LogLine(None, "trace", part) for part in trace]
            trace = []
        lines.append(LogLine(line.at, line.level, line.text))
    if follower.console:
        lines.append(LogLine(None, "info", "console.log ends with:"))
        lines += [LogLine(None, "trace", part) for part in follower.console]
    return lines


def log_key(follower: RunFollower) -> tuple[object, ...]:
    """Changes whenever `log_lines` does."""
    lines = follower.state.lines
    return (
        id(follower.state),
        len(lines),
        lines[-1] if lines else None,
        len(follower.damages),
        follower.config_problem,
        follower.console,
    )
