"""From a package's records to what runs: files, classes of runners, the live model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.builtin import known, written_as
from pytest_navigator.configuration.foreign_arguments import check_arguments, check_parameters
from pytest_navigator.configuration.foreign_options import SESSION_OPTIONS
from pytest_navigator.core.enums import RuntimeProvider, TensorType
from pytest_navigator.core.loaded import loaded
from pytest_navigator.devices import requirements
from pytest_navigator.errors import ConfigError, PackageError, unknown
from pytest_navigator.package.query import engines
from pytest_navigator.package.query.selection import artifact_names, holds
from pytest_navigator.runners.base import Runner
from pytest_navigator.runners.spec import RunnerSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.variants import RunnerRecord, Variant
    from pytest_navigator.frameworks.base import Framework, Source
    from pytest_navigator.package.container.reader import PackageFile
    from pytest_navigator.package.query.choice import Cell
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.package.running.runner import PackageRunner


NOT_GIVEN = (
    "{key} is the live model, which no package holds: give it to {package} first, with package.load_source(model); "
    "or leave it out of what strategies choose from, with include_source=False"
)


def names(package: PackageFile, results: Results, variant: Variant) -> tuple[str, list[str]]:
    """Return the folder of a format, of several engines that of the one that runs here, and the names of its files.

    Raises:
        PackageError: the package does not hold them; with the reason.
    """
    if not variant.file:
        raise PackageError(f"{variant.key} is the live model, which has no file")
    folder = engines.folder(results, variant, known().formats.get(variant.format))
    found = artifact_names(package.files(), folder)
    if not holds(found, f"{folder}/{variant.file}"):
        raise PackageError(f"{package.path}: {absence(package, results, variant)}")
    return folder, found


def held(package: PackageFile, variant: Variant) -> bool:
    """Whether a package has the files of a format."""
    return bool(variant.file) and holds(package.files(), variant.place)


def session_options(threads: int | None, given: Mapping[str, JSON] | None) -> dict[str, JSON] | None:
    """Return what a caller says of a session of ONNX Runtime, None for nothing.

    Raises:
        ConfigError: it is no number of threads, or no options by name.
    """
    if threads is None and given is None:
        return None
    if not isinstance(given, Mapping | None):
        raise ConfigError(f"session_options={given!r}: a dict is needed, like {{'intra_op_num_threads': 1}}")
    if threads is not None and (type(threads) is not int or threads < 1):
        raise ConfigError(f"threads={threads!r}: a whole number from 1 on is needed")
    return {**({} if threads is None else {"intra_op_num_threads": threads}), **(given or {})}


def with_options(variant: Variant, options: Parameters | None) -> Variant:
    """Return a variant with the caller's session options in place of its own; they are the caller's to answer for.

    Raises:
        ConfigError: its runners take none.
    """
    if options is None:
        return variant
    if written_as(variant.format) != "onnx":
        raise ConfigError(
            f"threads and session_options are ONNX Runtime's, {variant.key} does not run there: set the threads of its "
            "library, like torch.set_num_threads(1)"
        )
    return replace(variant, parameters={**variant.parameters, "custom_args": Given({SESSION_OPTIONS: options})})


class Given(dict[str, "JSON"]):
    """Options that the caller gives, and no package."""


def runtimes() -> set[str]:
    """Return every name of a runtime or of a runner that is known here, in a package or not."""
    runners = known().runners().values()
    return {*RuntimeProvider, "tensorrt", *(r.name for r in runners), *(r.runtime for r in runners)}


def model(variant: Variant, path: Path) -> Any:
    """Return a file as the model object of its library.

    Raises:
        PackageError: the library is not installed.
    """
    form = known().formats.get(written_as(variant.format))
    try:
        return form.load(path) if form else path
    except ModuleNotFoundError as error:
        raise PackageError(f"{variant.key}: {requirements.missing([error.name or '']) or error}") from error


def available(results: Results, cells: Sequence[Cell]) -> Cell:
    """Return the first cell that this machine can run; the first one if it can run none."""
    return next((cell for cell in cells if obstacle(results, *cell) is None), cells[0])


def usable(package: PackageFile, results: Results, key: str, runner: str, *, live: bool) -> bool:
    """Whether a format can be run here: its file is in the package, or the live model is there, and all it requires.

    Args:
        live: whether the package was given its live model.
    """
    there = live if results.suite.runners[runner].live else held(package, results.variant(key))
    return there and obstacle(results, key, runner) is None


def check_runs_here(results: Results, key: str, runner: str) -> None:
    """Raise PackageError with what is missing here, or other than where it was built, for a runner of a format."""
    if text := obstacle(results, key, runner):
        raise PackageError(f"{key} cannot run on {runner} here: {text}")


def obstacle(results: Results, key: str, runner: str) -> str | None:
    """Return why a format cannot run on a runner here, None if it can."""
    variant, kind = results.variant(key), _known(results.suite.runners[runner])
    form = known().formats.get(variant.format)
    # What a package says that a runner requires is not asked for: to find a module can be to run the code around it.
    return engines.mismatch(results, variant, form) or requirements.missing(kind.requires if kind else ())


def runner_class(record: RunnerRecord) -> type[Runner]:
    """Return the class of a runner: one of ours, or one that the caller has imported.

    A package never decides what is imported.

    Raises:
        PackageError: there is none.
    """
    if found := _known(record):
        return found.load()
    if not record.path:
        raise PackageError(f"the runner {record.name} is Model Navigator's own: pytest-navigator has none like it")
    where = record.path.rpartition(":")[0]
    what = "a conftest.py, from which it cannot be loaded; put it into a module" if where.endswith(".py") else where
    raise PackageError(f"the runner {record.name} is not one of pytest-navigator's: import {what} first")


def _known(record: RunnerRecord) -> RunnerSpec | None:
    if own := known().runner(record.name, record.format):
        return own
    found = loaded(record.path)
    return RunnerSpec.of(found) if isinstance(found, type) and issubclass(found, Runner) else None


def tensor_library(return_type: str | None) -> Framework | None:
    """Return the framework whose tensors a runner is to give; None: numpy's arrays.

    Raises:
        ConfigError: there is no such type.
        PackageError: its library is not installed.
    """
    if return_type is None or return_type == TensorType.NUMPY:
        return None
    if return_type not in {*TensorType}:
        raise unknown("return_type", str(return_type), [str(kind) for kind in TensorType])
    found = known().frameworks[return_type]
    if lacking := requirements.missing([found.package]):
        raise PackageError(f"return_type={str(return_type)!r}: {lacking}")
    return found


def runner(
    kind: type[Runner],
    artifact: Path | Source,
    results: Results,
    variant: Variant,
    keep: object,
    tensors: Framework | None = None,
) -> PackageRunner:
    """Return a runner for people.

    Args:
        keep: what must live as long as the runner.
        tensors: whose arrays it gives; None: numpy's.

    Raises:
        PackageError: the package does not say what goes in and what comes out; or names a file that is not in it.
    """
    if results.signature is None:
        why = f"did not pass ({results.source.message})" if results.source else "did not run"
        raise PackageError(f"the package has no signature: its source step {why}")
    if not isinstance(variant.parameters.get("custom_args"), Given):
        check_arguments(variant, making=False)
    check_parameters(variant)
    made = kind(artifact, results.signature, variant.parameters)
    from pytest_navigator.package.running.runner import PackageRunner  # with all that calls need

    return PackageRunner(made, variant.key, _framework(results.suite.framework), keep, tensors)


def source_of(results: Results, model: object) -> Source:
    """Wrap the live model of a package.

    Raises:
        PackageError: it is another one, or of a framework that is not known here.
        SourceError: it is no model of the package's framework, or not ready for inference.
    """
    from pytest_navigator.core.digests import fingerprint

    framework = known().frameworks.get(results.suite.framework)
    if framework is None:
        raise PackageError(f"the framework {results.suite.framework} is not one of pytest-navigator's")
    own = results.variant(results.suite.framework)
    check_parameters(own)
    source = framework.source(model, own.parameters)
    source.check()
    # Of a model without parameters the fingerprint is one of its outputs, which other versions give other bits of.
    digests = source.digests()
    recorded = results.source_facts
    if digests and recorded.fingerprint and fingerprint(digests, recorded.changing) != recorded.fingerprint:
        raise PackageError(f"this {source.title()} is another model than the package was made from: its weights differ")
    return source


def _framework(name: str) -> Framework:
    # Where the source's framework is not installed, there are still numpy's arrays.
    from pytest_navigator.backends.files.frameworks import FileFramework

    found = known().frameworks.get(name)
    if found is None or (found.package and requirements.missing([found.package])):
        return FileFramework()
    return found


def absence(package: PackageFile, results: Results, variant: Variant) -> str:
    """Return why a package does not hold the files of a format."""
    left_out = artifact_names(package.details.get("left_out") or {}, variant.key)
    if left_out:
        return f"{variant.key} was left out of it ({package.details['left_out'][left_out[0]]})"
    step = results.made(variant.key)
    why = step.message if step and not step.passed else "its file is missing"
    return f"{variant.key} is not in it: {why}"
