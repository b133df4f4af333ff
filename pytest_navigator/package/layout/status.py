"""`status.yaml`: Model Navigator's schema 0.3.2, key for key, and one key of ours for the rest (pure)."""

from __future__ import annotations

import uuid as uuids
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_navigator.comparison.facts import output_reports
from pytest_navigator.configuration.batch_search import largest_of
from pytest_navigator.configuration.profile_config import ProfilerConfig
from pytest_navigator.core.enums import TensorType
from pytest_navigator.core.facts import profile_result
from pytest_navigator.core.kinds import KINDS
from pytest_navigator.core.privacy import REDACT, scrubbed_fields, scrubber
from pytest_navigator.core.steps import Status
from pytest_navigator.errors import PackageError
from pytest_navigator.package.layout import compatible, schema
from pytest_navigator.package.layout.config_yaml import usable
from pytest_navigator.package.layout.names import SOURCE_COMMANDS, command
from pytest_navigator.package.layout.own_part import details
from pytest_navigator.package.layout.schema import FORMAT_VERSION, OPTIMIZATION_PROFILE
from pytest_navigator.package.query.results import combined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Outcome, Signature, TensorSpec
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.package.layout.content import Content
    from pytest_navigator.package.query.results import Results

MODEL_NAVIGATOR_VERSION = "0.14.0"  # The generation whose schema this is, for its own loader

STATUSES = {Status.PASSED: "OK", Status.FAILED: "FAIL", Status.XFAILED: "FAIL", Status.SKIPPED: "SKIPPED"}

PROFILING_KEYS = tuple(each.name for each in fields(schema.Profiling))


def build(
    results: Results,
    environment: Mapping[str, JSON],
    *,
    files: Mapping[str, str] | None = None,
    left_out: Mapping[str, str] | None = None,
    git: Mapping[str, JSON] | None = None,
    complete: bool = True,
    uuid: str = "",
    timestamp: str = "",
) -> Content:
    """Return the content of status.yaml: built-in types only, without anything private.

    Args:
        files: SHA-256 of every other file of the package, by its name there.
        left_out: what is not in the package, with the reason.
        complete: whether the run covered the whole suite; False also if a step of the suite is missing.
        uuid, timestamp: of the package; "": a new one (random: Model Navigator's uuid1 tells the machine) and now.
    """
    status: dict[str, JSON] = {
        **_head(uuid or str(uuids.uuid4()), environment),
        **_body(results, timestamp or f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"),
        "pytest_navigator": {
            **details(results, git=git, complete=complete),
            "models_status": _models_status(results, own=False),
        },
    }
    public: Content = {**scrubbed_fields(status, scrubber())}
    _check(status, public)
    # Names of files are looked up in the archive: they stay as they are.
    public["pytest_navigator"] |= {"left_out": dict(left_out or {}), "files": dict(files or {})}
    return public


def _check(status: dict[str, JSON], public: dict[str, JSON]) -> None:
    """Raise PackageError if what was taken out is what a package is read by: the name of a format, of a step, a key."""
    problem = "" if public == status else schema.problem(public)
    if problem and not schema.problem(status):
        raise PackageError(
            f"no package can be written: --nav-redact, {REDACT} or a secret of the environment takes out a word that "
            f"packages are read by ({problem}); let the pattern find less, or give the variable another name"
        )


def _head(uuid: str, environment: Mapping[str, JSON]) -> dict[str, JSON]:
    return {
        "format_version": FORMAT_VERSION,
        "model_navigator_version": MODEL_NAVIGATOR_VERSION,
        "uuid": uuid,
        "environment": dict(environment),
    }


def _body(results: Results, timestamp: str) -> dict[str, JSON]:
    signature, source = results.signature, results.source_facts
    return {
        "config": _config(results),
        "models_status": _models_status(results, own=True),
        "input_metadata": _metadata(signature, "input"),
        "output_metadata": _metadata(signature, "output"),
        "dataloader_trt_profile": source.profile,
        "dataloader_max_batch_size": source.max_batch_size or 0,
        "status": dict.fromkeys(SOURCE_COMMANDS, STATUSES[results.source.status]) if results.source else {},
        "result": {},
        "timestamp": timestamp,
    }


def _config(results: Results) -> dict[str, JSON]:
    suite, signature = results.suite, results.signature
    variants = _readable(results)
    runners = (name for variant in variants for name in compatible.own_runners(variant))
    return {
        "framework": compatible.framework(suite.framework),
        "target_formats": list(dict.fromkeys(variant.format for variant in variants)),
        "target_device": _device(results),
        "sample_count": results.setting("sample_count"),
        "optimization_profile": _optimization_profile(results),
        "runner_names": list(dict.fromkeys(runners)),
        "batch_dim": signature.batch_dim if signature else None,
        "seed": results.setting("seed"),
        "_input_names": [spec.name for spec in signature.inputs] if signature else None,
        "_output_names": [spec.name for spec in signature.outputs] if signature else None,
        "from_source": True,
        "custom_configs": compatible.custom_configs(variants),
        "model_precision": None,
        "verbose": False,
        "debug": False,
    }


def _device(results: Results) -> str:
    if (asked := results.setting("device")) in KINDS:
        return str(asked)
    passed = (o.runner for o in results.outcomes if o.step == "correctness" and o.passed)
    return "cuda" if any(results.suite.runners[name].device == "cuda" for name in passed) else "cpu"


def _optimization_profile(results: Results) -> dict[str, JSON]:
    own = results.setting("optimization_profile") or {}
    if "measurement_mode" in own:
        own = _windows_of(own)
    asked = results.setting("batch_sizes") or own.get("batch_sizes")
    found = {key: own.get(key, default) for key, default in OPTIMIZATION_PROFILE.items()}
    if isinstance(asked, str):  # Model Navigator's words for a search
        return found | {"batch_sizes": None, "max_batch_size": largest_of(asked)}
    return found | {"batch_sizes": asked}


def _windows_of(own: Mapping[str, Any]) -> dict[str, JSON]:
    """Return what a ProfilerConfig means in the words of an OptimizationProfile, None for what it has not."""
    windows = ProfilerConfig(**own).windows()
    return {
        **dict.fromkeys(OPTIMIZATION_PROFILE),
        **{name: value for name, value in vars(windows).items() if name in OPTIMIZATION_PROFILE},
        "window_size": windows.size if windows.interval is None else None,
        "batch_sizes": own["batch_sizes"],
    }


def _readable(results: Results) -> list[Variant]:
    return [variant for variant in results.suite.variants if compatible.readable(results, variant)]


def _models_status(results: Results, *, own: bool) -> dict[str, JSON]:
    """Return the formats and runners that Model Navigator's loader can read, or else the other ones."""
    readable = {variant.key: compatible.own_runners(variant) for variant in _readable(results)}
    found: dict[str, JSON] = {}
    for variant in results.suite.variants:
        there = readable.get(variant.key, ())
        runners = there if own else tuple(name for name in variant.runners if name not in there)
        if (variant.key in readable) if own else (runners or variant.key not in readable):
            found[variant.key] = _model_status(results, variant, runners)
    return found


def _model_status(results: Results, variant: Variant, runners: Sequence[str]) -> dict[str, JSON]:
    made = results.made(variant.key)
    name = command(results.suite, variant)
    return {
        "model_config": _model_config(results, variant),
        "runners_status": {runner: _runner_status(results, variant.key, runner) for runner in runners},
        "status": {name: STATUSES[made.status]} if made else {},
        "result": {name: _made_result(made)} if made else {},
    }


def _model_config(results: Results, variant: Variant) -> dict[str, JSON]:
    parent = results.variant(variant.parent) if variant.parent else None
    return {
        "format": variant.format,
        "key": variant.key,
        "path": _path(variant),
        "parent_path": _path(parent) if parent else None,
        "parent_key": parent.key if parent else None,
        "log_path": f"{variant.key}/format.log",
        **{name: value for name, value in compatible.parameters(variant).items() if value is not None},
    }


def _path(variant: Variant) -> str:
    # Model Navigator's placeholder of a source's file, which its loader expects.
    return f"{variant.key}/{variant.file or '----'}"


def _made_result(made: Outcome) -> dict[str, JSON]:
    return {"execution_time": made.duration}


def _runner_status(results: Results, key: str, runner: str) -> dict[str, JSON]:
    correctness, profiles = results.correctness(key, runner), results.profiles(key, runner)
    verifications = results.verifications(key, runner)
    ran: dict[str, tuple[str, dict[str, JSON]]] = {}
    if correctness:
        ran["Correctness"] = (STATUSES[correctness.status], _correctness_result(correctness))
    if performance := combined(profiles):
        ran["Performance"] = (STATUSES[performance], _performance_result(profiles))
    if verifications:
        ran["VerifyModel"] = (_verified_status(results, key, runner), _time(verifications))
    return {
        "runner_name": runner,
        "status": {name: status for name, (status, _) in ran.items()},
        "result": {name: result for name, (_, result) in ran.items()},
    }


def _time(outcomes: Sequence[Outcome]) -> dict[str, JSON]:
    return {"execution_time": sum(outcome.duration for outcome in outcomes)}


def _correctness_result(outcome: Outcome) -> dict[str, JSON]:
    tolerances: list[JSON] = [
        {"output_name": report.name, **{name: usable(report, name) for name in ("atol", "rtol")}}
        for report in output_reports(outcome)
    ]
    return {**_time([outcome]), "per_output_tolerance": tolerances}


def _performance_result(outcomes: Sequence[Outcome]) -> dict[str, JSON]:
    measured = [profile_result(outcome) for outcome in outcomes if outcome.passed]
    rows = [{name: getattr(result, name) for name in PROFILING_KEYS} for result in measured]
    return {**_time(outcomes), "profiling_results": [{**row, "detailed_results": {}} for row in rows]}


def _verified_status(results: Results, key: str, runner: str) -> str:
    # Tests that have seen another artifact say nothing about this one.
    if results.verified(key, runner):
        return "OK"
    current = [o for o in results.verifications(key, runner) if results.current(o)]
    return "FAIL" if combined(current) is Status.FAILED else "SKIPPED"


def _metadata(signature: Signature | None, side: str) -> dict[str, JSON] | None:
    if signature is None:
        return None
    from pytest_navigator.samples.structure import model_navigator_tree

    tensors: tuple[TensorSpec, ...] = getattr(signature, f"{side}s")
    return {
        "metadata": [{"name": spec.name, "shape": list(spec.shape), "dtype": spec.dtype} for spec in tensors],
        "pytree_metadata": {
            "metadata": model_navigator_tree(getattr(signature, f"{side}_tree")),
            # It reads no other word; arrays of a function, or of a framework that a plugin brings, are numpy's to it.
            "tensor_type": signature.array_type if signature.array_type in {*TensorType} else TensorType.NUMPY.value,
        },
        "is_legacy": False,
    }
