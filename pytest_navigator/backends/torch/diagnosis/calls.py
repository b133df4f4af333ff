"""What every submodule of a live model takes and gives in one inference, kept for comparing it with an artifact's."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import torch

from pytest_navigator.formats.traces import place_of, users_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LARGEST = 2**30  # Bytes of tensors that are kept of one inference
CONSTANTS = (type(None), bool, int, float, complex, str, torch.dtype, torch.device)


class Unkept(Exception):
    """An argument is an object that cannot be put into a file as it is."""


@dataclass
class ModuleCall:
    """One call of one module.

    Attributes:
        path: of the module in the model ("layers.2.mlp"), "" for the model itself.
        kind: the name of its class.
        turn: how often it was called before in this inference.
        place: of its code if that is the user's, else of the call: "model.py:14"; "" where neither is.
        args, kwargs: copies of its arguments; `unkept` says of what class one is that cannot be kept.
        inputs, outputs: the tensors in its arguments, in the order of its parameters, and in what it returned.
    """

    path: str
    kind: str
    turn: int
    place: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    unkept: str = ""
    inputs: list[torch.Tensor] = field(default_factory=list)
    outputs: list[torch.Tensor] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What it is called where it is one of several."""
        return f"{self.path or self.kind}{f' (call {self.turn + 1})' if self.turn else ''}"

    @property
    def text(self) -> str:
        """The arguments as Python text, where `x` is the list of the tensors in them."""
        places = iter(range(len(self.inputs)))
        given = [_text(arg, places) for arg in self.args]
        return ", ".join([*given, *(f"{name}={_text(arg, places)}" for name, arg in self.kwargs.items())])


@contextmanager
def caught_calls(model: torch.nn.Module) -> Iterator[list[ModuleCall]]:
    """Note the calls of all modules of a model while the block runs, in the order in which they end."""
    catcher = _Catcher()
    with ExitStack() as stack:
        for path, module in model.named_modules():
            if not isinstance(module, torch.jit.ScriptModule):  # those refuse hooks
                for handle in catcher.hooks(path, module):
                    stack.callback(handle.remove)
        yield catcher.ended


def save_calls(calls: list[ModuleCall], path: Path) -> None:
    """Write calls to a file."""
    torch.save([vars(call) for call in calls], str(path))


def load_calls(path: Path, device: str = "cpu") -> list[ModuleCall]:
    """Read the calls in a file, with their tensors on a device."""
    found = torch.load(str(path), map_location=device, weights_only=True)
    return [ModuleCall(**fields) for fields in found]


class _Catcher:
    """The calls so far: those that run now, and those that have ended."""

    def __init__(self) -> None:
        self.ended: list[ModuleCall] = []
        self._running: list[ModuleCall] = []
        self._turns: Counter[str] = Counter()
        self._bytes = 0

    def hooks(self, path: str, module: torch.nn.Module) -> list[Any]:
        """Hook into a module, before and after the hooks of the user's own."""

        def begins(module: torch.nn.Module, args: Any, kwargs: Any) -> None:
            self._begin(path, module, args, kwargs)

        def ends(module: torch.nn.Module, args: Any, kwargs: Any, value: Any) -> None:
            self._end(path, value)

        return [
            module.register_forward_pre_hook(begins, prepend=True, with_kwargs=True),
            module.register_forward_hook(ends, with_kwargs=True),
        ]

    def _begin(self, path: str, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        place = place_of(type(module).forward) or users_place(sys._getframe(1))
        call = ModuleCall(path, type(module).__name__, self._turns[path], place)
        self._turns[path] += 1
        self._running.append(call)
        if self._bytes > LARGEST:
            return
        try:
            call.args, call.kwargs = _kept(args), _kept(kwargs)
        except Unkept as error:
            call.unkept = str(error)
        call.inputs = self._tensors(list(_in_order(module, args, kwargs).values()))

    def _end(self, path: str, value: Any) -> None:
        while self._running:
            call = self._running.pop()
            if call.path != path:  # a call that has raised, and somebody caught it
                continue
            if self._bytes <= LARGEST:
                call.outputs = self._tensors(value)
                self.ended.append(call)
            return

    def _tensors(self, value: Any) -> list[torch.Tensor]:
        found = [_copy(tensor) for tensor in tensors_in(value) if _is_dense(tensor)]
        self._bytes += sum(tensor.nbytes for tensor in found)
        return found


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in nested containers and records."""
    if isinstance(value, torch.Tensor):
        yield value
        return
    parts: Any = ()
    if isinstance(value, dict):
        parts = value.values()
    elif isinstance(value, list | tuple):
        parts = value
    elif is_dataclass(value) and not isinstance(value, type):
        parts = [getattr(value, each.name) for each in fields(value)]
    for part in parts:
        yield from tensors_in(part)


def _in_order(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Mapping[str, Any]:
    """Return the arguments in the order of the parameters."""
    try:
        return inspect.signature(module.forward).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return {**{str(place): arg for place, arg in enumerate(args)}, **kwargs}


def _kept(value: Any) -> Any:
    """Return a copy of arguments.

    Raises:
        Unkept: one is neither a tensor nor a constant, nor a container of these.
    """
    if isinstance(value, torch.Tensor):
        return _copy(value)
    if isinstance(value, CONSTANTS):
        return value
    if type(value) is dict:
        return {key: _kept(part) for key, part in value.items()}
    if type(value) in (list, tuple, torch.Size):
        return (list if type(value) is list else tuple)(_kept(part) for part in value)
    raise Unkept(type(value).__name__)


def _text(value: Any, places: Iterator[int]) -> str:
    if isinstance(value, torch.Tensor):
        return f"x[{next(places, 0)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_text(part, places)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        parts = [_text(part, places) for part in value]
        return f"[{', '.join(parts)}]" if isinstance(value, list) else f"({', '.join(parts)}{',' * (len(parts) == 1)})"
    return repr(value)


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    if not _is_dense(tensor):
        raise Unkept(f"{str(tensor.layout).removeprefix('torch.')} tensor")
    return tensor.detach().clone()


def _is_dense(tensor: torch.Tensor) -> bool:
    return tensor.layout is torch.strided and not tensor.is_quantized
