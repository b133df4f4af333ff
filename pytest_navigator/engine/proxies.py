"""What a `verify_` test holds: a runner in the child or of the live model, or that model; called like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.core.steps import Step
from pytest_navigator.engine.context import Context
from pytest_navigator.isolation.live_section import live_section
from pytest_navigator.runners.spec import runner_class
from pytest_navigator.samples.feeds import called, check_feed, native
from pytest_navigator.samples.structure import Call, flatten_output, unflatten_call

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from typing import Self

    import numpy as np

    from pytest_navigator.core.records import Signature
    from pytest_navigator.engine.context import LiveObjects
    from pytest_navigator.engine.host import Host
    from pytest_navigator.engine.suite import Suite
    from pytest_navigator.engine.workspace import Workspace
    from pytest_navigator.frameworks.base import Source
    from pytest_navigator.runners.base import Runner


class RunnerProxy:
    """A format in a runtime. Call it like the model: the source's structure and arrays come back.

    Attributes:
        format: folder name of the format; name: Model Navigator's name of the runner.
    """

    def __init__(self, host: Host, suite: Suite, live: LiveObjects, key: str, runner: str) -> None:
        self.format = key
        self.name = runner
        self._host, self._suite, self._objects = host, suite, live
        self._handle = ""
        self._signature = suite.folder.signature
        self._live: Runner | None = None

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Run one inference on the model's own arguments."""
        __tracebackhide__ = True
        return called(
            Call(*args, **kwargs),
            self._signature,
            self._host.registry.framework(self._suite.matrix.framework),
            self.infer,
        )

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one inference on numpy arrays by input name; returns numpy arrays by output name.

        Raises:
            ConfigError: an input is missing or does not exist.
        """
        __tracebackhide__ = True
        check_feed(feed, self._signature)
        feed = native(feed)
        context = self._context()
        with self._machine():
            if self._live is None:
                return context.infer(self._handle, feed)
            with live_section(context.log, context.limit):
                return self._live.infer(feed)

    def __enter__(self) -> Self:
        context = self._context()
        context.import_records()
        if context.runner.live:
            self._live = self._live_runner(context)
            with self._machine():
                self._live.activate()
            return self
        with self._machine():
            self._handle = context.open_runner(context.runner)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._live is not None:
            self._live.deactivate()
            return
        self._context().close_runner(self._handle)

    def _machine(self) -> AbstractContextManager[None]:
        """Wait until nobody measures, and keep others from it: each call for itself, since a test may do more."""
        return self._host.workspace.machine(exclusive=False)

    def _context(self) -> Context:
        step = Step("verify", self.format, self.name)
        return Context(self._host, self._suite, step, self._objects)

    def _live_runner(self, context: Context) -> Runner:
        """Return the runner of a source that nothing is exported from."""
        kind = runner_class(context.runner)
        return kind(context.live.source(), self._signature, context.variant.parameters)


class SourceProxy:
    """The live model, in the same two forms as a runner."""

    def __init__(self, source: Source, signature: Signature, workspace: Workspace) -> None:
        self.source = source
        self.signature = signature
        self._workspace = workspace

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Run one inference on the model's own arguments."""
        with self._workspace.machine(exclusive=False):
            return self.source.call(args, kwargs)

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one inference on numpy arrays by input name; returns numpy arrays by output name."""
        check_feed(feed, self.signature)
        framework, device = self.source.framework, self.source.device()
        leaves = {n: framework.from_numpy(a, device) for n, a in native(feed).items()}
        call = unflatten_call(self.signature.input_tree, leaves)
        names = [o.name for o in self.signature.outputs]
        return flatten_output(self(*call.args, **call.kwargs), names, framework)[1]
