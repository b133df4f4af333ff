"""What a step gets: its suite, the live objects, the child, and where its log is."""

from __future__ import annotations

import json
import re
import sys
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from pytest_navigator.configuration.settings import with_origin
from pytest_navigator.core.plain import JSON, plain, structured
from pytest_navigator.core.records import Description, Signature
from pytest_navigator.devices import requirements
from pytest_navigator.devices.records import NONE
from pytest_navigator.engine import isolated
from pytest_navigator.errors import SourceError, StepFailed
from pytest_navigator.formats.ways import Way, chosen
from pytest_navigator.isolation.causes import NOT_REGISTERED
from pytest_navigator.isolation.importing import path_of, registered
from pytest_navigator.isolation.interpreter import shown

LEAST = 0.1  # s that a step has at least: nothing can be called with less

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from pytest_navigator.core.plain import Tree
    from pytest_navigator.core.records import TensorSpec
    from pytest_navigator.core.steps import Step
    from pytest_navigator.core.variants import RunnerRecord, Variant
    from pytest_navigator.engine.host import Host
    from pytest_navigator.engine.suite import Suite
    from pytest_navigator.engine.workspace import SuiteFolder
    from pytest_navigator.formats.base import Format
    from pytest_navigator.frameworks.base import Source
    from pytest_navigator.isolation.child import Child, Reply


P = ParamSpec("P")
R = TypeVar("R")

# What to do about an operator or a class that the child does not know.
REGISTER = (
    "it imports no conftest.py: put what registers it into a module of its own, which conftest.py imports, and name "
    "that module: NavConfig(child_imports=['package.module']), --nav-child-imports=package.module"
)

EXTRA = re.compile(r" \(pip install pytest-navigator\[[^)]*\)")  # How a requirement is met in this Python

# What runs in the child and needs nothing of the model's.
LOADING_NOTHING = (isolated.missing, isolated.take, isolated.close_runner)


@dataclass(frozen=True)
class Result:
    """What a step that passed leaves: its data, a caveat, the digest of the artifact that it made or used."""

    data: dict[str, JSON] = field(default_factory=dict)
    message: str = ""
    digest: str = ""


class LiveObjects(Protocol):
    """The user's model and loader.

    Attributes:
        asked: the step that is reported while others run because of it; None for none.
    """

    asked: Step | None

    def source(self) -> Source:
        """Return the model, wrapped."""

    def loader(self) -> object:
        """Return the loader, `NO_LOADER` if there is none."""

    def remember(self) -> None:
        """Note that the source step has seen this very model."""


@dataclass(frozen=True)
class Context:
    """One step of one suite, about to run in this process.

    Attributes:
        way: by which the variant is made, where there are several.
        spent: s of the step's time limit that other ways have taken.
    """

    host: Host
    suite: Suite
    step: Step
    live: LiveObjects
    way: Way = field(default_factory=lambda: Way(""))
    spent: float = 0.0

    @property
    def folder(self) -> SuiteFolder:
        """Where the suite keeps everything."""
        return self.suite.folder

    @property
    def variant(self) -> Variant:
        """The variant that the step makes or checks; the source's own for the source step."""
        return chosen(self.suite.matrix.variants[self.step.key or self.suite.matrix.framework], self.way)

    @property
    def runner(self) -> RunnerRecord:
        """The runner that the step uses."""
        return self.suite.matrix.runners[self.step.runner]

    @property
    def log(self) -> Path:
        """The log of the variant."""
        return self.folder.log(self.variant.key)

    @property
    def limit(self) -> float:
        """What is left of the time limit of the step, in s."""
        limit: float = self.suite.settings.timeout
        return max(limit - self.spent, LEAST)

    @property
    def place(self) -> Path:
        """The folder of everything that is kept of the model."""
        return self.folder.path

    @property
    def inputs(self) -> tuple[TensorSpec, ...] | None:
        """What the user says of the inputs of a file that does not; None: nothing."""
        return self.host.file_config.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...] | None:
        """The same of the outputs."""
        return self.host.file_config.outputs

    @property
    def reads_with(self) -> tuple[str, ...]:
        """What reading a file of this format needs."""
        return self._format.reads_with

    @property
    def _format(self) -> Format:
        return self.host.registry.format(self.variant.format)

    @property
    def command(self) -> tuple[str, ...]:
        """What starts the Python that the variant is converted and run by; () is this one."""
        return self.host.command_of(self.suite.settings, self.variant.format)

    def runners(self) -> list[RunnerRecord]:
        """Return what can run the variant, the preferred one first."""
        return [runner.record() for runner in self._format.runner_specs]

    def artifact(self, variant: Variant | None = None) -> Path:
        """Return where the artifact of a variant is, or will be."""
        of = variant or self.variant
        return self.folder.path / of.key / of.file

    def isolated(self, function: Callable[P, R], *_: P.args, **kwargs: P.kwargs) -> R:
        """Run a function of `engine/isolated.py` in the child (in this process with `--nav-in-process`).

        Args:
            kwargs: what it takes, objects: they get there as plain data.
        """
        return self._isolated(function, self.command, kwargs)

    def _isolated(self, function: Callable[..., R], command: tuple[str, ...], kwargs: dict[str, Any]) -> R:
        # In this process too: with --nav-in-process a function sees the same plain data as in the child.
        arguments = json.loads(json.dumps(plain(kwargs)))
        if self.host.options.in_process:
            from pytest_navigator.isolation.live_section import live_section

            with live_section(self.log, self.limit):
                registered(self._needs)
                here: Callable[..., R] = function  # what comes back from JSON has no types
                return here(**arguments)
        modules = self._record_modules(arguments.get("signature"))
        with self.host.children.turns.taken():
            child = self.host.children.of(command)
            child.start(imports=modules)
            try:
                found: R = self._called(function, arguments, child=child).result
            finally:
                child.import_expected()
        return found

    def alone(self, function: Callable[P, R], fresh: bool, /, *_: P.args, **kwargs: P.kwargs) -> R:
        """Run a function of `engine/isolated.py` in the child whose libraries have one thread each.

        Args:
            fresh: whether in one that has not run anything before.
            kwargs: as in `isolated`.
        """
        child = self.host.children.single_threaded(self.command, fresh=fresh)
        child.start(imports=self._record_modules())
        arguments = json.loads(json.dumps(plain(kwargs)))
        found: R = self._called(function, arguments, child=child).result
        return found

    def import_records(self) -> None:
        """Import what the structures of the model need, in this process; it is the user's own code, or none at all."""
        for name in self._record_modules():
            with suppress(Exception):  # what is not there stays a dict
                import_module(name)

    def _record_modules(self, signature: JSON = None) -> list[str]:
        """Return the modules of the classes in the structures of the model, which a call of it needs.

        Those of a package are names that somebody else chose: what is not imported here already is left out.
        """
        from pytest_navigator.samples.structure import record_modules

        known = structured(signature, Signature) if signature else self.folder.known_signature()
        found = record_modules(known.input_tree, known.output_tree) if known else []
        return [name for name in found if self.suite.package is None or name in sys.modules]

    def take(self, model: Path, own: Description) -> None:
        """Copy a file that is the source, and those beside it that belong to it, into the suite's folder."""
        # By this Python: a container need not see the file.
        what = {"parts": own.parts, "files": own.files}
        self._isolated(isolated.take, (), {"path": model, "target": self.artifact(), **what})

    def describe(self, model: Path) -> Description:
        """Return what a file that is the source says of itself."""
        kind, said = path_of(type(self._format)), self.variant.parameters
        found = self.isolated(
            isolated.describe, path=model, format=kind, parameters=said, inputs=self.inputs, outputs=self.outputs
        )
        return structured(found, Description)

    def open_runner(self, runner: RunnerRecord, signature: Signature | None = None) -> str:
        """Load a runner in the child, and keep it until it is closed; returns its handle.

        Args:
            signature: None: that of the source step.
        """
        handle = uuid.uuid4().hex
        if self.host.ahead:
            self.host.ahead.pause()  # a crash of what runs ahead would end the runner
        try:
            self.isolated(
                isolated.open_runner,
                folder=self.folder.path,
                variant=self.variant,
                runner=runner,
                handle=handle,
                signature=signature,
            )
        except BaseException:
            self._resume_ahead()
            raise
        return handle

    def close_runner(self, handle: str) -> None:
        """Free it."""
        try:
            self.isolated(isolated.close_runner, handle=handle)
        finally:
            self._resume_ahead()

    def _resume_ahead(self) -> None:
        if self.host.ahead:
            self.host.ahead.resume()

    def infer(self, handle: str, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one inference of a runner that `open_runner` of `engine/isolated.py` has loaded."""
        return self._with_arrays(isolated.infer, handle, feed)[1]

    def observe(self, handle: str, feed: Mapping[str, np.ndarray]) -> tuple[Tree, dict[str, np.ndarray]]:
        """Do the same with a runner whose outputs are not known yet; returns their structure too."""
        return self._with_arrays(isolated.observe, handle, feed)

    def watch(self, handle: str, feed: Mapping[str, np.ndarray]) -> tuple[Tree | None, dict[str, np.ndarray]]:
        """Do the same with what the outputs are computed in, as text, in their places; nothing where nothing tells."""
        return self._with_arrays(isolated.watch, handle, feed)

    def _with_arrays(
        self,
        function: Callable[[Mapping[str, np.ndarray], str], tuple[R, dict[str, np.ndarray]]],
        handle: str,
        feed: Mapping[str, np.ndarray],
    ) -> tuple[R, dict[str, np.ndarray]]:
        if self.host.options.in_process:
            return function(feed, handle)
        with self.host.children.turns.taken():
            reply = self._called(function, {"handle": handle}, feed)
        return reply.result, reply.arrays

    @property
    def _needs(self) -> tuple[str, ...]:
        """The modules that register what the model's files need."""
        return tuple(self.suite.settings.child_imports)

    def _called(
        self,
        function: Callable[..., object],
        arguments: dict[str, JSON],
        feed: Mapping[str, np.ndarray] | None = None,
        child: Child | None = None,
    ) -> Reply:
        """Run a function in the child; of what is not registered there, say how it is."""
        path = f"{function.__module__}:{function.__qualname__}"
        child = child or self.host.children.of(self.command)
        call = partial(child.call, path, arguments, arrays=feed, log=self.log, timeout=self.limit)
        try:
            with self._noted(function.__name__, child):
                return call(needs=() if function in LOADING_NOTHING else self._needs)
        except (StepFailed, SourceError) as error:
            if NOT_REGISTERED not in str(error):
                raise
            given = with_origin(self.suite.settings, "child_imports") if self._needs else ""
            text = f"{error}; {f'{given} does not register it there' if given else REGISTER}"
            if isinstance(error, SourceError):
                raise SourceError(text) from error
            raise StepFailed(text, error.detail, error.kind, error.data) from error

    @contextmanager
    def _noted(self, name: str, child: Child) -> Iterator[None]:
        """Note a call of the child, which begins when its imports are made."""
        timeline = self.host.timeline
        if timeline is None:
            yield
            return
        begin = time.time()
        try:
            yield
        finally:
            for span in child.told_imports():
                timeline.add("imports", *span, "child")
                begin = max(begin, span[1])
            of = self.step.id if self.step.id.startswith(name) else f"{name}: {self.step.id}"
            timeline.add(of, begin, time.time(), "child")

    def require(self, *names: str, here: bool = False) -> None:
        """Raise Unavailable unless this machine has what is named.

        Args:
            here: whether this Python needs it, whatever the variant's own is.
        """
        from pytest_navigator.errors import Unavailable

        text = self.missing(names, here=here)
        if text:
            raise Unavailable(text)

    def missing(self, names: Sequence[str], *, here: bool = False) -> str | None:
        """Return what this machine lacks of what is named; the child asks, so that no probe can hurt us.

        Whether a package is installed can be told here: the child may still be busy with its imports.
        """
        command = () if here else self.command
        if not command and all(name in requirements.MODULES for name in names):
            return requirements.missing(names)
        found = self._isolated(isolated.missing, command, {"names": names})
        if not command or not found or found == NONE:
            return found
        return f"{shown(command)}: {EXTRA.sub('', found)}"  # there, this project is not installed
