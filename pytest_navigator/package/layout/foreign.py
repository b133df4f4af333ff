"""The `status.yaml` of a package that Model Navigator wrote, as `Results` (pure)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.builtin import known
from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.core.facts import ProfileFacts, as_data
from pytest_navigator.core.plain import plain
from pytest_navigator.core.records import Outcome, OutputReport, ProfileResult, Signature, SuiteRecord, TensorSpec
from pytest_navigator.core.steps import Status
from pytest_navigator.core.variants import RunnerRecord, Variant
from pytest_navigator.package.layout import schema
from pytest_navigator.package.layout.names import SOURCE_COMMANDS
from pytest_navigator.package.layout.schema import RunnerResult
from pytest_navigator.package.query.results import Results

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_navigator.core.plain import JSON, Parameters, Tree
    from pytest_navigator.core.records import Setting
    from pytest_navigator.package.layout.content import Content
    from pytest_navigator.package.layout.schema import (
        Config,
        ModelConfig,
        ModelStatus,
        Profiling,
        RunnerStatus,
        StatusFile,
        Tensor,
    )

# Every other one of its statuses says that a command did not run.
STATUSES = {"OK": Status.PASSED, "FAIL": Status.FAILED}

# Formats that have no file; the path of such a model is a placeholder.
SOURCES = ("torch", "tensorflow", "jax", "python")

# Our setting -> its key in `config`.
SETTINGS = {
    "sample_count": "sample_count",
    "seed": "seed",
    "device": "target_device",
    "optimization_profile": "optimization_profile",
}

PERCENTILES = ("p50_latency", "p90_latency", "p95_latency", "p99_latency")
PATHS = ("format", "key", "path", "parent_path", "parent_key", "log_path")


def results(status: Content, name: str) -> Results:
    """Return what Model Navigator recorded.

    It notes no reason of a failure and no digest of a file; figures are those of its own way to measure.

    Args:
        status: in the schema 0.3.2.
        name: of the model, which it has none for.
    """
    found = schema.read(status)
    models, signature = _parents_first(found.models_status), _signature(found)
    source = _source(found, str(status.get("timestamp") or ""), signature)
    outcomes = (source, *(outcome for model in models for outcome in _outcomes(model, found.uuid)))
    return Results(_suite(status, found.config, models, outcomes, name), outcomes, signature)


def _suite(
    status: Content, config: Config, models: list[ModelStatus], outcomes: tuple[Outcome, ...], name: str
) -> SuiteRecord:
    # What makes an artifact differs from format to format, and is in no schema.
    raw = {each["model_config"]["key"]: each["model_config"] for each in status.get("models_status", {}).values()}
    variants = tuple(_variant(model, raw[model.model_config.key]) for model in models)
    framework = _framework(config, variants)
    settings: dict[str, Setting] = {
        ours: {"value": getattr(config, theirs), "origin": "package"} for ours, theirs in SETTINGS.items()
    }
    return SuiteRecord(
        name=name,
        nodeid="",
        framework=framework,
        package="",
        variants=variants,
        runners={name: _runner(name, m.model_config.format) for m in models for name in m.runners_status},
        steps=tuple(outcome.id for outcome in outcomes if outcome.step != "verify"),
        settings=settings,
        provided=tuple(v.key for v in variants if v.format == framework and v.file),
    )


def _framework(config: Config, variants: tuple[Variant, ...]) -> str:
    # For a Python function it has none: the format of the live model tells.
    name = config.framework or "none"
    live = (variant.format for variant in variants if not variant.file)
    return next(live, name) if name == "none" else {"tensorrt": "trt"}.get(name, name)


def _parents_first(models: Mapping[str, ModelStatus]) -> list[ModelStatus]:
    """Return the models with those that have no file first, and no model before the one that it is made from."""
    sources = [model for model in models.values() if model.model_config.format in SOURCES]
    pending = [model for model in models.values() if model not in sources]
    found = list(sources)
    while pending:
        known = {model.model_config.key for model in found}
        # Where none is ready, a parent is missing: all that are left are taken as they are, so that this ends.
        ready = [m for m in pending if m.model_config.parent_key in (None, *known)] or pending
        found += ready
        pending = [model for model in pending if model not in ready]
    return found


def _file(config: ModelConfig) -> str:
    return "" if config.format in SOURCES or not config.path else PurePosixPath(config.path).name


def _variant(model: ModelStatus, said: Mapping[str, JSON]) -> Variant:
    config = model.model_config
    return Variant(
        key=config.key,
        format=config.format,
        parent=config.parent_key,
        file=_file(config),
        parameters=_parameters(said),
        runners=tuple(model.runners_status),
    )


def _parameters(config: Parameters) -> dict[str, JSON]:
    found = {name: value for name, value in config.items() if name not in PATHS}
    if found.get("autocast_dtype"):
        found["autocast_dtype"] = str(found["autocast_dtype"]).removeprefix("torch.")
    # Its programs have the model's own structure, ours are flat.
    return {**found, "structured": True} if config["format"] == "torch-exportedprogram" else found


def _runner(name: str, form: str) -> RunnerRecord:
    """Return a runner of ours that has this name; one that we have not is known by what the name says."""
    ours = known().runners()
    if name in ours:
        return ours[name].record()
    device = "cuda" if name.endswith(("CUDA", "CUDAGraph", "TensorRT")) else "cpu"
    runtime = "tensorrt" if "TensorRT" in name else device
    return RunnerRecord(name, runtime, form, device, form in SOURCES, "")


def _source(status: StatusFile, started: str, signature: Signature | None) -> Outcome:
    # Of its four commands, early versions list none.
    failed = [name for name in SOURCE_COMMANDS if status.status.get(name) == "FAIL"]
    return Outcome(
        "source",
        Status.FAILED if failed or signature is None else Status.PASSED,
        message=f"{', '.join(failed)} failed" if failed else "" if signature else "there are no inputs and outputs",
        started=started,
        data={
            "max_batch_size": status.dataloader_max_batch_size,
            "profile": plain(status.dataloader_trt_profile),
        },
    )


def _outcomes(model: ModelStatus, uuid: str | None) -> Iterator[Outcome]:
    # It digests no file: the package's own id stands for what its steps have seen.
    digest = f"{uuid}/{model.model_config.key}"
    if _file(model.model_config):
        yield _made(model, digest)
    for runner in model.runners_status.values():
        yield from _cell(model.model_config.key, runner, digest)


def _made(model: ModelStatus, digest: str) -> Outcome:
    """Return the commands that made a file as one step; early versions list none, and say by its path that it is."""
    config = model.model_config
    others = {name: said for name, said in model.status.items() if said != "OK"}
    worst = next(iter(sorted(others.values())), "OK")
    return Outcome(
        "convert" if config.parent_key else "export",
        STATUSES.get(worst, Status.SKIPPED),
        config.key,
        message=_reason(next(iter(others), ""), worst, config.key),
        duration=float(sum((each or {}).get("execution_time") or 0.0 for each in model.result.values())),
        digest=digest,
    )


def _cell(key: str, runner: RunnerStatus, digest: str) -> Iterator[Outcome]:
    said = runner.status
    for command, step in (("Correctness", _correctness), ("Performance", _profiles), ("VerifyModel", _verified)):
        if command in said:
            found = runner.result.get(command) or RunnerResult()
            base = Outcome(
                "",
                STATUSES.get(said[command], Status.SKIPPED),
                key,
                runner.runner_name,
                message=_reason(command, said[command], key),
                duration=found.execution_time or 0.0,
                digest=digest,
            )
            yield from step(base, found)


def _correctness(base: Outcome, found: RunnerResult) -> Iterator[Outcome]:
    rows = found.per_output_tolerance
    outputs = tuple(OutputReport(row.output_name, row.atol, row.rtol) for row in rows)
    yield replace(base, step="correctness", data=as_data(CorrectnessFacts(outputs)))


def _profiles(base: Outcome, found: RunnerResult) -> Iterator[Outcome]:
    # Where it says nothing of the figures, the step is there all the same: it was asked for.
    measured = [figures for row in found.profiling_results if (figures := _figures(row))]
    for figures in measured:
        batch = "nobatch" if figures.batch_size is None else f"batch{figures.batch_size}"
        yield replace(base, step="profile", batch=batch, data=as_data(ProfileFacts(figures)))
    if not measured:
        status = Status.SKIPPED if base.passed else base.status
        yield replace(base, step="profile", status=status, message=base.message or "no figures were recorded")


def _figures(row: Profiling) -> ProfileResult | None:
    # The earliest version had the average alone: that stands for each percentile.
    average, throughput = row.avg_latency, row.throughput
    if average is None or throughput is None:
        return None
    said: dict[str, Any] = {name: average if (found := getattr(row, name)) is None else found for name in PERCENTILES}
    return ProfileResult(
        batch_size=row.batch_size,
        avg_latency=average,
        std_latency=row.std_latency or 0.0,
        throughput=throughput,
        request_count=row.request_count or 0,
        sample_id=row.sample_id or 0,
        avg_gpu_clock=row.avg_gpu_clock,
        **said,
    )


def _verified(base: Outcome, found: RunnerResult) -> Iterator[Outcome]:
    # A model that nobody verified is skipped there, not here.
    if base.status is not Status.SKIPPED:
        yield replace(base, step="verify", data={"nodeid": "verify_func"})


def _reason(command: str, said: str, key: str) -> str:
    if said == "OK":
        return ""
    ended = "failed" if said == "FAIL" else "was skipped"
    return f"{command} {ended}; Model Navigator says why in {key}/format.log"


def _signature(status: StatusFile) -> Signature | None:
    inputs, outputs = status.input_metadata, status.output_metadata
    if not inputs or not outputs:
        return None
    batch_dim = status.config.batch_dim
    return Signature(
        inputs=tuple(_spec(tensor, batch_dim) for tensor in inputs.metadata),
        outputs=tuple(_spec(tensor, batch_dim) for tensor in outputs.metadata),
        input_tree=_call(inputs.pytree_metadata["metadata"]),
        output_tree=_node(outputs.pytree_metadata["metadata"]),
        batch_dim=batch_dim,
        array_type=inputs.pytree_metadata.get("tensor_type") or "numpy",
    )


def _spec(tensor: Tensor, batch_dim: int | None) -> TensorSpec:
    # It does not record which dynamic axes are equal, but for the batch.
    shape, name = tuple(tensor.shape), tensor.name
    dynamic = [axis for axis, size in enumerate(shape) if size == -1]
    axes = {axis: "batch" if axis == batch_dim else f"{name}_{axis}" for axis in dynamic}
    return TensorSpec(name, shape, tensor.dtype.removeprefix("torch."), axes, batch_dim in dynamic)


def _call(tree: Any) -> Tree:
    # A mapping at the end is the keyword ones.
    parts = list(tree) if isinstance(tree, list | tuple) else [tree]
    keywords = parts.pop() if parts and isinstance(parts[-1], dict) else {}
    return {"args": [_node(part) for part in parts], "kwargs": [[key, _node(part)] for key, part in keywords.items()]}


def _node(tree: Any) -> Tree:
    # A string is the name of an array there.
    if isinstance(tree, str):
        return {"leaf": tree}
    if isinstance(tree, dict):
        return {"dict": [[key, _node(part)] for key, part in tree.items()]}
    if isinstance(tree, list | tuple):
        return {"tuple": [_node(part) for part in tree]}
    return {"value": tree}
