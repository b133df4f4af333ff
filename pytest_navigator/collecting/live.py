"""The user's live objects, through the request of one item; and the seeds under which they are made."""

from __future__ import annotations

import hashlib
import inspect
import logging
import random
import sys
import warnings
import weakref
from contextlib import ExitStack
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_navigator._compat import fixture_called
from pytest_navigator.collecting.collection import LOADER
from pytest_navigator.collecting.collection import function_of
from pytest_navigator.collecting.collection import named_of
from pytest_navigator.errors import NavigatorError
from pytest_navigator.errors import SourceError
from pytest_navigator.errors import StepFailed
from pytest_navigator.errors import Unavailable
from pytest_navigator.isolation.alarm import alarm
from pytest_navigator.isolation.capture import redirected
from pytest_navigator.isolation.capture import tail
from pytest_navigator.isolation.causes import one_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping

    import numpy as np

    from pytest_navigator.frameworks.base import Framework
    from pytest_navigator.frameworks.base import Source
    from pytest_navigator.planning.matrix import Step
    from pytest_navigator.run import Run
    from pytest_navigator.run import Suite
    from pytest_navigator.steps.context import Context

ANOTHER = (
    "nav_model is another model here than the one that the source step has checked (its {}): seed everything that "
    "it draws from, or give it a wider fixture scope; the fixture's own setup is seeded already, a fixture that it "
    "depends on is not"
)


class Live:
    """`nav_model` and `nav_dataloader` of one item, built when a step first needs them.

    Attributes:
        asked: the step that the item reports; None for a `verify_` test.
    """

    def __init__(self, request: pytest.FixtureRequest, run: Run, suite: Suite) -> None:
        self.request = request
        self.framework = run.registry.framework(suite.matrix.framework)
        self.run = run
        self.suite = suite
        self.asked: Step | None = None
        self._source: Source | None = None

    def source(self) -> Source:
        """Return the user's model, wrapped; fails if it is another one than the source step has seen.

        Raises:
            SourceError: nav_model is another model here, or raised.
        """
        if self._source is None:
            own = self.suite.matrix.variants[self.suite.matrix.framework]
            model = self._model()
            self._check_path(model)
            source = self.framework.source(model, own.parameters)
            source.connect(self._context())
            self._check_identity(source)
            self._source = source
        return self._source

    def loader(self) -> object:
        """Return the user's loader, NO_LOADER if there is none.

        Raises:
            SourceError: nav_dataloader raised, or yields one sample after the other.
        """
        named = named_of(self.run.config)
        if named is not None and named.loader is not None:
            with self.run.building(self.suite.place):
                return named.loader.loaded()
        loader = self._fixture(LOADER)
        self._check_yielded(loader)
        return loader

    def _check_yielded(self, loader: object) -> None:
        """Refuse the first sample of a fixture that yields them all: pytest takes it for the fixture's value."""
        from pytest_navigator.samples.reading import one_sample

        found = (fixture_called(holder, LOADER) for holder in self.suite.place.holders)
        fixture = next((definition for definition in found if definition is not None), None)
        if fixture is not None and inspect.isgeneratorfunction(function_of(fixture)) and (what := one_sample(loader)):
            raise SourceError(
                f"{LOADER} yields samples, and of a fixture pytest takes what it yields first, here {what}, for the "
                "whole loader: collect them in a list and return that, or return an inner function that yields them"
            )

    def _model(self) -> object:
        """Return the user's model: a `verify_` test need not see the fixture of one that is named."""
        if named_of(self.run.config) is None:
            return self._fixture("nav_model")
        from pytest_navigator.collecting.named import NamedPlace

        place = self.suite.place
        assert isinstance(place, NamedPlace)
        with self.run.building(self.suite.place):
            return place.spec.model()

    def _check_path(self, model: object) -> None:
        """Refuse a path that nobody said is one: without its format, the suite is another framework's."""
        from pytest_navigator.frameworks.files import FILES

        names = [kind.name for kind in FILES]
        if isinstance(model, str | Path) and self.framework.package:  # a file's has none, nor that of functions
            named = named_of(self.run.config)
            said = f"--nav-framework={names[0]}" if named else f'nav_config = NavConfig(framework="{names[0]}")'
            raise SourceError(
                f"the model is the path {str(model)!r}, which is no {self.framework.name} model; of a file, say "
                f"what it is: {said} (one of: {', '.join(names)})"
            )

    def _context(self) -> Context:
        from pytest_navigator.planning.matrix import Step
        from pytest_navigator.steps.context import Context

        return Context(self.run, self.suite, Step("source"), self)

    def _fixture(self, name: str) -> object:
        try:
            with recordable(name):
                return self.request.getfixturevalue(name)
        except NavigatorError:
            raise
        except pytest.FixtureLookupError as error:  # its own text is for pytest's report
            raise SourceError(f"{name} needs the fixture {error.argname!r}, which is not found") from None
        except Exception as error:
            raise SourceError(f"{name} raised {one_line(error)}") from error

    def remember(self) -> None:
        """Note that the source step has seen this very model: it is not asked for its outputs again."""
        if self._source is not None:
            self.run.seen[self.suite.nodeid] = _reference(self._source.model)

    def _check_identity(self, source: Source) -> None:
        record = self.suite.folder.record("source")
        if record is None or not record.passed:
            return
        own = fingerprint(source.digests(), record.data["changing"])
        if own and own != record.data["fingerprint"]:
            raise SourceError(ANOTHER.format("parameters differ"))
        seen = self.run.seen.get(self.suite.nodeid)
        if source.is_whole or (seen is not None and seen() is source.model):
            return
        self._check_outputs(source)
        self.run.seen[self.suite.nodeid] = _reference(source.model)

    def _check_outputs(self, source: Source) -> None:
        """Compare what parameters do not tell: plain attributes, packed weights, what a function closes over.

        One inference, and only of an object that this process has not asked before.
        """
        from pytest_navigator.steps.source import other_outputs

        context = self._context()
        with live_section(context.log, context.limit):
            problem = other_outputs(context, source)
        if problem:
            raise SourceError(ANOTHER.format(f"outputs differ, {problem}"))


def _reference(model: object) -> Callable[[], object]:
    """Return what gives the model, without keeping it alive where that is possible."""
    try:
        return weakref.ref(model)
    except TypeError:  # a bound method is another object each time, a tuple cannot be referred to
        return lambda: model


@contextmanager
def recordable(what: str) -> Iterator[None]:
    """Turn what ends a test at once into errors that a step can record: the steps after it hear of them too.

    Raises:
        Unavailable: the user's code called `pytest.skip` or `pytest.importorskip`.
        SourceError: it called `pytest.fail`, `pytest.xfail` or `sys.exit`.
    """
    try:
        yield
    except pytest.skip.Exception as error:
        raise Unavailable(f"{what} was skipped: {error}") from None
    except pytest.fail.Exception as error:
        raise SourceError(f"{what} failed: {error}") from error
    except SystemExit as error:
        raise SourceError(f"{what} raised {one_line(error)}") from error


def fingerprint(digests: Mapping[str, str], changing: Collection[str]) -> str:
    """Return one digest of the parameters but for those that change when the model is called; "" if none is left."""
    lasting = sorted((name, digest) for name, digest in digests.items() if name not in changing)
    return hashlib.sha256(repr(lasting).encode()).hexdigest() if lasting else ""


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the names of what appeared, went or changed between two times that the digests were taken."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def digest_of_arrays(arrays: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 over names, types, shapes and bytes."""
    total = hashlib.sha256()
    for name, array in arrays.items():
        total.update(f"{name}\0{array.dtype}\0{array.shape}\0".encode(errors="surrogatepass"))
        total.update(array.tobytes())
    return total.hexdigest()


@contextmanager
def seeded(seed: int, frameworks: Iterable[Framework]) -> Iterator[None]:
    """Seed Python, numpy and the frameworks that are imported (others could draw nothing); restore all afterwards."""
    with ExitStack() as stack:
        stack.callback(random.setstate, random.getstate())
        random.seed(seed)
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            stack.callback(numpy.random.set_state, numpy.random.get_state())
            numpy.random.seed(seed)
        for framework in frameworks:
            if framework.package in sys.modules:
                stack.enter_context(framework.seeded(seed))
        yield


@contextmanager
def live_section(log: Path, limit: float | None) -> Iterator[None]:
    """Run a step that needs the live model in this process: its output goes to the log, its time is limited.

    A native call cannot be interrupted from Python; the limit takes effect when it returns.

    Raises:
        StepFailed: the limit has passed.
    """
    try:
        with redirected(log), _warnings_to_stderr(), _logging_to_stderr(), alarm(limit):
            yield
    except StepFailed as error:
        if not error.detail:
            error.detail = tail(log)
        raise


@contextmanager
def _warnings_to_stderr() -> Iterator[None]:
    """Keep the warnings of exporters, which no user can act on, out of pytest's summary and of `-W error`."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: object = None,
        line: str | None = None,
    ) -> None:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


@contextmanager
def _logging_to_stderr() -> Iterator[None]:
    """Keep what exporters log out of pytest's "Captured log": torch alone logs hundreds of debug lines."""
    root = logging.getLogger()
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    # Levels, not the list: pytest 9.2 adds its handlers to loggers that do not propagate as well (torch's own).
    levels = {muted: muted.level for muted in root.handlers}
    for muted in levels:
        muted.setLevel(logging.CRITICAL + 1)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        for muted, level in levels.items():
            muted.setLevel(level)
