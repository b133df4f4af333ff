"""`convert_results.yaml`: what became of every conversion of a model file, in Model Navigator's terms (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.comparison.facts import output_reports
from pytest_navigator.core.steps import Status
from pytest_navigator.package.layout import config_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Outcome
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.package.query.results import Results

SUCCEEDED = "succeeded"
FAILED = "failed"
SKIPPED = "skipped"

SIGNATURE = ("inputs", "outputs")
COMPARATOR = ("atol", "rtol")
PROFILE = ("min_shapes", "opt_shapes", "max_shapes", "value_ranges", "dtypes")


def build(
    results: Results, folder: str, value_ranges: Mapping[str, list[float]], image: str | None = None
) -> list[JSON]:
    """Return an entry for every format that was made of the source.

    Args:
        folder: of the suite, as the paths in the entries start.
        value_ranges: smallest and largest value of each input; see `config_yaml.ranges`.
        image: of the container that all of it was done in; None: there was none.
    """
    entries = [_entry(results, variant, folder, value_ranges) for variant in converted(results)]
    return [{**entry, "framework_docker_image": image} for entry in entries]


def converted(results: Results) -> list[Variant]:
    """Return the variants that were made of the source, in the order of the suite.

    A file whose own format somebody has named is the last one: it is checked as it is, and nothing else is made of it.
    """
    suite = results.suite
    files = [v for v in suite.variants if v.file]
    made = [v for v in files if v.key not in (suite.framework, *suite.provided)]
    return [*made, *(v for v in files if v.key in suite.provided and v.key in suite.named)]


def first_successful(results: Results) -> Variant | None:
    """Return the first format that was made and that passed its comparisons; None if there is none."""
    return next((v for v in converted(results) if state(results, v)[0] == SUCCEEDED), None)


def state(results: Results, variant: Variant) -> tuple[str, str]:
    """Return whether a conversion succeeded, and why not.

    It did if the format was made, at least one runner gave the source's numbers, and none gave others. Where no runner
    was there to tell, it is neither a success nor a failure.
    """
    made = results.made(variant.key)
    checks = [o for runner in variant.runners if (o := results.correctness(variant.key, runner))]
    if made is None or not made.passed:
        return _unmade(made)
    failed = next((o for o in checks if o.failed), None)
    if failed:
        return FAILED, f"{failed.runner}: {failed.message}"
    if any(o.passed for o in checks):
        return SUCCEEDED, made.message
    return SKIPPED, "; ".join(dict.fromkeys(o.message for o in checks)) or "no runner was asked"


def _unmade(made: Outcome | None) -> tuple[str, str]:
    if made is None:
        return SKIPPED, "it was not asked for in this run"
    return (SKIPPED if made.status is Status.SKIPPED else FAILED), made.message


def _entry(results: Results, variant: Variant, folder: str, value_ranges: Mapping[str, list[float]]) -> dict[str, JSON]:
    found, message = state(results, variant)
    said = config_yaml.config(results, variant, value_ranges) if results.signature else {}
    return {
        "status": {"state": found, "message": message, "log_path": f"{folder}/{variant.key}/format.log"},
        "source_model_config": _source(results, variant, folder),
        "conversion_config": _conversion(variant, said),
        "model_signature_config": {key: said[key] for key in SIGNATURE if key in said},
        "comparator_config": {key: said[key] for key in COMPARATOR if key in said},
        "dataset_profile": {key: said[key] for key in PROFILE if key in said},
        "output_model": _output(results, variant, folder),
    }


def _source(results: Results, variant: Variant, folder: str) -> JSON:
    """Return what the format was made of: the source, or what was made of it before."""
    parent = results.variant(variant.parent or results.suite.framework)
    path = f"{folder}/{parent.key}/{parent.file}" if parent.file else None
    return {"model_name": results.suite.name, "model_path": path, "model_format": parent.format}


def _conversion(variant: Variant, said: Mapping[str, JSON]) -> JSON:
    own = {key: said[key] for key in ("onnx_opsets", "tensorrt_precisions", "tensorrt_precisions_mode") if key in said}
    return {"target_format": variant.format, **own, "parameters": dict(variant.parameters)}


def _output(results: Results, variant: Variant, folder: str) -> JSON:
    """Return what was made: where it is, its digest, and what each runner found; None if nothing was."""
    made = results.made(variant.key)
    if made is None or not made.passed:
        return None
    checks = {runner: o for runner in variant.runners if (o := results.correctness(variant.key, runner))}
    return {
        "name": variant.key,
        "path": f"{folder}/{variant.key}/{variant.file}",
        "format": variant.format,
        "sha256": made.digest,
        "correctness": {
            runner: {
                "status": str(o.status),
                "message": o.message,
                "outputs": {each.name: {key: getattr(each, key) for key in COMPARATOR} for each in output_reports(o)},
            }
            for runner, o in checks.items()
        },
    }
