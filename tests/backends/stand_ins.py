"""What stands in for CUDA and TensorRT where there is no GPU: their functions, on the processor's memory.

They show that calls are made in the right order with the right addresses, and what happens when one is refused; never
that an engine runs.
"""

from __future__ import annotations

import ctypes
import sys
from enum import IntEnum
from types import ModuleType, SimpleNamespace

import numpy as np


class Error(IntEnum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2


class Cuda(ModuleType):
    """`cuda.bindings.runtime`: memory is this process's, a stream does at once what it is given."""

    cudaError_t = Error
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeRelaxed=2)
    cudaStreamNonBlocking = 1

    def __init__(self, limit=2**20):
        super().__init__("cuda.bindings.runtime")
        self.limit, self.memory, self.calls, self.graphs, self.launch = limit, {}, [], 0, (Error.cudaSuccess,)
        self.copied = []

    def cudaGetErrorString(self, error):
        return Error.cudaSuccess, error.name.encode()

    def cudaMalloc(self, size):
        if size > self.limit:
            return Error.cudaErrorMemoryAllocation, 0
        buffer = ctypes.create_string_buffer(size)
        self.memory[ctypes.addressof(buffer)] = buffer
        return Error.cudaSuccess, ctypes.addressof(buffer)

    def cudaFree(self, address):
        del self.memory[address]
        return (Error.cudaSuccess,)

    def cudaMemcpyAsync(self, target, source, size, kind, stream):
        ctypes.memmove(target, source, size)
        self.copied.append((kind, size))
        return (Error.cudaSuccess,)

    def cudaStreamCreateWithFlags(self, flags):
        return Error.cudaSuccess, 7

    def cudaStreamSynchronize(self, stream):
        return (Error.cudaSuccess,)

    def cudaStreamDestroy(self, stream):
        return (Error.cudaSuccess,)

    def cudaStreamBeginCapture(self, stream, mode):
        return (Error.cudaSuccess,)

    def cudaStreamEndCapture(self, stream):
        return Error.cudaSuccess, "graph"

    def cudaGraphInstantiate(self, graph, flags):
        self.graphs += 1
        return Error.cudaSuccess, "executable"

    def cudaGraphDestroy(self, graph):
        return (Error.cudaSuccess,)

    def cudaGraphExecDestroy(self, executable):
        self.graphs -= 1
        return (Error.cudaSuccess,)

    def cudaGraphLaunch(self, executable, stream):
        self.calls.append("launch")
        return self.launch


class Context:
    """Doubles `x` into `y`, and puts the elements of `x` that are positive into `found`."""

    def __init__(self, engine):
        self.engine, self.profile, self.addresses, self.shapes, self.allocators = engine, 0, {}, {}, {}

    def set_optimization_profile_async(self, index, stream):
        self.profile = index
        return True

    def set_input_shape(self, name, shape):
        self.shapes[name] = tuple(shape)
        return True

    def infer_shapes(self):
        self.shapes |= {"y": self.shapes["x"], "found": (-1,)}
        return []

    def get_tensor_shape(self, name):
        return self.shapes[name]

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return True

    def get_tensor_address(self, name):
        return self.addresses.get(name, 0)

    def set_output_allocator(self, name, allocator):
        self.allocators[name] = allocator
        return True

    def execute_async_v3(self, stream):
        if self.engine.refuses:
            return False
        x = _array(self.addresses["x"], self.shapes["x"])
        _array(self.addresses["y"], x.shape)[...] = 2 * x
        found, allocator = x[x > 0], self.allocators["found"]
        address = allocator.reallocate_output_async("found", 0, max(found.nbytes, 1), 256, stream)
        _array(address, found.shape)[...] = found
        allocator.notify_shape("found", found.shape)
        return True


def _array(address, shape):
    count = int(np.prod(shape))
    return np.frombuffer((ctypes.c_float * count).from_address(address), np.float32).reshape(shape)


class Engine:
    num_io_tensors, num_optimization_profiles = 3, 2

    def __init__(self, library):
        self.library, self.refuses, self.contexts = library, False, []

    def get_tensor_name(self, index):
        return ("x", "y", "found")[index]

    def get_tensor_mode(self, name):
        return self.library.TensorIOMode.INPUT if name == "x" else self.library.TensorIOMode.OUTPUT

    def get_tensor_location(self, name):
        return self.library.TensorLocation.DEVICE

    def get_tensor_shape(self, name):
        return (-1,) if name == "found" else (-1, 3)

    def get_tensor_dtype(self, name):
        return SimpleNamespace(name="FLOAT")

    def get_tensor_profile_shape(self, name, index):
        return [((1, 3), (2, 3), (8, 3)), ((1, 3), (1, 3), (1, 3))][index]

    def create_execution_context(self):
        self.contexts.append(Context(self))
        return self.contexts[-1]


class TensorRT(ModuleType):
    """`tensorrt`, with one engine."""

    __version__ = "10.12.0"
    TensorIOMode = SimpleNamespace(INPUT="input", OUTPUT="output")
    TensorLocation = SimpleNamespace(DEVICE="device", HOST="host")

    class ILogger:
        Severity = IntEnum("Severity", "INTERNAL_ERROR ERROR WARNING INFO")

    class IOutputAllocator:
        pass

    def __init__(self):
        super().__init__("tensorrt")
        self.engine = Engine(self)

    def Runtime(self, logger):
        """Return what makes the engine of a file; of one that brings code only if that is allowed."""

        def deserialize(content):
            return None if b"code" in content and not runtime.engine_host_code_allowed else self.engine

        runtime = SimpleNamespace(deserialize_cuda_engine=deserialize, engine_host_code_allowed=False)
        return runtime


def install(monkeypatch, **options):
    """Put both into sys.modules for one test, and return them."""
    cuda, library = Cuda(**options), TensorRT()
    for name, module in (
        ("cuda", ModuleType("cuda")),
        ("cuda.bindings", ModuleType("cuda.bindings")),
        ("cuda.bindings.runtime", cuda),
        ("tensorrt", library),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    sys.modules["cuda.bindings"].runtime = cuda
    return cuda, library
