"""A runner of a package: called like the model, with arrays by name, or by Polygraphy."""

from __future__ import annotations

import threading
from time import perf_counter
from typing import TYPE_CHECKING, Any

from pytest_navigator.errors import InputError, StepFailed
from pytest_navigator.isolation.causes import NOT_REGISTERED, error_line
from pytest_navigator.package.running.direct_calls import Ways
from pytest_navigator.samples.feeds import (
    by_own_names,
    called,
    check_arrays,
    check_feed,
    feed_of,
    native,
    shape_problem,
)
from pytest_navigator.samples.structure import Call, call_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

    import numpy as np

    from pytest_navigator.core.records import Signature, TensorSpec
    from pytest_navigator.frameworks.base import Framework
    from pytest_navigator.runners.base import Runner

IMPORT_IT = "a package's runner imports nothing of the model's project: import the module that registers it before"


class PackageRunner:
    """A format in a runtime, as a context manager; made by `Package.get_runner`.

    It has the methods that Polygraphy calls of its `BaseRunner`, so that `Comparator.run` takes it as it is.

    Several threads may call one runner: their calls run one after the other. For calls at the same time, take a runner
    for each thread.

    Attributes:
        format: folder name of the format ("torchscript-trace").
        runner_name: Model Navigator's name of the runner ("OnnxCPU").
        runtime: what executes ("cpu"); device: "cpu" or "cuda".
        is_active: whether it can infer.
    """

    def __init__(
        self, runner: Runner, key: str, framework: Framework, keep: object, tensors: Framework | None = None
    ) -> None:
        """Args: the runner and its format; the framework whose arrays it takes; what must live as long as it does.

        `tensors`: whose arrays `infer` gives; None: numpy's.
        """
        self.format = key
        self.runner_name = runner.name
        self.runtime = runner.runtime
        self.device = runner.device
        self.is_active = False
        self._runner = runner
        self._framework = framework
        self._keep = keep
        self._tensors = tensors
        self._lock = threading.RLock()
        self._seconds: float | None = None
        self._ways: Ways | None = None

    def __repr__(self) -> str:
        return f"<runner {self.name}, {'active' if self.is_active else 'not active'}>"

    @property
    def name(self) -> str:
        """Unique in a package: "onnx/OnnxCPU"."""
        return f"{self.format}/{self.runner_name}"

    @property
    def signature(self) -> Signature:
        """Inputs and outputs with their structure."""
        return self._runner.signature

    @property
    def input_metadata(self) -> dict[str, TensorSpec]:
        """Name -> shape (-1 where the axis is dynamic) and type of each input."""
        return _by_name(self.signature.inputs)

    @property
    def output_metadata(self) -> dict[str, TensorSpec]:
        """Name -> shape and type of each output."""
        return _by_name(self.signature.outputs)

    def activate(self) -> None:
        """Load the format; nothing happens if it is loaded.

        Raises:
            StepFailed: the runtime cannot load it.
        """
        with self._lock:
            if not self.is_active:
                self._load()
                self._ways = Ways(self._runner, self._framework)
                self.is_active = True

    def _load(self) -> None:
        try:
            self._runner.activate()
        except Exception as error:
            if NOT_REGISTERED not in (text := error_line(error)):
                raise
            raise StepFailed(f"{self.name}: {text}; {IMPORT_IT}", str(error), type(error).__name__) from error

    def deactivate(self) -> None:
        """Free the format; nothing happens if it is not loaded."""
        with self._lock:
            if self.is_active:
                self.is_active, self._ways = False, None
                self._runner.deactivate()

    def __enter__(self) -> Self:
        self.activate()
        return self

    def __exit__(self, *exc: object) -> None:
        self.deactivate()

    def __call__(self, *args: object, **kwargs: object) -> Any:
        """Run one inference on the model's own arguments; returns its structure, with arrays of its framework.

        Where that framework is not installed, these are numpy's.

        Raises:
            InputError: the runner is not active, or an argument is not what the model takes.
        """
        ways = self._ways
        if ways and (feed := ways.own.feed(args, kwargs)) is not None:
            return ways.structured(self._inferred(ways.own.run, feed, True))
        return called(Call(*args, **kwargs), self.signature, self._framework, self._infer)

    def infer(self, feed_dict: Mapping[str, Any], check_inputs: bool = True) -> dict[str, Any]:
        """Run one inference on numpy arrays by input name; returns numpy arrays by output name.

        With a `return_type` it takes tensors of that library as well, and returns such.

        Args:
            feed_dict: one array per input; "input__0", ..., Model Navigator's own names, mean the inputs too.
            check_inputs: whether names, types and numbers of axes are compared with the model's.

        Raises:
            InputError: the runner is not active; an input is missing, does not exist, or has another type, another
                number of axes, or a size that the runtime does not take.
        """
        tensors = self._tensors
        if tensors is None:
            return self._infer(feed_dict, check_inputs)
        own = {name: tensors.to_numpy(each) if tensors.is_array(each) else each for name, each in feed_dict.items()}
        return {name: tensors.from_numpy(array) for name, array in self._infer(own, check_inputs).items()}

    def _infer(self, feed_dict: Mapping[str, np.ndarray], check_inputs: bool = True) -> dict[str, np.ndarray]:
        ways = self._ways
        if ways and (feed := ways.arrays.taken(feed_dict)) is not None:
            return self._inferred(ways.arrays.run, feed, check_inputs)
        feed_dict = by_own_names(feed_dict, self.signature)
        if check_inputs:
            check_feed(feed_dict, self.signature)
            check_arrays(feed_dict, self.signature, self._framework.name)
            feed_dict = native(feed_dict)
        return self._inferred(self._runner.infer, feed_dict, check_inputs)

    def _inferred(self, run: Callable[[Any], dict[str, Any]], feed: Mapping[str, Any], checked: bool) -> dict[str, Any]:
        with self._lock:
            # Asked while the lock is held: another thread may have freed it while this one waited.
            if not self.is_active:
                raise InputError(f"{self.name} is not active: use it as a context manager (with runner: ...)")
            started = perf_counter()
            try:
                outputs = run(feed)
            except Exception as error:
                # Not before: some runtimes take such inputs, and a check of each call would cost them.
                if checked and (problem := shape_problem(feed, self.signature)):
                    raise InputError(problem) from error
                raise
            self._seconds = perf_counter() - started
        return outputs

    def feed(self, sample: object) -> dict[str, np.ndarray]:
        """Return a sample, as a loader gives it, as the arrays by name that `infer` takes.

        Raises:
            InputError: it is not what the model takes.
        """
        feed = feed_of(call_of(sample, self._framework.name), self.signature, self._framework)
        check_arrays(feed, self.signature, self._framework.name)
        return feed

    def last_inference_time(self) -> float | None:
        """Return the duration of the last inference in s, None before the first one."""
        return self._seconds

    def get_input_metadata(self, use_numpy_dtypes: bool | None = None) -> Any:
        """Return Polygraphy's `TensorMetadata` of the inputs.

        Args:
            use_numpy_dtypes: what Polygraphy has deprecated; the types are its own whatever is said.
        """
        from polygraphy.common import TensorMetadata
        from polygraphy.datatype import DataType

        from pytest_navigator.samples.npz import dtype_of

        metadata = TensorMetadata()
        for spec in self.signature.inputs:
            shape = [None if size == -1 else size for size in spec.shape]
            metadata.add(spec.name, DataType.from_dtype(dtype_of(spec.dtype)), shape)
        return metadata


def _by_name(specs: Sequence[TensorSpec]) -> dict[str, TensorSpec]:
    return {spec.name: spec for spec in specs}
