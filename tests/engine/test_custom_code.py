"""A user's own code: imported, called, and told of where it goes wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.custom_code import CustomCodeError, call_target, exit_in_words, is_users, said
from engine.diagnosis import diagnose
from engine.own_traceback import LINE_CHARACTERS, LINES_AT_BOTH_ENDS, own_traceback, shortened
from tests.engine.user_code import write


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test's files import is gone with it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def refusal(target: str, **args: object) -> CustomCodeError:
    with pytest.raises(CustomCodeError) as caught:
        call_target(target, args, {})
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_function_gets_its_args_and_what_it_wants_to_be_told(tmp_path: Path) -> None:
    file = write(tmp_path, "def load(rows, seed=0, *, data_dir): return rows, seed, data_dir")
    known = {"seed": 3, "data_dir": "d", "outputs": 10}
    assert call_target(f"{file}:load", {"rows": 5}, known) == (5, 3, "d")
    assert call_target(f"{file}:load", {"rows": 5, "seed": 9}, known) == (5, 9, "d")


def test_what_takes_anything_is_told_nothing(tmp_path: Path) -> None:
    file = write(tmp_path, "def load(**args): return args")
    assert call_target(f"{file}:load", {"rows": 5}, {"seed": 3}) == {"rows": 5}


def test_a_file_imports_its_siblings_and_is_imported_once(tmp_path: Path) -> None:
    write(tmp_path, "WIDTH = 7", "sibling_of_mine.py")
    file = write(tmp_path, "import sibling_of_mine\nimported = []\ndef f(): imported.append(1); return len(imported)")
    assert [call_target(f"{file}:f", {}, {}) for _ in range(2)] == [1, 2]


def test_a_file_that_changed_is_imported_anew(tmp_path: Path) -> None:
    file = write(tmp_path, "def f(): return 1")
    assert call_target(f"{file}:f", {}, {}) == 1
    write(tmp_path, "def f(): return 'another'")
    assert call_target(f"{file}:f", {}, {}) == "another"


def test_files_of_one_name_do_not_clash_nor_do_their_siblings(tmp_path: Path) -> None:
    source = "import utils_of_mine\ndef f(): return utils_of_mine.WHO"
    files = []
    for who in ("one", "two"):
        write(tmp_path / who, f"WHO = {who!r}", "utils_of_mine.py")
        files.append(write(tmp_path / who, source))
    assert [call_target(f"{file}:f", {}, {}) for file in (*files, files[0])] == ["one", "two", "one"]


def test_a_module_is_imported_by_its_name(tmp_path: Path) -> None:
    write(tmp_path / "package_of_mine", "", "__init__.py")
    file = write(tmp_path / "package_of_mine", "def f(): return __name__", "inner.py")
    sys.path.insert(0, str(tmp_path))
    assert call_target("package_of_mine.inner:f", {}, {}) == "package_of_mine.inner"
    assert is_users(str(file))
    assert not is_users(call_target.__code__.co_filename)


def test_a_class_works_with_dataclasses(tmp_path: Path) -> None:
    """They look for the module they are in."""
    file = write(
        tmp_path,
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n  x: int",
    )
    assert call_target(f"{file}:A", {"x": 3}, {}).x == 3


def test_targets_are_said_by_name_and_file() -> None:
    assert said("/a/b/my_net.py:Net") == "Net in my_net.py"
    assert said("package.module:Net") == "Net in package.module"


@pytest.mark.parametrize(
    ("source", "name", "error", "cure"),
    [
        (None, "f", "my_net.py: no such file or directory", "mend the path before ':f'"),
        ("class Net: pass", "Nett", "there is no 'Nett' in my_net.py", "did you mean 'Net'?"),
        ("Net = 3", "Net", "Net in my_net.py is of type int", "name a class or a function"),
        ("import nonsense_of_mine", "f", "my_net.py: ModuleNotFoundError: No module", "install nonsense_of_mine into"),
        ("from .a import b", "f", "my_net.py: ImportError: attempted relative import", "package.module:Net"),
        (
            "from engine import nonsense",
            "f",
            "my_net.py: ImportError: cannot import name",
            "give your file another name",
        ),
        ("def f(:", "f", "my_net.py: SyntaxError: ", ""),
        ("1 / 0", "f", "my_net.py: ZeroDivisionError: division by zero", ""),
        ("import sys; sys.exit(3)", "f", "my_net.py called sys.exit(3)", "raise an exception instead"),
        ("def f(width, *, depth=2): pass", "f", "f in my_net.py: missing a required argument: 'width'", "width, depth"),
        ("def f(): raise KeyError('\\x1b[31m')", "f", "f in my_net.py: KeyError: '\\x1b[31m'", ""),
    ],
)
def test_what_is_wrong_is_said_on_a_line(tmp_path: Path, source: str | None, name: str, error: str, cure: str) -> None:
    file = tmp_path / "my_net.py" if source is None else write(tmp_path, source)
    refused = refusal(f"{file}:{name}")
    assert error in str(refused)
    assert cure in refused.cure
    assert bool(cure) == bool(refused.cure)


def test_an_argument_too_many_is_told_before_anything_runs(tmp_path: Path) -> None:
    file = write(tmp_path, "def f(width): raise AssertionError")
    refused = refusal(f"{file}:f", widht=3)
    assert "widht" in str(refused) or "width" in str(refused)
    assert refused.cure == "give it args that it takes: width"
    assert refused.__cause__ is None


def test_a_module_that_is_not_there_says_what_to_do() -> None:
    refused = refusal("nonsense_of_mine.inner:Net")
    assert str(refused) == "there is no module 'nonsense_of_mine' for Net in nonsense_of_mine.inner"
    assert "PYTHONPATH" in refused.cure


def test_a_traceback_is_the_users_own(tmp_path: Path) -> None:
    write(tmp_path, "def helper():\n    raise KeyError('lost')", "helper_of_mine.py")
    file = write(
        tmp_path,
        """
        import helper_of_mine
        def f():
            try:
                helper_of_mine.helper()
            except KeyError as error:
                raise ValueError("bad \\x1b[31m value") from error
        """,
    )
    found = diagnose(refusal(f"{file}:f"))
    assert found.error == "f in my_net.py: ValueError: bad \N{REPLACEMENT CHARACTER}[31m value"
    assert found.traceback.count("Traceback (most recent call last)") == 2
    assert "The above exception was the direct cause" in found.traceback
    assert "helper_of_mine.py" in found.traceback
    assert "KeyError: 'lost'" in found.traceback
    assert "custom_code.py" not in found.traceback
    assert "\x1b" not in found.traceback


def test_what_is_raised_later_says_where_in_the_users_code(tmp_path: Path) -> None:
    file = write(tmp_path, "def make():\n    def inner():\n        [1][2]\n    return inner")
    inner = call_target(f"{file}:make", {}, {})
    with pytest.raises(IndexError) as caught:
        inner()
    found = diagnose(caught.value)
    assert found.error == "IndexError: list index out of range (my_net.py, line 3, in inner)"
    assert found.traceback.splitlines()[1].endswith('my_net.py", line 3, in inner')


def test_our_own_errors_keep_their_whole_traceback() -> None:
    with pytest.raises(TypeError) as caught:
        len(3)  # type: ignore[arg-type]
    assert own_traceback(caught.value).where == ""
    assert "test_custom_code.py" in diagnose(caught.value).traceback


def test_an_exception_that_can_not_say_what_it_is_is_told_by_its_type(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
        class Odd(Exception):
            def __str__(self):
                raise RuntimeError
        def f():
            raise Odd
        def g():
            return lambda: f()
        """,
    )
    assert str(refusal(f"{file}:f")) == "f in my_net.py: Odd"
    with pytest.raises(Exception) as caught:
        call_target(f"{file}:g", {}, {})()
    assert diagnose(caught.value).error == "Odd (my_net.py, line 6, in f)"


def test_a_very_long_traceback_loses_its_middle() -> None:
    lines = shortened("\n".join(map(str, range(1000)))).split("\n")
    assert len(lines) == 2 * LINES_AT_BOTH_ENDS + 1
    assert (lines[0], lines[-1]) == ("0", "999")
    assert "800 lines left out" in lines[LINES_AT_BOTH_ENDS]


def test_a_very_long_line_of_a_traceback_loses_its_end() -> None:
    first, last = shortened(f"first\nValueError: {'x' * 3_000_000}").split("\n")
    assert (first, last[:13], len(last)) == ("first", "ValueError: x", LINE_CHARACTERS + 1)


class OddCode:
    """An exit status that can't say what it is."""

    def __repr__(self) -> str:
        raise RuntimeError


def test_a_long_or_strange_exit_status_is_told_of_in_a_short_line(tmp_path: Path) -> None:
    file = write(tmp_path, "import sys\ndef f():\n    sys.exit('x' * 2_000_000)")
    assert len(str(refusal(f"{file}:f"))) < 400
    assert exit_in_words(SystemExit(3)) == "sys.exit(3)"
    assert exit_in_words(SystemExit(OddCode())) == "sys.exit(…)"
    assert len(exit_in_words(SystemExit("x" * 2_000_000))) < 320
