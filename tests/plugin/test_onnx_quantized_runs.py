"""Quantized ONNX is made where it is named; then it is a format like all others."""

from __future__ import annotations

import json
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from blackbox import words
from model_files import linear
from onnx import TensorProto, helper, numpy_helper

import pytest_navigator as nav_api

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Nav

LAYERS = """
import pytest, torch

class Layers(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(64, 256)
        self.last = torch.nn.Linear(256, 8)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)))

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    torch.manual_seed(0)
    return Layers().eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(3, 64) for _ in range(4)]
"""
CONFIG = """
import pytest_navigator as nav

how = nav.QuantizationConfig({how})
nav_config = nav.NavConfig(formats=[nav.OnnxQuantizedConfig(precision={precision!r}, quantization=how)])
"""


def recorded(folder: Path, key: str) -> dict[str, Any]:
    (file,) = folder.glob(f"navigator_workspace/*/.steps/convert.{key}.json")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["data"]["quantized"]
    return found


@pytest.fixture
def layers(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(test_layers=LAYERS)
    return pytester


def test_each_precision_is_checked_packed_loaded_and_its_scripts_run(
    layers: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = ("int8", "int8-dynamic", "int4", "fp16")
    result = nav("-v", "--nav-package=out.nav", formats=",".join(f"onnx-{kind}" for kind in kinds), subprocess=True)
    found = words(result)
    assert {found[f"test_convert[onnx-{kind}]"] for kind in kinds} == {"PASSED"}
    assert {found[f"test_correctness[onnx-{kind}-cpu]"] for kind in ("int8", "int8-dynamic", "fp16")} == {"PASSED"}

    x = np.ones((3, 64), np.float32)
    with nav_api.load("out.nav") as package, package.get_runner("onnx") as other:
        for kind in kinds:
            with package.get_runner(f"onnx-{kind}", runtime="OnnxQuantizedCPU") as runner:
                np.testing.assert_allclose(np.asarray(runner(x)), np.asarray(other(x)), atol=0.3)
        made = {node.op_type for node in package.get_model("onnx-int8-dynamic").graph.node}
        assert "MatMulInteger" in made

    with zipfile.ZipFile("out.nav") as package_file:
        package_file.extractall("unpacked")
    monkeypatch.chdir("unpacked")
    for kind in kinds:
        script = f"onnx-{kind}/reproduce_conversion.py"
        text = (layers.path / "unpacked" / script).read_text(encoding="utf-8")
        assert "navigator" not in text.split('"""')[2]
        ran = layers.run(sys.executable, script)
        assert ran.ret == 0
        folder = layers.path / "unpacked" / f"onnx-{kind}"
        assert (folder / "reproduced.onnx").read_bytes() == (folder / "model.onnx").read_bytes()

    for kind in ("int8", "fp16"):
        assert layers.run(sys.executable, f"onnx-{kind}/reproduce_correctness-onnxquantizedcpu.py").ret == 0


def test_bad_input_of_each_precision_fails_with_what_to_do_and_nothing_else_is_lost(
    layers: pytest.Pytester, nav: Nav
) -> None:
    layers.makeconftest(CONFIG.format(how="exclude=['frist']", precision=("int8", "int4", "bf16")))
    result = nav("-v", "--nav-package=out.nav", formats="")
    found = words(result)
    assert found["test_export[onnx]"] == found["test_correctness[onnx-cpu]"] == "PASSED"
    assert {found[f"test_convert[onnx-{kind}]"] for kind in ("int8", "int4", "bf16")} == {"FAILED"}
    text = result.stdout.str()
    assert text.count("exclude has 'frist', which is no layer and no node of the model: did you mean 'first'?") >= 3
    assert "Traceback" not in text
    assert (layers.path / "out.nav").is_file()


def test_bfloat16_is_skipped_with_the_reason_and_what_is_excluded_is_recorded(
    layers: pytest.Pytester, nav: Nav
) -> None:
    layers.makeconftest(CONFIG.format(how="exclude=['first'], allow_slower=True", precision=("int8-dynamic", "bf16")))
    result = nav("-v", "-rs", "--nav-package=out.nav", formats="")
    found = words(result)
    assert found["test_convert[onnx-int8-dynamic]"] == "PASSED"
    assert found["test_convert[onnx-bf16]"] == "SKIPPED"
    result.stdout.fnmatch_lines(["*has no arithmetic in bfloat16 for processors, it does not load such a file*"])
    outcome = json.loads(
        next(layers.path.glob("navigator_workspace/*/.steps/convert.onnx-int8-dynamic.json")).read_text()
    )
    quantized = outcome["data"]["quantized"]
    assert (quantized["quantized"], quantized["total"], quantized["excluded"]) == (1, 2, ["first"])


@pytest.mark.parametrize(
    ("key", "how", "scheme"),
    [("onnx-int8", "samples: 2, per_channel: true, ", "weights QInt8 per channel"), ("onnx-int4", "", "MatMulNBits")],
)
def test_a_float_file_is_quantized_as_a_configuration_file_says_and_that_of_the_package_repeats_it(
    pytester: pytest.Pytester, nav: Nav, key: str, how: str, scheme: str
) -> None:
    linear(pytester.path / "linear.onnx")
    text = f"target_formats: [{key}]\nquantization: {{{how}allow_larger: true, allow_slower: true}}\n"
    pytester.path.joinpath("nav.yaml").write_text(text)
    for config in ("nav.yaml", "again.yaml"):
        result = nav("-v", "--nav-model=linear.onnx", f"--nav-config={config}", "--nav-package=out.nav", formats="")
        assert [name for name in words(result) if "convert" in name] == [f"test_convert[{key}]"]
        assert words(result)[f"test_convert[{key}]"] == "PASSED"
        quantized = recorded(pytester.path, key)
        assert quantized["samples"] == (2 if how else None)
        assert scheme in quantized["scheme"]
        with zipfile.ZipFile("out.nav") as package:
            pytester.path.joinpath("again.yaml").write_bytes(package.read(f"{key}/config.yaml"))


def test_the_size_of_a_float_file_is_that_of_its_weights_too_wherever_they_are(
    pytester: pytest.Pytester, nav: Nav
) -> None:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 64]) for name in "xy")
    weight = numpy_helper.from_array(np.eye(64, dtype=np.float32), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save_model(model, "net.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)

    result = nav("-v", "--nav-model=net.onnx", "--nav-budget=onnx size<1KiB", formats="onnx-fp16")

    found = words(result)
    assert found["test_quantization[onnx-fp16-cpu]"] == "PASSED"
    assert found["test_budget[onnx-cpu-size]"] == "FAILED"
    (file,) = pytester.path.glob("navigator_workspace/*/.steps/quantization.onnx-fp16.*.json")
    sizes = json.loads(file.read_text(encoding="utf-8"))["data"]
    assert 64 * 64 * 4 < sizes["reference_bytes"] < 20_000
