"""Tensors of the pretended device, and what torch does with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map, tree_map_only

HERE, THERE = torch.device("cpu"), torch.device("cuda", 0)
STAND_IN = torch.device("meta")
"""What torch's C++ takes the pretended device for: it has kernels for neither, and so asks `OnDevice`."""
SYNC_ERROR = "called a synchronizing CUDA operation"

READS = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "bincount", "_unique2", "repeat_interleave"}
"""Operations whose results, or whose results' sizes, the host has to wait for."""
UNANNOUNCED = {"native_batch_norm": (3, 4)}
"""Arguments that an operation writes to without saying so in its schema."""

waits: list[str] = []
"""What the host has waited for, in order; tests clear it."""
random_state: Tensor
"""Of the device's own generator."""
sync_mode = "default"
recorder: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any] | None = None
"""Carries operations out while a graph is captured."""


class OnDevice(Tensor):
    """A tensor of the pretended device; its numbers are in `held`, on the CPU."""

    held: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl
    device = THERE  # type: ignore[assignment]
    is_cuda, is_cpu, is_meta = True, False, False  # type: ignore[assignment]

    @staticmethod
    def of(held: Tensor) -> OnDevice:
        """The tensor whose numbers `held` has from now on."""
        with _disable_current_modes():
            shell = torch.empty_strided(held.size(), held.stride(), dtype=held.dtype, device=STAND_IN)
            made = Tensor._make_subclass(OnDevice, shell, False, device_for_backend_keys=THERE)
        made.held = held
        return made

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"OnDevice({self.held})"

    def __deepcopy__(self, _: Any) -> OnDevice:
        return OnDevice.of(self.held.clone())

    def __reduce_ex__(self, protocol: Any) -> Any:
        """On disk, where tensors are read back onto the CPU."""
        return self.held.__reduce_ex__(protocol)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return carry_out(func, args, kwargs or {})


def carry_out(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Do on the CPU what was to be done on the device, if it would be done there."""
    name = func.overloadpacket.__name__
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    there = [tensor for tensor in tensors if isinstance(tensor, OnDevice)]
    target = kwargs.get("device")
    is_made_there = target is not None and torch.device(target) == STAND_IN
    if not there and not is_made_there:
        return func(*args, **kwargs)
    is_copy = name in ("copy_", "_to_copy")
    _check_places(func, name, tensors if not is_copy else there, args)
    if waited_for := _waits_for(name, args, kwargs, there):
        _wait(waited_for)
    with drawing(func):
        given, named = tree_map(_held, (args, kwargs))
        out = (recorder or _call)(func, given, named)
    if is_copy and (not isinstance(args[0], OnDevice) if name == "copy_" else target is not None and not is_made_there):
        return args[0] if name == "copy_" else out
    known = {id(tensor.held): tensor for tensor in there}
    return tree_map(lambda made: _on_device(made, known) if isinstance(made, Tensor) else made, out)


def written_by(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """Tensors that an operation changes."""
    written = [args[place] for place in UNANNOUNCED.get(func.overloadpacket.__name__, ())]
    for place, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            written += tree_leaves(args[place] if place < len(args) else kwargs.get(argument.name))
    return [tensor for tensor in written if isinstance(tensor, Tensor)]


def _call(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return func(*args, **kwargs)


def _on_device(held: Tensor, known: dict[int, OnDevice]) -> OnDevice:
    return known[id(held)] if id(held) in known else OnDevice.of(held)


def _held(leaf: Any) -> Any:
    if isinstance(leaf, OnDevice):
        return leaf.held
    return HERE if isinstance(leaf, torch.device) and leaf == STAND_IN else leaf


def _check_places(func: Any, name: str, tensors: list[Tensor], args: tuple[Any, ...]) -> None:
    """Single numbers may come from the CPU, and so may indices of rows."""
    indices = {id(leaf) for leaf in tree_leaves(args[1:2])} if name in ("index", "index_put_") else set()
    for tensor in tensors:
        if not isinstance(tensor, OnDevice) and tensor.device == STAND_IN:
            raise RuntimeError(f"{func} was given numbers that were lost on their way: tests/pretended lacks something")
        if not isinstance(tensor, OnDevice) and tensor.ndim and id(tensor) not in indices:
            raise RuntimeError(f"Expected all tensors to be on the same device, but {func} was given one of the CPU")


def _waits_for(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], there: list[OnDevice]) -> str:
    """What the host waits for in an operation, if for anything."""
    if name in READS:
        return name
    if name in ("index", "index_put_"):
        chosen = [leaf for leaf in tree_leaves(args[1]) if isinstance(leaf, Tensor)]
        if any(leaf.dtype == torch.bool or not isinstance(leaf, OnDevice) for leaf in chosen):
            return f"{name} by a mask, or from the CPU"
    if name == "copy_" and isinstance(args[0], OnDevice) != isinstance(args[1], OnDevice):
        to_host, is_patient = not isinstance(args[0], OnDevice), len(args) > 2 and args[2]
        return "a copy to or from the CPU" if to_host or (args[1].ndim and not is_patient) else ""
    if name == "_to_copy" and "device" in kwargs:
        to_host = torch.device(kwargs["device"]) == HERE
        crosses = bool(there) if to_host else not there
        return "a copy to or from the CPU" if crosses and (to_host or not kwargs.get("non_blocking")) else ""
    return ""


def synchronize() -> None:
    """Wait for everything, which is no mistake outside a capture."""
    if recorder is not None:
        raise RuntimeError("operation not permitted when stream is capturing")


def _wait(what: str) -> None:
    if recorder is not None:
        raise RuntimeError(f"operation not permitted when stream is capturing: {what}")
    if sync_mode == "error":
        raise RuntimeError(f"{SYNC_ERROR}: {what}")
    waits.append(what)


@contextmanager
def drawing(func: Any) -> Iterator[None]:
    """What an operation draws by lot comes from the device's own generator."""
    global random_state
    if torch.Tag.nondeterministic_seeded not in func.tags:
        yield
        return
    of_cpu = torch.random.default_generator.get_state()
    torch.random.default_generator.set_state(random_state)
    try:
        yield
    finally:
        random_state = torch.random.default_generator.get_state()
        torch.random.default_generator.set_state(of_cpu)


class _Operations(TorchDispatchMode):
    """Sees operations without a tensor of the device among their arguments: what is made there or sent there."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return carry_out(func, args, kwargs or {})


class _Functions(TorchFunctionMode):
    """Has C++ think of `STAND_IN` wherever the device is named."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        if name == "pin_memory":
            return args[0]
        if name == "tolist" and isinstance(args[0], OnDevice):
            return args[0].cpu().tolist()
        if func is torch.tensor and _is_there(kwargs.get("device")):
            _wait("numbers from the CPU")
            return OnDevice.of(torch.tensor(*args, **{**kwargs, "device": HERE}))
        if name in ("__getitem__", "__setitem__") and isinstance(args[0], OnDevice):
            args = (args[0], tree_map_only(list, torch.tensor, args[1], is_leaf=_is_list), *args[2:])
        if func is not torch.device and "autocast" not in name:
            args, kwargs = tree_map(lambda leaf: STAND_IN if _is_there(leaf) else leaf, (args, kwargs))
        return func(*args, **kwargs)


def _is_list(leaf: Any) -> bool:
    return isinstance(leaf, list)


def _is_there(leaf: Any) -> bool:
    return isinstance(leaf, (str, torch.device)) and str(leaf).startswith("cuda")


@contextmanager
def in_this_thread() -> Iterator[None]:
    """The device can be named in this thread."""
    with _Functions(), _Operations():
        yield
