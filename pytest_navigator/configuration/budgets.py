"""Budgets: what a cell may take at most, and at least; as objects, as text (`onnx-cpu p50<5ms`), as limits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from pytest_navigator.configuration.known_fields import KnownFields
from pytest_navigator.configuration.rules import COUNT, FROM_ZERO, POSITIVE, Rule
from pytest_navigator.errors import ConfigError

TIMES = {"us": 0.001, "ms": 1.0, "s": 1000.0}
SIZES = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0, "kB": 1e3 / 2**20, "MB": 1e6 / 2**20, "GB": 1e9 / 2**20}


class Bound(NamedTuple):
    """One kind of limit.

    Attributes:
        name: in texts and in the ids of items.
        field: of `Budget`.
        sign: between name and value.
        units: how a value may be given -> what one of it is in the unit of the field; the field's own: 1.
        measured: whether it is one of a profile, at a batch size.
    """

    name: str
    field: str
    sign: str
    units: Mapping[str, float]
    measured: bool = False

    @property
    def unit(self) -> str:
        """The unit of the field."""
        return next(unit for unit, factor in self.units.items() if factor == 1)

    @property
    def counts(self) -> bool:
        """Whether its values are whole numbers."""
        return self.sign == "<=" and "" in self.units

    @property
    def switch(self) -> bool:
        """Whether it is on or off, without a value."""
        return not self.sign


BOUNDS = {
    bound.name: bound
    for bound in (
        *(Bound(name, f"{name}_ms", "<", TIMES, measured=True) for name in ("avg", "p50", "p90", "p95", "p99")),
        Bound("size", "size_mib", "<", SIZES),
        Bound("memory", "memory_mib", "<", SIZES, measured=True),
        Bound("speedup", "min_speedup", ">", {"x": 1, "": 1}, measured=True),
        Bound("full_offload", "full_offload", "", {"": 1}),
        Bound("cpu_nodes", "max_cpu_nodes", "<=", {"": 1}),
        Bound("delegated", "min_delegated", ">", {"": 1}),
        Bound("graph_breaks", "max_graph_breaks", "<=", {"": 1}),
    )
}


@dataclass(frozen=True, kw_only=True)
class Budget(KnownFields):
    """What a cell may take at most, and at least; each is an item of its own. None: no limit.

    Attributes:
        batch_size: which the times, the memory and the speed-up are of. Default: 1, or none for a model without a
            batch axis.
        avg_ms, p50_ms, p90_ms, p95_ms, p99_ms: latency of one inference (ms), in the fastest window of a measurement.
        size_mib: of the artifact (MiB).
        memory_mib: peak of the process that runs it, or on a GPU of its device memory (MiB).
        min_speedup: p50 latency of the source's own runner on the same kind of device, divided by this one's.
        full_offload: every node that computes is on the execution provider that the runner is for.
        max_cpu_nodes: nodes that compute on the CPU, of a runner of another provider.
        min_delegated: part of the nodes that a backend computes (0 to 1), of ExecuTorch.
        max_graph_breaks: of torch.compile.

    Raises:
        ConfigError: a field does not exist, its value is not possible, or there is no limit at all.
    """

    batch_size: int | None = None
    avg_ms: float | None = None
    p50_ms: float | None = None
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    size_mib: float | None = None
    memory_mib: float | None = None
    min_speedup: float | None = None
    full_offload: bool = False
    max_cpu_nodes: int | None = None
    max_graph_breaks: int | None = None
    min_delegated: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not _rule(field.name).fits(value):
                raise ConfigError(f"Budget({field.name}={value!r}): {_rule(field.name).text} is needed")
        if not any(_is_set(getattr(self, bound.field)) for bound in BOUNDS.values()):
            raise ConfigError("Budget() limits nothing: give it a limit, like Budget(p50_ms=5)")


def _rule(field: str) -> Rule:
    if field == "full_offload":
        return Rule("True or False", lambda value: isinstance(value, bool))
    if field == "batch_size":
        return COUNT
    if field == "min_delegated":
        return Rule("a number above 0 and below 1", lambda value: type(value) in (int, float) and 0 < value < 1)
    return FROM_ZERO if field.startswith("max_") else POSITIVE


def _is_set(value: object) -> bool:
    return value is not None and value is not False


class Limit(NamedTuple):
    """One limit of what a name means.

    Attributes:
        name: as the user wrote it: a cell, a variant, a format, a runner or a runtime.
        bound: the name of its `Bound`.
        value: in the unit of the field; 1.0 of one that is on.
        batch: size of the batch; None: 1, or none for a model without a batch axis.
    """

    name: str
    bound: str
    value: float
    batch: int | None = None

    @property
    def text(self) -> str:
        """As a user may write it: `p50@batch8<20ms`."""
        bound, at = BOUNDS[self.bound], f"@batch{self.batch}" if (self.batch or 1) > 1 else ""
        return self.bound if bound.switch else f"{self.bound}{at}{bound.sign}{_number(self.value)}{bound.unit}"

    @property
    def measured(self) -> bool:
        """Whether it is one of a profile."""
        return BOUNDS[self.bound].measured

    @property
    def id(self) -> str:
        """What tells it apart from the other limits of a cell: "p50", "p50-batch8"."""
        return f"{self.bound}-batch{self.batch}" if (self.batch or 1) > 1 else self.bound


def lines_of(budgets: Mapping[str, Budget | Sequence[Budget]]) -> tuple[str, ...]:
    """Return budgets as text, a line for each name."""
    found = {name: (each,) if isinstance(each, Budget) else each for name, each in budgets.items()}
    return tuple(
        " ".join([name, *(limit.text for b in each for limit in _of(name, b))]) for name, each in found.items()
    )


def _of(name: str, budget: Budget) -> list[Limit]:
    values = [(bound, getattr(budget, bound.field)) for bound in BOUNDS.values()]
    return [
        Limit(name, bound.name, float(value), budget.batch_size if bound.measured else None)
        for bound, value in values
        if _is_set(value)
    ]


def _number(value: float) -> str:
    return repr(value).removesuffix(".0")


def are_budgets(value: Any) -> bool:
    """Whether this is what `NavConfig(budgets=...)` takes."""
    if not isinstance(value, Mapping):
        return False
    lists = [each if isinstance(each, list | tuple) else [each] for each in value.values()]
    return all(isinstance(name, str) and re.fullmatch(r"[^\s<>=@]+", name) for name in value) and all(
        each and all(isinstance(budget, Budget) for budget in each) for each in lists
    )
