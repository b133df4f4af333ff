"""The `status.yaml` of a package that Model Navigator wrote, as `Results` (pure)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pytest_navigator.builtin import known
from pytest_navigator.package.names import SOURCE_COMMANDS
from pytest_navigator.package.results import Results
from pytest_navigator.records import Outcome
from pytest_navigator.records import ProfileResult
from pytest_navigator.records import RunnerRecord
from pytest_navigator.records import Signature
from pytest_navigator.records import Status
from pytest_navigator.records import SuiteRecord
from pytest_navigator.records import TensorSpec
from pytest_navigator.records import Variant
from pytest_navigator.records import plain
from pytest_navigator.registry import runner_record

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping

    from pytest_navigator.records import JSON

STATUSES = {"OK": Status.PASSED, "FAIL": Status.FAILED}
"""Every other one of its statuses says that a command did not run."""

SOURCES = ("torch", "tensorflow", "jax", "python")
"""Formats that have no file; the path of such a model is a placeholder."""

SETTINGS = {
    "sample_count": "sample_count",
    "seed": "seed",
    "device": "target_device",
    "optimization_profile": "optimization_profile",
}
"""Our setting -> its key in `config`."""

PATHS = ("format", "key", "path", "parent_path", "parent_key", "log_path")
PERCENTILES = ("p50_latency", "p90_latency", "p95_latency", "p99_latency")


def results(status: Mapping[str, JSON], name: str) -> Results:
    """Return what Model Navigator recorded.

    It notes no reason of a failure and no digest of a file; figures are those of its own way to measure.

    Args:
        status: in the schema 0.3.2.
        name: of the model, which it has none for.
    """
    models, signature = _parents_first(status.get("models_status") or {}), _signature(status)
    outcomes = (_source(status, signature), *(outcome for model in models for outcome in _outcomes(model, status)))
    return Results(_suite(status, models, outcomes, name), outcomes, signature)


def _suite(status: Mapping[str, JSON], models: list[JSON], outcomes: tuple[Outcome, ...], name: str) -> SuiteRecord:
    config = status.get("config") or {}
    variants = tuple(map(_variant, models))
    framework = _framework(config, variants)
    settings = {ours: {"value": config.get(theirs), "origin": "package"} for ours, theirs in SETTINGS.items()}
    return SuiteRecord(
        name=name,
        nodeid="",
        framework=framework,
        package="",
        variants=variants,
        runners={name: record for model in models for name, record in _runners(model).items()},
        steps=tuple(outcome.id for outcome in outcomes if outcome.step != "verify"),
        settings=settings,
        provided=tuple(v.key for v in variants if v.format == framework and v.file),
    )


def _framework(config: Mapping[str, JSON], variants: tuple[Variant, ...]) -> str:
    """Return the framework by our name: for a Python function it has none."""
    name = config.get("framework") or "none"
    live = (variant.format for variant in variants if not variant.file)
    return str(next(live, name) if name == "none" else {"tensorrt": "trt"}.get(name, name))


def _parents_first(models: Mapping[str, JSON]) -> list[JSON]:
    """Return the models with those that have no file first, and no model before the one that it is made from."""
    sources = [model for model in models.values() if model["model_config"]["format"] in SOURCES]
    pending = [model for model in models.values() if model not in sources]
    found = list(sources)
    while pending:
        known = {model["model_config"]["key"] for model in found}
        ready = [m for m in pending if m["model_config"].get("parent_key") in (None, *known)] or pending
        found += ready
        pending = [model for model in pending if model not in ready]
    return found


def _variant(model: JSON) -> Variant:
    config = model["model_config"]
    live = config["format"] in SOURCES or not config.get("path")
    return Variant(
        key=config["key"],
        format=config["format"],
        parent=config.get("parent_key"),
        file="" if live else PurePosixPath(config["path"]).name,
        parameters=_parameters(config),
        runners=tuple(model["runners_status"]),
    )


def _parameters(config: Mapping[str, JSON]) -> dict[str, JSON]:
    found = {name: value for name, value in config.items() if name not in PATHS}
    if found.get("autocast_dtype"):
        found["autocast_dtype"] = str(found["autocast_dtype"]).removeprefix("torch.")
    # Its programs have the model's own structure, ours are flat.
    return {**found, "structured": True} if config["format"] == "torch-exportedprogram" else found


def _runners(model: JSON) -> dict[str, RunnerRecord]:
    form = model["model_config"]["format"]
    return {name: _runner(name, form) for name in model["runners_status"]}


def _runner(name: str, form: str) -> RunnerRecord:
    """Return a runner of ours that has this name; one that we have not is known by what the name says."""
    ours = {kind.name: kind for each in known().formats.values() for kind in each.runners}
    if name in ours:
        return runner_record(ours[name])
    device = "cuda" if name.endswith(("CUDA", "CUDAGraph", "TensorRT")) else "cpu"
    runtime = "tensorrt" if "TensorRT" in name else device
    return RunnerRecord(name, runtime, form, device, form in SOURCES, "")


def _source(status: Mapping[str, JSON], signature: Signature | None) -> Outcome:
    """Return its four commands as one; a package of its early versions does not list them."""
    commands = status.get("status") or {}
    failed = [name for name in SOURCE_COMMANDS if commands.get(name) == "FAIL"]
    return Outcome(
        "source",
        Status.FAILED if failed or signature is None else Status.PASSED,
        message=f"{', '.join(failed)} failed" if failed else "" if signature else "there are no inputs and outputs",
        started=str(status.get("timestamp") or ""),
        data={
            "max_batch_size": status.get("dataloader_max_batch_size"),
            "profile": status.get("dataloader_trt_profile"),
        },
    )


def _outcomes(model: JSON, status: Mapping[str, JSON]) -> Iterator[Outcome]:
    # It digests no file: the package's own id stands for what its steps have seen.
    digest = f"{status.get('uuid')}/{model['model_config']['key']}"
    if _variant(model).file:
        yield _made(model, digest)
    for runner in model["runners_status"].values():
        yield from _cell(model["model_config"]["key"], runner, digest)


def _made(model: JSON, digest: str) -> Outcome:
    """Return the commands that made a file as one step; early versions list none, and say by its path that it is."""
    config, commands = model["model_config"], model.get("status") or {}
    others = {name: said for name, said in commands.items() if said != "OK"}
    worst = next(iter(sorted(others.values())), "OK")
    return Outcome(
        "convert" if config.get("parent_key") else "export",
        STATUSES.get(worst, Status.SKIPPED),
        config["key"],
        message=_reason(next(iter(others), ""), worst, config["key"]),
        duration=_duration((model.get("result") or {}).values()),
        digest=digest,
    )


def _cell(key: str, runner: JSON, digest: str) -> Iterator[Outcome]:
    name, said, found = runner["runner_name"], runner["status"], runner["result"]
    for command, step in (("Correctness", _correctness), ("Performance", _profiles), ("VerifyModel", _verified)):
        if command in said:
            base = Outcome(
                "",
                STATUSES.get(said[command], Status.SKIPPED),
                key,
                name,
                message=_reason(command, said[command], key),
                duration=_duration([found.get(command)]),
                digest=digest,
            )
            yield from step(base, found.get(command) or {})


def _correctness(base: Outcome, found: Mapping[str, JSON]) -> Iterator[Outcome]:
    rows = found.get("per_output_tolerance") or []
    outputs = [{"name": row["output_name"], "atol": row["atol"], "rtol": row["rtol"]} for row in rows]
    yield replace(base, step="correctness", data={"outputs": outputs})


def _profiles(base: Outcome, found: Mapping[str, JSON]) -> Iterator[Outcome]:
    """Yield one step per batch size; one without figures where it says nothing else."""
    rows = found.get("profiling_results") or []
    measured = [row for row in rows if None not in (row.get("avg_latency"), row.get("throughput"))]
    for row in measured:
        batch = "nobatch" if row.get("batch_size") is None else f"batch{row['batch_size']}"
        yield replace(base, step="profile", batch=batch, data={"result": plain(_figures(row))})
    if not measured:
        status = Status.SKIPPED if base.passed else base.status
        yield replace(base, step="profile", status=status, message=base.message or "no figures were recorded")


def _figures(row: Mapping[str, JSON]) -> ProfileResult:
    """Return the figures of one batch size; the earliest version had the average alone."""
    average: float = row["avg_latency"]
    percentiles: dict[str, JSON] = {name: average if row.get(name) is None else row[name] for name in PERCENTILES}
    return ProfileResult(
        batch_size=row.get("batch_size"),
        avg_latency=average,
        std_latency=row.get("std_latency") or 0.0,
        throughput=row["throughput"],
        request_count=row.get("request_count") or 0,
        sample_id=row.get("sample_id") or 0,
        avg_gpu_clock=row.get("avg_gpu_clock"),
        **percentiles,
    )


def _verified(base: Outcome, found: Mapping[str, JSON]) -> Iterator[Outcome]:
    """Yield the user's `verify_func`, if it ran: a model that nobody verified is skipped there, not here."""
    if base.status is not Status.SKIPPED:
        yield replace(base, step="verify", data={"nodeid": "verify_func"})


def _reason(command: str, said: str, key: str) -> str:
    if said == "OK":
        return ""
    ended = "failed" if said == "FAIL" else "was skipped"
    return f"{command} {ended}; Model Navigator says why in {key}/format.log"


def _duration(found: Iterable[JSON]) -> float:
    return float(sum((each or {}).get("execution_time") or 0.0 for each in found))


def _signature(status: Mapping[str, JSON]) -> Signature | None:
    inputs, outputs = status.get("input_metadata"), status.get("output_metadata")
    if not inputs or not outputs:
        return None
    batch_dim = (status.get("config") or {}).get("batch_dim")
    return Signature(
        inputs=tuple(_spec(tensor, batch_dim) for tensor in inputs["metadata"]),
        outputs=tuple(_spec(tensor, batch_dim) for tensor in outputs["metadata"]),
        input_tree=_call(inputs["pytree_metadata"]["metadata"]),
        output_tree=_node(outputs["pytree_metadata"]["metadata"]),
        batch_dim=batch_dim,
        array_type=inputs["pytree_metadata"].get("tensor_type") or "numpy",
    )


def _spec(tensor: Mapping[str, JSON], batch_dim: int | None) -> TensorSpec:
    """Return a tensor; it does not record which dynamic axes are equal, but for the batch."""
    shape, name = tuple(tensor["shape"]), tensor["name"]
    dynamic = [axis for axis, size in enumerate(shape) if size == -1]
    axes = {axis: "batch" if axis == batch_dim else f"{name}_{axis}" for axis in dynamic}
    return TensorSpec(name, shape, tensor["dtype"].removeprefix("torch."), axes, batch_dim in dynamic)


def _call(tree: JSON) -> JSON:
    """Return the arguments: a mapping at the end is the keyword ones."""
    parts = list(tree) if isinstance(tree, list | tuple) else [tree]
    keywords = parts.pop() if parts and isinstance(parts[-1], dict) else {}
    return {"args": [_node(part) for part in parts], "kwargs": [[key, _node(part)] for key, part in keywords.items()]}


def _node(tree: JSON) -> JSON:
    """Return a structure in our form: a string is the name of an array."""
    if isinstance(tree, str):
        return {"leaf": tree}
    if isinstance(tree, dict):
        return {"dict": [[key, _node(part)] for key, part in tree.items()]}
    if isinstance(tree, list | tuple):
        return {"tuple": [_node(part) for part in tree]}
    return {"value": tree}
