"""What the plugin needs of a framework, and of a live model through it."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np

    from pytest_navigator.comparison.computed import Computed
    from pytest_navigator.core.plain import Parameters, Tree
    from pytest_navigator.core.records import Description, Signature, TensorSpec
    from pytest_navigator.core.variants import RunnerRecord
    from pytest_navigator.samples.structure import Call

    Watched = tuple[object, Callable[[Any], Computed]]
    """What a call gives, in the model's own structure, and what tells of each leaf in it what it was computed in."""


class Connection(Protocol):
    """What a source that does not run in this process has of the step: the child, and what it is told there."""

    @property
    def reads_with(self) -> tuple[str, ...]:
        """What reading a file of this format needs."""

    def runners(self) -> Sequence[RunnerRecord]:
        """Return what can run the variant, the preferred one first."""

    def take(self, model: Path, own: Description) -> None:
        """Copy a file, and those beside it that belong to it, into the suite's folder."""

    def describe(self, model: Path) -> Description:
        """Return what a file says of itself, and what the user says of it where it does not."""

    def open_runner(self, runner: RunnerRecord, signature: Signature) -> str:
        """Load a runner of the file in the child, and keep it until it is closed; returns its handle."""

    def close_runner(self, handle: str) -> None:
        """Free it."""

    def observe(self, handle: str, feed: Mapping[str, np.ndarray]) -> tuple[Tree, dict[str, np.ndarray]]:
        """Run one inference of an open runner; returns the structure of its outputs too."""

    def watch(self, handle: str, feed: Mapping[str, np.ndarray]) -> tuple[Tree | None, dict[str, np.ndarray]]:
        """Do the same with what the outputs are computed in, as text, in their places; nothing where nothing tells."""

    def missing(self, names: Sequence[str]) -> str | None:
        """Return what this machine lacks of what is named."""

    def require(self, *names: str) -> None:
        """Raise Unavailable unless this machine has what is named."""


class Framework(ABC):
    """Arrays, random state and models of one framework.

    Its module is imported only when a model of the framework is used; nothing here imports the framework before.
    """

    name: ClassVar[str]
    """Model Navigator's name: "torch", "tensorflow", "jax", "onnx", "python"."""

    package: ClassVar[str]
    """The importable top-level package, for telling the framework of a module and whether it is installed."""

    array_type: ClassVar[str] = ""
    """Whose arrays its models take and give, as `Signature.array_type` says it; "": its own."""

    packages: ClassVar[tuple[str, ...]] = ()
    """Packages built on it, which tell the framework of a module as well."""

    environment: ClassVar[Mapping[str, str]] = {}
    """Environment variables that are set before a model of it is built, unless the user has set them."""

    @abstractmethod
    def is_array(self, value: object) -> bool:
        """Whether a leaf of a sample is an array (numpy arrays always are)."""

    @abstractmethod
    def to_numpy(self, array: object) -> np.ndarray:
        """Copy an array to numpy; bfloat16 and float8 as ml_dtypes types. Shape and type stay."""

    @abstractmethod
    def from_numpy(self, array: np.ndarray, device: str = "cpu") -> object:
        """The framework's array with the same shape and type, on `device`."""

    def fits(self, spec: TensorSpec) -> Callable[[Any], bool] | None:
        """Return what tells whether a value can be an input as it is: an array of the framework's own, on the CPU.

        Of the type and the number of axes of `spec`, in C order. None: nothing can tell.
        """
        return None

    def shared(self, array: Any) -> np.ndarray:
        """Return an array that `fits`, of a type that numpy itself has, as numpy's: in the same memory if possible."""
        return self.to_numpy(array)

    def adopted(self, array: np.ndarray) -> object:
        """Return one of numpy's arrays that nobody else has as the framework's: in the same memory if possible."""
        return self.from_numpy(array)

    @abstractmethod
    def seeded(self, seed: int) -> AbstractContextManager[None]:
        """Seed the framework's random state (all devices); put the old state back on leaving."""

    @abstractmethod
    def source(self, model: object, parameters: Parameters) -> Source:
        """Wrap the user's model.

        Args:
            model: what the `nav_model` fixture returned.
            parameters: fields of the framework's own configuration class (`TorchConfig`), as plain data.

        Raises:
            SourceError: `model` is not one of this framework.
        """


class Source(ABC):
    """The user's live model: called with the user's own structures, never changed."""

    framework: Framework
    model: object
    is_whole: ClassVar[bool] = False
    """Whether its fingerprint is of all that it is (a file's); of others, outputs tell what parameters do not."""

    def connect(self, connection: Connection) -> None:
        """Take what a source needs that does not run in this process; called once, before anything else."""
        return

    def describe(self) -> Description | None:
        """Return what the source itself says of its inputs and outputs; None: the samples show it."""
        return None

    def title(self) -> str:
        """Return what the model is called in records: the name of its class or function."""
        kind: Any = self.model if inspect.isroutine(self.model) else type(self.model)
        return f"{kind.__module__}.{kind.__qualname__}"

    @abstractmethod
    def check(self) -> None:
        """Raise SourceError unless the model is ready for inference (not in training mode, on one device)."""

    @abstractmethod
    def fingerprint(self) -> str | None:
        """SHA-256 over the parameters (names, types, shapes, bytes); None for a model without any."""

    def digests(self) -> dict[str, str]:
        """The same by parameter and buffer, of a framework that can tell them apart.

        One that changes when the model is called (a counter, a cache) is left out of the model's identity: without
        names, that is all of it.
        """
        whole = self.fingerprint()
        return {} if whole is None else {"the parameters": whole}

    @abstractmethod
    def parameter_names(self) -> Sequence[str]:
        """Names of the positional parameters that the model is called with (without self, *args, **kwargs)."""

    def call_of(self, sample: object) -> Call:
        """Return the call that a sample of the loader stands for, by the calling convention of the framework.

        Raises:
            SourceError: a mapping that would be the keyword arguments has keys that are not strings.
        """
        from pytest_navigator.samples.structure import call_of

        return call_of(sample, self.framework.name)

    def input_names(self, call: Call) -> Sequence[str] | None:
        """Return names that the model itself has for the arrays of a call, in flattening order; None: it has none."""
        return None

    @abstractmethod
    def call(self, args: Sequence[object], kwargs: dict[str, object]) -> object:
        """Run one inference on the model's own device, without gradients; returns the model's own structure."""

    @abstractmethod
    def device(self) -> str:
        """The device that inputs must be on ("cpu", "cuda:0")."""

    @abstractmethod
    def precision(self) -> str:
        """The lowest precision in the model ("fp32", "bf16"), for where nothing tells what each output is computed in.

        "": it has none.
        """

    def watched(self, args: Sequence[object], kwargs: dict[str, object]) -> Watched | None:
        """Follow one inference; None where nothing can: `precision` and the types of the outputs decide then."""
        return None

    @abstractmethod
    def preserved(self) -> AbstractContextManager[None]:
        """Put mode, device and gradient flags of the model back on leaving, however the block ends."""
