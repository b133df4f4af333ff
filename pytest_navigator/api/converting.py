"""What `pytest-navigator convert` does: a model file, or a package, and what can be made of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.api.given import Given
from pytest_navigator.api.session import Session
from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.files.kinds import PACKAGE, format_of, title
from pytest_navigator.configuration.nav_config_file import flag_of
from pytest_navigator.configuration.run_options import RunOptions
from pytest_navigator.core.enums import Format
from pytest_navigator.core.kinds import ALL
from pytest_navigator.core.variants import covers
from pytest_navigator.engine.workspace import CONVERT_RESULTS
from pytest_navigator.errors import ConfigError, SourceError
from pytest_navigator.package.layout.convert_results import FAILED, SUCCEEDED, converted, state
from pytest_navigator.package.query.results import read_results
from pytest_navigator.reporting import conversions
from pytest_navigator.text import short_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_navigator.configuration.nav_config_file import FileConfig
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.package.source import PackageSource

WORKSPACE = "navigator_workspace"

FLAGS: dict[str, Any] = {"profile": False}  # Nothing is measured

# What says of a package how it is to be made, beside what says of the run where its files go.
OF_PACKAGES = ("target_formats", "tensorrt_precisions", "atol", "rtol")
OF_FILES = (
    *("model_format", "inputs", "outputs", "batch_dim", "unbatched", "max_batch_size", "min_shapes", "opt_shapes"),
    *("max_shapes", "value_ranges", "dtypes", "random_seed", "onnx_opsets", "tensorrt_precisions_mode"),
    *("tensorrt_sparse_weights", "tensorrt_max_workspace_size", "model_name"),
)


@dataclass(frozen=True)
class Conversion:
    """What became of a file.

    Attributes:
        results: path of `convert_results.yaml`.
        models: paths of the models that were made, and are right.
        problem: why the file was not converted as it was asked for; "" if it was.
    """

    results: str
    models: list[str]
    problem: str


def convert(config: FileConfig, worded: Callable[[str], str] = str) -> Conversion:
    """Make what the configuration asks for of its model, check it, and write what became of it.

    Args:
        config: with a `model_path`; paths in it are below the current folder.
        worded: how lines are put.

    Raises:
        ConfigError: the file is no model, or the configuration cannot be. Nothing has run then.
        SourceError: the model is not what the configuration says, or does not run.
        PackageError: the package that is the model cannot be read, or the results cannot be.
    """
    session = _planned(config, Path(os.path.abspath(config.model_path or "")))
    session.worded, session.quiet_source = worded, True
    conversions.check(session.host, [str(config.model_path)])
    session.run()
    folder = session.suite.folder
    if (source := folder.record("source")) is None or not source.passed:
        told = session.failed.get("test_source") or (source.message if source else "")
        raise SourceError(told or f"nothing has run; see {folder.path}")
    results = read_results(folder.path)
    models = conversions.collect(session.host, folder, results)
    shown = str(short_path(session.host.workspace.root / CONVERT_RESULTS, session.host.start))
    return Conversion(shown, models, _problem(session, results, config))


def _planned(config: FileConfig, path: Path) -> Session:
    if not path.exists() and ":" in (text := str(config.model_path)):
        raise ConfigError(f"there is no file {text}; what is none is checked by pytest --nav-model={text}")
    options = RunOptions(config.output_package, Path.cwd() / (config.workspace_path or WORKSPACE), file_config=config)
    form = format_of(path, config.model_format)
    if form == PACKAGE:
        source = _package(path, config)
        own = source.config().replace(interpreters=config.interpreters)
        given, flags = Given(None, None, own), _flags(config)
        return Session.planned(given, path.name, options, flags=flags, package=source, hands_over=False)
    given = _given(path, form, config)
    # Where nobody says what is wanted, the results tell of what this machine has no device for, too.
    flags = FLAGS if config.target_formats else FLAGS | {"device": ALL}
    return Session.planned(given, path.name, options, flags=flags, hands_over=False)


def _given(path: Path, form: str, config: FileConfig) -> Given:
    registry = known()
    if form not in registry.frameworks:
        raise ConfigError(f"{path} is {title(form)}, which nothing here can run")
    if form == Format.ONNX and "onnx_opsets" in (config.flags or ()):
        raise ConfigError(f"{flag_of('onnx_opsets')}: an ONNX file keeps the opset that it has; leave it out")
    said = config.nav_config(registry.formats.marked(form))
    unasked = frozenset[str]()
    if config.target_formats is None and said.formats is not None:
        unasked = frozenset(e if isinstance(e, str) else registry.format_of(e).name for e in said.formats)
    return Given(path, None, said.replace(framework=form, name=config.model_name or path.stem), unasked=unasked)


def _package(path: Path, config: FileConfig) -> PackageSource:
    from pytest_navigator.package.source import read_package

    if needless := next((key for key in OF_FILES if key in config.given), ""):
        raise ConfigError(f"{config.named(needless)} is of no use beside {path.name}: a package brings its own")
    return read_package(path)


def _flags(config: FileConfig) -> dict[str, Any]:
    said = {name: getattr(config, name) for name in OF_PACKAGES if name in config.given}
    renamed = {"target_formats": "formats", "tensorrt_precisions": "precisions"}
    return FLAGS | {renamed.get(name, name): value for name, value in said.items()}


def _problem(session: Session, results: Results, config: FileConfig) -> str:
    variants = converted(results)
    states = {variant.key: state(results, variant)[0] for variant in variants}
    brought = {v.key for v in variants if any(covers(name, v) for name in session.suite.settings.grouped)}
    wrong = [key for key, found in states.items() if found == FAILED and key not in brought]
    failed = [*session.failed, *(f"{key} failed" for key in wrong)]
    if failed:
        return ", ".join(failed)
    if SUCCEEDED not in states.values():
        return f"nothing was converted: {conversions.why_none(results)}"
    asked = [v.key for v in variants if v.format in (config.target_formats or ()) and states[v.key] != SUCCEEDED]
    fails = any(each.fails for each in session.written)
    return f"{', '.join(asked)} was not converted" if asked else "see above" if fails else ""
