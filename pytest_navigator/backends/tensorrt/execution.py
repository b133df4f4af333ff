"""One engine in execution: shapes, addresses, and the bare call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.tensorrt.engine import Tensor, fitting, load, tensors
from pytest_navigator.backends.tensorrt.memory import Memory, Stream
from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np


class Execution:
    """An engine with its context, its stream and its buffers on the GPU. Not thread-safe.

    Args:
        path: of the engine; backend: "tensorrt" or "tensorrt_rtx".
        runs_its_code: as for `load`.

    Raises:
        StepFailed: it cannot be loaded, or the GPU has too little memory for it.
    """

    def __init__(self, path: Path, backend: str, *, runs_its_code: bool = False) -> None:
        self.loaded = load(path, backend, runs_its_code=runs_its_code)
        self.context = self.loaded.engine.create_execution_context()
        if self.context is None:
            raise StepFailed("the GPU has too little memory for the engine's activations")
        found = tensors(self.loaded)
        self.inputs = {tensor.name: tensor for tensor in found if tensor.is_input}
        self.outputs = {tensor.name: tensor for tensor in found if not tensor.is_input}
        self.stream, self.memory = Stream(), Memory()
        self.profile = 0
        self._host: dict[str, np.ndarray] = {}
        self._allocators: dict[str, Any] = {}

    def close(self) -> None:
        """Free what is on the GPU."""
        del self.context
        self.memory.free()
        self.stream.free()
        del self.loaded

    def prepare(self, feed: Mapping[str, np.ndarray]) -> None:
        """Put inputs on the GPU and give every output its place.

        Raises:
            StepFailed: an input is missing, or has a type or shape that the engine does not take.
        """
        arrays = {name: self._checked(tensor, feed) for name, tensor in self.inputs.items()}
        self._choose_profile({name: array.shape for name, array in arrays.items()})
        for name, array in arrays.items():
            self._place(self.inputs[name], array)
        if missing := self.context.infer_shapes():
            raise StepFailed(f"the engine cannot tell its outputs' shapes without {', '.join(missing)}")
        for tensor in self.outputs.values():
            self._make_room(tensor)
        # The copies run by themselves: what they read must stay as it is until they are done.
        self.stream.wait()

    def enqueue(self) -> None:
        """Put one inference into the stream.

        Raises:
            StepFailed: TensorRT refused; it has printed why.
        """
        if not self.context.execute_async_v3(self.stream.handle):
            raise StepFailed("TensorRT could not start the inference; it has printed why")

    def call(self) -> Callable[[], object]:
        """Return the bare call: one inference, until the GPU is done."""
        enqueue, wait = self.enqueue, self.stream.wait

        def once() -> None:
            enqueue()
            wait()

        return once

    def graph(self) -> Callable[[], object]:
        """Return the same by a CUDA graph, for the shapes and addresses of now."""
        self.enqueue()  # what TensorRT does at the first inference with new shapes cannot be recorded
        self.stream.wait()
        launch, wait = self.stream.recorded(self.enqueue), self.stream.wait

        def once() -> None:
            launch()
            wait()

        return once

    def results(self) -> dict[str, np.ndarray]:
        """Copy the outputs."""
        import numpy as np

        found = {}
        for name, tensor in self.outputs.items():
            if tensor.host:
                found[name] = self._host[name]
                continue
            found[name] = np.empty(self._shape(name), _dtype(tensor))
            self.stream.download(self._address(name), found[name])
        self.stream.wait()
        return found

    def copy(self) -> None:
        """Bring the inputs to the GPU and the outputs back once more."""
        for name, tensor in self.inputs.items():
            if not tensor.host:
                self.stream.upload(self._host[name], self.context.get_tensor_address(name))
        self.results()

    def _checked(self, tensor: Tensor, feed: Mapping[str, np.ndarray]) -> np.ndarray:
        import numpy as np

        if tensor.name not in feed:
            raise StepFailed(f"the engine has an input {tensor.name!r}, the model has {sorted(feed)}")
        array = feed[tensor.name]
        if array.dtype.name != tensor.dtype:
            raise StepFailed(f"input {tensor.name!r} is {array.dtype.name}, the engine takes {tensor.dtype}")
        # A scalar would have an axis: ascontiguousarray gives at least one.
        return np.ascontiguousarray(array).reshape(array.shape)

    def _choose_profile(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        index = fitting(list(self.inputs.values()), shapes)
        if index is None:
            raise StepFailed(f"no optimization profile of the engine takes {_named(shapes)}")
        if index != self.profile:
            _accepted(self.context.set_optimization_profile_async(index, self.stream.handle), f"profile {index}")
            self.stream.wait()
            self.profile = index

    def _place(self, tensor: Tensor, array: np.ndarray) -> None:
        if not self.context.set_input_shape(tensor.name, array.shape):
            raise StepFailed(f"the engine does not take shape {array.shape} of input {tensor.name!r}")
        if tensor.host:
            self._host[tensor.name] = array
            _accepted(self.context.set_tensor_address(tensor.name, array.ctypes.data), tensor.name)
            return
        address = self.memory.address(tensor.name, array.nbytes)
        self.stream.upload(array, address)
        self._host[tensor.name] = array  # until the copy is done
        _accepted(self.context.set_tensor_address(tensor.name, address), tensor.name)

    def _make_room(self, tensor: Tensor) -> None:
        import numpy as np

        shape = tuple(self.context.get_tensor_shape(tensor.name))
        if tensor.host:
            self._host[tensor.name] = np.zeros(shape, _dtype(tensor))
            _accepted(self.context.set_tensor_address(tensor.name, self._host[tensor.name].ctypes.data), tensor.name)
        elif -1 in shape:
            self._allocators[tensor.name] = _allocator(self.loaded.library, self.memory)
            _accepted(self.context.set_output_allocator(tensor.name, self._allocators[tensor.name]), tensor.name)
        else:
            size = int(np.prod(shape, dtype=np.int64)) * _dtype(tensor).itemsize
            _accepted(self.context.set_tensor_address(tensor.name, self.memory.address(tensor.name, size)), tensor.name)

    def _address(self, name: str) -> int:
        """Return where an output is: one whose size depends on the data is where its allocator has put it."""
        allocator = self._allocators.get(name)
        return int(allocator.address if allocator else self.context.get_tensor_address(name))

    def _shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an output; one that depends on the data is known after the inference alone."""
        allocator = self._allocators.get(name)
        return allocator.shape if allocator else tuple(self.context.get_tensor_shape(name))


def _accepted(answer: bool, what: str) -> None:
    """Raise StepFailed where TensorRT says no: it prints why, into format.log or on the terminal of who has called."""
    if not answer:
        raise StepFailed(f"TensorRT does not accept what it is given for {what}; it has printed why")


def _dtype(tensor: Tensor) -> Any:
    from pytest_navigator.samples.npz import dtype_of

    return dtype_of(tensor.dtype)


def _named(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())


def _allocator(library: Any, memory: Memory) -> Any:
    """Return what gives an output whose size depends on the data its place, during the inference."""

    class Allocator(library.IOutputAllocator):  # type: ignore[misc]
        def __init__(self) -> None:
            library.IOutputAllocator.__init__(self)
            self.shape: tuple[int, ...] = ()
            self.address = 0

        def reallocate_output(self, name: str, address: int, size: int, alignment: int) -> int:
            self.address = memory.address(name, size)
            return self.address

        def reallocate_output_async(self, name: str, address: int, size: int, alignment: int, stream: int) -> int:
            return self.reallocate_output(name, address, size, alignment)

        def notify_shape(self, name: str, shape: Any) -> None:
            self.shape = tuple(shape)

    return Allocator()
