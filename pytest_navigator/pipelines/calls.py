"""One call of a module: bound to its signature, copied before the module sees it, and known by its structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import inspect
    from collections.abc import Mapping, Sequence

    from pytest_navigator.samples.structure import Call


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
    """

    call: Call
    output: Any
    structure: str
    sample: int
    batch_size: int
    seconds: float


def bound(signature: inspect.Signature, args: Sequence[object], kwargs: Mapping[str, object]) -> Call:
    """Return a call in its one form: an argument by position and by keyword, or left at its default, is the same.

    Raises:
        TypeError: as the call itself would.
    """
    from pytest_navigator.samples.structure import Call

    found = signature.bind(*args, **kwargs)
    for name, parameter in signature.parameters.items():
        if name in found.arguments and found.arguments[name] is parameter.default:
            del found.arguments[name]
    return Call(*found.args, **found.kwargs)
