"""ONNX of TorchScript files and of exported programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
import torch_models

from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.exchange.onnx import OnnxFormat
from pytest_navigator.backends.torch.exportedprogram import TorchExportConfig, TorchExportedProgramFormat
from pytest_navigator.backends.torch.torchscript import TorchScriptConfig, TorchScriptFormat
from pytest_navigator.configuration.onnx_config import OnnxConfig
from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.base import LoaderData
from pytest_navigator.formats.ways import Way, chosen, first_that_makes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch_models import Subject

    from pytest_navigator.formats.base import Format

OnnxCPU = known().runners()["OnnxCPU"].load()

TRACED = TorchScriptFormat(), TorchScriptConfig(jit_type="trace")
SCRIPTED = TorchScriptFormat(), TorchScriptConfig(jit_type="script")
PROGRAM = TorchExportedProgramFormat(), TorchExportConfig()


def converted(subject: Subject, made: tuple[Format, Any], path: Path, **options: Any) -> tuple[OnnxCPU, Any]:
    """Export a file, then convert it as a file that is itself the source."""
    form, config = made
    variant, _ = subject.export(form, config, path)
    return turned(subject, form, path / variant.file, **options)


def turned(subject: Subject, form: Format, file: Path, **options: Any) -> tuple[OnnxCPU, Any]:
    """Convert a file by the first way that can."""
    parent = form.as_source(form.config())
    variant = OnnxFormat().variants(OnnxConfig(**options), [parent])[0]
    assert variant.parent == parent.key == form.name

    def attempt(way: Way) -> Any:
        asked, data = chosen(variant, way), LoaderData(subject.example)
        return OnnxFormat().convert(file, data, subject.signature, asked, file.with_name(variant.file))

    data = first_that_makes(OnnxFormat().ways(variant, form.name), attempt).value
    return OnnxCPU(file.with_name(variant.file), subject.signature, variant.parameters), data


@pytest.mark.parametrize(
    ("made", "engine"),
    [(TRACED, "trace"), (SCRIPTED, "trace"), (PROGRAM, "dynamo")],
    ids=["trace", "script", "program"],
)
@pytest.mark.parametrize("make", [torch_models.linear, torch_models.residual])
def test_a_file_of_torch_gives_the_same_from_onnx(
    make: Callable[[], Subject], made: tuple[Format, Any], engine: str, tmp_path: Path
) -> None:
    subject = make()
    runner, data = converted(subject, made, tmp_path)
    assert (data["engine"], data["opset"]) == (engine, 18)
    assert not list(tmp_path.glob("*.data"))
    subject.check(runner)


def test_an_opset_that_dynamo_does_not_deliver_comes_from_a_trace_of_the_program(tmp_path: Path) -> None:
    subject = torch_models.residual()
    batch = ({0: torch.export.Dim("batch")},)
    torch.export.save(
        torch.export.export(subject.model, (subject.sample(2),), dynamic_shapes=batch), tmp_path / "p.pt2"
    )
    runner, data = turned(subject, PROGRAM[0], tmp_path / "p.pt2", opset=16)
    assert (data["engine"], data["opset"]) == ("trace", 16)
    subject.check(runner)


def test_an_opset_that_no_exporter_delivers_is_said_of_each(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"opset 99 .*; by trace: .*"):
        converted(torch_models.residual(), PROGRAM, tmp_path, opset=99)


def test_the_users_symbols_name_the_axes(tmp_path: Path) -> None:
    subject = torch_models.linear()
    name = subject.signature.inputs[0].name
    runner, _ = converted(subject, TRACED, tmp_path, dynamic_axes={name: {0: "rows"}})
    with runner:
        assert runner.session.get_inputs()[0].shape[0] == "rows"
