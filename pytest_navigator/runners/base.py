"""A runner is a format loaded into a runtime."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    import numpy as np

    from pytest_navigator.core.execution import Compilation, GraphBreaks, NodeAssignment
    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.script_parts import RunnerCode, Subject
    from pytest_navigator.frameworks.base import Source

    Direct = Callable[[dict[str, Any]], dict[str, Any]]


class Runner(ABC):
    """`activate / infer / deactivate`, as a context manager. Not thread-safe: one thread at a time.

    Args:
        artifact: file or folder of the format; for a live runner (`live = True`) the source itself.
        signature: names, types and structure of inputs and outputs.
        parameters: the variant's parameters, as plain data.
    """

    name: ClassVar[str]
    """Model Navigator's name, unique: "OnnxCPU"."""

    format: ClassVar[str]
    """Name of the format that it runs: "onnx"."""

    runtime: ClassVar[str]
    """What executes, as item ids and `--nav-runtimes` write it: "cpu", "cuda", "compile-cpu", "tensorrt"."""

    device: ClassVar[str] = "cpu"
    """"cpu" or "cuda"."""

    requires: ClassVar[tuple[str, ...]] = ()
    """Packages that can be imported, and other names in `pytest_navigator.devices.requirements` ("cuda").

    The one that a user should hear of first in front.
    """

    imports: ClassVar[tuple[str, ...]] = ()
    """Modules that loading needs, beside those of `requires`: the child imports them while the format is exported."""

    default: ClassVar[bool] = True
    """Whether it runs when nobody says which runtimes to check."""

    live: ClassVar[bool] = False
    """Whether it runs the live model, and so in the process that holds it, instead of a file."""

    keeps: ClassVar[bool] = False
    """Whether a live runner stays loaded for the next steps of its cell: it compiles when it is called first."""

    single_thread: bool = False
    """Whether a session has to compute in the thread that calls it, and wait without spinning where it cannot.

    Set before `activate`. What takes its threads from the process has one there already (`isolation/one_thread`).
    """

    diagnosis: ClassVar[str] = ""
    """Where the class is imported from that finds the first value that it computes otherwise than the source:
    "package.module:Class", derived from `pytest_navigator.formats.diagnosis.Diagnosis`; "": what the format says."""

    recording: bool = False
    """Whether `nodes` and `graph_breaks` will be asked for, which may cost something while it loads."""

    def __init__(self, artifact: Path | Source, signature: Signature, parameters: Parameters) -> None:
        self.artifact = artifact
        self.signature = signature
        self.parameters = parameters

    @abstractmethod
    def activate(self) -> None:
        """Load the artifact.

        Raises:
            StepFailed: the runtime that was asked for silently became another (ONNX Runtime falls back to the CPU).
        """

    @abstractmethod
    def deactivate(self) -> None:
        """Free what `activate` took, device memory included."""

    @abstractmethod
    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one inference.

        Args:
            feed: one array per name in `signature.inputs`.

        Returns:
            One array per output of the artifact: by the names of `signature.outputs`, in their order; an artifact that
            returns more or fewer outputs returns them as `output__{i}` so that the comparison can say so.
        """

    def rest(self) -> None:  # noqa: B027  # most hold nothing
        """Give back what `bind` holds, between two steps that it stays loaded for."""

    def compilation(self) -> Compilation | None:
        """Return what it has compiled since the last time that this was asked; None: it does not compile."""
        return None

    def made_of(self) -> tuple[str, Sequence[type]]:
        """Return the structure of the model that it compiles, as text without weights, and the classes of its parts."""
        return "", ()

    def compile_in(self, folder: Path) -> None:  # noqa: B027  # most compile nothing
        """Keep what is compiled in a folder, and use what an earlier process has left there."""

    def compiled_anew(self) -> bool:
        """Return whether something was compiled, since this was asked last, that the folder did not have."""
        return False

    def direct(self, arrays: str) -> Direct | None:
        """Return the inference on arrays that need no conversion, of an activated runner on the CPU.

        It takes one array per input, by name and in the order of the signature, which `Framework.fits` has found good,
        and gives outputs as `infer` does. Neither keeps nor changes what it is given, nor what it has given before.

        Args:
            arrays: whose arrays it takes and gives, as `Signature.array_type` says it.

        Returns:
            None: it runs on others.
        """
        return None

    def structured(self, feed: Mapping[str, np.ndarray]) -> object:
        """Run one inference whose outputs nobody has described yet.

        Returns:
            What the runtime returned, in its own structure with numpy arrays in it; arrays by name where it has none.
        """
        return self.infer(feed)

    def watched(self, feed: Mapping[str, np.ndarray]) -> object:
        """Tell what the outputs of an inference are computed in.

        Returns:
            What `structured` does, with the text of a `Computed` in an array in each array's place; None: it cannot.
        """
        return None

    @abstractmethod
    def bind(self, feed: Mapping[str, np.ndarray]) -> Callable[[], object]:
        """Return the bare call of the runtime on inputs that are already where the runtime wants them.

        What is timed is this call and nothing else; on an asynchronous device it returns after the device is done.
        """

    def copies(self, feed: Mapping[str, np.ndarray], returned: object) -> Callable[[], object] | None:
        """Return what brings inputs to the device and outputs back, which `bind` leaves out; None: nobody knows it.

        It returns when the copies are done. A user with numpy arrays pays it beside the call. Asked of a runner on a
        GPU alone, with what the call that `bind` gave has returned.
        """
        return None

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode | None:
        """Return loading and calling as source text of the upstream libraries; None: there are no scripts for it."""
        return None

    def nodes(self) -> NodeAssignment | None:
        """Which part of the runtime runs each node of the model; None: it does not tell."""
        return None

    def graph_breaks(self) -> GraphBreaks | None:
        """Where a compiler has cut the model, after an inference; None: it does not cut any, or does not tell."""
        return None

    def settings(self) -> dict[str, JSON]:
        """Numeric and thread settings that the figures depend on, of an activated runner."""
        return {}

    def __enter__(self) -> Self:
        self.activate()
        return self

    def __exit__(self, *exc: object) -> None:
        self.deactivate()
