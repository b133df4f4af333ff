"""Load an engine and ask it what it takes: TensorRT and TensorRT-RTX have one API under two names."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_navigator.devices.libraries import TITLES
from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MAGIC = {b"ptrt": "tensorrt", b"ftrt": "tensorrt", b"vtrt": "tensorrt_rtx"}  # How the files of the two flavours start

# TensorRT's name of a type -> numpy's (and ml_dtypes').
TYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "BF16": "bfloat16",
    "FP8": "float8_e4m3fn",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
    "BOOL": "bool",
}

Range = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


class Tensor(NamedTuple):
    """An input or output of an engine.

    Attributes:
        dtype: numpy's name of the type; shape: -1 where it changes.
        host: whether TensorRT wants it in the processor's memory, since shapes are computed from it.
        profiles: of an input: smallest, usual and largest shape in each optimization profile.
    """

    name: str
    is_input: bool
    dtype: str
    shape: tuple[int, ...]
    host: bool
    profiles: tuple[Range, ...] = ()


class Loaded(NamedTuple):
    """An engine, and what has to live as long as it."""

    engine: Any
    runtime: Any
    library: Any


def load(path: Path, backend: str, *, runs_its_code: bool = False) -> Loaded:
    """Load an engine on this process's GPU.

    Args:
        runs_its_code: whether the engine may bring the runtime that it runs in, as a version-compatible one does.

    Raises:
        StepFailed: the file is of the other flavour, damaged, or of another version or GPU; in TensorRT's words.
    """
    check_flavour(path, backend)
    library = import_module(backend)
    heard: list[str] = []
    runtime = library.Runtime(_logger(library, heard))
    if runs_its_code:
        runtime.engine_host_code_allowed = True
    engine = runtime.deserialize_cuda_engine(path.read_bytes())
    if engine is None:
        why = _cause(heard)
        raise StepFailed(f"{TITLES[backend]} {library.__version__} cannot load the engine: {why}", "\n".join(heard))
    return Loaded(engine, runtime, library)


def tensors(loaded: Loaded) -> list[Tensor]:
    """Return the inputs and outputs in the engine's order."""
    engine = loaded.engine
    return [_tensor(loaded, engine.get_tensor_name(index)) for index in range(engine.num_io_tensors)]


def fitting(inputs: Sequence[Tensor], shapes: Mapping[str, Sequence[int]]) -> int | None:
    """Return the first optimization profile that takes these shapes, the later ones in front; None if none does.

    Model Navigator's order: the first profile is often the widest, those after it are tuned.
    """
    count = max((len(tensor.profiles) for tensor in inputs), default=1)
    order = [*range(1, count), 0]
    return next((index for index in order if all(_takes(t, index, shapes[t.name]) for t in inputs)), None)


def _takes(tensor: Tensor, index: int, shape: Sequence[int]) -> bool:
    if len(tensor.profiles) <= index:
        return True
    low, _, high = tensor.profiles[index]
    return len(low) == len(shape) and all(a <= b <= c for a, b, c in zip(low, shape, high, strict=True))


def check_flavour(path: Path, backend: str) -> None:
    """See by a file's first bytes whose engine it is.

    Raises:
        StepFailed: it is no engine, or one of the other flavour.
    """
    with path.open("rb") as file:
        flavour = MAGIC.get(file.read(4))
    if flavour is None:
        raise StepFailed(f"{path.name} is no engine of {TITLES[backend]}: it was cut off or is something else")
    if flavour != backend:
        raise StepFailed(f"{path.name} is an engine of {TITLES[flavour]}, not of {TITLES[backend]}")


def _tensor(loaded: Loaded, name: str) -> Tensor:
    engine, library = loaded.engine, loaded.library
    is_input = engine.get_tensor_mode(name) == library.TensorIOMode.INPUT
    host = engine.get_tensor_location(name) == library.TensorLocation.HOST
    shape = tuple(engine.get_tensor_shape(name))
    ranges = [] if host or not is_input or not shape else _profiles(engine, name)
    kind = engine.get_tensor_dtype(name).name
    return Tensor(name, is_input, TYPES.get(kind, kind), shape, host, tuple(ranges))


def _profiles(engine: Any, name: str) -> list[Range]:
    found = [engine.get_tensor_profile_shape(name, index) for index in range(engine.num_optimization_profiles)]
    return [tuple(tuple(shape) for shape in shapes) for shapes in found]  # type: ignore[misc]


def _logger(library: Any, heard: list[str]) -> Any:
    """Return a logger that keeps errors and prints what it hears: that goes to the format's log."""

    class Logger(library.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            library.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity <= library.ILogger.Severity.WARNING:
                print(f"[{severity.name}] {message}", flush=True)
            if severity <= library.ILogger.Severity.ERROR:
                heard.append(message)

    return Logger()


def _cause(heard: Sequence[str]) -> str:
    """Return the first error that is not merely about what follows from it."""
    from pytest_navigator.backends.tensorrt.messages import failure

    return failure("\n".join(f"[E] {line}" for line in heard)) if heard else "it says nothing"
