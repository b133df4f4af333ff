"""The pytest plugin: the hooks, in the order in which pytest calls them. Nothing outside of here needs pytest."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_navigator.engine.proxies import RunnerProxy, SourceProxy
    from pytest_navigator.formats.base import Format as Format
    from pytest_navigator.formats.listed import Listed
    from pytest_navigator.frameworks.base import Framework as Framework


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Let others add formats and frameworks."""
    from pytest_navigator.plugin._bytecode import import_as_installed

    import_as_installed(pluginmanager)

    # pytest calls this hook first. What of ours is imported before it is rewritten: so no hook's imports stand above.
    from pytest_navigator.plugin import hookspec

    pluginmanager.add_hookspecs(hookspec)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the flags and ini options."""
    from pytest_navigator.plugin import options

    options.add_options(parser)


@pytest.hookimpl(tryfirst=True)  # before a conftest.py can use CUDA
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Let an xdist worker of a run that checks models see its own GPU only; name what options of others need.

    Start the child when a conftest.py imports a framework.
    """
    from pytest_navigator.plugin import options

    if options.checks(early_config.known_args_namespace):
        from pytest_navigator.plugin import early

        early.watch(early_config)
    if any(word.startswith("--benchmark-") for word in args):
        from pytest_navigator.plugin.benchmark import check_installed

        check_installed(parser, args)
    # `devices.records.FOLDER`, written out: every run of pytest would import that module.
    if "NAV_PROBES" in os.environ:
        from pytest_navigator.devices.assignment import assign

        assign()


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist starts workers
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run no test, neither ours nor the user's, for who asks how models would be checked."""
    from pytest_navigator.plugin import options

    if options.active(config) and not options.checking(config):
        config.option.collectonly = True


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register what does the work, if this run checks models."""
    from pytest_navigator.plugin import options

    for name, text in options.MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {text}.")
    if options.active(config):
        from pytest_navigator.plugin.session import start

        start(config)
    else:
        options.check_needless(config)


@pytest.fixture
def nav_package() -> Path:
    """Skip a test of a package where no model is checked; a run that checks models has another one."""
    from pytest_navigator.plugin.options import UNCHECKED

    pytest.skip(UNCHECKED)


@pytest.fixture
def nav_runner() -> RunnerProxy:
    """Skip a test of a format where no model is checked; a run that checks models has another one."""
    from pytest_navigator.plugin.options import UNCHECKED

    pytest.skip(UNCHECKED)


@pytest.fixture
def nav_source_runner() -> SourceProxy:
    """Skip a test of a live model where no model is checked; a run that checks models has another one."""
    from pytest_navigator.plugin.options import UNCHECKED

    pytest.skip(UNCHECKED)


@pytest.fixture
def nav_pipeline_runner() -> Callable[..., Any]:
    """Skip a test of a pipeline where no model is checked; a run that checks models has another one."""
    from pytest_navigator.plugin.options import UNCHECKED

    pytest.skip(UNCHECKED)


@pytest.hookimpl(trylast=True)
def pytest_nav_formats() -> list[Listed]:
    """Add the built-in formats."""
    from pytest_navigator.backends import builtin

    return list(builtin.FORMATS)


@pytest.hookimpl(trylast=True)
def pytest_nav_frameworks() -> list[Listed]:
    """Add the built-in frameworks."""
    from pytest_navigator.backends import builtin

    return list(builtin.FRAMEWORKS)
