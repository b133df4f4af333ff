"""What a server says of itself and of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_navigator._version import __version__
from pytest_navigator.deploy.protocol.datatypes import DATATYPES, check_types

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.core.records import Signature, TensorSpec

EXTENSIONS = ("binary_tensor_data", "statistics")


@dataclass(frozen=True)
class ServedModel:
    """A model as clients see it.

    Args:
        name: by which clients ask for it.
        signature: what goes in and what comes out.
        platform: what runs it ("onnx/OnnxCPU").
        version: the only one that there is, a number.

    Raises:
        ConfigError: the protocol has no name for one of its types.
    """

    name: str
    signature: Signature
    platform: str
    version: str = "1"

    def __post_init__(self) -> None:
        check_types(self.signature)


def server_metadata() -> dict[str, Any]:
    """Return the answer of `GET /v2`, plain data."""
    return {"name": "pytest-navigator", "version": __version__, "extensions": list(EXTENSIONS)}


def model_metadata(model: ServedModel) -> dict[str, Any]:
    """Return the answer of `GET /v2/models/NAME`, plain data; -1 is an axis of any size."""
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": model.platform,
        "inputs": _tensors(model.signature.inputs),
        "outputs": _tensors(model.signature.outputs),
    }


def _tensors(specs: Sequence[TensorSpec]) -> list[dict[str, Any]]:
    return [{"name": spec.name, "datatype": DATATYPES[spec.dtype], "shape": list(spec.shape)} for spec in specs]
