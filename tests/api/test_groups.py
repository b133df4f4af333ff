"""Groups of formats in the functions of the API, and in the command `convert`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import pytest_navigator as nav
from pytest_navigator.api.arguments import check_asked, configuration
from pytest_navigator.cli import main
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_group_keeps_the_configurations_of_its_members_and_of_what_they_are_made_from():
    configs = [nav.OnnxConfig(opset=17), nav.TorchScriptConfig()]
    assert configuration("torch", ["cpu"], configs).formats == [nav.OnnxConfig(opset=17), "cpu"]
    assert configuration("torch", ["torchscript", "cpu"], configs).formats == [*configs, "cpu"]


def test_a_configuration_of_what_is_not_in_a_group_is_refused():
    with pytest.raises(ConfigError, match="torchscript is not among target_formats"):
        check_asked("torch", ["cpu"], [nav.TorchScriptConfig()])


def test_a_name_that_is_nearly_a_groups_is_an_error():
    with pytest.raises(ConfigError, match="unknown target format of a torch model 'egde'; did you mean 'edge'"):
        configuration("torch", "egde", None)


@pytest.mark.slow  # AOTInductor compiles
def test_what_a_package_can_be_made_into_is_made_where_a_group_is_asked_for(pair: Path) -> None:
    pytest.importorskip("openvino")
    with nav.load(pair, target_device="cpu") as package:
        other = nav.package.optimize(package, target_formats="cpu", optimization_profile=None)
        status = other.get_formats_status()
    assert status["onnx"]
    assert status["openvino"]
    assert "torchscript-trace" not in status


def test_a_member_that_cannot_be_made_of_a_file_is_no_failure_of_its_conversion(
    pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.chdir(tmp_path)
    with nav.load(pair) as package:
        onnx = package.get_model("onnx")
    path = tmp_path / "adds.onnx"
    del onnx.graph.node[:]  # nothing but an addition: no layer that a quantizer has an operator for
    onnx.graph.node.add(op_type="Add", input=[each.name for each in onnx.graph.input][:1] * 2, output=["twice"])
    del onnx.graph.output[:]
    onnx.graph.output.add(name="twice").type.tensor_type.elem_type = 1
    del onnx.graph.input[1:], onnx.graph.initializer[:], onnx.graph.value_info[:]
    path.write_bytes(onnx.SerializeToString())
    assert main(["convert", str(path), "--target-formats=cpu"]) == 0
    printed = capsys.readouterr().out
    assert "xfailed: convert onnx-int8-dynamic" in printed
    assert "converted: " in printed
