"""The user's live objects, as the steps see them: built when they are first needed, and the same as before."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pytest_navigator.core.digests import fingerprint
from pytest_navigator.core.steps import Step
from pytest_navigator.engine.context import Context
from pytest_navigator.engine.source import other_outputs
from pytest_navigator.errors import SourceError
from pytest_navigator.isolation.live_section import live_section

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_navigator.engine.host import Host
    from pytest_navigator.engine.suite import Suite
    from pytest_navigator.frameworks.base import Source

ANOTHER = (
    "nav_model is another model here than the one that the source step has checked (its {}): seed everything that "
    "it draws from, or give it a wider fixture scope; the fixture's own setup is seeded already, a fixture that it "
    "depends on is not"
)


class Provider(Protocol):
    """The user's own objects; what their code raises comes as a SourceError."""

    def get_model(self) -> object:
        """Build the model, or return it."""

    def get_loader(self) -> object:
        """Return the loader, `NO_LOADER` if there is none."""

    @property
    def says_framework(self) -> str:
        """How the user says what a model is, `{}` for the name of its framework."""


class Live:
    """A model and its loader.

    Attributes:
        asked: the step that is reported while others run because of it; None for none.
    """

    def __init__(self, host: Host, suite: Suite, provider: Provider) -> None:
        self.framework = host.registry.framework(suite.matrix.framework)
        self.host = host
        self.suite = suite
        self.asked: Step | None = None
        self._provider = provider
        self._source: Source | None = None

    def source(self) -> Source:
        """Return the user's model, wrapped; fails if it is another one than the source step has seen.

        Raises:
            SourceError: the model is another one here, or what builds it raised.
        """
        if self._source is None:
            own = self.suite.matrix.variants[self.suite.matrix.framework]
            model = self._provider.get_model()
            self._check_path(model)
            source = self.framework.source(model, own.parameters)
            source.connect(self._context())
            self._check_identity(source)
            self._source = source
        return self._source

    def loader(self) -> object:
        """Return the user's loader, `NO_LOADER` if there is none.

        Raises:
            SourceError: what builds it raised, or yields one sample after the other.
        """
        return self._provider.get_loader()

    def remember(self) -> None:
        """Note that the source step has seen this very model: it is not asked for its outputs again."""
        if self._source is not None:
            self.host.seen[self.suite.nodeid] = _reference(self._source.model)

    def _check_path(self, model: object) -> None:
        """Refuse a path that nobody said is one: without its format, the suite is another framework's."""
        if not (isinstance(model, str | Path) and self.framework.package):  # a file's has none, nor that of functions
            return
        known = self.host.registry
        names = [name for name in known.frameworks if name in known.formats and known.format(name).file]
        raise SourceError(
            f"the model is the path {str(model)!r}, which is no {self.framework.name} model; of a file, say "
            f"what it is: {self._provider.says_framework.format(names[0])} (one of: {', '.join(names)})"
        )

    def _context(self) -> Context:
        return Context(self.host, self.suite, Step("source"), self)

    def _check_identity(self, source: Source) -> None:
        record = self.suite.folder.record("source")
        if record is None or not record.passed:
            return
        known = self.suite.folder.source
        own = fingerprint(source.digests(), known.changing)
        if own and own != known.fingerprint:
            raise SourceError(ANOTHER.format("parameters differ"))
        seen = self.host.seen.get(self.suite.nodeid)
        if source.is_whole or (seen is not None and seen() is source.model):
            return
        self._check_outputs(source)
        self.host.seen[self.suite.nodeid] = _reference(source.model)

    def _check_outputs(self, source: Source) -> None:
        """Compare what parameters do not tell: plain attributes, packed weights, what a function closes over.

        One inference, and only of an object that this process has not asked before.
        """
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
