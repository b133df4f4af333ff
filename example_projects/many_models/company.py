"""What every model of the company is held to; a model's own module says where it differs."""

from pytest_navigator import NavConfig
from pytest_navigator import OnnxConfig
from pytest_navigator import TorchScriptConfig

DEPLOYED = NavConfig(
    formats=[OnnxConfig(opset=18), TorchScriptConfig(jit_type="trace")],
    runtimes=["cpu"],
    atol={"*": 1e-5, "onnx": 1e-4},
    require=["onnx"],
)
