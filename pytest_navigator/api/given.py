"""What a function of the API was given, as the suite that pytest collects."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np

    from pytest_navigator.collecting.proxies import RunnerProxy
    from pytest_navigator.configuration.config import NavConfig

    Sample = dict[str, np.ndarray]
    VerifyFunction = Callable[[Iterable[Sample], Iterable[Sample]], bool]


@dataclass(frozen=True)
class Given:
    """What a function of the API was called with.

    Attributes:
        model: the live object, or the path of a file.
        dataloader: what can be iterated, or a function that returns such; None: random data that fits the file.
        verify_func: of the outputs of a runner and of the source, one dict of numpy arrays by name for every batch:
            whether the runner is good enough. A format for which it returns True (a boolean of numpy, torch, ... with
            no axes is one too) is verified.
        unasked: names of the formats in `config` that the call says nothing of: that one of them cannot be made is
            an expected failure, as in a run of pytest where nobody names it.
    """

    model: object
    dataloader: object
    config: NavConfig
    verify_func: VerifyFunction | None = None
    unasked: frozenset[str] = frozenset()

    def verify(self, runner: RunnerProxy, folder: Path) -> None:
        """Fail unless `verify_func` returns True for what a runner makes of all batches that the suite has kept."""
        __tracebackhide__ = True
        from pytest_navigator.steps.checks import read_input
        from pytest_navigator.steps.checks import read_output
        from pytest_navigator.steps.correctness import cases_of
        from pytest_navigator.workspace import SuiteFolder

        suite = SuiteFolder(folder, folder.parent)
        cases, signature = [case for case in cases_of(suite) if case.kind == "batch"], suite.signature
        found = (runner.infer(read_input(folder, case, signature)) for case in cases)
        expected = (read_output(folder, case, signature) for case in cases)
        assert self.verify_func is not None
        if not is_true(answer := self.verify_func(found, expected)):
            _refuse(answer)


def check_verify_func(function: object) -> None:
    """Refuse what could not be called when the formats are made.

    Raises:
        ConfigError: it is not None and no function of two arguments.
    """
    if function is None:
        return
    if not callable(function) or not _takes_two(function):
        raise ConfigError(
            f"verify_func={function!r}: a function of two arguments is needed, what a runner and what the "
            "source made of each batch"
        )


def _takes_two(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind((), ())
    except TypeError:
        return False
    except ValueError:  # one of C code that does not tell
        pass
    return True


def is_true(answer: object) -> bool:
    """Whether this is True, or what `(difference < 1e-3).all()` is: a boolean scalar of an array library."""
    scalar = getattr(answer, "shape", None) == () and "bool" in str(getattr(answer, "dtype", ""))
    return answer is True or (scalar and bool(answer))


def _refuse(answer: object) -> None:
    # A frame that is not hidden: of a failure with hidden ones only, pytest says that they are.
    pytest.fail(f"verify_func returned {answer!r}, not True", pytrace=False)


def content(subject: Given) -> ModuleType:
    """Return the module of a subject's suite: configuration, fixtures, the test of `verify_func`."""

    def nav_model() -> object:
        return subject.model

    def nav_dataloader() -> object:
        return subject.dataloader

    def verify_func(nav_runner: RunnerProxy, nav_package: Path) -> None:
        __tracebackhide__ = True
        subject.verify(nav_runner, nav_package)

    fixture = pytest.fixture(scope="session")
    module = ModuleType("nav_suite")
    found: dict[str, object] = {"nav_config": subject.config, "nav_model": fixture(nav_model)}
    if subject.dataloader is not None:
        found["nav_dataloader"] = fixture(nav_dataloader)
    if subject.verify_func is not None:
        found["verify_func"] = verify_func
    vars(module).update(found)
    return module
