"""Events that an engine could have written, and no engine would: of every type, with every value it lets through."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from engine import events as ev
from engine.event_lines import decode_line, lines_of

HOSTILE = (
    "\x1b[2J\x1b[31mred\x1b]0;mine\x07",
    "\x1b]8;;http://x\x1b\\\\link",
    "\u202egnirts\u2066 \u200f",
    "[bold red]x[/] [link=http://x]y[/link] [/]",
    "[@click=app.quit]q[/]",
    "$error $primary [$foo]",
    "a\nb\r\nc\td\x0be\u2028f",
    "e" + "\u0301" * 400,
    "日本" * 60,
    "👨\u200d👩\u200d👧\ufe0f",
    "\x00\x07\x08\x7f\x9b31m",
    "%s {} {0.__class__} {x!r}",
    "../../../etc/passwd",
    "/",
    "x" * 900,
)
METRICS = ("train/loss", "val/loss", "val/accuracy", "train/accuracy", "param/w", "d_real", "train/", "/", "")
INTS = (0, 1, 2, 7, 1000, 2**31, 2**53 + 1, 2**62)
FLOATS = (0.0, -0.0, 5e-324, 1e-300, 1.0, -1.0, 0.1, 1e11, 1e300, -1e300, 1.7976931348623157e308)


def texts() -> st.SearchStrategy[str]:
    """Words, and what does harm where it is not shown as mere words."""
    return st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def events() -> st.SearchStrategy[bytes]:
    """A line of an event log."""
    return st.one_of([*(_event(kind) for kind in ev.AnyEvent.__args__), _shared()])


def _event(kind: type[ev.Event]) -> st.SearchStrategy[bytes]:
    fields = {
        field.encode_name: _values(field.type, field.name)
        for field in inspect.type_info(kind).fields  # type: ignore
    }
    return st.fixed_dictionaries({"event": st.just(kind.__name__), **fields}).map(msgspec.json.encode)


def _shared() -> st.SearchStrategy[bytes]:
    """A line that several rows share."""

    def line(rows: list[bytes]) -> bytes:
        first, *others = map(decode_line, rows)
        assert isinstance(first, ev.MetricsLogged)
        return lines_of(
            [first, *(msgspec.structs.replace(other, at=first.at, values=first.values) for other in others)]
        )[0]

    return st.lists(_event(ev.MetricsLogged), min_size=2, max_size=4).map(line)


def _values(kind: inspect.Type, name: str) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.IntType(ge=low, le=high):
            low, high = -(2**62) if low is None else low, 2**62 if high is None else high
            return st.sampled_from([value for value in (*INTS, low) if low <= value <= high])
        case inspect.FloatType(ge=least, le=most):
            allowed = [x for x in FLOATS if (least is None or x >= least) and (most is None or x <= most)]
            return st.sampled_from(allowed) | st.floats(least, most, allow_nan=False, allow_infinity=False)
        case inspect.StrType():
            return st.sampled_from(METRICS) if name in ("metric", "key") else texts()
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.DictType(key_type=keys, value_type=values):
            return st.dictionaries(_values(keys, "key") | texts(), _values(values, "value"), max_size=5)
        case inspect.TupleType(item_types=kinds):
            return st.tuples(*[_values(one, name) for one in kinds])
        case inspect.UnionType(types=kinds):
            return st.one_of([_values(one, name) for one in kinds])
    raise NotImplementedError(kind)
