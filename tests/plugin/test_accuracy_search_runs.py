"""A quantized format that does not pass says what to leave out; a search for accuracy does it."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest
from blackbox import words

if TYPE_CHECKING:
    from blackbox import Nav

# The bias of one channel is far off; elu makes the same of it whatever it is.
OUTLIER = """
import pytest, torch
import pytest_navigator as nav

class Layers(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.mid, self.last = torch.nn.Linear(32, 64), torch.nn.Linear(64, 64), torch.nn.Linear(64, 8)
        with torch.no_grad():
            self.mid.bias[5] = -3000

    def forward(self, x):
        return self.last(torch.nn.functional.elu(self.mid(torch.relu(self.first(x)))))

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    torch.manual_seed(0)
    return Layers().eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(3, 32) for _ in range(4)]
"""
CONFIG = """
import pytest_navigator as nav

how = nav.{how}
form = nav.OnnxQuantizedConfig(precision="int8", quantization=how)
nav_config = nav.NavConfig(formats=[form], comparisons={{"onnx-int8": {rule}}})
"""


@pytest.fixture
def outlier(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(test_layers=OUTLIER)
    return pytester


def _configure(pytester: pytest.Pytester, how: str, rule: str = "nav.cosine(0.999)") -> None:
    pytester.makeconftest(CONFIG.format(how=how, rule=rule))


def test_a_failure_names_the_worst_layer_and_what_it_says_to_write_passes(outlier: pytest.Pytester, nav: Nav) -> None:
    _configure(outlier, "QuantizationConfig()")
    result = nav("-v", "--nav-no-profile", formats="")
    assert words(result)["test_correctness[onnx-int8-cpu]"] == "FAILED"
    told = re.search(
        r"worst layers: mid \(linear\) .*?with (QuantizationConfig\(.*?\)) this sample", str(result.stdout)
    )
    assert told
    _configure(outlier, told[1])
    assert words(nav("-v", "--nav-no-profile", formats=""))["test_correctness[onnx-int8-cpu]"] == "PASSED"


def test_a_search_leaves_out_the_worst_layer_and_is_recorded(
    outlier: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    _configure(outlier, 'QuantizationConfig(search="accuracy")')
    result = nav("-v", "--nav-no-profile", "--nav-json=out.json", formats="")
    assert words(result)["test_correctness[onnx-int8-cpu]"] == "PASSED"
    result.stdout.fnmatch_lines(["note: convert.onnx-int8: left 1 of 3 layers in floating point (mid): * dB in * s"])
    record, *_ = _of_key(json.loads((outlier.path / "out.json").read_text(encoding="utf-8")), "quantized")
    assert (record["left_out"], record["search"]["passed"]) == (["mid"], True)
    assert record["search"]["before"] < record["search"]["after"]
    folder = next(outlier.path.glob("navigator_workspace/*/onnx-int8"))
    assert "search: without 1 layers" in (folder / "format.log").read_text(encoding="utf-8")
    made = (folder / "model.onnx").read_bytes()
    monkeypatch.chdir(folder.parent)
    assert outlier.run(sys.executable, "onnx-int8/reproduce_conversion.py").ret == 0
    assert (folder / "reproduced.onnx").read_bytes() == made


@pytest.mark.parametrize(
    ("how", "rule", "why"),
    [
        ('search="accuracy", search_seconds=600', "nav.cosine(0.9)", "search_seconds=600 is not less than the time"),
        ('search="accuracy"', "lambda expected, actual: True", 'search="accuracy" cannot ask <lambda>, the comparison'),
    ],
)
def test_a_search_that_cannot_be_is_refused(outlier: pytest.Pytester, nav: Nav, how: str, rule: str, why: str) -> None:
    _configure(outlier, f"QuantizationConfig({how})", rule)
    result = nav("-v", "--nav-no-profile", formats="")
    assert words(result)["test_convert[onnx-int8]"] == "FAILED"
    assert why in str(result.stdout)


def _of_key(data: object, key: str) -> list[dict[str, object]]:
    """Return every value of a key that is anywhere in plain data, without what is not known."""
    if isinstance(data, list):
        return [found for each in data for found in _of_key(each, key)]
    if not isinstance(data, dict):
        return []
    own = [data[key]] if data.get(key) else []
    return own + [found for each in data.values() for found in _of_key(each, key)]
