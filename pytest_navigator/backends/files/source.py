"""A model that is a file: it runs in the child, by the first runner of its format that this machine has."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.backends.files.description import distinct
from pytest_navigator.comparison.computed import read
from pytest_navigator.core.digests import digest_of
from pytest_navigator.core.records import Description, Signature
from pytest_navigator.errors import SourceError, Unavailable, unknown
from pytest_navigator.frameworks.base import Source
from pytest_navigator.samples.npz import dtype_name
from pytest_navigator.samples.structure import Call, flatten_call, unflatten, unflatten_call

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np

    from pytest_navigator.core.plain import Tree
    from pytest_navigator.core.records import TensorSpec
    from pytest_navigator.core.variants import RunnerRecord
    from pytest_navigator.frameworks.base import Connection, Framework, Watched


class FileSource(Source):
    """A model file, called by input name with arrays.

    Args:
        framework: of the file's format.
        path: of the user's own file or folder; a copy of it is what runs.
    """

    is_whole: ClassVar[bool] = True

    def __init__(self, framework: Framework, path: Path) -> None:
        self.framework: Framework = framework
        self.model: Path = path
        self._handle = ""

    def connect(self, connection: Connection) -> None:
        """Take the way to the child."""
        self._connection = connection

    def describe(self) -> Description:
        """Return what the file says of itself.

        Raises:
            SourceError: it says something that cannot be, or needs what is not there.
        """
        return self._description

    def check(self) -> None:
        """Copy the file into the workspace and load it.

        Raises:
            SourceError: nothing on this machine can run it.
            StepFailed: the runtime cannot load it.
        """
        runner = self.runner
        self._connection.take(self.model, self._description)
        self._open(runner)

    def fingerprint(self) -> str | None:
        """SHA-256 over the file and what belongs to it, as it was when this was first asked."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        own = self._description
        folder = self.model if self.model.is_dir() else self.model.parent
        digest = hashlib.sha256(b"" if own.files else digest_of(self.model).encode())
        for name, part in (own.files or dict(zip(own.parts, own.parts, strict=True))).items():
            digest.update(f"{name}\0{digest_of(folder / part)}".encode(errors="surrogatepass"))
        return digest.hexdigest()

    def parameter_names(self) -> Sequence[str]:
        """Names of the inputs in the file's order."""
        return [spec.name for spec in self._description.inputs]

    def call_of(self, sample: object) -> Call:
        """Return the call in the file's own form, whether the sample has the inputs by name or in order.

        Raises:
            SourceError: an input is missing or unknown.
        """
        return unflatten_call(self._tree, self._arrays(super().call_of(sample)))

    def input_names(self, call: Call) -> Sequence[str]:
        """Return the file's own names."""
        return self.parameter_names()

    def call(self, args: Sequence[object], kwargs: dict[str, Any]) -> object:
        """Run one inference; returns the outputs by name, or in the structure that the runtime gives them."""
        if not self._handle:
            self._open(self.runner)
        arrays = self._arrays(Call(*args, **kwargs))
        for spec in self._description.inputs:
            _check_fitting(spec, arrays[spec.name])
        return unflatten(*self._connection.observe(self._handle, arrays))

    def device(self) -> str:
        """Arrays go in and come out on the CPU, whatever the runner uses."""
        return "cpu"

    def precision(self) -> str:
        """The lowest precision of the weights."""
        return self._description.precision

    def watched(self, args: Sequence[object], kwargs: dict[str, Any]) -> Watched | None:
        """Follow one inference, or the graph, in the child."""
        tree, arrays = self._connection.watch(self._handle, self._arrays(Call(*args, **kwargs)))
        return (unflatten(tree, arrays), lambda array: read(str(array))) if tree and arrays else None

    def title(self) -> str:
        """Return what the model is called in records."""
        return f"{self.framework.name} file {self.model.name}"

    @contextmanager
    def preserved(self) -> Iterator[None]:
        """Free the runner on leaving."""
        try:
            yield
        finally:
            self._close()

    @cached_property
    def runner(self) -> RunnerRecord:
        """The first runner of the format that this machine has.

        Raises:
            SourceError: there is none.
        """
        missing: list[str] = []
        for runner in self._connection.runners():
            text = self._connection.missing(runner.requires)
            if text is None:
                return runner
            missing.append(text)
        raise SourceError(f"{self.model.name} cannot be run: {missing[0] if missing else 'nothing runs this format'}")

    @cached_property
    def _description(self) -> Description:
        from pytest_navigator.backends.files.kinds import format_of

        try:
            self._connection.require(*self._connection.reads_with)
        except Unavailable as error:
            raise SourceError(f"{self.model.name} cannot be read: {error}") from None
        format_of(self.model, self.framework.name)
        return self._connection.describe(self.model)

    def _open(self, runner: RunnerRecord) -> None:
        self._handle = self._connection.open_runner(runner, self._signature())

    def _close(self) -> None:
        handle, self._handle = self._handle, ""
        if handle:
            self._connection.close_runner(handle)

    def _signature(self) -> Signature:
        """Return what a runner needs to know before anything has been seen."""
        own = self._description
        outputs = distinct(own.outputs, self.parameter_names())
        tree = {"dict": [[theirs.name, {"leaf": ours.name}] for theirs, ours in zip(own.outputs, outputs, strict=True)]}
        return Signature(own.inputs, outputs, self._tree, tree, None, self.framework.array_type)

    @property
    def _tree(self) -> Tree:
        """The structure of the file's own call."""
        own = self._description
        return own.input_tree or {"args": [], "kwargs": [[spec.name, {"leaf": spec.name}] for spec in own.inputs]}

    def _arrays(self, call: Call) -> dict[str, np.ndarray]:
        """Return the arrays of a call by input name, in the file's order.

        Raises:
            SourceError: an input is missing or unknown.
        """
        names = self.parameter_names()
        found = flatten_call(call, names, None, self.framework)[1]
        if set(found) != set(names) and len(found) == len(names) and not call.kwargs.keys() & set(found):
            found = dict(zip(names, found.values(), strict=True))  # in the structure of the file's own call
        for name in found:
            if name not in names:
                raise SourceError(f"{unknown('input', name, names)}; a sample is {{name: array}}")
        if absent := [name for name in names if name not in found]:
            raise SourceError(f"input {absent[0]!r} is missing (the file's inputs: {', '.join(names)})")
        return {name: found[name] for name in names}


def _check_fitting(spec: TensorSpec, value: np.ndarray) -> None:
    if dtype_name(value.dtype) != spec.dtype:
        raise SourceError(f"input {spec.name!r} is {dtype_name(value.dtype)}, the file takes {spec.dtype}")
    fits = len(value.shape) == len(spec.shape)
    if not fits or any(own not in (-1, size) for own, size in zip(spec.shape, value.shape, strict=True)):
        raise SourceError(f"input {spec.name!r} has the shape {value.shape}, the file takes {_shape(spec)}")


def _shape(spec: TensorSpec) -> str:
    return f"({', '.join(str(spec.axes.get(axis, size)) for axis, size in enumerate(spec.shape))})"
