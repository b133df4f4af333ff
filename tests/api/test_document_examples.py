"""The code of Model Navigator's documents runs with its import line changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.scripts import output

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

EXPORT = """
import torch
import pytest_navigator as nav

device = "cuda" if torch.cuda.is_available() else "cpu"

dataloader = [torch.full((3, 5), 1.0, device=device) for _ in range(10)]

model = torch.nn.Linear(5, 7).to(device).eval()

package_desc = nav.torch.export(
    model=model,
    model_name="example_model",
    dataloader=dataloader,
    opset=13,
    input_names=("input",),
    dynamic_axes={"input": {0: "batch"}},
)

onnx_status = package_desc.get_status(format=nav.Format.ONNX)
if onnx_status:
    onnx_runner = package_desc.get_runner(format=nav.Format.ONNX, runtime=nav.RuntimeProvider.CPU)

# Additional model verification ...
model_is_valid = True # code for model verification
if model_is_valid:
    package_desc.set_verified(format=nav.Format.ONNX, runtime=nav.RuntimeProvider.CPU)

package_desc.save("example_pyt.nav")

loaded_package_desc = nav.load("example_pyt.nav")
"""

VERIFICATION = """
import torch
import pytest_navigator as nav

device = "cuda" if torch.cuda.is_available() else "cpu"

def dataloader():
    for _ in range(10):
        yield torch.full((3, 5), 9, device=device)

ground_truth = next(dataloader())

model = torch.nn.Identity().to(device).eval()

package_desc = nav.torch.export(
    model=model,
    model_name="example_model",
    dataloader=dataloader,
    target_formats=(nav.Format.TORCHSCRIPT,),
    jit_options=(nav.JitType.SCRIPT,),
    opset=13,
    input_names=("input",),
    dynamic_axes={"input": {0: "batch"}},
)

ts_status = package_desc.get_status(format=nav.Format.TORCHSCRIPT, jit_type=nav.JitType.SCRIPT)
if ts_status:
    ts_model = package_desc.get_model(format=nav.Format.TORCHSCRIPT, jit_type=nav.JitType.SCRIPT)
    inputs = next(dataloader())
    outputs = ts_model(inputs)
    is_model_valid = torch.allclose(inputs, outputs, atol=0.0, rtol=0.0)

    if is_model_valid:
        package_desc.set_verified(format=nav.Format.TORCHSCRIPT, jit_type=nav.JitType.SCRIPT)
"""


def test_a_module_is_exported_verified_saved_and_loaded(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    shown = """
print(sorted(item for item in loaded_package_desc.get_formats_status().items() if "trt" not in item[0]))
print(sorted(loaded_package_desc.get_formats_performance()))
with onnx_runner as runner:
    (found,) = runner.infer({"input": dataloader[0].numpy()}).values()
print(bool(abs(found - model(dataloader[0]).detach().numpy()).max() < 1e-5))
"""
    formats = ["onnx", "torch", "torch-exportedprogram", "torchscript-script", "torchscript-trace"]

    lines = output(EXPORT + shown, tmp_path)[-3:]
    assert lines == [str([(name, True) for name in formats]), str(formats), "True"]
    (folder,) = (tmp_path / "navigator_workdir").glob("example_model-*")
    assert {"onnx", "torchscript-trace", "model_input", "status.yaml", "navigator.log"} <= {
        path.name for path in folder.iterdir()
    }


def test_a_torchscript_model_is_taken_out_and_verified(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    shown = "\nprint(ts_status, is_model_valid)\n"

    assert output(VERIFICATION + shown, tmp_path)[-1] == "True True"


def test_a_function_of_jax_is_exported_with_its_parameters(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    script = """
import jax.numpy as jnp
import numpy as np
import pytest_navigator as nav

desc = nav.jax.export(
    model=lambda x, params: jnp.tanh(x @ params["w"]),
    model_params={"w": jnp.ones((3, 2))},
    dataloader=[np.ones((rows, 3), np.float32) for rows in (1, 4)],
    target_formats=(nav.Format.STABLEHLO,),
    run_profiling=False,
    keep_workdir=False,
)
print(desc.get_formats_status())
"""
    assert output(script, tmp_path)[-1] == "{'jax': True, 'stablehlo': True}"
    assert not (tmp_path / "navigator_workdir").exists()


def test_a_keras_model_is_exported(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    script = """
import keras
import numpy as np
import pytest_navigator as nav

package = nav.tensorflow.export(
    model=keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]),
    dataloader=[np.ones((rows, 3), np.float32) for rows in (1, 4)],
    target_formats="tf-savedmodel",
    run_profiling=False,
)
print(package.get_formats_status())
"""
    assert output(script, tmp_path)[-1] == "{'tensorflow': True, 'tf-savedmodel': True}"
