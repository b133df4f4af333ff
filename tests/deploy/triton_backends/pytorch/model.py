"""Triton's backend for TorchScript, of its Python backend and PyTorch as it is installed here.

The real one is in NVIDIA's containers only. Like that, it takes and gives tensors and tuples of them, no dicts; it
finds inputs by the names of forward's arguments, and outputs by their order.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
import triton_python_backend_utils as pb_utils
from torch.utils.dlpack import from_dlpack, to_dlpack

THREADS = "INTRA_OP_THREAD_COUNT"


class TritonPythonModel:
    """One instance of a model."""

    def initialize(self, args: dict) -> None:
        """Load the file and compare it with the configuration."""
        config = json.loads(args["model_config"])
        path = Path(pb_utils.get_model_dir()) / (config["default_model_filename"] or "model.pt")
        self.model = torch.jit.load(path, map_location="cpu").eval()
        if THREADS in config["parameters"]:
            torch.set_num_threads(int(config["parameters"][THREADS]["string_value"]))
        self.outputs = [output["name"] for output in config["output"]]
        schema = self.model.forward.schema
        self.inputs = [argument.name for argument in schema.arguments[1:]]
        given = [str(kind) for kind in _returned(schema.returns[0].type)]
        _compare("inputs", self.inputs, [tensor["name"] for tensor in config["input"]])
        _compare("outputs", ["Tensor"] * len(self.outputs), given)

    def execute(self, requests: list) -> list:
        """Answer requests."""
        return [self._answered(request) for request in requests]

    def _answered(self, request: object) -> object:
        feed = {tensor.name(): from_dlpack(tensor.to_dlpack()) for tensor in request.inputs()}
        with torch.no_grad():
            found = self.model(*[feed[name] for name in self.inputs])
        outputs = found if isinstance(found, tuple) else (found,)
        pairs = zip(self.outputs, outputs, strict=True)
        tensors = [pb_utils.Tensor.from_dlpack(name, to_dlpack(tensor.contiguous())) for name, tensor in pairs]
        return pb_utils.InferenceResponse(output_tensors=tensors)


def _returned(kind: torch._C.Type) -> list:
    return kind.elements() if kind.kind() == "TupleType" else [kind]


def _compare(what: str, own: list[str], said: list[str]) -> None:
    if own != said:
        raise pb_utils.TritonModelException(f"the {what} of the file are {own}, those of the configuration {said}")
