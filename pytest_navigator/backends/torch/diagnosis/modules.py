"""TorchScript: each submodule of a file is called with what the live one got. Hooks are refused there."""

from __future__ import annotations

import math
import re
import time
from itertools import islice, permutations
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._pytree import tree_map_only

from pytest_navigator.backends.torch.diagnosis.calls import tensors_in
from pytest_navigator.backends.torch.diagnosis.errors import TORCH, difference, innermost, nearest
from pytest_navigator.formats.local_values import local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_navigator.backends.torch.diagnosis.calls import ModuleCall
    from pytest_navigator.formats.local_values import Local

    Tensors = list[torch.Tensor]
    Run = Callable[[ModuleCall], tuple[Tensors, tuple[str, ...]]]

ORDERS = 24  # Of the arguments of a traced module that are tried: it has them in the order of their use
TRACED = re.compile(r"forward\d*")


class Unmatched(Exception):
    """A module of the artifact cannot be called as the live one is; why."""


def compared(calls: Sequence[ModuleCall], run: Run, until: float = math.inf) -> tuple[list[Local], dict[str, str]]:
    """Compare what modules of an artifact give with what the live ones gave.

    Args:
        run: calls the module of the artifact, and tells the code that does so.
        until: `time.monotonic()` when no further one is called.

    Returns:
        The errors in the order of the calls, without modules that are wrong where one inside of them is; and why
        others could not be compared, by path.
    """
    found: list[Local] = []
    skipped: dict[str, str] = {}
    for call in calls:
        try:
            if time.monotonic() > until:
                raise Unmatched("no time was left")
            found += _errors(call, *run(call))
        except Unmatched as error:
            skipped[call.path] = str(error)
        except Exception as error:
            skipped[call.path] = f"it does not run on the live one's inputs: {type(error).__name__}"
    return innermost(found), skipped


class ScriptModules:
    """The submodules of a ScriptModule.

    Args:
        prefix: where the model is in it: "model" of a flat one.
        calls: of the live modules.
        traced: whether its methods come from `torch.jit.trace`.
    """

    def __init__(self, script: Any, prefix: str, calls: Sequence[ModuleCall], *, traced: bool) -> None:
        self._modules = dict(script.named_modules())
        self._prefix = prefix
        self._turns: dict[str, int] = {}
        for call in calls:
            self._turns[call.path] = self._turns.get(call.path, 0) + 1
        self._run = self._traced if traced else self._scripted

    def __call__(self, call: ModuleCall) -> tuple[Tensors, tuple[str, ...]]:
        """Call the module of a live call.

        Raises:
            Unmatched: the file does not have it, or not as it is called.
        """
        name = ".".join(filter(None, (self._prefix, call.path)))
        if name not in self._modules:
            raise Unmatched("the file does not have it")
        outputs, code = self._run(self._modules[name], call)
        return outputs, (
            f"module = dict(torch.jit.load(ARTIFACT).named_modules())[{name!r}]",
            f"outputs = module{code}",
        )

    def _scripted(self, module: Any, call: ModuleCall) -> tuple[Tensors, str]:
        if call.unkept:
            raise Unmatched(f"it takes a {call.unkept}")
        return list(tensors_in(module(*copies(call.args), **copies(call.kwargs)))), f"({call.text})"

    def _traced(self, module: Any, call: ModuleCall) -> tuple[Tensors, str]:
        """Call a method that takes the tensors that it uses, in the order of their use."""
        methods = sorted(filter(TRACED.fullmatch, module._c._method_names()), key=lambda name: (len(name), name))
        if len(methods) != self._turns[call.path]:
            raise Unmatched(f"the file has {len(methods)} of its {self._turns[call.path]} calls")
        method = getattr(module, methods[call.turn])
        outputs, order = _best_order(method, call)
        return outputs, f".{methods[call.turn]}({', '.join(f'x[{place}]' for place in order)})"


def _best_order(method: Any, call: ModuleCall) -> tuple[Tensors, tuple[int, ...]]:
    """Return what a traced method gives on the tensors of a call in the order that fits best, and that order."""
    count = len(method.schema.arguments) - 1  # without self
    best: tuple[float, Tensors, tuple[int, ...]] | None = None
    for order in islice(permutations(range(len(call.inputs)), count), ORDERS):
        try:
            outputs = list(tensors_in(method(*copies([call.inputs[place] for place in order]))))
        except RuntimeError:  # other shapes or types
            continue
        error = max((difference(*pair) for pair in _pairs(call.outputs, outputs)), default=float("inf"))
        if best is None or error < best[0]:
            best = error, outputs, order
        if error == 0:
            break
    if best is None:
        raise Unmatched("it takes other inputs than the live one")
    return best[1:]


def _errors(call: ModuleCall, outputs: Tensors, again: tuple[str, ...]) -> Iterator[Local]:
    pairs = _pairs(call.outputs, outputs)
    if outputs and not pairs:
        raise Unmatched("its outputs have other shapes than the live one's")
    inputs = {f"x{i}": tensor for i, tensor in enumerate(call.inputs)}
    for i, (right, got) in enumerate(pairs):
        value = call.title if len(pairs) == 1 else f"{call.title} output {i}"
        operator = call.kind if call.path else ""
        yield local(
            TORCH, right, got, inputs, again, value=value, operator=operator, module=call.path, location=call.place
        )


def _pairs(expected: Tensors, actual: Tensors) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return what belongs together: a traced module returns only what is used of its outputs."""
    if [tensor.shape for tensor in expected] == [tensor.shape for tensor in actual]:
        return list(zip(expected, actual, strict=True))
    return [(right, got) for got in actual if (right := nearest(got, expected)) is not None]


def copies(value: Any) -> Any:
    """Return arguments that a module may change."""
    return tree_map_only(torch.Tensor, torch.Tensor.clone, value)
