"""`config.yaml` of one format: Model Navigator's keys, so that a later run can repeat it (pure but for the ranges)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_navigator.comparison import tolerances
from pytest_navigator.comparison.facts import output_reports
from pytest_navigator.core.facts import MakingFacts, as_data, facts_of
from pytest_navigator.devices import built_with as bound
from pytest_navigator.errors import ConfigError, PackageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import numpy as np

    from pytest_navigator.core.facts import SourceFacts
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import OutputReport, TensorSpec
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.package.query.results import Results

SHAPES = ("min", "opt", "max")


def config(results: Results, variant: Variant, value_ranges: Mapping[str, list[float]]) -> dict[str, JSON]:
    """Return the content of one variant's config.yaml; PackageError without a signature: the model could not be run.

    Tolerances are those that were asked for, else those that were measured. What Model Navigator's keys do not say
    (script or trace, the export engine) is under `pytest_navigator`.

    Args:
        value_ranges: smallest and largest value of each input; see `ranges`. Of random data, what was said counts.
    """
    signature, source = results.signature, results.source_facts
    if signature is None:
        raise PackageError(f"{variant.key} has no configuration: {results.suite.name} has no signature")
    everything = {
        "model_name": results.suite.name,
        "target_formats": [variant.format],
        "onnx_opsets": _opsets(results, variant),
        # Those of other formats are among their parameters; a file of such a key with theirs could not be read.
        "tensorrt_precisions": _listed(variant.parameters.get("precision") if _is_engine(variant) else None),
        "tensorrt_precisions_mode": variant.parameters.get("precision_mode"),
        "inputs": {spec.name: _tensor(spec) for spec in signature.inputs},
        "outputs": {spec.name: _tensor(spec) for spec in signature.outputs},
        "atol": tolerance(results, variant, "atol"),
        "rtol": tolerance(results, variant, "rtol"),
        "max_batch_size": source.max_batch_size,
        **{f"{kind}_shapes": _shapes(source, kind) for kind in SHAPES},
        "value_ranges": _value_ranges(source, value_ranges),
        "random_seed": None if source.said_ranges is None else results.setting("seed") or None,
        "dtypes": {spec.name: spec.dtype for spec in signature.inputs},
        "pytest_navigator": {
            "key": variant.key,
            "parent": variant.parent,
            "parameters": dict(variant.parameters),
            **_made_by(results, variant),
            **_built_with(results, variant),
        },
    }
    return {key: value for key, value in everything.items() if value not in (None, {}, [])} | _batch(results)


def _is_engine(variant: Variant) -> bool:
    return "trt" in variant.format.split("-")


def _shapes(source: SourceFacts, kind: str) -> dict[str, list[int]]:
    """Return the shapes of the samples; where somebody has said others, for the data or the engines, those."""
    said = source.said_shapes.get(kind, {})
    return {name: list(said.get(name, shapes[kind])) for name, shapes in source.profile.items()}


def _value_ranges(source: SourceFacts, seen: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Return the ranges that random data was drawn from, as far as they were said; of a loader's data, its own."""
    return dict(seen) if source.said_ranges is None else source.said_ranges


def tolerance(results: Results, variant: Variant, name: str) -> dict[str, float]:
    """Return one tolerance by output: asked for, else the largest by which a runner passed.

    An output with neither (and one whose tolerance is not finite, which would let anything pass) is left out.
    """
    asked, passed = _asked(results, variant, name), _passed(results, variant, name)
    return {output: asked.get(output, value) for output, value in (passed | asked).items()}


def usable(report: OutputReport, name: str) -> float:
    """Return the atol or rtol by which an output passed: what was measured may be 0, which nothing else will meet.

    An output that failed, or that Model Navigator has judged, has only what was measured.
    """
    allowed = getattr(report, f"allowed_{name}")
    return float(getattr(report, name) if allowed is None else allowed)


def ranges(samples: Path) -> dict[str, list[float]]:
    """Return [smallest, largest] finite value of each input over a folder of npz files.

    Inputs that are not of plain numbers (bfloat16, strings) have none.
    """
    found: dict[str, list[float]] = {}
    for path in sorted(samples.glob("*.npz")):
        for name, (low, high) in _file_ranges(path):
            before = found.get(name, [low, high])
            found[name] = [min(low, before[0]), max(high, before[1])]
    return found


def _file_ranges(path: Path) -> Iterable[tuple[str, tuple[float, float]]]:
    from pytest_navigator.samples.npz import UNREADABLE, read_npz

    try:
        with path.open("rb") as file:
            named = read_npz(file, path.stat().st_size)
    except UNREADABLE:
        # A damaged sample is for the reader of the package to name; a range is a convenience.
        return []
    pairs = ((name, _range(array)) for name, array in named.items())
    return [(name, pair) for name, pair in pairs if pair]


def _range(array: np.ndarray) -> tuple[float, float] | None:
    import numpy as np

    if array.dtype.kind not in "biuf":
        return None
    finite = array[np.isfinite(array)]
    return (finite.min().item(), finite.max().item()) if finite.size else None


def _made_by(results: Results, variant: Variant) -> dict[str, JSON]:
    # Why those before it declined is worth as much as who made it.
    made = facts_of(results.made(variant.key), MakingFacts)
    return as_data(MakingFacts(engine=made.engine or None, declined=made.declined or None))


def _built_with(results: Results, variant: Variant) -> dict[str, JSON]:
    made = results.made(variant.key)
    built = bound.recorded(made, variant.key) if made else None
    return as_data(bound.BoundFacts(built))


def _asked(results: Results, variant: Variant, name: str) -> dict[str, float]:
    outputs = results.signature.outputs if results.signature else ()
    atol, rtol = (results.setting(key) for key in ("atol", "rtol"))
    # Whether every name exists has been checked at the collection, against more formats than this suite has.
    named = {key for value in (atol, rtol) if isinstance(value, dict) for key in value}
    try:
        rules = tolerances.resolve(
            outputs,
            variant_key=variant.key,
            format_name=variant.format,
            formats=named - {spec.name for spec in outputs} - {"", "*"},
            atol=atol,
            rtol=rtol,
        )
    except ConfigError:
        # The correctness step has failed for it; the package says so and is written all the same.
        return {}
    return {output: getattr(rule, name) for output, rule in rules.items() if rule.kind == "close"}


def _passed(results: Results, variant: Variant, name: str) -> dict[str, float]:
    passed = [o for runner in variant.runners if (o := results.correctness(variant.key, runner)) and o.passed]
    found: dict[str, float] = {}
    for report in (report for outcome in passed for report in output_reports(outcome)):
        if math.isfinite(value := usable(report, name)):
            found[report.name] = max(value, found.get(report.name, 0.0))
    return found


def _batch(results: Results) -> dict[str, JSON]:
    # 0 is what everybody takes it for.
    axis, unbatched = results.setting("batch_dim", 0), results.setting("unbatched")
    return ({"batch_dim": axis} if axis != 0 else {}) | ({"unbatched": unbatched} if unbatched else {})


def _opsets(results: Results, variant: Variant) -> list[JSON]:
    used = facts_of(results.made(variant.key), MakingFacts).opset
    return _listed(used or variant.parameters.get("opset")) if variant.format == "onnx" else []


def _listed(value: JSON) -> list[JSON]:
    return [] if value is None else [value]


def _tensor(spec: TensorSpec) -> dict[str, JSON]:
    return {"name": spec.name, "shape": list(spec.shape), "dtype": spec.dtype}
