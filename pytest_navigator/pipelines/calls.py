"""One call of a module: bound to its signature, copied before the module sees it, and known by its structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_navigator.pipelines.structures import NUMBERS
from pytest_navigator.samples.flattening import CONSTANTS

if TYPE_CHECKING:
    import inspect
    from collections.abc import Mapping, Sequence

    from pytest_navigator.pipelines.aliases import Alias
    from pytest_navigator.pipelines.registry import Wrapped
    from pytest_navigator.samples.structure import Call

ENDLESS = "an argument contains itself"


@dataclass(frozen=True)
class RecordedCall:
    """One call of a module while the pipeline ran on one sample.

    Attributes:
        call: the arguments, bound to the signature, copied before the call; arrays are the framework's own.
        output: what the module returned, copied.
        structure: digest of the nesting, the constants and the types; calls with the same one are one graph.
        sample: the number of the sample of the loader, from 0.
        batch_size: what the loader said of that sample.
        seconds: what the call took.
        aliases: which arrays of the output are another one of it, or one of the call's own.
        viewed: whether the output has a view of an argument, or of a weight or buffer.
        changed: what the call changed in place, of its arguments or of the module: ("argument 'x'", "attribute 'n'").
        autocast: whether it ran under autocast.
    """

    call: Call
    output: Any
    structure: str
    sample: int
    batch_size: int
    seconds: float
    aliases: tuple[Alias, ...] = ()
    changed: tuple[str, ...] = ()
    viewed: bool = False
    autocast: bool = False


def bound(signature: inspect.Signature, args: Sequence[object], kwargs: Mapping[str, object]) -> Call:
    """Return a call in its one form: an argument by position and by keyword, or left at its default, is the same.

    A number is in it even if it was left at its default, since it may be another one in the next call.

    Raises:
        TypeError: as the call itself would.
    """
    from pytest_navigator.samples.structure import Call

    found = signature.bind(*args, **kwargs)
    if any(p.kind is p.VAR_POSITIONAL and name in found.arguments for name, p in signature.parameters.items()):
        return Call(*found.args, **found.kwargs)  # none before them can be left out
    for name, parameter in signature.parameters.items():
        if type(parameter.default) in NUMBERS:
            found.arguments.setdefault(name, parameter.default)
        elif name in found.arguments and _same(found.arguments[name], parameter.default):
            del found.arguments[name]
    return Call(*found.args, **found.kwargs)


def _same(value: object, default: object) -> bool:
    return value is default or (type(value) is type(default) and type(value) in CONSTANTS and value == default)


def call_of(
    wrapped: Wrapped, args: Sequence[object], kwargs: Mapping[str, object], signature: inspect.Signature | None = None
) -> Call:
    """Return a call of a module as it is recorded and given to a format: bound, then through its `input_mapping`.

    Args: `signature`: of the module's own `forward`; None: to be found out.

    Raises:
        TypeError: as the call itself would.
    """
    from pytest_navigator.samples import structure

    call = bound(signature or wrapped.signature, args, kwargs)
    if wrapped.options.input_mapping is None:
        return call
    return structure.call_of(wrapped.options.input_mapping((*call.args, call.kwargs)), "torch")
