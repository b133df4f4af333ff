"""The keywords that the functions of the API share, and what runs for them."""

from __future__ import annotations

from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, ParamSpec, TypedDict

from pytest_navigator.api.arguments import check_asked, checked_configs, configuration, runtimes, unasked, words
from pytest_navigator.api.given import Given, check_verify_func
from pytest_navigator.api.running import check
from pytest_navigator.backends.tensorflow.tf_tensorrt import TensorFlowTensorRTConfig
from pytest_navigator.backends.torch.torch_tensorrt import TorchTensorRTConfig
from pytest_navigator.configuration.onnx_config import OnnxConfig
from pytest_navigator.configuration.tensorrt_config import TensorRTConfig, TensorRTRTXConfig
from pytest_navigator.core.enums import Format
from pytest_navigator.core.kinds import kind_of
from pytest_navigator.errors import ConfigError, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from pytest_navigator.api.arguments import Names
    from pytest_navigator.api.given import VerifyFunction
    from pytest_navigator.api.package import Package
    from pytest_navigator.comparison.tolerances import Tolerance
    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.configuration.profile_config import OptimizationProfile, ProfilerConfig

P = ParamSpec("P")


class ExportOptions(TypedDict, total=False):
    """Keywords of every `export`, as Model Navigator 0.3 has them, and two of NavConfig.

    docs/python-api.md says what each does here.
    """

    model_name: str | None
    target_formats: Names
    workdir: str | Path | None
    override_workdir: bool
    keep_workdir: bool
    sample_count: int | None
    atol: Tolerance
    rtol: Tolerance
    input_names: Sequence[str] | None
    output_names: Sequence[str] | None
    dynamic_axes: Mapping[str, Mapping[int, str] | Sequence[int]] | None
    target_device: object
    disable_git_info: bool
    batch_dim: int | None
    runtimes: Names
    run_profiling: bool
    profiler_config: ProfilerConfig | None
    target_precisions: Names
    precison_mode: str | None
    max_workspace_size: int | None
    minimum_segment_size: int | None
    trt_dynamic_axes: Mapping[str, Mapping[int, tuple[int, int, int]]] | None
    child_imports: Sequence[str] | None
    interpreters: Mapping[str, str | Sequence[str]] | None
    opset: int | None


class OptimizeOptions(TypedDict, total=False):
    """Keywords of every `optimize`, as Model Navigator 0.7 has them, and two of NavConfig.

    `batching=False`: the model has no batch axis. `runners`: names of runners or runtimes. `workspace`: the folder of
    the run (`navigator_workspace`), which is replaced if it is one. `verify_func`: see `Given`. `debug`: the first
    exception ends the run and comes through as it is (`NAV_DEBUG=1`). `verbose` changes nothing: everything is in the
    formats' logs.
    """

    model_name: str | None
    sample_count: int | None
    batching: bool | None
    input_names: Sequence[str] | None
    output_names: Sequence[str] | None
    target_formats: Names
    target_device: object
    runners: Names
    optimization_profile: OptimizationProfile | ProfilerConfig | None
    workspace: str | Path | None
    verbose: bool
    debug: bool
    verify_func: VerifyFunction | None
    custom_configs: Sequence[FormatConfig] | None
    atol: Tolerance
    rtol: Tolerance
    child_imports: Sequence[str] | None
    interpreters: Mapping[str, str | Sequence[str]] | None


# Keywords that NavConfig has under the same name.
SAME = (
    "sample_count",
    "atol",
    "rtol",
    "input_names",
    "output_names",
    "dynamic_axes",
    "optimization_profile",
    "child_imports",
    "interpreters",
)

RENAMED = {"model_name": "name", "run_profiling": "profile", "profiler_config": "optimization_profile"}

# Keyword -> the field of TensorRTConfig that it is.
TENSORRT = {
    "target_precisions": "precision",
    "precison_mode": "precision_mode",
    "max_workspace_size": "max_workspace_size",
    "trt_dynamic_axes": "trt_profiles",
}

# Framework -> the configuration of its own format with TensorRT in it, and the keywords that mean a field of that.
INSIDE = {
    "torch": (TorchTensorRTConfig, TENSORRT),
    "tensorflow": (
        TensorFlowTensorRTConfig,
        {**{k: v for k, v in TENSORRT.items() if k != "precison_mode"}, "minimum_segment_size": "minimum_segment_size"},
    ),
}


WORKSPACE = "navigator_workspace"
"""Folder of a run of `optimize`."""

# What holds where a keyword is not given; None of the others.
DEFAULTS = {
    **dict.fromkeys(("override_workdir", "disable_git_info", "verbose", "debug"), False),
    **dict.fromkeys(("keep_workdir", "run_profiling"), True),
    "batch_dim": 0,
}


def signed(options: type) -> Callable[[Callable[P, Package]], Callable[P, Package]]:
    """Give a function that takes `**options` a signature with each of them, for `help` and for notebooks."""
    more = [
        Parameter(
            name, Parameter.KEYWORD_ONLY, default=DEFAULTS.get(name), annotation=getattr(kind, "__forward_arg__", kind)
        )
        for name, kind in options.__annotations__.items()
    ]

    def sign(function: Callable[P, Package]) -> Callable[P, Package]:
        own = signature(function)
        # `help` and notebooks show a signature, and **options tells nobody what there is.
        kept = [each for each in own.parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
        function.__signature__ = own.replace(parameters=[*kept, *more])  # type: ignore[attr-defined]
        return function

    return sign


def exported(
    framework: str,
    model: object,
    dataloader: object,
    configs: Sequence[FormatConfig],
    options: ExportOptions,
    more: Mapping[str, Any] | None = None,
    without: frozenset[str] = frozenset(),
) -> Package:
    """Run what an `export` asks for.

    Args:
        more: fields of NavConfig that no keyword stands for.
        without: names of runners that are not tried.

    Raises:
        ConfigError, SourceError, PackageError, KeyboardInterrupt: as `running.check`.
    """
    _check_known("export", options, ExportOptions.__annotations__)
    fields = {**_fields(options), "runtimes": runtimes(options.get("runtimes")), **(more or {})}
    opset = [OnnxConfig(opset=options["opset"])] if options.get("opset") is not None else []
    configs = [*opset, *configs, *engines(framework, options)]
    config = configuration(framework, options.get("target_formats"), configs, **fields)
    config = config.replace(batch_dim=options.get("batch_dim", 0))
    named_by_none = unasked(framework, options.get("target_formats"), configs)
    if config.batch_dim is None:
        _check_unbatched("batch_dim=None", options.get("profiler_config"))
    return check(
        Given(model, dataloader, config, unasked=named_by_none, without=without),
        options.get("workdir") or "navigator_workdir",
        override_workdir=options.get("override_workdir", False),
        keep_workdir=options.get("keep_workdir", True),
        disable_git_info=options.get("disable_git_info", False),
    )


def optimized(framework: str, model: object, dataloader: object, options: OptimizeOptions) -> Package:
    """Run what an `optimize` asks for.

    Raises:
        ConfigError, SourceError, PackageError, KeyboardInterrupt: as `running.check`.
    """
    return check(
        optimizing(framework, model, dataloader, options),
        options.get("workspace") or WORKSPACE,
        override_workdir=True,  # as Model Navigator does; a folder with anything else in it is never replaced
        debug=options.get("debug", False),
    )


def optimizing(framework: str, model: object, dataloader: object, options: OptimizeOptions) -> Given:
    """Return what an `optimize` checks.

    Raises:
        ConfigError: a keyword does not exist, or its value is not possible.
    """
    _check_known("optimize", options, OptimizeOptions.__annotations__)
    check_verify_func(options.get("verify_func"))
    fields = {**_fields(options), "runtimes": runtimes(options.get("runners"))}
    configs = checked_configs(options.get("custom_configs"))
    check_asked(framework, options.get("target_formats"), configs)
    config = configuration(framework, options.get("target_formats"), configs, **fields)
    if options.get("batching") is False:
        _check_unbatched("batching=False", options.get("optimization_profile"))
        config = config.replace(batch_dim=None)
    others = unasked(framework, options.get("target_formats"), configs)
    return Given(model, dataloader, config, options.get("verify_func"), others)


def _check_unbatched(said: str, profile: OptimizationProfile | ProfilerConfig | None) -> None:
    """Refuse sizes of a batch axis that is not there: nothing would be measured in them.

    Raises:
        ConfigError: `profile` names such.
    """
    named = [name for name in ("batch_sizes", "max_batch_size") if getattr(profile, name, None) is not None]
    if named:
        value = f"{type(profile).__name__}.{named[0]}={getattr(profile, named[0])!r}"
        raise ConfigError(f"{said} beside {value}: a model without a batch axis has no batch sizes; leave one out")


def _fields(options: Mapping[str, Any]) -> dict[str, Any]:
    same = {name: options.get(name) for name in SAME}
    renamed = {field: options[name] for name, field in RENAMED.items() if options.get(name) is not None}
    return {**same, **renamed, "device": kind_of(options.get("target_device"))}


def _check_known(function: str, options: Mapping[str, object], valid: Collection[str]) -> None:
    for name in options:
        if name not in valid:
            raise unknown(f"keyword of {function}", name, valid)


def engines(framework: str, options: Mapping[str, Any]) -> list[FormatConfig]:
    """Return what the keywords say of everything that TensorRT builds, if they say anything."""
    rtx = Format.TENSORRT_RTX in (words(options.get("target_formats")) or ())
    kinds = (TensorRTConfig, TensorRTRTXConfig) if rtx else (TensorRTConfig,)
    found: list[FormatConfig] = [kind(**said) for kind in kinds if (said := _said(TENSORRT, options))]
    if framework in INSIDE:
        config, fields = INSIDE[framework]
        said = _said(fields, options)
        precisions = words(said.get("precision")) or ()
        # One list of precisions is for all engines: what this one lacks, TensorRT itself may still have.
        if possible := tuple(name for name in precisions if name in config.precisions):
            said["precision"] = possible
        found += [config(**said)] if said else []
    return found


def _said(fields: Mapping[str, str], options: Mapping[str, Any]) -> dict[str, Any]:
    return {field: options[name] for name, field in fields.items() if options.get(name) is not None}
