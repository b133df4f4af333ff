"""Model Navigator's schema 0.3.2 of status.yaml: what has to be of which type (pure).

Keys that are not here may be there; our own part is in `own_schema`.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from dataclasses import is_dataclass
from functools import cache
from functools import partial
from typing import TYPE_CHECKING

from cattrs import BaseValidationError
from cattrs import Converter
from cattrs import transform_error
from cattrs.gen import make_dict_structure_fn
from cattrs.v import format_exception

from pytest_navigator.package.own_schema import Measure
from pytest_navigator.package.own_schema import OptionalText
from pytest_navigator.package.own_schema import Own
from pytest_navigator.package.own_schema import Plain
from pytest_navigator.package.own_schema import in_circle

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Device:
    """The processor or the GPU."""

    name: OptionalText = None


@dataclass
class Environment:
    """What the package was made with; what is not named here differs from version to version."""

    cpu: Device | None = None
    gpu: Device | None = None
    os: dict[str, OptionalText] = field(default_factory=dict)
    python_version: OptionalText = None
    python_packages: dict[str, OptionalText] = field(default_factory=dict)


@dataclass
class Config:
    """How the run was configured."""

    framework: OptionalText = None
    target_formats: list[str] | None = None
    target_device: OptionalText = None
    sample_count: int | None = None
    optimization_profile: dict[str, Plain] | None = None
    runner_names: list[str] | None = None
    batch_dim: int | None = None
    seed: int | None = None
    custom_configs: dict[str, dict[str, Plain]] = field(default_factory=dict)


@dataclass
class ModelConfig:
    """One artifact."""

    format: str
    key: str
    path: OptionalText = None
    parent_path: OptionalText = None
    parent_key: OptionalText = None
    log_path: OptionalText = None


@dataclass
class OutputTolerance:
    """The tolerance that was measured for one output."""

    output_name: str
    atol: float
    rtol: float


@dataclass
class Profiling:
    """The figures of one batch size; the earliest versions had few of them."""

    batch_size: int | None = None
    avg_latency: Measure | None = None
    std_latency: Measure | None = None
    p50_latency: Measure | None = None
    p90_latency: Measure | None = None
    p95_latency: Measure | None = None
    p99_latency: Measure | None = None
    throughput: Measure | None = None
    request_count: int | None = None


@dataclass
class RunnerResult:
    """What one command found out."""

    execution_time: float | None = None
    per_output_tolerance: list[OutputTolerance] = field(default_factory=list)
    profiling_results: list[Profiling] = field(default_factory=list)


@dataclass
class RunnerStatus:
    """One runner of an artifact."""

    runner_name: str
    status: dict[str, str] = field(default_factory=dict)
    result: dict[str, RunnerResult] = field(default_factory=dict)


@dataclass
class ModelStatus:
    """One artifact and its runners."""

    model_config: ModelConfig
    runners_status: dict[str, RunnerStatus] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    result: dict[str, Plain] = field(default_factory=dict)


@dataclass
class Tensor:
    """One input or output."""

    name: str
    shape: list[int]
    dtype: str


@dataclass
class Metadata:
    """The inputs or the outputs."""

    metadata: list[Tensor] = field(default_factory=list)
    pytree_metadata: dict[str, Plain] = field(default_factory=dict)
    is_legacy: bool = False


@dataclass
class Shapes:
    """Of one input."""

    min: list[int]
    opt: list[int]
    max: list[int]


@dataclass
class StatusFile:
    """The whole file."""

    format_version: str
    model_navigator_version: OptionalText = None
    uuid: OptionalText = None
    environment: Environment = field(default_factory=Environment)
    config: Config = field(default_factory=Config)
    models_status: dict[str, ModelStatus] = field(default_factory=dict)
    input_metadata: Metadata | None = None
    output_metadata: Metadata | None = None
    dataloader_trt_profile: dict[str, Shapes] = field(default_factory=dict)
    dataloader_max_batch_size: int = 0
    status: dict[str, str] = field(default_factory=dict)
    pytest_navigator: Own | None = None


def problem(status: dict[str, Plain]) -> str:
    """Return the first wrong value with its path, "" if there is none: "$.config.seed: expected int"."""
    try:
        found = _converter().structure(status, StatusFile)
    except BaseValidationError as error:
        return first_problem(error)
    wrong = found.pytest_navigator.problem() if found.pytest_navigator else ""
    return f"$.pytest_navigator.{wrong}" if wrong else _circle(found.models_status)


def _circle(models: dict[str, ModelStatus]) -> str:
    parents = {model.model_config.key: model.model_config.parent_key for model in models.values()}
    for name, model in models.items():
        if in_circle(model.model_config.key, parents):
            above = model.model_config.parent_key
            where = f"$.models_status[{name!r}].model_config.parent_key"
            return f"{where}: {above!r} is made from {model.model_config.key!r} itself"
    return ""


def first_problem(error: BaseValidationError) -> str:
    """Return the first of what cattrs found wrong, with its path."""
    text, _, path = transform_error(error, format_exception=_text)[0].rpartition(" @ ")
    return f"{path}: {text.removeprefix('invalid value for type, ')}"


def _text(error: BaseException, kind: type | None) -> str:
    return str(error) if isinstance(error, _MeasureError) else format_exception(error, kind)


@cache
def _converter() -> Converter:
    """Return a converter that takes no value for another one: "3" is no number, and True is none either."""
    converter = Converter()
    converter.register_structure_hook_factory(is_dataclass, partial(_mapping, converter))
    for kind, accepted in ((str, (str,)), (int, (int,)), (float, (float, int)), (bool, (bool,))):
        converter.register_structure_hook(kind, partial(_strict, accepted))
    converter.register_structure_hook(Measure, _measure)
    return converter


class _MeasureError(ValueError):
    """A figure is no number, or less than nothing."""


def _mapping(converter: Converter, kind: type) -> Callable[[Plain, type], Plain]:
    """Return how a class is read; cattrs would take a text for one that has none of the fields."""
    read: Callable[[Plain, type], Plain] = make_dict_structure_fn(kind, converter)

    def structure(value: Plain, of: type) -> Plain:
        if not isinstance(value, dict):
            raise TypeError(value)
        return read(value, of)

    return structure


def _measure(value: Plain, _: type) -> Plain:
    if not isinstance(value, float | int) or isinstance(value, bool):
        raise _MeasureError("expected a number")
    if value < 0:
        raise _MeasureError(f"{value} is negative")
    return value


def _strict(accepted: tuple[type, ...], value: Plain, kind: type) -> Plain:
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(value)
    return value
