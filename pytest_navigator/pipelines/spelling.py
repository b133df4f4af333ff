"""A call as people read it: `sample: float32 [2, 4, 8-16, 8-16], timestep: int`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from pytest_navigator.pipelines.structures import arrays, form_of, is_array
from pytest_navigator.samples.flattening import CONSTANTS

if TYPE_CHECKING:
    import inspect

    from pytest_navigator.pipelines.structures import Form
    from pytest_navigator.samples.structure import Call

Sizes = tuple[tuple[tuple[int, int], ...], ...]

LONGEST = 40


@dataclass(frozen=True)
class Spelt:
    """The arguments of calls that differ in sizes and numbers at most.

    Attributes:
        form: their structure.
        names: of the arguments. values: of one call. sizes: of each array, the smallest and largest of each axis.
    """

    form: Form
    names: tuple[str, ...]
    values: tuple[Any, ...]
    sizes: Sizes

    @classmethod
    def of(cls, signature: inspect.Signature, call: Call) -> Spelt:
        """Spell a call that is bound to a signature."""
        names = [name for name, p in signature.parameters.items() if p.kind is not p.VAR_POSITIONAL]
        names += [f"[{i}]" for i in range(len(names), len(call.args))]
        given = {**dict(zip(names, call.args, strict=False)), **call.kwargs}
        sizes = tuple(tuple((int(n), int(n)) for n in array.shape) for _, array in arrays(call))
        return cls(form_of(call, values=False), tuple(given), tuple(map(_spelt, given.values())), sizes)

    def joined(self, other: Spelt) -> Spelt:
        """Return what stands for the calls of both, which have one form."""
        sizes = tuple(
            tuple((min(a[0], b[0]), max(a[1], b[1])) for a, b in zip(own, theirs, strict=True))
            for own, theirs in zip(self.sizes, other.sizes, strict=True)
        )
        return Spelt(self.form, self.names, self.values, sizes)

    @property
    def text(self) -> str:
        """All arguments in one line."""
        ranges = iter([", ".join(_range(*each) for each in own) for own in self.sizes])
        return ", ".join(
            f"{name}: {_filled(value, ranges)}" for name, value in zip(self.names, self.values, strict=True)
        )


def _range(least: int, most: int) -> str:
    return str(least) if least == most else f"{least}-{most}"


def _spelt(value: Any) -> Any:
    """Return the text of a value; of one with arrays, the types of these."""
    if is_array(value):
        return [str(value.dtype).removeprefix("torch.")]
    if found := [str(array.dtype).removeprefix("torch.") for _, array in arrays(value)]:
        return (type(value).__name__, found)
    if type(value) in (int, float):
        return type(value).__name__
    text = repr(value) if type(value) in CONSTANTS or isinstance(value, Enum) else type(value).__name__
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _filled(value: Any, ranges: Any) -> str:
    if isinstance(value, str):
        return value
    kind, types = value if isinstance(value, tuple) else ("", value)
    inner = ", ".join(f"{dtype} [{next(ranges)}]" for dtype in types)
    return f"{kind}({inner})" if kind else inner
