"""A package's runner, and what PyTriton must know of it to serve it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.deploy.batches import obstacle, only_batches
from pytest_navigator.deploy.package import check_open
from pytest_navigator.deploy.protocol.datatypes import DATATYPES
from pytest_navigator.deploy.pytriton_classes import classes
from pytest_navigator.deploy.recorded import RecordedRunner
from pytest_navigator.deploy.serve.chosen import checked_runner
from pytest_navigator.errors import PackageError
from pytest_navigator.package.query.strategies import either

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from pytest_navigator.core.records import TensorSpec
    from pytest_navigator.deploy.package import Served
    from pytest_navigator.package.query.strategies import Strategy
    from pytest_navigator.package.running.runner import PackageRunner

    Change = Callable[[np.ndarray], np.ndarray]

TEXT = tuple(TEXT_TYPES.values())
# Of the protocol's types PyTriton cannot pass on bfloat16, which numpy has not.
NUMBERS = DATATYPES.keys() - {"bfloat16", *TEXT}


class PyTritonAdapter:
    """What `pytriton.triton.Triton.bind` takes, of a runner of a package.

    Where PyTriton is installed, `inputs`, `outputs` and `config` are of its own classes, else of classes with the same
    fields.

    A model whose tensors do not all have a batch axis in front that takes any size is served without batching, with
    full shapes: its function is decorated with PyTriton's `sample` instead of `batch`.
    """

    def __init__(
        self,
        package: Served,
        strategy: Strategy | None = None,
        strategies: Sequence[Strategy] | None = None,
        *,
        format: str | None = None,
        runtime: str | None = None,
        verified_only: bool = False,
        threads: int | None = None,
    ) -> None:
        """Choose the runner; its format's files are extracted, nothing is loaded.

        Args:
            package: an open package; its live model counts only if `load_source` gave it.
            strategy: or `strategies`, of which the first that has an answer counts; None: the default ones.
            format: serve this one, in the first runner that passed, or in that which strategies choose.
            runtime: only this one, or this runner.
            verified_only: leave out what neither a `verify_` test nor `set_verified` vouches for.
            threads: of one inference, of a runner of ONNX Runtime; None: what the package says, else all cores.

        Raises:
            ConfigError: `strategy` and `strategies` are given, or one of them is none.
            PackageError: there is no such runner, it did not pass, or it cannot run here; or PyTriton cannot pass on
                a type of the model's.
            StrategyError: no strategy has an answer.
        """
        check_open(package)
        asked = either(strategy, strategies)
        found = checked_runner(
            package,
            format,
            runtime=runtime,
            strategies=asked,
            include_source=package.has_source,
            verified_only=verified_only,
            threads=threads,
        )
        self._recorded = RecordedRunner.of(package.results, found)
        self._found = found
        self._inputs = [_Passed.of(spec, self.batching) for spec in found.signature.inputs]
        self._outputs = [_Passed.of(spec, self.batching) for spec in found.signature.outputs]

    @cached_property
    def runner(self) -> PackageRunner | AdaptedRunner:
        """The runner, not active yet; threads may share it, their calls run one after the other."""
        if not any(tensor.changes for tensor in (*self._inputs, *self._outputs)):
            return self._found
        return AdaptedRunner(self._found, self._inputs, self._outputs)

    @property
    def batching(self) -> bool:
        """Whether requests can be joined along axis 0."""
        signature = self._found.signature
        if only_batches(self._recorded.results, self._recorded.key):
            return False
        return not obstacle(signature.batch_dim, (*signature.inputs, *signature.outputs))

    @property
    def inputs(self) -> list[Any]:
        """A `Tensor` for each input, in the model's order."""
        return [tensor.described() for tensor in self._inputs]

    @property
    def outputs(self) -> list[Any]:
        """A `Tensor` for each output."""
        return [tensor.described() for tensor in self._outputs]

    @cached_property
    def config(self) -> Any:
        """The `ModelConfig`, to be changed: requests are joined up to the largest batch that was measured.

        Without a batch axis `max_batch_size` is 0, as in Triton's own configuration.
        """
        own = classes()
        size = self._recorded.largest_batch if self.batching else 0
        return own.config(batching=self.batching, max_batch_size=size, batcher=own.batcher())


@dataclass(frozen=True)
class _Passed:
    """A tensor as PyTriton passes it on.

    Triton has no tensor without axes, and text as bytes alone.
    """

    spec: TensorSpec
    shape: tuple[int, ...]

    @classmethod
    def of(cls, spec: TensorSpec, batching: bool) -> _Passed:
        if spec.dtype not in NUMBERS and spec.dtype not in TEXT:
            raise PackageError(f"{spec.name!r} is {spec.dtype}, which PyTriton has no type for")
        return cls(spec, spec.shape[1:] if batching else spec.shape)

    @property
    def changes(self) -> bool:
        return not self.shape or self.spec.dtype in TEXT

    def described(self) -> Any:
        import numpy as np

        dtype = np.bytes_ if self.spec.dtype in TEXT else np.dtype(self.spec.dtype).type
        return classes().tensor(name=self.spec.name, shape=self.shape or (1,), dtype=dtype)

    def taken(self, array: np.ndarray) -> np.ndarray:
        """Return an array of a request as the model takes it."""
        import numpy as np

        if not self.shape:
            array = array.reshape(array.shape[:-1])
        if self.spec.dtype in TEXT:
            array = array.astype(np.bytes_)
        return np.char.decode(array, "utf-8") if self.spec.dtype == "str" else array

    def given(self, array: np.ndarray) -> np.ndarray:
        """Return an output as PyTriton passes it on."""
        import numpy as np

        if not self.shape:
            array = array[..., None]
        return np.char.encode(array, "utf-8") if self.spec.dtype == "str" else array


class AdaptedRunner:
    """A runner that takes and gives what PyTriton passes on: an axis of one for a number, bytes for text.

    All else is that of the package's runner.
    """

    def __init__(self, runner: PackageRunner, inputs: Sequence[_Passed], outputs: Sequence[_Passed]) -> None:
        self._runner = runner
        self._taken = {tensor.spec.name: tensor.taken for tensor in inputs}
        self._given = {tensor.spec.name: tensor.given for tensor in outputs}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # a copy, or what is unpickled, is asked for such before it has a runner
            raise AttributeError(name)
        return getattr(self._runner, name)

    def __enter__(self) -> AdaptedRunner:
        self._runner.activate()
        return self

    def __exit__(self, *exc: object) -> None:
        self._runner.deactivate()

    def infer(self, feed_dict: Mapping[str, np.ndarray], check_inputs: bool = True) -> dict[str, np.ndarray]:
        """Run one inference; see `PackageRunner.infer`."""
        outputs = self._runner.infer(_changed(self._taken, feed_dict), check_inputs)
        return _changed(self._given, outputs)


def _changed(changes: Mapping[str, Change], arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    # A name that the model does not have is the package's runner's to refuse.
    return {name: changes[name](array) if name in changes else array for name, array in arrays.items()}
