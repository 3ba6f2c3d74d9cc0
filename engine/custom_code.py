"""A user's own code: found, imported and called; whatever it raises is told as its own."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from engine.places import expanded
from engine.schema.custom import is_file
from engine.text import plain

OURS = Path(__file__).parent
STANDARD_LIBRARY = Path(sysconfig.get_paths()["stdlib"])
PACKAGES = ("engine", "presets", "tui")
"""Names that a user's module can't have: ours are imported already."""

_roots: set[Path] = set()
"""Files and folders of all code that was imported here."""


class CustomCodeError(Exception):
    """Code of the user's that can't be used; the message is one line. Its cause, if any, is what the code raised."""

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(plain(message))
        self.cure = plain(cure)


def said(target: str) -> str:
    """A target as sentences name it: `Net in my_net.py`."""
    place, _, name = target.rpartition(":")
    return plain(f"{name} in {Path(place).name if is_file(target) else place}")


def call_target(target: str, args: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    """What the function or class that `target` names returns.

    Args:
        target: `my_net.py:Net` or `package.module:Net`; a relative file is looked for in the current directory.
        args: What it is called with.
        known: What it is told besides if it has parameters of these names and `args` does not give them.

    Raises:
        CustomCodeError: it can't be imported or called, or raised something.
    """
    code = _load(target)
    arguments = _arguments(target, code, args, known)
    with told_as_users(said(target)):
        return code(**arguments)


@contextmanager
def told_as_users(name: str) -> Iterator[None]:
    """Turn whatever the user's code called `name` raises into a `CustomCodeError` that is caused by it."""
    try:
        yield
    except (CustomCodeError, MemoryError, torch.OutOfMemoryError):
        raise
    except SystemExit as error:
        raise CustomCodeError(f"{name} called {exit_in_words(error)}", "raise an exception instead") from error
    except Exception as error:
        raise CustomCodeError(f"{name}: {in_words(error)}", _cure(error)) from error


def in_words(error: BaseException) -> str:
    """Type and message of an exception, on one line, even of one that can't say what it is."""
    try:
        text = plain(str(error)).strip()[:300]
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def exit_in_words(error: SystemExit) -> str:
    """The call of `sys.exit` that raised `error`, on one line."""
    try:
        code = plain(repr(error.code))
    except Exception:  # anything may be handed to it
        code = "…"
    return f"sys.exit({code if len(code) <= 300 else code[:300] + '…'})"


def is_users(file: str) -> bool:
    """Whether the source `file` belongs to code that was imported here for the user, siblings included."""
    path = Path(file)
    if path.is_relative_to(OURS) or path.is_relative_to(STANDARD_LIBRARY):
        return False
    # packages installed below a user's folder are not theirs, unless they are what was asked for
    return any(path.is_relative_to(root) and "site-packages" not in path.relative_to(root).parts for root in _roots)


def _load(target: str) -> Callable[..., Any]:
    place, _, name = target.rpartition(":")
    module = _import_file(target, expanded(place).absolute()) if is_file(target) else _import_module(target, place)
    try:
        code = getattr(module, name)
    except AttributeError:
        near = get_close_matches(name, (word for word in vars(module) if not word.startswith("_")), n=1)
        hint = f"did you mean '{near[0]}'?" if near else "define it there, or name another"
        raise CustomCodeError(f"there is no '{name}' in {said(target).partition(' in ')[2]}", hint) from None
    if not callable(code):
        raise CustomCodeError(f"{said(target)} is of type {type(code).__name__}", "name a class or a function")
    return code  # type: ignore[no-any-return] # the user's word is all there is


def _import_file(target: str, path: Path) -> ModuleType:
    """The module in the file at `path`: imported once, and anew once the file has changed."""
    try:
        stat = path.stat()
        path.open("rb").close()
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", "") or str(error)).lower()
        raise CustomCodeError(f"{path}: {reason}", f"mend the path before ':{target.rpartition(':')[2]}'") from None
    version = hashlib.blake2b(f"{path}:{stat.st_mtime_ns}:{stat.st_size}".encode(errors="replace"), digest_size=6)
    name = f"dltui_custom_{version.hexdigest()}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise CustomCodeError(f"{path} is no Python file", "its name must end in .py")
    _roots.add(path.parent)
    _prefer(path.parent)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        with told_as_users(plain(path.name)):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _prefer(folder: Path) -> None:
    """Let imports find what lies in `folder` first, also where a module of that name came from another user's folder.

    Who has imported that one already keeps it.
    """
    entry = str(folder)
    with suppress(ValueError):
        sys.path.remove(entry)
    sys.path.insert(0, entry)
    importlib.invalidate_caches()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if "." in name or not file or name in PACKAGES:
            continue
        home = Path(file).parents[Path(file).name == "__init__.py"]
        is_here = (folder / f"{name}.py").exists() or (folder / name).is_dir()
        if is_here and home in _roots and home != folder:
            for part in [part for part in sys.modules if part == name or part.startswith(f"{name}.")]:
                del sys.modules[part]


def _import_module(target: str, name: str) -> ModuleType:
    with told_as_users(name):
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            raise CustomCodeError(
                f"there is no module '{error.name}' for {said(target)}",
                "install it into dltui's environment, put its folder on PYTHONPATH, or name a file, as my_net.py:Net",
            ) from None
    file = getattr(module, "__file__", None)
    top = getattr(sys.modules[name.partition(".")[0]], "__path__", None)
    _roots.update(map(Path, top) if top else [Path(file)] if file else [])
    return module


def _arguments(
    target: str, code: Callable[..., Any], args: Mapping[str, Any], known: Mapping[str, Any]
) -> dict[str, Any]:
    """`args`, and what `code` wants to be told besides."""
    try:
        signature = inspect.signature(code)
    except (TypeError, ValueError):  # code that is not written in Python may have none
        return dict(args)
    named = [name for name, parameter in signature.parameters.items() if _has_keyword(parameter)]
    arguments = {**{name: value for name, value in known.items() if name in named}, **args}
    try:
        signature.bind(**arguments)
    except TypeError as error:
        takes = f"give it args that it takes: {', '.join(named)}" if named else "give it no args"
        raise CustomCodeError(f"{said(target)}: {error}", takes) from None
    return arguments


def _has_keyword(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)


def _cure(error: Exception) -> str:
    """What helps against what an import raised, empty where nobody knows."""
    if not isinstance(error, ImportError):
        return ""
    if (error.name or "").partition(".")[0] in PACKAGES:
        return f"dltui's own package is called {error.name}: give your file another name"
    if "relative import" in str(error):
        return "name it as a module, package.module:Net, or import its siblings without the dot"
    if isinstance(error, ModuleNotFoundError):
        return f"install {error.name} into dltui's environment, or put its folder on PYTHONPATH"
    return ""
