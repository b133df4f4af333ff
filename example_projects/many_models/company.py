"""What every model of the company is held to; a model's own module says where it differs."""

from pytest_navigator import NavConfig, OnnxConfig, TorchScriptConfig

DEPLOYED = NavConfig(
    formats=[OnnxConfig(opset=18), TorchScriptConfig(jit_type="trace")],
    runtimes=["cpu"],
    atol={"*": 1e-5, "onnx": 1e-4},
    require=["onnx"],
)
