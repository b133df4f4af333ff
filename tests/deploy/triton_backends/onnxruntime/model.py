"""Triton's backend for ONNX files, of its Python backend and ONNX Runtime as it is installed here.

The real one is in NVIDIA's containers only. Like that, it refuses a configuration that is not the file's.
"""

from __future__ import annotations

import ctypes
import json
from pathlib import Path

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils

TYPES = {
    "TYPE_BOOL": "bool",
    "TYPE_FP16": "float16",
    "TYPE_FP32": "float",
    "TYPE_FP64": "double",
    "TYPE_STRING": "string",
} | {f"TYPE_{sign}INT{bits}": f"{sign}int{bits}".lower() for sign in ("", "U") for bits in (8, 16, 32, 64)}
THREADS = "intra_op_thread_count"


class Shared:
    """An array for Triton by DLPack: this server was built before numpy 2, whose arrays it reads as empty ones."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = np.ascontiguousarray(array)
        self.__dlpack_device__ = self.array.__dlpack_device__

    def __dlpack__(self, **options: object) -> object:
        capsule = self.array.__dlpack__()
        # Triton frees the memory; numpy's own way would complain that the capsule has another name by then.
        ctypes.pythonapi.PyCapsule_SetDestructor(ctypes.py_object(capsule), None)
        return capsule


class TritonPythonModel:
    """One instance of a model."""

    def initialize(self, args: dict) -> None:
        """Load the file and compare it with the configuration."""
        config = json.loads(args["model_config"])
        options = onnxruntime.SessionOptions()
        if THREADS in config["parameters"]:
            options.intra_op_num_threads = int(config["parameters"][THREADS]["string_value"])
        self.session = onnxruntime.InferenceSession(_file(config), options, providers=["CPUExecutionProvider"])
        self.outputs = [output["name"] for output in config["output"]]
        for kind, own in (("input", self.session.get_inputs()), ("output", self.session.get_outputs())):
            _compare(kind, config, {tensor.name: (_shape(tensor), tensor.type) for tensor in own})

    def execute(self, requests: list) -> list:
        """Answer requests, which one call joins along the batch where there are several."""
        return [self._answered(request) for request in requests]

    def _answered(self, request: object) -> object:
        feed = {tensor.name(): np.from_dlpack(tensor) for tensor in request.inputs()}
        outputs = zip(self.outputs, self.session.run(self.outputs, feed), strict=True)
        tensors = [pb_utils.Tensor.from_dlpack(name, Shared(array)) for name, array in outputs]
        return pb_utils.InferenceResponse(output_tensors=tensors)


def _file(config: dict) -> str:
    path = Path(pb_utils.get_model_dir()) / (config["default_model_filename"] or "model.onnx")
    return str(path / "model.onnx" if path.is_dir() else path)  # a folder holds the file with its external data


def _shape(tensor: object) -> list[int]:
    return [size if isinstance(size, int) else -1 for size in tensor.shape]


def _compare(kind: str, config: dict, own: dict) -> None:
    batch = [-1] if config["max_batch_size"] else []
    said = {}
    for tensor in config[kind]:
        dims = tensor["reshape"]["shape"] if "reshape" in tensor else tensor["dims"]
        said[tensor["name"]] = (batch + [int(size) for size in dims], f"tensor({TYPES[tensor['data_type']]})")
    if said != own:
        raise pb_utils.TritonModelException(f"the {kind}s of the file are {own}, those of the configuration {said}")
