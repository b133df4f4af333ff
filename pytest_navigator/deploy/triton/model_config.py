"""What the configurations of all of Triton's backends have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from pytest_navigator.deploy.triton.batching import DynamicBatcher
from pytest_navigator.deploy.triton.rules import (
    FLAG,
    NAME,
    SCALAR,
    Rule,
    check,
    instance,
    named,
    optional,
    several,
    whole,
    wrong,
)
from pytest_navigator.deploy.triton.sequences import SequenceBatcher, SequenceBatcherStrategyOldest
from pytest_navigator.deploy.triton.tensors import InputTensorSpec, OutputTensorSpec, triton_type
from pytest_navigator.deploy.triton.values import (
    InstanceGroup,
    ModelWarmup,
    Platform,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def _served(value: object) -> bool:
    listed = isinstance(value, list | tuple) and bool(value) and all(type(n) is int and n >= 1 for n in value)
    return value == "all" or listed or (type(value) is int and value >= 1)


# What has `preferred_batch_size`.
PREFERRING = (DynamicBatcher, SequenceBatcherStrategyOldest)

VERSIONS = Rule('"all", the number of the latest ones, or a list of versions', _served)


@dataclass(frozen=True)
class ModelConfig:
    """What every backend's configuration has.

    Attributes:
        max_batch_size: rows of the largest batch.
        batching: whether every input and output has a batch axis in front, which no shape here has; False: shapes are
            whole, and `max_batch_size` and `batcher` are not used.
        default_model_filename: name of the model's file in the folder of a version; None: the backend's own.
        batcher: how requests become batches; None: each request is a batch.
        instance_groups: where instances run; empty: Triton's own choice.
        parameters: of the backend, or of a `model.py`.
        response_cache: whether answers are cached; the server needs `--cache-config` for it.
        warmup: requests before the model is ready, by name.
        inputs, outputs: of the model; empty: the server asks the backend, if that can tell.
        version_policy: which versions are served: "all", a number of the latest ones, a list; None: the latest one.

    Raises:
        ConfigError: a value is not possible, or values do not go together.
    """

    max_batch_size: int = 4
    batching: bool = True
    default_model_filename: str | None = None
    batcher: DynamicBatcher | SequenceBatcher | None = field(default_factory=DynamicBatcher)
    instance_groups: Sequence[InstanceGroup] = field(default_factory=list)
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    response_cache: bool = False
    warmup: Mapping[str, ModelWarmup] = field(default_factory=dict)
    inputs: Sequence[InputTensorSpec] = field(default_factory=list)
    outputs: Sequence[OutputTensorSpec] = field(default_factory=list)
    version_policy: str | int | Sequence[int] | None = field(default=None, kw_only=True)

    backend: ClassVar[str]
    """Triton's name of the backend."""

    file: ClassVar[str]
    """Name of the model's file where nothing else is said."""

    platforms: ClassVar[tuple[Platform, ...]] = ()
    """The names that `platform` may have."""

    profiles: ClassVar[bool] = False
    """Whether instance groups may name optimization profiles."""

    def __post_init__(self) -> None:
        check(self, batching=FLAG, max_batch_size=whole(1 if self.batching is True else 0))
        check(self, default_model_filename=optional(NAME))
        check(self, batcher=optional(instance(DynamicBatcher, SequenceBatcher)))
        check(self, instance_groups=several(instance(InstanceGroup)), parameters=named(SCALAR), response_cache=FLAG)
        check(self, warmup=named(instance(ModelWarmup)), version_policy=optional(VERSIONS))
        check(self, inputs=several(instance(InputTensorSpec)), outputs=several(instance(OutputTensorSpec)))
        if not self.profiles and any(group.profile for group in self.instance_groups):
            raise wrong(self, "instance_groups", "only an engine of TensorRT has optimization profiles")
        self._check_shapes()
        self._check_batches()
        for name, warmup in self.warmup.items():
            self._check_warmup(name, warmup)

    def _check_shapes(self) -> None:
        for field_name, specs in (("inputs", self.inputs), ("outputs", self.outputs)):
            names = [spec.name for spec in specs]
            if doubled := [name for name in names if names.count(name) > 1]:
                raise wrong(self, field_name, f"{doubled[0]!r} is there twice")
            for spec in specs:
                if not self.batching and not (spec.shape and spec.reshape != ()):
                    why = "Triton has no arrays without an axis where there is no batch axis: give it shape=(1,)"
                    raise wrong(self, field_name, f"{spec.name!r}: {why}")

    def _check_batches(self) -> None:
        found = self.batcher.strategy if isinstance(self.batcher, SequenceBatcher) else self.batcher
        sizes = found.preferred_batch_size if isinstance(found, PREFERRING) else ()
        above = [size for size in sizes or () if size > self.max_batch_size]
        if self.batching and above:
            why = f"it prefers batches of {above[0]}, above max_batch_size={self.max_batch_size}"
            raise wrong(self, "batcher", why)

    def _check_warmup(self, name: str, warmup: ModelWarmup) -> None:
        most = self.max_batch_size if self.batching else 1
        if warmup.batch_size > most:
            raise wrong(self, "warmup", f"{name!r} has batch_size={warmup.batch_size}, the model takes {most} at most")
        own = {spec.name: triton_type(spec.dtype) for spec in self.inputs}
        given = {each: triton_type(spec.dtype) for each, spec in warmup.inputs.items()}
        if own and own != given:
            raise wrong(self, "warmup", f"the inputs of {name!r} are {given}, those of the model {own}")
