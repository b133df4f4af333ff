"""`nav.package`: Model Navigator's functions of a package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from pytest_navigator.api.arguments import checked_configs, runtimes, words
from pytest_navigator.api.given import check_verify_func
from pytest_navigator.api.loading import SUITE, save
from pytest_navigator.api.loading import load as load_file
from pytest_navigator.api.package import Package
from pytest_navigator.api.profiling import ProfilingResults, profiled
from pytest_navigator.backends.builtin import known
from pytest_navigator.configuration.profile_config import OptimizationProfile, ProfilerConfig, check_profile
from pytest_navigator.core.kinds import kind_of
from pytest_navigator.errors import ConfigError
from pytest_navigator.package.query.asked import Asked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from pytest_navigator.api.arguments import Names
    from pytest_navigator.api.given import VerifyFunction
    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.package.query.strategies import Figure, Strategy

__all__ = ["get_best_model_status", "load", "load_from_workspace", "optimize", "profile", "save", "set_verified"]


class LoadOptions(TypedDict, total=False):
    """The other keywords of `nav.load`."""

    override_workdir: bool
    retest_conversions: bool
    run_profiling: bool | None
    profiler_config: OptimizationProfile | ProfilerConfig | None
    target_device: object


def load(
    path: str | Path, workdir: str | Path | None = None, *, workspace: Any = None, **options: Unpack[LoadOptions]
) -> Package:
    """Open a package, see `nav.load`; `workspace` is Model Navigator 0.14's name of `workdir`."""
    return load_file(path, workdir if workspace is None else workspace, **options)


def load_from_workspace(workspace: str | Path | None = None) -> Package:
    """Open what a run has left in its workspace, as the package that would be written of it.

    Args:
        workspace: the folder; None: `navigator_workspace`.

    Raises:
        ConfigError: it has no model, or several: give one's folder.
        PackageError: a record in it cannot be read.
    """
    root = Path(workspace or "navigator_workspace")
    found = [root] if (root / SUITE).is_file() else sorted(path.parent for path in root.glob(f"*/{SUITE}"))
    if len(found) != 1:
        there = (
            f"{len(found)} models ({', '.join(path.name for path in found)}): give one's folder" if found else "none"
        )
        raise ConfigError(f"nav.package.load_from_workspace({str(root)!r}): one model is needed, here {there}")
    return load_file(found[0])


def optimize(
    package: Package,
    target_formats: Names = None,
    target_device: object = None,
    runners: Names = None,
    optimization_profile: OptimizationProfile | ProfilerConfig | None = None,
    verbose: bool = False,
    debug: bool = False,
    verify_func: VerifyFunction | None = None,
    custom_configs: Sequence[FormatConfig] | None = None,
    defaults: bool = False,
    fail_on_empty: bool = True,
) -> Package:
    """Convert, check and time what a package holds, here, and return the package that this gives.

    What was exported is checked as it is; what was converted is made again. The package that was given stays as it is.

    Args:
        package: from `nav.load`, `export` or `optimize`.
        target_formats: names, or groups ("edge"); None: those of the package. What it has not is made, if it can be
            without the live model.
        target_device: "cpu" or "cuda": only runners there; None: all that this machine has.
        runners: names of runners or runtimes; None: all.
        optimization_profile: how to measure; None: as it was measured before.
        verbose: changes nothing: everything is in the formats' logs.
        debug: as in `nav.torch.optimize`.
        verify_func: as in `nav.torch.optimize`.
        custom_configs: of conversions; None: as they were made before.
        defaults: make the conversions of which `custom_configs` says nothing as if nobody had configured them.
        fail_on_empty: True; an empty package has nothing that could be checked.

    Raises:
        ConfigError: an argument is wrong.
        PackageError: the package holds nothing to check, or a format cannot be made from it.
    """
    _check_package(package, "optimize")
    check_profile(optimization_profile)
    check_verify_func(verify_func)
    if not fail_on_empty:
        raise ConfigError("fail_on_empty=False: an empty package has nothing that could be checked")
    names = words(target_formats)
    flags = {"formats": names, "runtimes": runtimes(runners), "device": kind_of(target_device) or package.target_device}
    configs = checked_configs(custom_configs)
    return package.made_again(
        profile_config=optimization_profile,
        flags={name: value for name, value in flags.items() if value is not None},
        configs=(*configs, *(_defaults(package, configs) if defaults else ())),
        others=names is not None,
        verify_func=verify_func,
        debug=debug,
    )


def profile(
    package: Package,
    dataloader: Any = None,
    target_formats: Names = None,
    target_device: object = None,
    runners: Names = None,
    max_batch_size: int | None = None,
    batch_sizes: Sequence[int] | None = None,
    verbose: bool = False,
    **windows: Any,
) -> ProfilingResults:
    """Measure the runners of a package in this process, on every sample of a loader; the package stays as it is.

    `nav.profile(package)` runs the checks again in processes of their own, and gives the package their figures.

    Args:
        package: from `nav.load`, `export` or `optimize`; of its runners, those that passed correctness and that this
            machine has. The live model is among them where the package was given it.
        dataloader: samples of the model; None: the one that the package's own figures are of.
        target_formats: names; None: all.
        target_device: "cpu" or "cuda"; None: both.
        runners: names of runners or runtimes; None: all.
        max_batch_size: measure 1, 2, 4, ... up to it, until nothing is gained any more.
        batch_sizes: measure these. None (both): 1 and the size of the package's own sample, of a loader each sample as
            it is.
        verbose: changes nothing.
        windows: the other fields of `nav.OptimizationProfile`.

    Raises:
        ConfigError: an argument is wrong, or what is asked for is not in the package.
        InputError: a sample is not what the model takes.
        PackageError: the package has nothing that can be measured here.
    """
    _check_package(package, "profile")
    if isinstance(dataloader, OptimizationProfile | ProfilerConfig):
        raise ConfigError("nav.package.profile takes the fields of a profile as keywords; nav.profile takes it whole")
    config = OptimizationProfile(max_batch_size=max_batch_size, batch_sizes=batch_sizes, **windows)
    device = kind_of(target_device) or package.target_device
    return profiled(package, dataloader, Asked(words(target_formats), runtimes(runners), device), config)


def set_verified(package: Package, model_key: str, runner_name: str) -> None:
    """Note that a format is verified in a runner; see `Package.set_verified`."""
    _check_package(package, "set_verified")
    package.set_verified(model_key, runner_name)


def get_best_model_status(
    package: Package, strategies: Strategy | Sequence[Strategy] | None = None, include_source: bool = True
) -> Figure:
    """Return the format and the runner that strategies choose, with their figures; see `Package.get_best`."""
    _check_package(package, "get_best_model_status")
    return package.get_best(strategies, include_source=include_source)


def _check_package(package: object, function: str) -> None:
    if not isinstance(package, Package):
        raise ConfigError(f"nav.package.{function}({package!r}): an open package is needed, nav.load(PATH)")


def _defaults(package: Package, configs: Sequence[FormatConfig]) -> list[FormatConfig]:
    """Return the default configuration of each conversion of a package of which `configs` says nothing."""
    said = {type(config) for config in configs}
    forms = dict.fromkeys(v.format for v in package.results.suite.variants if v.parent is not None)
    kinds = [known().formats[name].config for name in forms if name in known().formats]
    return [kind() for kind in kinds if kind not in said]
