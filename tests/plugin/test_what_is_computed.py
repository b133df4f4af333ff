"""An output is judged by what it is computed in: nothing else that a model holds loosens its tolerance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from blackbox import status, words

if TYPE_CHECKING:
    from blackbox import Nav

TORCH = '''
import pytest, torch
from torch import nn
from pytest_navigator import NavConfig

def off(by):
    return 1 + by if torch.jit.is_tracing() else 1.0

class Model(nn.Module):
    def __init__(self, by=0.05):
        super().__init__()
        self.by = by
        self.layers = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 4))

    def forward(self, x):
        return self.layers(x) * off(self.by)

class Buffer(Model):
    def __init__(self):
        super().__init__()
        self.register_buffer("unused", torch.zeros(1, dtype=torch.bfloat16))

class Layer(Model):
    def __init__(self):
        super().__init__()
        self.auxiliary = nn.Linear(16, 4).half()

class Branch(Layer):
    def forward(self, x):
        self.auxiliary(x.half())
        return super().forward(x)

class Stored(Model):
    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.ones(4, dtype=torch.bfloat16))

    def forward(self, x):
        return super().forward(x) + self.bias

class Beside(Layer):
    def forward(self, x):
        return {"low": self.auxiliary(x.half()).float(), "high": super().forward(x)}

class HalfAtTheEnd(Model):
    def forward(self, x):
        return super().forward(x).bfloat16()

class Rounded(Model):
    def forward(self, x):
        y = self.layers(x).double() / 3
        return y.float().double() if torch.jit.is_tracing() else y

class Low(Layer):
    """Computes in float16, and a trace of it in another order."""
    def forward(self, x):
        y = self.auxiliary(x.half()).float()
        return y * (1.004 if torch.jit.is_tracing() else 1.0)

class LowAutocast(Model):
    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return self.layers(x).float() * off(0.01)

WRONG = [Buffer, Layer, Branch, Stored, Beside, HalfAtTheEnd, Rounded]
RIGHT = [Low, LowAutocast]

@pytest.fixture(scope="session", params=WRONG + RIGHT, ids=lambda kind: kind.__name__)
def nav_model(request) -> nn.Module:
    return request.param().eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(batch, 16) for batch in (1, 3)]
'''

WRONG = ["Buffer", "Layer", "Branch", "Stored", "Beside", "HalfAtTheEnd", "Rounded"]
RIGHT = ["Low", "LowAutocast"]


def test_no_other_tensor_excuses_an_error_and_no_low_precision_is_blamed(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(TORCH)
    result = nav("-v", "-rf", "--nav-in-process", "--nav-package={model}.nav")
    found = words(result)
    assert {name: found[f"test_correctness[{name}-torchscript-trace-cpu]"] for name in WRONG + RIGHT} == {
        **dict.fromkeys(WRONG, "FAILED"),
        **dict.fromkeys(RIGHT, "PASSED"),
    }
    text = result.stdout.str()
    assert "rounded to float32, where the source's values have more digits" in text
    assert "(fp32 rounded to bf16 default)" in text
    (package,) = pytester.path.glob("*-Beside.nav")
    source = status(package)["pytest_navigator"]["steps"]["source"]
    assert source["data"]["computed_in"] == {"low": "fp16>", "high": "fp32>"}


TWO = """
import numpy as np
import onnx
from onnx import TensorProto, helper

weights = [
    helper.make_tensor("w", TensorProto.FLOAT, (4, 4), np.arange(16)),
    helper.make_tensor("unused", TensorProto.FLOAT16, (4, 4), np.ones(16)),
]
values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in "xy"]
graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", values[:1], values[1:], weights)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "two.onnx")
"""


def test_a_weight_of_a_file_that_nothing_uses_loosens_nothing(pytester: pytest.Pytester, nav: Nav) -> None:
    exec(TWO, {})
    nav("--nav-model=two.onnx", "--nav-package=o.nav", "--nav-in-process", formats="")
    steps = status(pytester.path / "o.nav")["pytest_navigator"]["steps"]
    (checked,) = [step for name, step in steps.items() if name.startswith("correctness")]
    assert checked["data"]["rules"]["y"]["note"] == "fp32"


COLUMNS = """
import numpy as np
import pytest
import torch
import pytest_navigator as nav

nav_config = nav.NavConfig(comparisons={{"output__0": {rule}}})

class Boxes(torch.nn.Module):
    def forward(self, x):
        y = x * torch.tensor([640.0, 640.0, 1.0])
        return y + torch.tensor([0.0, 0.0, 0.01]) if torch.jit.is_tracing() else y

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return Boxes().eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.rand(8, 3) for _ in range(3)]
"""


@pytest.mark.parametrize(
    ("rule", "outcome"), [("nav.scaled()", "PASSED"), ("nav.scaled(axis=-1)", "FAILED"), ("nav.scaled(axis=5)", "")]
)
def test_each_column_can_have_a_scale_of_its_own(pytester: pytest.Pytester, nav: Nav, rule: str, outcome: str) -> None:
    pytester.makeconftest(COLUMNS.format(rule=rule))
    result = nav("-v", "--nav-package=o.nav", "--nav-in-process")
    found = words(result)
    if not outcome:
        assert found["test_source"] == "FAILED"
        result.stdout.fnmatch_lines(
            ["*output 'output__0' has no axis 5 (nav.scaled(axis=...)): it has 2 axes, -2 to 1*"]
        )
        return
    assert found["test_correctness[torchscript-trace-cpu]"] == outcome
    steps = status(pytester.path / "o.nav")["pytest_navigator"]["steps"]
    checked = steps["correctness.torchscript-trace.TorchScriptCPU"]
    assert checked["data"]["rules"]["output__0"]["axis"] == ([1] if "axis" in rule else [])
    script = next((pytester.path / "navigator_workspace").rglob("reproduce_correctness-torchscriptcpu.py"))
    assert ("axis=(1,)" in script.read_text(encoding="utf-8")) == ("axis" in rule)


EXACT = """
import numpy as np
import pytest
import torch

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return torch.nn.Linear(5, 7).eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(3, 5) for _ in range(3)]
"""


def test_the_tolerance_of_a_package_can_be_used_where_nothing_differed(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(EXACT)
    nav("--nav-package=o.nav", "--nav-in-process")
    package = pytester.path / "o.nav"
    kept = status(package)
    (cell,) = [c for c in _correctness(kept["models_status"]) if c["rows"][0]["output_name"] == "output__0"][:1]
    (row,) = cell["rows"]
    assert 1e-6 < row["atol"] < 1e-3
    assert row["rtol"] == pytest.approx(1e-4)
    steps = kept["pytest_navigator"]["steps"]
    checked = steps["correctness.torchscript-trace.TorchScriptCPU"]
    assert checked["data"]["outputs"][0]["atol"] == 0.0
    np.testing.assert_allclose(row["atol"], checked["data"]["outputs"][0]["allowed_atol"])


def _correctness(models: dict) -> list[dict]:
    cells = [runner for model in models.values() for runner in model["runners_status"].values()]
    found = [cell["result"].get("Correctness") for cell in cells]
    return [{"rows": result["per_output_tolerance"]} for result in found if result]
