"""Model Navigator's schema 0.3.2 of status.yaml: what has to be of which type (pure).

Keys that are not here may be there; our own part is in `own_schema`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, is_dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, TypeVar, get_args, get_origin, get_type_hints

from cattrs import BaseValidationError, Converter, IterableValidationError, IterableValidationNote, transform_error
from cattrs.gen import make_dict_structure_fn, override
from cattrs.v import format_exception

from pytest_navigator.core.records import Measure, Notes, Outcome, SuiteRecord
from pytest_navigator.core.steps import KINDS, Status
from pytest_navigator.package.layout import paths
from pytest_navigator.package.layout.own_schema import Recorded, Saved, Verification
from pytest_navigator.package.layout.record_schema import (
    FACTS,
    MOST_FORMATS,
    OptionalText,
    Plain,
    Shapes,
    in_circle,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_navigator.core.plain import JSON

    Hook = Callable[[Plain, type], Plain]
    """What reads a value as a type."""

T = TypeVar("T")

FORMAT_VERSION = "0.3.2"  # Of the schema that is written

# The keys of `optimization_profile`, with Model Navigator's defaults.
OPTIMIZATION_PROFILE: dict[str, JSON] = {
    "max_batch_size": None,
    "batch_sizes": None,
    "window_size": 25,
    "stability_percentage": 10.0,
    "stabilization_windows": 3,
    "min_trials": 3,
    "max_trials": 10,
    "throughput_cutoff_threshold": 0.05,
    "throughput_backoff_limit": 2,
}


# What the record of a suite in a package does not have: it lies anywhere, and its settings stand beside it.
ELSEWHERE: dict[str, Plain] = {"package": "", "settings": {}}

WITH_FACTS = (Outcome, Verification)


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

    sample_id: int | None = None
    batch_size: int | None = None
    avg_latency: Measure | None = None
    std_latency: Measure | None = None
    p50_latency: Measure | None = None
    p90_latency: Measure | None = None
    p95_latency: Measure | None = None
    p99_latency: Measure | None = None
    throughput: Measure | None = None
    request_count: int | None = None
    avg_gpu_clock: float | None = None


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
    pytest_navigator: Saved | None = None


def problem(status: dict[str, Plain]) -> str:
    """Return the first wrong value with its path, "" if there is none: "$.config.seed: expected int"."""
    try:
        found = _converter().structure(status, StatusFile)
    except BaseValidationError as error:
        return first_problem(error)
    if problem := paths.astray(status):  # before what names do not fit each other: the wrong one is this
        return problem
    wrong = found.pytest_navigator.problem() if found.pytest_navigator else ""
    return f"$.pytest_navigator.{wrong}" if wrong else _models_problem(found.models_status, _others(status))


def read(status: Mapping[str, Plain]) -> StatusFile:
    """Return a status in which there is no `problem`."""
    found: StatusFile = _converter().structure(status, StatusFile)
    return found


def own(details: dict[str, Plain]) -> Recorded:
    """Return our part of a status in which there is no `problem`."""
    found: Recorded = _converter().structure(details, Recorded)
    return found


def strictly(value: JSON, kind: type[T]) -> T:
    """Return plain data as a record, of which nothing is converted.

    Raises:
        BaseValidationError: it does not have the form of `kind`, see `first_problem`.
    """
    found: T = _converter().structure(value, kind)
    return found


def _others(status: dict[str, Plain]) -> set[str]:
    """Return the keys of the formats that Model Navigator cannot read, which stand elsewhere."""
    own = status.get("pytest_navigator")
    models = own.get("models_status") if isinstance(own, dict) else None
    return set(models) if isinstance(models, dict) else set()


def _models_problem(models: dict[str, ModelStatus], others: set[str]) -> str:
    """Return the first artifact that is another one twice, or made from one that is not there or from itself.

    Args:
        others: keys of what is there beside these.
    """
    if len(models) > MOST_FORMATS:
        return f"$.models_status: {len(models)} are more than {MOST_FORMATS}"
    parents = {model.model_config.key: model.model_config.parent_key for model in models.values()}
    for name, model in models.items():
        key, above = model.model_config.key, model.model_config.parent_key
        where = f"$.models_status[{name!r}]"
        if above is not None and above not in parents and above not in others:
            return f"{where}.model_config.parent_key: {above!r} is no format of the package"
        if in_circle(key, parents):
            return f"{where}.model_config.parent_key: {above!r} is made from {key!r} itself"
        if other := next((n for n, runner in model.runners_status.items() if runner.runner_name != n), ""):
            return f"{where}.runners_status[{other!r}].runner_name: it is another one"
    return "" if len(parents) == len(models) else "$.models_status: two of them have one key"


def first_problem(error: BaseValidationError) -> str:
    """Return the first of what cattrs found wrong, with its path."""
    text, _, path = transform_error(error, format_exception=_text)[0].rpartition(" @ ")
    return f"{path}: {text.removeprefix('invalid value for type, ')}"


def _text(error: BaseException, kind: type | None) -> str:
    if isinstance(error, _MeasureError):
        return str(error)
    text = format_exception(error, kind)
    # The file has steps and a suite; that they are outcomes and a record is a name of this code.
    return text.replace(Outcome.__name__, "Step").replace(SuiteRecord.__name__, "Suite")


@cache
def _converter() -> Converter:
    # cattrs converts: to it, "3" is a number, and True is one too.
    converter = Converter()
    converter.register_structure_hook_factory(is_dataclass, partial(_mapping, converter))
    converter.register_structure_hook_factory(lambda kind: kind is Saved, partial(_own, converter))
    converter.register_structure_hook_factory(lambda kind: kind in WITH_FACTS, partial(_outcome, converter))
    for kind, accepted in ((str, (str,)), (int, (int,)), (float, (float, int)), (bool, (bool,))):
        converter.register_structure_hook(kind, partial(_strict, accepted))
    converter.register_structure_hook(Status, _status)
    for made, read in ((list, partial(_listed, converter, list)), (tuple, partial(_listed, converter, tuple))):
        converter.register_structure_hook_factory(partial(_is, made), read)
    converter.register_structure_hook_factory(partial(_is, dict), partial(_named, converter))
    return converter


class _MeasureError(ValueError):
    """A figure is no number, or less than nothing."""


def _mapping(converter: Converter, kind: type) -> Hook:
    # cattrs would take a text for a class of which it has none of the fields.
    return _fields(kind, make_dict_structure_fn(kind, converter, **_ranges(kind)))


def _fields(kind: type, read: Hook) -> Hook:
    also = ELSEWHERE if kind is SuiteRecord else {}

    def structure(value: Plain, of: type) -> Plain:
        if not isinstance(value, dict):
            raise TypeError(value)
        return read(value | also, of)

    return structure


def _ranges(kind: type) -> dict[str, Plain]:
    # cattrs drops `Annotated`, which says that a figure is not negative.
    hints = get_type_hints(kind, include_extras=True)
    measures = (name for name, hint in hints.items() if Measure in (hint, *get_args(hint)))
    return {name: override(struct_hook=_measure) for name in measures}


def _own(converter: Converter, kind: type) -> Hook:
    # What a run has recorded is more than what every package has.
    saved, recorded = _mapping(converter, kind), converter.get_structure_hook(Recorded)

    def structure(value: Plain, of: type) -> Plain:
        return recorded(value, Recorded) if isinstance(value, dict) and "suite" in value else saved(value, of)

    return structure


def _outcome(converter: Converter, kind: type) -> Hook:
    """Return how what became of a step is read: what it found out depends on the kind of step."""

    def of_step(step: str) -> Hook:
        kinds: tuple[type, ...] = (Notes, *(each for each in FACTS if step in each.steps))
        data: Plain = override(struct_hook=partial(_checked, converter, kinds))
        return _fields(kind, make_dict_structure_fn(kind, converter, **_ranges(kind), data=data))

    reads = {step: of_step(step) for step in (*KINDS, "")}

    def structure(value: Plain, of: type) -> Plain:
        step = value.get("step") if isinstance(value, dict) else None
        return reads[step if isinstance(step, str) and step in KINDS else ""](value, of)

    return structure


def _checked(converter: Converter, kinds: Sequence[type], value: Plain, _: type) -> Plain:
    """Return what a step found out as it is: the rest of it is nobody's to calculate with."""
    for kind in kinds:
        converter.structure(value, kind)
    return value


def _is(made: type, kind: Plain) -> bool:
    origin: Plain = get_origin(kind)
    # A tuple of a fixed length has a type for each place, which cattrs reads well enough.
    return origin is made and (made is not tuple or get_args(kind)[-1] is Ellipsis)


def _listed(converter: Converter, made: type, kind: Plain) -> Hook:
    # cattrs would take the letters of a text, or the keys of a mapping.
    inner = get_args(kind)[0]
    read = converter.get_structure_hook(inner)

    def structure(value: Plain, _: type) -> Plain:
        if not isinstance(value, list | tuple):
            raise ValueError(value)
        return made([_read(each, read, inner, position) for position, each in enumerate(value)])

    return structure


def _named(converter: Converter, kind: Plain) -> Hook:
    name_kind, inner = get_args(kind)
    read_name, read = converter.get_structure_hook(name_kind), converter.get_structure_hook(inner)

    def structure(value: Plain, _: type) -> Plain:
        items = value.items()
        return {_read(name, read_name, name_kind, name): _read(each, read, inner, name) for name, each in items}

    return structure


def _read(value: Plain, read: Hook, kind: type, place: str | int) -> Plain:
    # The first wrong one is the last: cattrs would gather the errors of all, of a million too.
    try:
        return read(value, kind)
    except Exception as error:
        note = IterableValidationNote("of several", place, kind)
        error.__notes__ = [*getattr(error, "__notes__", []), note]
        raise IterableValidationError("one of several", [error], kind) from None


def _status(value: Plain, _: type) -> Status:
    if not isinstance(value, str):
        raise ValueError(value)
    return Status(value)


def _measure(value: Plain, kind: type) -> Plain:
    if value is None and kind is not float:
        return value
    if not isinstance(value, float | int) or isinstance(value, bool):
        raise _MeasureError("expected a number")
    if value < 0:
        raise _MeasureError(f"{value} is negative")
    return value


def _strict(accepted: tuple[type, ...], value: Plain, kind: type) -> Plain:
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(value)
    return value
