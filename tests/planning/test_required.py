"""The table of what is required and what happened: a requirement is met by steps that passed, and by nothing else."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator import NavConfig, plugin
from pytest_navigator.configuration.settings import resolve
from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status
from pytest_navigator.errors import ConfigError
from pytest_navigator.planning.building import build
from pytest_navigator.planning.required import asked_for, stops, unmet
from pytest_navigator.plugin.run import registry_of

if TYPE_CHECKING:
    from pytest_navigator.planning.matrix import Matrix

HOOK = SimpleNamespace(
    pytest_nav_formats=lambda: [plugin.pytest_nav_formats()],
    pytest_nav_runners=list,
    pytest_nav_frameworks=lambda: [plugin.pytest_nav_frameworks()],
)
REGISTRY = registry_of(SimpleNamespace(hook=HOOK))  # type: ignore[arg-type]


def matrix_of(*required: str, **config: object) -> Matrix:
    return build(resolve({}, {}, NavConfig(require=required, **config)), REGISTRY, "torch")  # type: ignore[arg-type]


ONNX = ("source", "export.onnx")
ENGINE = (*ONNX, "convert.trt-fp16")
MEANT = {
    "onnx": [*ONNX, {"correctness.onnx.OnnxCPU", "correctness.onnx.OnnxCUDA", "correctness.onnx.OnnxTensorRT"}],
    "onnx-cpu": [*ONNX, "correctness.onnx.OnnxCPU"],
    "OnnxCPU": [*ONNX, "correctness.onnx.OnnxCPU"],
    "torch": ["source", {f"correctness.torch.Torch{name}" for name in ("CPU", "CUDA", "CompileCPU", "CompileCUDA")}],
    "torch-compile-cpu": ["source", "correctness.torch.TorchCompileCPU"],
    "trt-fp16": [*ENGINE, "correctness.trt-fp16.TensorRT"],
    "trt-fp16-tensorrt": [*ENGINE, "correctness.trt-fp16.TensorRT"],
    "torchscript": [
        "source",
        "export.torchscript-script",
        "export.torchscript-trace",
        {f"correctness.torchscript-script.TorchScript{device}" for device in ("CPU", "CUDA")},
        {f"correctness.torchscript-trace.TorchScript{device}" for device in ("CPU", "CUDA")},
    ],
    "TorchScriptCPU": [
        "source",
        *(f"{step}.torchscript-{jit}" for jit in ("script", "trace") for step in ("export",)),
        *(f"correctness.torchscript-{jit}.TorchScriptCPU" for jit in ("script", "trace")),
    ],
}
"""What is required -> every step that must have passed; of a set, one."""

NOT_PASSED = (None, *(status for status in Status if status is not Status.PASSED))


def outcome(step: str, status: Status) -> Outcome:
    name, key, runner, *_ = [*step.split("."), "", ""]
    return Outcome(name, status, key, runner, message="why")


def all_passed(matrix: Matrix) -> dict[str, Outcome]:
    return {step.id: outcome(step.id, Status.PASSED) for step in matrix.steps()}


def groups(name: str) -> list[set[str]]:
    return [{group} if isinstance(group, str) else set(group) for group in MEANT[name]]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", MEANT)
def test_a_name_asks_for_these_steps_and_no_others(name: str) -> None:
    (required,) = matrix_of(name).required
    found = [*({step} for step in required.needs), *map(set, required.checks)]
    assert sorted(map(sorted, found)) == sorted(map(sorted, groups(name)))


@pytest.mark.parametrize(("name", "status"), list(product(MEANT, NOT_PASSED)))
def test_without_any_of_its_steps_a_requirement_is_not_met(name: str, status: Status | None) -> None:
    matrix = matrix_of(name)
    assert unmet(matrix.required, all_passed(matrix), {}) == []
    for group in groups(name):
        known = {id: o for id, o in all_passed(matrix).items() if id not in group}
        known |= {step: outcome(step, status) for step in group if status}
        (line,) = unmet(matrix.required, known, {})
        assert line.startswith(f"required {name} ")
        assert any(step in line for step in group)
        assert (f"{status.value}: why" if status else "did not run") in line


@pytest.mark.parametrize("name", MEANT)
def test_of_several_runners_of_a_format_one_will_do(name: str) -> None:
    matrix = matrix_of(name)
    for group in (group for group in groups(name) if len(group) > 1):
        for step in group:
            others = {other: outcome(other, Status.SKIPPED) for other in group - {step}}
            assert unmet(matrix.required, all_passed(matrix) | others, {}) == []


@given(data=st.data())
def test_a_requirement_is_met_exactly_if_its_own_steps_passed(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(MEANT)))
    matrix = matrix_of(name)
    drawn = {s.id: data.draw(st.sampled_from((Status.PASSED, Status.PASSED, *NOT_PASSED))) for s in matrix.steps()}
    known = {id: outcome(id, status) for id, status in drawn.items() if status}
    met = all(any(drawn[step] is Status.PASSED for step in group) for group in groups(name))
    assert (unmet(matrix.required, known, {}) == []) == met


def test_a_runtime_asks_for_every_cell_that_it_runs() -> None:
    matrix = matrix_of("cpu")
    (required,) = matrix.required
    cells = {f"correctness.{key}.{r}" for key, r in matrix.cells if matrix.runners[r].runtime == "cpu"}
    assert {step for group in required.checks for step in group} == cells
    assert {len(group) for group in required.checks} == {1}


def test_one_reason_for_several_names_is_one_line() -> None:
    matrix = matrix_of("onnx", "onnx-cpu", "OnnxCPU", "torchscript-trace-cpu")
    known = all_passed(matrix) | {"export.onnx": outcome("export.onnx", Status.FAILED)}
    line = "required onnx, onnx-cpu, OnnxCPU was not checked: export.onnx failed: why"
    assert unmet(matrix.required, known, {}) == [line]


def test_the_cause_is_told_and_not_what_follows_from_it() -> None:
    matrix = matrix_of("trt-fp16")
    follows = Outcome("convert", Status.SKIPPED, "trt-fp16", message="export.onnx failed: why", cause="export.onnx")
    for status in (Status.FAILED, Status.SKIPPED):
        known = all_passed(matrix) | {"export.onnx": outcome("export.onnx", status), "convert.trt-fp16": follows}
        assert unmet(matrix.required, known, {}) == [
            f"required trt-fp16 was not checked: export.onnx {status.value}: why"
        ]


def test_what_failed_is_told_before_what_was_skipped() -> None:
    matrix = matrix_of("trt-fp16")
    known = all_passed(matrix) | {
        step: outcome(step, status)
        for step, status in (("export.onnx", Status.SKIPPED), ("convert.trt-fp16", Status.FAILED))
    }
    assert unmet(matrix.required, known, {}) == ["required trt-fp16 was not checked: convert.trt-fp16 failed: why"]


def test_a_cause_that_is_no_step_of_the_requirement_is_told_too() -> None:
    matrix = matrix_of("onnx-cpu")
    held = Outcome("correctness", Status.SKIPPED, "onnx", "OnnxCPU", message="held up", cause="export.other")
    known = all_passed(matrix) | {held.id: held, "export.other": outcome("export.other", Status.FAILED)}
    assert unmet(matrix.required, known, {}) == ["required onnx-cpu was not checked: export.other failed: why"]


def test_what_is_made_on_the_way_to_something_asked_for_may_not_be_declined() -> None:
    for matrix in (matrix_of("trt-fp16"), matrix_of("TensorRT"), matrix_of(formats=["trt-fp16"])):
        assert matrix.asked_for("onnx")
    assert not matrix_of("torchscript").asked_for("onnx")


def test_a_compiler_is_asked_for_by_its_cell_and_not_where_another_runner_would_do() -> None:
    step = "correctness.torch.TorchCompileCPU"
    assert asked_for(matrix_of("torch-compile-cpu").required, step)
    assert asked_for(matrix_of("compile-cpu").required, step)
    assert not asked_for(matrix_of("torch").required, step)


def skip(step: str, cause: str = "") -> Outcome:
    name, key, runner, *_ = [*step.split("."), "", ""]
    return Outcome(name, Status.SKIPPED, key, runner, message="no CUDA device", cause=cause)


def test_an_item_fails_early_where_nothing_else_can_meet_the_requirement() -> None:
    cpu, cuda, trt = (f"correctness.onnx.Onnx{name}" for name in ("CPU", "CUDA", "TensorRT"))
    required = matrix_of("onnx").required
    assert not stops(required, skip(cuda), {cuda: skip(cuda)})  # OnnxCPU may pass
    assert not stops(required, skip(cuda), {cuda: skip(cuda), trt: skip(trt), cpu: outcome(cpu, Status.PASSED)})
    assert stops(required, skip(cuda), {cuda: skip(cuda), trt: skip(trt), cpu: skip(cpu)})
    assert stops(matrix_of("onnx-cuda").required, skip(cuda), {cuda: skip(cuda)})


def test_a_step_on_the_way_to_what_is_required_is_not_its_end() -> None:
    required = matrix_of("onnx-cpu", "torch").required
    assert "source" in required[0].needs
    assert not stops(required[:1], skip("source"), {"source": skip("source")})
    assert stops(required, skip("correctness.onnx.OnnxCPU"), {})


def test_one_cause_fails_one_item_early() -> None:
    export, cpu = "export.onnx", "correctness.onnx.OnnxCPU"
    failed = {export: outcome(export, Status.FAILED)}
    assert not stops(matrix_of("onnx-cpu").required, skip(cpu, cause=export), failed)
    skipped = {export: skip(export), "source": skip("source")}
    assert stops(matrix_of("onnx-cpu").required, skip(cpu, cause=export), skipped)
    assert stops(matrix_of("onnx-cpu").required, skip(cpu, cause="source"), skipped)
    assert stops(matrix_of("onnx").required, skip(export), skipped)
    assert not stops(matrix_of("onnx").required, skip(cpu, cause=export), skipped)


@pytest.mark.parametrize(
    ("required", "config", "message"),
    [
        ("OnnxCUDA", {"device": "cpu"}, "device = cpu (nav_config) leaves it out: OnnxCUDA runs on 'cuda'"),
        ("cuda", {"runtimes": ["cpu"]}, "runtimes = cpu (nav_config) leave it out; add 'cuda' to the runtimes of *"),
        (
            "OnnxCPU",
            {"formats": ["torchscript"]},
            "it runs onnx, which is not made: formats = torchscript (nav_config) *",
        ),
        ("JAXCUDA", {}, "it runs jax, which cannot be made of a torch model"),
    ],
)
def test_a_runner_that_the_run_leaves_out_is_told_why(required: str, config: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        matrix_of(required, **config)
    assert str(caught.value).startswith(
        f"required runner {required!r} is known, but not part of this run: {message.rstrip('*')}"
    )


def test_a_format_of_which_only_a_part_is_made_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        build(resolve({"precisions": ("fp16",)}, {}, NavConfig(require=["trt"])), REGISTRY, "torch")
    assert str(caught.value) == (
        "required format 'trt' is trt-fp32 too, which is not part of this run: precisions = fp16 (--nav-precisions) "
        "leave it out; write --nav-precisions=fp16,fp32, or require trt-fp16 alone"
    )
