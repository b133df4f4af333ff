"""`nav.triton.model_repository`: models of files and of packages, as an inference server loads them."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.warned import warn
from pytest_navigator.deploy.package import check_open
from pytest_navigator.deploy.triton.adding import add_model
from pytest_navigator.package.query.strategies import either
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from pytest_navigator.api.package import Package
    from pytest_navigator.deploy.triton.model_config import ModelConfig
    from pytest_navigator.package.query.strategies import Strategy

__all__ = ["add_model", "add_model_from_package"]


def add_model_from_package(
    model_repository_path: str | os.PathLike[str],
    model_name: str,
    package: Package,
    model_version: int = 1,
    strategy: Strategy | None = None,
    response_cache: bool = False,
    warmup: bool = False,
    *,
    strategies: Strategy | Sequence[Strategy] | None = None,
    config: ModelConfig | None = None,
    verified_only: bool = False,
    format: str | None = None,
    runtime: str | None = None,
    instances: Mapping[str, int] | None = None,
    max_batch_size: int | None = None,
    overwrite: bool = False,
) -> Path:
    """Write what is best in a package as a version of a model into a model repository.

    Only what passed correctness is deployed. What Triton has no backend for becomes a Python model: a `model.py` that
    loads the file by its own library. Warns (UserWarning) of what is served in another way than it was chosen.

    Args:
        model_repository_path: the folder that the server is given; it is made if there is none.
        model_name: letters, digits and _ . + -
        package: from `nav.load`.
        model_version: from 1 on; the other versions stay.
        strategy: or `strategies`, of which the first that has an answer counts; None: the default ones.
        response_cache: whether answers are cached; the server needs `--cache-config` for it.
        warmup: whether the server sends the sample that was timed before the model is ready, at the smallest and the
            largest batch.
        config: its `max_batch_size`, and its fields that differ from the defaults, stand in the place of what was
            found.
        verified_only: leave out what neither a `verify_` test nor `set_verified` vouches for.
        format: deploy this one; runtime: only this one, or this runner.
        instances: how many there are, `{"cpu": 2}`; None: one, on the device that it was measured on.
        max_batch_size: rows of the largest batch; None: that of `config`, else the largest that was measured.
        overwrite: replace this version if it is there, and a configuration of the other versions that is another.

    Returns:
        The model's folder, `model_repository_path/model_name`.

    Raises:
        ConfigError: a value is not possible.
        PackageError: there is no such format or runner, it did not pass, is not verified, or is not in the package.
        StrategyError: no strategy has an answer.
        DeploymentError: Triton cannot serve it, the version is there, or it cannot be written. Nothing of the new
            version is left then.
    """
    from pytest_navigator.deploy.triton.chosen import Wish
    from pytest_navigator.deploy.triton.configured import Target
    from pytest_navigator.deploy.triton.from_package import add_from_package

    check_open(package)
    asked = either(strategy, strategies)
    target = Target(
        Path(model_repository_path),
        model_name,
        model_version,
        overwrite,
        response_cache,
        warmup,
        instances,
        _asked(config, max_batch_size),
        # Four, the default too, is what a user of Model Navigator gets; no batches: four is nothing that was asked for.
        config.max_batch_size if config else None,
    )
    wish = Wish(format, runtime, package.target_device, asked, verified_only)
    done = add_from_package(package.file, package.results, wish, target)
    for notice in done.notices:
        warn(one_line(f"{model_name}: {notice}"))
    return done.path


def _asked(config: ModelConfig | None, max_batch_size: int | None) -> dict[str, Any]:
    """Return the fields that are asked for; of a configuration those that differ from their defaults."""
    found: dict[str, Any] = {}
    for each in fields(config) if config is not None else ():
        default = each.default if each.default_factory is MISSING else each.default_factory()
        if (value := getattr(config, each.name)) != default:
            found[each.name] = value
    return found if max_batch_size is None else {**found, "max_batch_size": max_batch_size}
