"""A project of models that are served: their axes and types are what servers are particular about."""

from __future__ import annotations

RUN = "-q -p no:cacheprovider --nav-package={model}.nav --nav-runtimes=cpu --nav-profile-seconds=0.05"

MODULES = {
    # An axis of any length beside the batch, and one number a row.
    "test_states.py": """
import pytest, torch
from pytest_navigator import NavConfig

nav_config = NavConfig(
    name="states",
    formats=["torchscript-trace", "torch-exportedprogram", "onnx"],
    output_names=["states", "score"],
)

class States(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(4, 3)

    def forward(self, tokens):
        states = torch.tanh(self.linear(tokens))
        return states, states.sum((1, 2))

@pytest.fixture
def nav_model() -> torch.nn.Module:
    return States().eval()

@pytest.fixture
def nav_dataloader():
    return [{"tokens": torch.randn(rows, length, 4)} for rows, length in ((4, 5), (2, 7))]
""",
    # No batch axis, and a number without any.
    "test_points.py": """
import pytest, torch
from pytest_navigator import NavConfig

nav_config = NavConfig(name="points", formats=["onnx"], batch_dim=None)

class Scaled(torch.nn.Module):
    def forward(self, points, scale):
        return {"scaled": points * scale, "largest": points.max()}

@pytest.fixture
def nav_model() -> torch.nn.Module:
    return Scaled().eval()

@pytest.fixture
def nav_dataloader():
    return [{"points": torch.randn(rows, 2), "scale": torch.tensor(2.5)} for rows in (3, 6)]
""",
    # Text, of one a row.
    "test_names.py": """
import numpy as np, onnx, pytest
from onnx import TensorProto, helper
from pytest_navigator import NavConfig

nav_config = NavConfig(name="names", framework="onnx")

@pytest.fixture(scope="module")
def nav_model(tmp_path_factory):
    values = [helper.make_tensor_value_info(name, TensorProto.STRING, ["batch"]) for name in ("first", "last", "name")]
    node = helper.make_node("StringConcat", ["first", "last"], ["name"])
    graph = helper.make_graph([node], "names", values[:2], values[2:])
    path = tmp_path_factory.mktemp("names") / "names.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    return path

@pytest.fixture(scope="module")
def nav_dataloader():
    return [{"first": np.array(["Zoë ", "Bo "]), "last": np.array(["Å", "Lee"])}]
""",
    # One input and output of each type that Triton's client has.
    "test_kinds.py": """
import numpy as np, onnx, pytest
from onnx import helper
from pytest_navigator import NavConfig

nav_config = NavConfig(name="kinds", framework="onnx")
TYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float64")

@pytest.fixture(scope="module")
def nav_model(tmp_path_factory):
    kinds = {name: helper.np_dtype_to_tensor_dtype(np.dtype(name)) for name in TYPES}
    inputs = [helper.make_tensor_value_info(name, kind, ["batch", 3]) for name, kind in kinds.items()]
    outputs = [helper.make_tensor_value_info(f"{name}_out", kind, ["batch", 3]) for name, kind in kinds.items()]
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name in TYPES]
    path = tmp_path_factory.mktemp("kinds") / "kinds.onnx"
    graph = helper.make_graph(nodes, "kinds", inputs, outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    return path

@pytest.fixture(scope="module")
def nav_dataloader():
    return [{name: np.array([[0, 1, 1], [1, 0, 1]], name) for name in TYPES}]
""",
}
