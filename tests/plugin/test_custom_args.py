"""`custom_args` go to an exporter as they are: functions, tensors, anything that Python has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import DENSE, FAKE_FORMAT, calls, member, status

if TYPE_CHECKING:
    from blackbox import Fake, Nav

CONFTEST = """
import pytest, torch
from onnxscript import opset18 as op
from pytest_navigator import NavConfig, OnnxConfig, TorchConfig, TorchScriptConfig

def relu(x):
    print("relu is translated by a function of the user's")
    return op.Relu(x)

def backend(module, inputs):
    print("compiled by a function of the user's")
    return module.forward

table = {torch.ops.aten.relu.default: relu}
nav_config = NavConfig(formats=[
    TorchConfig(custom_args={"backend": backend}),
    OnnxConfig(custom_args={"custom_translation_table": table}),
    TorchScriptConfig(jit_type="trace", custom_args={"check_trace": True, "check_inputs": [(torch.ones(2, 5),)]}),
])

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.ReLU()).eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(3, 5) for _ in range(2)]
"""

CONVERTED = """

class Converted(Fake):
    name = "converted"
    parent = "fake"

    @dataclass(frozen=True)
    class config(FormatConfig):
        pass

    class ConvertedCPU(FakeCPU):
        name = "ConvertedCPU"
        format = "converted"

    runners = (ConvertedCPU,)

    def variants(self, config, parents):
        (variant,) = Fake().variants(FakeConfig(), [])
        parameters = {**variant.parameters, "custom_args": config.custom_args}
        return [replace(variant, key="converted", format="converted", parent="fake", parameters=parameters)]

    def convert(self, parent, data, signature, variant, path):
        note("convert " + repr(variant.parameters["custom_args"]))
        path.write_bytes(parent.read_bytes())
        return {}
"""


def test_objects_reach_the_exporters_and_are_recorded_as_texts(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(CONFTEST)
    result = nav("--nav-package=out.nav", "--nav-runtimes=cpu,compile-cpu", "-v", formats="")
    result.assert_outcomes(passed=7)
    package = pytester.path / "out.nav"
    assert "relu is translated by a function of the user's" in member(package, "onnx/format.log")
    assert "compiled by a function of the user's" in member(package, "torch/format.log")
    assert "no script reproduces export.onnx: " in member(package, "onnx/format.log")
    text = member(package, "status.yaml")
    assert " at 0x" not in text
    assert "conftest.relu " in text
    assert "<OpOverload(op='aten.relu', overload='default')>" in text
    variants = {v["key"]: v["parameters"] for v in status(package)["pytest_navigator"]["suite"]["variants"]}
    (((sample,),),) = [variants["torchscript-trace"]["custom_args"]["check_inputs"]]
    assert sample.startswith("torch.Tensor float32 (2, 5) ")


@pytest.mark.parametrize("arguments", [(), ("--nav-in-process",)], ids=["child", "in-process"])
def test_a_conversion_with_an_object_that_cannot_be_sent_fails_and_names_it(
    pytester: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    pytester.makepyfile(fake_format=FAKE_FORMAT + CONVERTED)
    hooks = DENSE.replace("[DenseFormat, Fake, Other]", "[DenseFormat, Fake, Converted]")
    own = "Converted.config(custom_args={'level': 3, 'pick': len})"
    pytester.makeconftest(f"{hooks}\nnav_config = NavConfig(framework='dense', formats=[{own}])\n")
    result = nav(*arguments, formats="")
    result.stdout.fnmatch_lines(
        [
            "FAILED *test_convert[[]converted[]] - converted is converted in another process, to which builtins.len of "
            "its configuration cannot go; use numbers, texts, lists and dicts there"
        ]
    )
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace(", 'pick': len", ""))
    assert nav(*arguments, formats="").ret == 0
    assert "convert {'level': 3}" in (pytester.path / "calls.txt").read_text()


def test_a_resumed_run_knows_functions_and_arrays_again(dense: Fake, nav: Nav) -> None:
    project = dense("custom_args={'f': near, 'a': np.ones(3)}", comparisons="{'output__0': near}")
    conftest = project.path / "conftest.py"
    near = "def near(expected, actual):\n    return abs(expected - actual).max() < 1\n"
    conftest.write_text(near + conftest.read_text())
    for _ in range(2):
        nav("--nav-resume", formats="", subprocess=True).assert_outcomes(passed=4)
    assert calls(project).count("export") == 1
    conftest.write_text(conftest.read_text().replace("< 1", "< 2"))
    nav("--nav-resume", formats="", subprocess=True).assert_outcomes(passed=4)
    assert calls(project).count("export") == 2


def test_an_object_among_the_session_options_is_refused(pytester: pytest.Pytester, nav: Nav) -> None:
    options = "{'session_options': {'graph_optimization_level': onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL}}"
    table = CONFTEST.replace('{"custom_translation_table": table}', options)
    pytester.makeconftest(f"import onnxruntime\n{table}")
    result = nav(formats="")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "a member of an enumeration is written as its name: 'ORT_DISABLE_ALL'" in result.stderr.str()
