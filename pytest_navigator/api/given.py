"""What a function of the API was given."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.errors import ConfigError
from pytest_navigator.samples.cases import read_input, read_output
from pytest_navigator.samples.reading import NO_LOADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np

    from pytest_navigator.configuration.config import NavConfig
    from pytest_navigator.engine.proxies import RunnerProxy
    from pytest_navigator.engine.workspace import SuiteFolder

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
        without: names of runners that are not tried.
    """

    model: object
    dataloader: object
    config: NavConfig
    verify_func: VerifyFunction | None = None
    unasked: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()

    @property
    def says_framework(self) -> str:
        """How to say what a model is: by the function that one calls."""
        return "nav.{}.optimize"

    def get_model(self) -> object:
        """Return the model: it is built already."""
        return self.model

    def get_loader(self) -> object:
        """Return the loader, `NO_LOADER` if there is none."""
        return NO_LOADER if self.dataloader is None else self.dataloader

    def verify(self, runner: RunnerProxy, folder: SuiteFolder) -> str:
        """Return why `verify_func` does not take what a runner makes of all batches that are kept; "" if it does."""
        cases, signature = [case for case in folder.source.cases if case.kind == "batch"], folder.signature
        found = (runner.infer(read_input(folder.path, case, signature)) for case in cases)
        expected = (read_output(folder.path, case, signature) for case in cases)
        assert self.verify_func is not None
        answer = self.verify_func(found, expected)
        return "" if is_true(answer) else f"verify_func returned {answer!r}, not True"


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
