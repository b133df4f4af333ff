"""Memory, streams and graphs of a CUDA device, by NVIDIA's own bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


def called(answer: tuple[Any, ...]) -> Any:
    """Return what a function of the CUDA runtime gave.

    Raises:
        StepFailed: with CUDA's name of the error ("cudaErrorMemoryAllocation").
    """
    from cuda.bindings import runtime

    error, *values = answer
    if error != runtime.cudaError_t.cudaSuccess:
        _, text = runtime.cudaGetErrorString(error)
        raise StepFailed(f"CUDA: {text.decode()} ({error.name})", kind=error.name)
    return values[0] if values else None


class Stream:
    """A stream of its own: work that is put into it runs in order."""

    def __init__(self) -> None:
        from cuda.bindings import runtime

        self._runtime = runtime
        self._graph: Any = None
        self._stream = called(runtime.cudaStreamCreateWithFlags(runtime.cudaStreamNonBlocking))
        self.handle = int(self._stream)

    def wait(self) -> None:
        """Return after everything in it is done."""
        called(self._runtime.cudaStreamSynchronize(self._stream))

    def upload(self, array: np.ndarray, address: int) -> None:
        """Copy a contiguous array to the device; the array must live until the stream has been waited for."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        called(self._runtime.cudaMemcpyAsync(address, array.ctypes.data, array.nbytes, kind, self._stream))

    def download(self, address: int, array: np.ndarray) -> None:
        """Copy from the device into a contiguous array, which is complete after the stream has been waited for."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        called(self._runtime.cudaMemcpyAsync(array.ctypes.data, address, array.nbytes, kind, self._stream))

    def recorded(self, work: Callable[[], object]) -> Callable[[], object]:
        """Record what `work` puts into the stream as a CUDA graph; returns what launches it, until the next one."""
        runtime = self._runtime
        called(runtime.cudaStreamBeginCapture(self._stream, runtime.cudaStreamCaptureMode.cudaStreamCaptureModeRelaxed))
        try:
            work()
        finally:
            # Whatever was raised: a stream that is still recording runs nothing.
            graph = called(runtime.cudaStreamEndCapture(self._stream))
        self._forget_graph()
        launched = self._graph = called(runtime.cudaGraphInstantiate(graph, 0))
        called(runtime.cudaGraphDestroy(graph))
        return lambda: called(runtime.cudaGraphLaunch(launched, self._stream))

    def free(self) -> None:
        """Give the stream back, and the graph that was recorded last."""
        self._forget_graph()
        called(self._runtime.cudaStreamDestroy(self._stream))

    def _forget_graph(self) -> None:
        if self._graph is not None:
            called(self._runtime.cudaGraphExecDestroy(self._graph))
            self._graph = None


class Memory:
    """Buffers on the device by name, each made larger when more is asked of it."""

    def __init__(self) -> None:
        self._buffers: dict[str, tuple[int, int]] = {}

    def address(self, name: str, size: int) -> int:
        """Return where a buffer of at least `size` bytes is; what was in it may be gone.

        Raises:
            StepFailed: the device has not so much memory left.
        """
        from cuda.bindings import runtime

        old, capacity = self._buffers.get(name, (0, 0))
        if capacity < max(size, 1):
            if old:
                called(runtime.cudaFree(old))
            self._buffers.pop(name, None)
            old = int(called(runtime.cudaMalloc(max(size, 1))))
            self._buffers[name] = old, max(size, 1)
        return old

    def free(self) -> None:
        """Give all of it back."""
        from cuda.bindings import runtime

        for address, _ in self._buffers.values():
            called(runtime.cudaFree(address))
        self._buffers.clear()
