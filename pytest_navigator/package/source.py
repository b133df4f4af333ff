"""A `.nav` package as the source: what it holds that the checks can be run on again, on this machine."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from pytest_navigator.comparison.tolerances import Rule
from pytest_navigator.configuration.config import NavConfig
from pytest_navigator.configuration.foreign_arguments import check_arguments, check_parameters
from pytest_navigator.configuration.profile_config import OptimizationProfile, ProfilerConfig
from pytest_navigator.core.facts import SourceFacts, facts_of
from pytest_navigator.core.plain import structured
from pytest_navigator.devices.built_with import recorded as built_with
from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.layout.recorded import REPACK, records_of
from pytest_navigator.package.query.selection import DATA, artifact_names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Case, Outcome, Signature, SuiteRecord
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.devices.built_with import BuiltWith
    from pytest_navigator.package.container.reader import PackageFile
    from pytest_navigator.package.query.results import Results

PROFILES = (OptimizationProfile, ProfilerConfig)


@dataclass(frozen=True)
class PackageSource:
    """What a package says of the run that wrote it.

    Attributes:
        suite: the suite as it was collected, with its settings.
        signature: of the source.
        source: the outcome of its source step; cases: the comparisons that it prepared.
        verifications: what its `verify_` tests found.
        files: name -> SHA-256 of everything in the package.
        digests: key -> digest of the artifacts that stand for the source, as their steps recorded it.
        built_with: of those that are bound to where they were built.
        configs: what this run says of conversions, in place of what that one did.
    """

    path: Path
    suite: SuiteRecord
    signature: Signature
    source: Outcome
    cases: tuple[Case, ...]
    verifications: tuple[Outcome, ...]
    files: dict[str, str]
    digests: dict[str, str]
    built_with: dict[str, BuiltWith]
    configs: tuple[FormatConfig, ...] = ()

    @property
    def exported(self) -> tuple[Variant, ...]:
        """The variants that stand for the source: exported from it, or files that it was itself."""
        return tuple(v for v in self.suite.variants if v.parent is None and v.file and self.artifact(v))

    def artifact(self, variant: Variant) -> list[str]:
        """Return the names of a variant's files, without its logs and scripts."""
        return artifact_names(self.files, variant.key)

    def extract(self, target: Path) -> None:
        """Write the samples, the recorded outputs and the exported artifacts below `target`.

        Raises:
            PackageError: a file is damaged.
        """
        artifacts = [name for variant in self.exported for name in self.artifact(variant)]
        with open_package(self.path) as package:
            package.extract([*self._samples(), *artifacts], target)

    def config(self) -> NavConfig:
        """Return the settings of the run that the checks must have again; the others are this run's."""
        chosen = {name: self._setting(name) for name in RESTORED}
        return NavConfig(
            name=self.suite.name,
            framework=self.suite.framework,
            batch_dim=self.signature.batch_dim,
            input_names=[spec.name for spec in self.signature.inputs],
            output_names=[spec.name for spec in self.signature.outputs],
            comparisons=_comparisons(self._setting("comparisons") or {}),
            optimization_profile=self.profile(),
            **chosen,
        )

    def profile(self) -> OptimizationProfile | ProfilerConfig | None:
        """Return how to profile, as the class whose fields it has; its own loader was not recorded.

        Raises:
            PackageError: no class can have been that.
        """
        value = self._setting("optimization_profile")
        if not value:
            return None
        for kind in PROFILES:
            if isinstance(value, dict) and set(value) == {f.name for f in fields(kind)}:
                with suppress(ConfigError):
                    return kind(**{name: each for name, each in value.items() if name != "dataloader"})
        raise PackageError(
            f"{self.path}: its setting optimization_profile is {value!r}, which no OptimizationProfile or "
            f"ProfilerConfig is; {REPACK}"
        )

    @property
    def own_formats(self) -> bool:
        """Whether the formats of that run are all that somebody wants: no other conversions are made then."""
        return bool(self._setting(OWN_FORMATS))

    @property
    def xfail(self) -> dict[str, str]:
        """What was expected to fail; much of it is not in the package."""
        found: dict[str, str] = self._setting("xfail") or {}
        return found

    def lost(self) -> list[str]:
        """Return the user's own comparisons, which no package can hold: "logits (by its function near)"."""
        return list(_functions(self._setting("comparisons") or {}))

    def _samples(self) -> list[str]:
        return [name for name in self.files if name.partition("/")[0] in DATA]

    def _setting(self, name: str) -> Any:
        """Return a setting of that run that somebody made, None for a default."""
        setting = self.suite.setting(name)
        return setting["value"] if setting["origin"] != "default" else None


# Settings that are plain values and make the checks what they were.
RESTORED = ("atol", "rtol", "batch_sizes", "latency_budget", "seed", "decoding")

# The setting of `PackageSource.own_formats`, in the copy that is checked when Python asks for it.
OWN_FORMATS = "own_formats"


def read_package(path: Path) -> PackageSource:
    """Read what a package says.

    Raises:
        PackageError: it is truncated or no package; it is of Model Navigator itself, or holds nothing to check.
    """
    with open_package(path) as package:
        return source_of(package)


def source_of(package: PackageFile) -> PackageSource:
    """Read what an open package says; raises what `read_package` does."""
    with records_of(package):
        if "suite" not in package.details:
            raise PackageError(_foreign(package.path, package.status))
        found = _read(package, package.results)
    _check(found)
    return found


def _read(package: PackageFile, results: Results) -> PackageSource:
    source, suite = results.source, results.suite
    if source is None or not source.passed or results.signature is None:
        why = source.message if source else "its source step did not run"
        raise PackageError(f"{package.path}: its model was not fit for checks: {why}")
    if not suite.nodeid:  # saved by us, run by Model Navigator
        raise PackageError(_foreign(package.path, package.status))
    cases = facts_of(source, SourceFacts).cases
    if not cases:
        raise KeyError("cases")  # `records_of` says the rest
    made = {v.key: outcome for v in suite.variants if (outcome := results.made(v.key)) is not None}
    digests = {o.key: o.digest for o in results.outcomes if o.step == "export" and o.passed}
    return PackageSource(
        path=package.path,
        suite=suite,
        signature=results.signature,
        source=source,
        cases=cases,
        verifications=tuple(outcome for outcome in results.outcomes if outcome.step == "verify"),
        files=package.files(),
        digests={key: source.digest_of(key) for key in suite.provided} | digests,
        built_with={key: found for key, outcome in made.items() if (found := built_with(outcome, key))},
    )


def _check(found: PackageSource) -> None:
    # Before anything runs: what is missing would fail each step by itself, after hours.
    found.profile()
    for variant in found.suite.variants:
        if variant.file:
            check_arguments(variant, making=variant.parent is not None)
            check_parameters(variant)
    if absent := [name for name in _needed(found) if name not in found.files]:
        raise PackageError(
            f"{found.path} has no {absent[0]}: the samples were left out (--nav-save-data=none), so there is nothing "
            f"to compare with; {REPACK} with --nav-save-data=all"
        )
    if not found.exported:
        made = any(variant.file for variant in found.suite.variants)
        raise PackageError(
            f"{found.path} holds no model that was exported from its {found.suite.framework} source, so there is "
            f"nothing to check; {REPACK + ' with --nav-keep=all' if made else 'check that source itself'}"
        )


def _needed(found: PackageSource) -> list[str]:
    facts = facts_of(found.source, SourceFacts)
    batches = filter(None, (facts.profiling_batch, facts.timed_batch))
    return [*(name for case in found.cases for name in (case.output, case.input)), *batches]


def _foreign(path: Path, status: dict[str, JSON]) -> str:
    version = status.get("model_navigator_version") or status.get("format_version")
    return (
        f"{path} is a package of Model Navigator {version}: only packages of this project can be checked "
        "again. Unpack it, and name a model in it (--nav-model=onnx/model.onnx)"
    )


def _comparisons(value: Mapping[str, JSON]) -> dict[str, Any]:
    # No package can hold a function of the user's.
    found: dict[str, Any] = {}
    for name, each in value.items():
        if _is_rule(each):
            found[name] = structured(each, Rule)
        elif isinstance(each, dict):
            found[name] = _comparisons(each)
    return found


def _functions(value: Mapping[str, JSON]) -> list[str]:
    found = []
    for name, each in value.items():
        if isinstance(each, str):
            found.append(f"{name} (by its function {each})")
        elif isinstance(each, dict) and not _is_rule(each):
            found += [f"{name}: {inner}" for inner in _functions(each)]
    return found


def _is_rule(value: JSON) -> bool:
    return isinstance(value, dict) and set(value) == {f.name for f in fields(Rule)}
