from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_navigator.core.plain import save
from pytest_navigator.core.records import Outcome, SuiteRecord
from pytest_navigator.core.steps import Status
from pytest_navigator.core.variants import RunnerRecord
from pytest_navigator.engine.workspace import SuiteFolder
from pytest_navigator.reproduce.names import script_name, with_script

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("step", "runner", "name"),
    [
        ("export", "", "onnx/reproduce_export"),
        ("convert", "", "onnx/reproduce_conversion"),
        ("correctness", "OnnxCPU", "onnx/reproduce_correctness-onnxcpu"),
        ("profile", "My Runner_2", "onnx/reproduce_profiling-my-runner-2"),
        ("source", "", ""),
        ("verify", "OnnxCPU", ""),
    ],
)
def test_a_scripts_name_is_model_navigators(step: str, runner: str, name: str):
    assert script_name(step, "onnx", runner) == name


def test_an_outcome_without_a_script_stays_as_it_is(tmp_path: Path):
    outcome = Outcome("export", Status.FAILED, "onnx", data={"bytes": 3})
    assert with_script(outcome, tmp_path) == outcome


def test_the_failure_of_a_step_whose_process_died_names_the_script_that_was_written_before(tmp_path: Path):
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "reproduce_export.py").write_text('parser.add_argument("--model")')
    (tmp_path / "onnx" / "reproduce_export.sh").write_text("")
    folder = SuiteFolder(tmp_path, tmp_path)
    folder.start(Outcome("export", Status.FAILED, "onnx", error="crash"))
    found = folder.bury("export.onnx")
    assert found.data["script"] == "onnx/reproduce_export.sh --model MODULE:FUNCTION"
    assert folder.record("export.onnx") == found


@pytest.mark.parametrize(("runner", "option"), [("TorchCPU", " --model MODULE:FUNCTION"), ("OnnxCPU", "")])
def test_only_the_script_of_a_runner_of_the_live_model_is_told_where_that_is(tmp_path: Path, runner: str, option: str):
    (tmp_path / "onnx").mkdir()
    for suffix in ("py", "sh"):  # what is in them says nothing: a model's own names may be anything
        (tmp_path / "onnx" / f"reproduce_correctness-{runner.lower()}.{suffix}").write_text('{"--model": 1}')
    known = RunnerRecord(runner, "cpu", "onnx", "cpu", live=bool(option), path="")
    save(tmp_path / "suite.json", SuiteRecord("m", "m", "torch", "", (), {runner: known}, (), {}))
    folder = SuiteFolder(tmp_path, tmp_path)
    folder.start(Outcome("correctness", Status.FAILED, "onnx", runner, error="crash"))
    found = folder.bury(f"correctness.onnx.{runner}")
    assert found.data["script"] == f"onnx/reproduce_correctness-{runner.lower()}.sh{option}"
