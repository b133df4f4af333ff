"""Quantized ONNX is made where it is named; then it is a format like all others."""

from __future__ import annotations

import sys
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from blackbox import words

import pytest_navigator as nav_api

if TYPE_CHECKING:
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
        assert layers.run(sys.executable, f"onnx-{kind}/reproduce_correctness-onnxquantizedcpu.py").ret in (0, 1)
