"""`nav.profile`: of a package, or of any function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.api.package import Package
from pytest_navigator.api.pipeline_profile import profile_pipeline
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.configuration.profile_config import OptimizationProfile, ProfilerConfig

    Profile = OptimizationProfile | ProfilerConfig


def profile(
    func: Any = None,
    dataloader: Any = None,
    *,
    profiler_config: Profile | None = None,
    package: Package | None = None,
    package_descriptor: Package | None = None,
    **options: Any,
) -> Any:
    """Measure a function, or every runner of a package again, on this machine.

    Of a function with `dataloader` it measures the pipeline as it is, with each format of its modules and with the
    chosen mix: see `pytest_navigator.api.pipeline_profile.profile_pipeline`, whose keywords and result it has.

    Of a package it measures at the batch sizes of `profiler_config`; the checks that must pass before are run again
    too, see `Package.retest`.

    Args:
        func: a function, or a package; `package` and `package_descriptor`, Model Navigator 0.3's names, are the latter.
        dataloader: of a package: `profiler_config`, the second argument in Model Navigator 0.3.

    Raises:
        ConfigError: an argument is wrong.
        SourceError: the function or its loader does not keep its contract.
        PackageError: the package holds nothing to check, or the run did not come to its end.
    """
    given = next((one for one in (package_descriptor, package, func) if one is not None), None)
    if isinstance(given, Package):
        _profile_again(given, dataloader if profiler_config is None else profiler_config, options)
        return None
    if not callable(given) or profiler_config is not None:
        raise ConfigError(f"nav.profile({given!r}): a package is needed, or a function with its dataloader")
    return profile_pipeline(given, dataloader, **options)


def _profile_again(package: Package, config: Profile | None, options: Mapping[str, object]) -> None:
    if options:
        raise ConfigError(
            f"nav.profile(package, {next(iter(options))}=...): of a package it takes profiler_config; "
            "nav.package.profile has the other keywords"
        )
    package.retest(profiler_config=config)
