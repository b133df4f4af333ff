"""The user's `nav_model` and `nav_dataloader`, asked for through one item."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.engine import host
from pytest_navigator.errors import NavigatorError, SourceError, Unavailable
from pytest_navigator.plugin._compat import fixture_called
from pytest_navigator.plugin.places import LOADER, MODEL, PIPELINE, function_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from pytest_navigator.plugin.places import Place
    from pytest_navigator.plugin.spec import FunctionSpec

    Building = Callable[[Place], AbstractContextManager[None]]
    """Seeds what the user's code draws from while it builds the model of a place, or its loader."""


@contextmanager
def recordable(what: str) -> Iterator[None]:
    """Turn what ends a test at once into errors that a step can record: the steps after it hear of them too.

    Raises:
        Unavailable: the user's code called `pytest.skip` or `pytest.importorskip`.
        SourceError: it called `pytest.fail`, `pytest.xfail` or `sys.exit`.
    """
    try:
        with host.recordable(what):
            yield
    except pytest.skip.Exception as error:
        raise Unavailable(f"{what} was skipped: {error}") from None
    except pytest.fail.Exception as error:
        raise SourceError(f"{what} failed: {error}") from error


class Fixtures:
    """The fixtures of one item, or what stands for them on the command line."""

    def __init__(
        self, request: pytest.FixtureRequest, place: Place, building: Building, loader: FunctionSpec | None
    ) -> None:
        self.request = request
        self.place = place
        self._building = building
        self._named_loader = loader

    @property
    def says_framework(self) -> str:
        """How to say what a model is: by a flag of one that is named on the command line."""

        from pytest_navigator.plugin.named import NamedPlace

        return "--nav-framework={}" if isinstance(self.place, NamedPlace) else 'nav_config = NavConfig(framework="{}")'

    def get_model(self) -> object:
        """Return the user's model: a `verify_` test need not see the fixture of one that is named."""

        from pytest_navigator.plugin.named import NamedPlace

        if not isinstance(self.place, NamedPlace):
            return self._fixture(MODEL)
        with self._building(self.place):
            return self.place.spec.model()

    def get_pipeline(self) -> object:
        """Return the user's pipeline."""
        return self._fixture(PIPELINE)

    def get_loader(self) -> object:
        """Return the user's loader, that of a model which describes its inputs; NO_LOADER if there is none."""

        from pytest_navigator.plugin.huggingface import HuggingFaceSpec
        from pytest_navigator.plugin.named import NamedPlace
        from pytest_navigator.samples.reading import NO_LOADER

        if self._named_loader is not None:
            with self._building(self.place):
                return self._named_loader.loaded()
        loader = self._fixture(LOADER)
        if loader is NO_LOADER and isinstance(self.place, NamedPlace) and isinstance(self.place.spec, HuggingFaceSpec):
            with self._building(self.place):
                return self.place.spec.loader()
        self._check_yielded(loader)
        return loader

    def _check_yielded(self, loader: object) -> None:
        """Refuse the first sample of a fixture that yields them all: pytest takes it for the fixture's value."""
        found = (fixture_called(holder, LOADER) for holder in self.place.holders)
        fixture = next((definition for definition in found if definition is not None), None)
        if fixture is None or not inspect.isgeneratorfunction(function_of(fixture)):
            return
        from pytest_navigator.samples.reading import one_sample

        if what := one_sample(loader):
            raise SourceError(
                f"{LOADER} yields samples, and of a fixture pytest takes what it yields first, here {what}, for the "
                "whole loader: collect them in a list and return that, or return an inner function that yields them"
            )

    def _fixture(self, name: str) -> object:
        from pytest_navigator.isolation.causes import error_line

        try:
            with recordable(name):
                return self.request.getfixturevalue(name)
        except NavigatorError:
            raise
        except pytest.FixtureLookupError as error:  # its own text is for pytest's report
            raise SourceError(f"{name} needs the fixture {error.argname!r}, which is not found") from None
        except Exception as error:
            raise SourceError(f"{name} raised {error_line(error)}") from error
