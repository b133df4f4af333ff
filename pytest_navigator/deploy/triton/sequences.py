"""Requests that belong together: Triton's sequence batcher, its control inputs and states."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pytest_navigator.deploy.triton.rules import (
    COUNT,
    FIXED_SHAPE,
    FLAG,
    NAME,
    SHAPE,
    SHARE,
    Rule,
    check,
    instance,
    member,
    optional,
    several,
    whole,
    wrong,
)
from pytest_navigator.deploy.triton.tensors import triton_type

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class SequenceBatcherControlKind(StrEnum):
    """What the server tells a model of a sequence."""

    CONTROL_SEQUENCE_START = "CONTROL_SEQUENCE_START"
    CONTROL_SEQUENCE_READY = "CONTROL_SEQUENCE_READY"
    CONTROL_SEQUENCE_END = "CONTROL_SEQUENCE_END"
    CONTROL_SEQUENCE_CORRID = "CONTROL_SEQUENCE_CORRID"


# The lists of a control's values for False and True, and what is in each.
VALUES = {
    "int32_false_true": whole(-(2**31), 2**31 - 1),
    "fp32_false_true": Rule("a number", lambda value: type(value) in (int, float)),
    "bool_false_true": FLAG,
}


@dataclass(frozen=True)
class SequenceBatcherControl:
    """One thing that the server tells the model of a sequence, as a value of an input.

    Attributes:
        kind: what it is about.
        dtype: of the sequence's id, for CONTROL_SEQUENCE_CORRID alone.
        int32_false_true, fp32_false_true, bool_false_true: the values for False and for True, in one of these types.

    Raises:
        ConfigError: a value is not possible.
    """

    kind: SequenceBatcherControlKind
    dtype: Any = None
    int32_false_true: Sequence[int] = ()
    fp32_false_true: Sequence[float] = ()
    bool_false_true: Sequence[bool] = ()

    def __post_init__(self) -> None:
        check(self, kind=member(SequenceBatcherControlKind))
        given = [name for name in VALUES if len(getattr(self, name))]
        if self.kind == SequenceBatcherControlKind.CONTROL_SEQUENCE_CORRID:
            if given or self.dtype is None:
                raise wrong(self, "kind", "it has a dtype, and no values for False and True")
            triton_type(self.dtype)
            return
        if self.dtype is not None or len(given) != 1:
            raise wrong(self, "kind", f"it has one of {', '.join(VALUES)}, and no dtype")
        pair = several(VALUES[given[0]])
        check(self, **{given[0]: Rule(f"{pair.needed}, two of them,", lambda v: pair.fits(v) and len(v) == 2)})


@dataclass(frozen=True)
class SequenceBatcherControlInput:
    """An input by which the server tells of a sequence.

    Attributes:
        input_name: of the model's input.
        controls: what is told by it.

    Raises:
        ConfigError: a value is not possible.
    """

    input_name: str
    controls: Sequence[SequenceBatcherControl]

    def __post_init__(self) -> None:
        check(self, input_name=NAME, controls=several(instance(SequenceBatcherControl)))


@dataclass(frozen=True)
class SequenceBatcherInitialState:
    """What a state is at the start of a sequence.

    Attributes:
        name: of this initial state.
        shape: without the batch axis. dtype: as of `InputTensorSpec`.
        zero_data: whether it is zeros; data_file: the file of its values, in row-major order. One of the two.

    Raises:
        ConfigError: a value is not possible.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Any = None
    zero_data: bool | None = None
    data_file: Path | None = None

    def __post_init__(self) -> None:
        check(self, name=NAME, shape=FIXED_SHAPE, zero_data=optional(FLAG))
        triton_type(self.dtype)
        if bool(self.zero_data) == (self.data_file is not None):
            raise wrong(self, "zero_data", "it is either zeros (zero_data=True) or what is in data_file")


@dataclass(frozen=True)
class SequenceBatcherState:
    """A value that the server keeps from one request of a sequence to the next.

    Attributes:
        input_name, output_name: the input that gets what the output gave.
        dtype: as of `InputTensorSpec`. shape: without the batch axis.
        initial_states: what it is at the start.

    Raises:
        ConfigError: a value is not possible.
    """

    input_name: str
    output_name: str
    dtype: Any
    shape: tuple[int, ...]
    initial_states: Sequence[SequenceBatcherInitialState] = ()

    def __post_init__(self) -> None:
        check(self, input_name=NAME, output_name=NAME, shape=SHAPE)
        check(self, initial_states=several(instance(SequenceBatcherInitialState)))
        triton_type(self.dtype)


@dataclass(frozen=True)
class SequenceBatcherStrategyDirect:
    """Each sequence has its own slot of a batch.

    Attributes:
        max_queue_delay_microseconds: how long a request waits for those of other slots.
        minimum_slot_utilization: the share of the slots that need not be waited for.

    Raises:
        ConfigError: a value is not possible.
    """

    max_queue_delay_microseconds: int = 0
    minimum_slot_utilization: float = 0.0

    def __post_init__(self) -> None:
        check(self, max_queue_delay_microseconds=COUNT, minimum_slot_utilization=SHARE)


@dataclass(frozen=True)
class SequenceBatcherStrategyOldest:
    """Requests of several sequences become a batch, the oldest first.

    Attributes:
        max_candidate_sequences: how many sequences an instance has at once.
        preferred_batch_size, max_queue_delay_microseconds: as of `DynamicBatcher`.

    Raises:
        ConfigError: a value is not possible.
    """

    max_candidate_sequences: int
    preferred_batch_size: Sequence[int] = ()
    max_queue_delay_microseconds: int = 0

    def __post_init__(self) -> None:
        check(self, max_candidate_sequences=whole(1), preferred_batch_size=several(whole(1)))
        check(self, max_queue_delay_microseconds=COUNT)


@dataclass(frozen=True)
class SequenceBatcher:
    """Requests of one sequence go to one instance, in their order.

    Attributes:
        strategy: how sequences share batches; None: Triton's own, direct.
        max_sequence_idle_microseconds: after which a sequence is given up; None: Triton's own, 1 s.
        control_inputs: how the model hears of starts and ends.
        states: what the server keeps for the model.

    Raises:
        ConfigError: a value is not possible.
    """

    strategy: SequenceBatcherStrategyDirect | SequenceBatcherStrategyOldest | None = None
    max_sequence_idle_microseconds: int | None = None
    control_inputs: Sequence[SequenceBatcherControlInput] = field(default_factory=list)
    states: Sequence[SequenceBatcherState] = field(default_factory=list)

    def __post_init__(self) -> None:
        kinds = instance(SequenceBatcherStrategyDirect, SequenceBatcherStrategyOldest)
        check(self, strategy=optional(kinds), max_sequence_idle_microseconds=optional(COUNT))
        check(self, control_inputs=several(instance(SequenceBatcherControlInput)))
        check(self, states=several(instance(SequenceBatcherState)))
