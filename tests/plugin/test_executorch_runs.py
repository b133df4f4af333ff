"""ExecuTorch is made where it is named: checked, packed, loaded, and made again by scripts that run alone."""

from __future__ import annotations

import json
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
        return self.last(torch.relu(self.first(x))).cumsum(1)

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    torch.manual_seed(0)
    return Layers().eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(3, 64) for _ in range(4)]
"""
SCRIPTS = (
    "executorch/reproduce_conversion.py",
    "executorch-int8/reproduce_conversion.py",
    "executorch-int8/reproduce_correctness-executorchcpu.py",
)
CHATTER = ("cpuinfo", "torchao", "threadpool", "KernelPreference")


@pytest.mark.slow
def test_both_precisions_are_checked_measured_packed_loaded_and_their_scripts_run_without_remarks_of_libraries(
    pytester: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytester.makepyfile(test_layers=LAYERS)
    result = nav("-v", "--nav-package=out.nav", formats="executorch-int8", subprocess=True)
    found = words(result)
    assert {found[f"test_convert[{key}]"] for key in ("executorch", "executorch-int8")} == {"PASSED"}
    assert {found[f"test_correctness[{key}-cpu]"] for key in ("executorch", "executorch-int8")} == {"PASSED"}
    result.stdout.fnmatch_lines(["note: convert.executorch*nodes are delegated to xnnpack, not aten_cumsum_default*"])
    (step,) = pytester.path.glob("navigator_workspace/*/.steps/quantization.*.json")
    assert "SIGSEGV" not in json.dumps(json.loads(step.read_text(encoding="utf-8")))

    capfd.readouterr()
    x = np.ones((2, 64), np.float32)
    with (
        nav_api.load("out.nav") as package,
        package.get_runner("executorch") as runner,
        package.get_runner("executorch-int8") as other,
    ):
        np.testing.assert_allclose(np.asarray(other(x)), np.asarray(runner(x)), atol=0.3)
    assert not [word for word in CHATTER if word in capfd.readouterr().err]

    with zipfile.ZipFile("out.nav") as archive:
        archive.extractall("unpacked")
    monkeypatch.chdir("unpacked")
    for script in SCRIPTS:
        ran = pytester.run(sys.executable, script)
        assert ran.ret == 0
        assert not [word for word in CHATTER if word in ran.stderr.str()]
