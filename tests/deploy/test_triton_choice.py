"""What is deployed of a package, and how it is set: on records of runs, GPUs and TensorRT among them."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import onnx
import pytest

import pytest_navigator as nav
from pytest_navigator.api.triton import model_repository
from pytest_navigator.core.plain import save
from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status
from pytest_navigator.core.variants import RunnerRecord, Variant
from pytest_navigator.deploy.triton.served import needs
from pytest_navigator.errors import DeploymentError, PackageError, StrategyError
from pytest_navigator.package.container.writer import pack
from tests.package.recorded import (
    RUNNERS,
    SIGNATURE,
    SOURCE,
    VARIANTS,
    correctness,
    left_to_verify,
    outcomes,
    profile,
    workspace,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Build = Callable[..., Path]
    Parsed = Callable[[str], dict[str, Any]]

__all__ = ["workspace"]

NOT_BF16 = "'input__0' is bfloat16, which Triton's backend for this format does not take"
MADE = "2026-02-22T15:34:28.500000"


def settled(outcome: Outcome, **settings: object) -> Outcome:
    """Return a measurement with the settings of its runner."""
    return replace(outcome, data={**outcome.data, "settings": settings})


def run(*steps: Outcome, variant: Variant, runner: RunnerRecord) -> dict[str, Any]:
    """Return what `workspace` builds: a run of one more format."""
    made = Outcome("export", Status.PASSED, variant.key, started=MADE, digest="e" * 64)
    runners = {**RUNNERS, runner.name: runner}
    return {"steps": [SOURCE, made, *steps], "variants": (VARIANTS[0], variant), "runners": runners}


def measured(key: str, runner: str, **settings: object) -> list[Outcome]:
    batches = (profile(key, runner, "batch1", 2.0, 500.0), profile(key, runner, "batchmax", 3.0, 900.0))
    return [correctness(key, runner), *(settled(each, **settings) for each in batches)]


def held(folder: Path, *names: str, operator: str = "Op", output: Sequence[str | int] | None = ("batch", 7)) -> None:
    """Write files of formats."""
    value = onnx.helper.make_tensor_value_info
    tensors = [value("input__0", 1, ["batch", 5]), value("output__0", 1, output)]
    graph = onnx.helper.make_graph([onnx.helper.make_node(operator, ["input__0"], ["output__0"])], "g", *zip(tensors))
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(onnx.helper.make_model(graph).SerializeToString())


def config(package: Path, tmp_path: Path, **keywords: Any) -> str:
    with nav.load(package) as opened:
        folder = model_repository.add_model_from_package(tmp_path / "models", "m", opened, **keywords)
    return (folder / "config.pbtxt").read_text("utf-8")


def onnx_run(runner: str, **settings: object) -> dict[str, Any]:
    record = replace(RUNNERS["OnnxCUDA"], name=runner, runtime="tensorrt" if runner == "OnnxTensorRT" else "cuda")
    variant = Variant("onnx", "onnx", None, "model.onnx", {}, (runner,))
    return run(*measured("onnx", runner, **settings), variant=variant, runner=record)


def test_threads_and_levels_are_those_that_were_measured(workspace: Build, tmp_path: Path, parsed: Parsed) -> None:
    variant = Variant("onnx", "onnx", None, "model.onnx", {}, ("OnnxCPU",))
    settings = {
        "intra_op_num_threads": 3,
        "inter_op_num_threads": 2,
        "execution_mode": "ORT_PARALLEL",
        "graph_optimization_level": "ORT_ENABLE_EXTENDED",
    }
    folder = workspace(**run(*measured("onnx", "OnnxCPU", **settings), variant=variant, runner=RUNNERS["OnnxCPU"]))
    held(folder, "onnx/model.onnx")

    found = parsed(config(folder, tmp_path))

    assert {key: value["string_value"] for key, value in found["parameters"].items()} == {
        "intra_op_thread_count": "3",
        "inter_op_thread_count": "2",
        "execution_mode": "1",
    }
    assert found["optimization"] == {"graph": {"level": 1}}


def test_float16_is_served_without_the_optimization_that_ends_the_process(workspace: Build, tmp_path: Path) -> None:
    parameters = {"precision": "fp16", "kind": "fp16"}
    variant = Variant("onnx-fp16", "onnx-quantized", None, "model.onnx", parameters, ("OnnxQuantizedCPU",))
    runner = replace(RUNNERS["OnnxCPU"], name="OnnxQuantizedCPU", format="onnx-quantized")
    folder = workspace(**run(*measured("onnx-fp16", "OnnxQuantizedCPU"), variant=variant, runner=runner))
    held(folder, "onnx-fp16/model.onnx")

    text = " ".join(config(folder, tmp_path).split())
    assert 'backend: "onnxruntime"' in text
    assert "level: 1" in text


@pytest.mark.parametrize(
    ("settings", "precision"), [({}, "FP32"), ({"trt_fp16_enable": "1"}, "FP16"), ({"trt_int8_enable": True}, "INT8")]
)
def test_the_provider_computes_in_what_it_was_measured_in(
    settings: dict[str, object], precision: str, workspace: Build, tmp_path: Path, parsed: Parsed
) -> None:
    folder = workspace(**onnx_run("OnnxTensorRT", **settings))
    held(folder, "onnx/model.onnx")

    found = parsed(config(folder, tmp_path))

    (accelerator,) = found["optimization"]["execution_accelerators"]["gpu_execution_accelerator"]
    assert accelerator == {"name": "tensorrt", "parameters": {"precision_mode": precision}}
    assert found["instance_group"] == [{"kind": "KIND_GPU", "count": 1}]


@pytest.mark.parametrize(
    ("flags", "lost", "precision"),
    [
        (["trt_bf16_enable"], "bfloat16", "FP32"),
        (["trt_int8_enable", "trt_fp16_enable"], "fp16", "INT8"),
        (["trt_fp16_enable", "trt_bf16_enable"], "bfloat16", "FP16"),
    ],
)
def test_a_precision_that_the_backend_does_not_have_is_said(
    flags: list[str], lost: str, precision: str, workspace: Build, tmp_path: Path
) -> None:
    folder = workspace(**onnx_run("OnnxTensorRT", **dict.fromkeys(flags, True)))
    held(folder, "onnx/model.onnx")

    with pytest.warns(UserWarning, match=f"m: measured with TensorRT .* in {lost}, served in {precision}: Triton"):
        found = config(folder, tmp_path)

    assert f'value: "{precision}"' in found


def test_on_a_gpu_there_are_no_threads_of_the_cpu(workspace: Build, tmp_path: Path, parsed: Parsed) -> None:
    folder = workspace(**onnx_run("OnnxCUDA", intra_op_num_threads=0))
    held(folder, "onnx/model.onnx")

    found = parsed(config(folder, tmp_path))

    assert found["instance_group"] == [{"kind": "KIND_GPU", "count": 1}]
    assert "parameters" not in found
    assert "optimization" not in found


@pytest.mark.parametrize("graphs", [True, False])
def test_an_engine_is_a_plan_with_its_graphs(graphs: bool, workspace: Build, tmp_path: Path, parsed: Parsed) -> None:
    variant = Variant("trt-fp16", "trt", None, "model.plan", {"precision": "fp16"}, ("TensorRT",))
    steps = measured("trt-fp16", "TensorRT", cuda_graph=graphs)
    folder = workspace(**run(*steps, variant=variant, runner=RUNNERS["TensorRT"]))
    held(folder, "trt-fp16/model.plan")

    found = parsed(config(folder, tmp_path))

    assert found["backend"] == "tensorrt"
    assert found.get("optimization") == ({"cuda": {"graphs": True}} if graphs else None)
    assert (tmp_path / "models" / "m" / "1" / "model.plan").is_file()


def tensorflow(workspace: Build, *others: Outcome) -> Path:
    """A run of a TensorFlow model whose SavedModel is the fastest."""
    kinds = {"tf-savedmodel": "TensorFlowSavedModelCPU", "onnx": "OnnxCPU"}
    files = {"tf-savedmodel": "model.savedmodel", "onnx": "model.onnx"}
    variants = [Variant(key, key, None, files[key], {}, (runner,)) for key, runner in kinds.items()]
    path = "pytest_navigator.backends.tensorflow.runners:SavedModelRunner"
    saved = RunnerRecord("TensorFlowSavedModelCPU", "cpu", "tf-savedmodel", "cpu", False, path, ("tensorflow",))
    made = [Outcome("export", Status.PASSED, key, started=MADE, digest="e" * 64) for key in kinds]
    steps = [SOURCE, *made, *measured("tf-savedmodel", "TensorFlowSavedModelCPU"), *others]
    runners = {**RUNNERS, saved.name: saved}
    folder = workspace(steps, variants=(VARIANTS[0], *variants), runners=runners)
    held(folder, "onnx/model.onnx")
    (folder / "tf-savedmodel" / "model.savedmodel").mkdir(parents=True)
    (folder / "tf-savedmodel" / "model.savedmodel" / "saved_model.pb").write_bytes(b"pb")
    return folder


def slower() -> list[Outcome]:
    return [correctness("onnx", "OnnxCPU"), profile("onnx", "OnnxCPU", "batch1", 9.0, 100.0)]


def test_in_the_place_of_a_savedmodel_its_onnx_is_served(workspace: Build, tmp_path: Path) -> None:
    folder = tensorflow(workspace, *slower())

    with pytest.warns(UserWarning, match=r"since its release 25\.08: onnx on OnnxCPU is served in place of tf-saved"):
        found = config(folder, tmp_path)

    assert 'backend: "onnxruntime"' in found


@pytest.mark.parametrize(
    ("others", "keywords"),
    [([], {}), (slower(), {"format": "tf-savedmodel"})],
    ids=["no ONNX that passed", "a format that was named"],
)
def test_a_savedmodel_becomes_a_python_model(
    others: list[Outcome], keywords: dict[str, str], workspace: Build, tmp_path: Path
) -> None:
    folder = tensorflow(workspace, *others)

    with pytest.warns(UserWarning, match="tf-savedmodel is served as a Python model: Triton has no backend for"):
        found = config(folder, tmp_path, **keywords)

    assert 'backend: "python"' in found
    version = tmp_path / "models" / "m" / "1"
    assert (version / "model.savedmodel" / "saved_model.pb").is_file()
    assert "tf.saved_model.load(path)" in (version / "model.py").read_text("utf-8")


def typed(folder: Path, dtype: str) -> None:
    """Let the model take and give another type."""
    specs = [replace(spec, dtype=dtype) for spec in (*SIGNATURE.inputs, *SIGNATURE.outputs)]
    save(folder / "signature.json", replace(SIGNATURE, inputs=(specs[0],), outputs=(specs[1],)))


ONNX = RunnerRecord("OnnxCPU", "cpu", "onnx", "cpu", False, "pytest_navigator.backends.onnx.runners:OnnxCPU")
ENGINE = RUNNERS["TensorRT"]


@pytest.mark.parametrize(
    ("variant", "runner", "dtype", "backend"),
    [
        (VARIANTS[3], ONNX, "uint64", "onnxruntime"),
        (VARIANTS[3], ONNX, "bfloat16", "python"),
        (VARIANTS[4], ENGINE, "bfloat16", "tensorrt"),
    ],
)
def test_a_type_that_the_backend_has_not_becomes_a_python_model(
    variant: Variant, runner: RunnerRecord, dtype: str, backend: str, workspace: Build, tmp_path: Path
) -> None:
    alone = replace(variant, parent=None, runners=(runner.name,))
    folder = workspace(**run(*measured(variant.key, runner.name), variant=alone, runner=runner))
    held(folder, f"{variant.key}/{variant.file}")
    typed(folder, dtype)

    with warnings.catch_warnings(record=True, action="always") as noted:
        found = config(folder, tmp_path)

    assert f'backend: "{backend}"' in found
    said = [str(each.message) for each in noted]
    why = f"m: {variant.key} is served as a Python model: {NOT_BF16}"
    assert [each.partition("; the server's")[0] for each in said] == [why][: backend == "python"]


@pytest.mark.parametrize(
    ("operator", "backend"),
    [("Relu", "onnxruntime"), ("Op", "python")],
    ids=["axes that follow from the graph", "axes that nobody knows"],
)
def test_a_file_that_does_not_say_the_axes_of_an_output(
    operator: str, backend: str, workspace: Build, tmp_path: Path
) -> None:
    alone = replace(VARIANTS[3], runners=(ONNX.name,))
    folder = workspace(**run(*measured("onnx", ONNX.name), variant=alone, runner=ONNX))
    held(folder, "onnx/model.onnx", operator=operator, output=None)

    with warnings.catch_warnings(record=True, action="always") as noted:
        found = config(folder, tmp_path)

    assert f'backend: "{backend}"' in found
    assert ["how many axes 'output__0' has" in str(each.message) for each in noted] == [True][: backend == "python"]


FAILED = [SOURCE, Outcome("export", Status.PASSED, "onnx", started=MADE, digest="e" * 64)]


@pytest.mark.parametrize(
    ("steps", "keywords", "kind", "message"),
    [
        (outcomes(), {"format": "onnx"}, PackageError, "onnx on OnnxCPU failed correctness: output__0: max abs 0.2"),
        (outcomes(), {"format": "torch"}, DeploymentError, "torch is the live model, which no package holds"),
        (outcomes(), {"format": "trt-fp16"}, PackageError, "trt-fp16 is not in it: no CUDA device"),
        (
            [*FAILED, correctness("onnx", "OnnxCPU", 1.0, Status.FAILED, message="max abs 1")],
            {},
            StrategyError,
            "passed correctness, and only what passed is deployed (correctness.onnx.OnnxCPU: max abs 1)",
        ),
        (
            [*FAILED, correctness("onnx", "OnnxCPU")],
            {},
            StrategyError,
            "figures to choose by: name the format (onnx)",
        ),
        (outcomes(), {"verified_only": True}, StrategyError, "is verified, torchscript-trace on TorchScriptCPU for"),
        (
            outcomes(),
            {"strategy": nav.MaxThroughputWithLatencyBudgetStrategy(0.5)},
            StrategyError,
            "no runner is within 0.5 ms",
        ),
    ],
)
def test_what_cannot_be_deployed_is_said(
    steps: Sequence[Outcome],
    keywords: dict[str, Any],
    kind: type[Exception],
    message: str,
    workspace: Build,
    tmp_path: Path,
) -> None:
    folder = workspace(steps)
    held(folder, "onnx/model.onnx")

    with pytest.raises(kind, match=re.escape(message)):
        config(folder, tmp_path, **keywords)
    assert not (tmp_path / "models").exists()


def test_what_passed_without_figures_is_deployed_by_its_name(workspace: Build, tmp_path: Path) -> None:
    folder = workspace([*FAILED, correctness("onnx", "OnnxCPU")])
    held(folder, "onnx/model.onnx")

    assert "max_batch_size: 3" in config(folder, tmp_path, format="onnx")


def test_what_no_verify_test_has_passed_is_deployed_by_its_name_alone_and_it_is_said(
    workspace: Build, tmp_path: Path
) -> None:
    measured = profile("onnx", "OnnxCPU", "batch1", 2.0, 500.0)
    folder = workspace([*FAILED, left_to_verify("onnx", "OnnxCPU"), measured])
    held(folder, "onnx/model.onnx")

    with pytest.raises(StrategyError, match=r"may be chosen by its figures, only by its name: .*judged by verify_a"):
        config(folder, tmp_path)
    with pytest.warns(UserWarning, match=r"output__0 is unchecked \(judged by verify_a.* tests have not passed"):
        config(folder, tmp_path, format="onnx")


def test_weights_beside_an_onnx_file_go_into_its_folder(workspace: Build, tmp_path: Path) -> None:
    folder = workspace([*FAILED, correctness("onnx", "OnnxCPU")])
    held(folder, "onnx/model.onnx")
    (folder / "onnx" / "model.onnx.data").write_bytes(b"weights")

    config(folder, tmp_path, format="onnx")

    version = tmp_path / "models" / "m" / "1"
    found = sorted(path.relative_to(version).as_posix() for path in version.rglob("*") if path.is_file())
    assert found == ["model.onnx/model.onnx", "model.onnx/model.onnx.data"]


def test_a_format_that_was_left_out_is_said(workspace: Build, tmp_path: Path) -> None:
    package = pack(workspace(), tmp_path / "out.nav", keep="none", save_data="none", required=(), git=None)

    with pytest.raises(PackageError, match=r"torchscript-trace was left out of it \(keep=none\)"):
        config(package, tmp_path, format="torchscript-trace")
    with pytest.raises(DeploymentError, match="holds no model: nothing was exported, or --nav-keep left it out"):
        config(package, tmp_path)


def test_a_warm_up_needs_a_sample(workspace: Build, tmp_path: Path) -> None:
    folder = workspace([*FAILED, correctness("onnx", "OnnxCPU")])
    held(folder, "onnx/model.onnx")

    with pytest.raises(DeploymentError, match="a warm-up needs a sample, and the package gives none"):
        config(folder, tmp_path, format="onnx", warmup=True)


def test_a_file_that_is_no_onnx_is_told(workspace: Build, tmp_path: Path) -> None:
    folder = workspace([*FAILED, correctness("onnx", "OnnxCPU")])

    with pytest.raises(DeploymentError, match="the package's ONNX file cannot be read"):
        config(folder, tmp_path, format="onnx")


HOSTILE = "\"\"\"'\\\n__import__('os').mkdir('made')\n#"


def test_names_of_a_package_are_no_code_of_a_python_model(
    workspace: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "pytest_navigator.backends.torch.exportedprogram_runners:TorchExportedProgramRunner"
    runner = RunnerRecord(
        "TorchExportedProgramCPU", "cpu", "torch-exportedprogram", "cpu", False, path, ("torch", HOSTILE)
    )
    variant = Variant("torch-exportedprogram", runner.format, None, "model.pt2", {}, (runner.name,))
    steps = measured(variant.key, runner.name, threads=HOSTILE, float32_matmul_precision=HOSTILE)
    folder = workspace(**run(*steps, variant=variant, runner=runner))
    held(folder, "torch-exportedprogram/model.pt2")
    spec = replace(SIGNATURE.outputs[0], name=HOSTILE)
    save(folder / "signature.json", replace(SIGNATURE, outputs=(spec,), output_tree={"leaf": HOSTILE}))
    monkeypatch.chdir(tmp_path)

    with pytest.warns(UserWarning, match="is served as a Python model"):
        config(folder, tmp_path)

    source = (tmp_path / "models" / "m" / "1" / "model.py").read_text("utf-8")
    space: dict[str, Any] = {}
    exec(source.replace("import triton_python_backend_utils as pb_utils\n", ""), space)
    assert space["OUTPUTS"] == {HOSTILE: "float32"}
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("requires", "packages"),
    [(("ai_edge_litert",), "numpy ai-edge-litert"), (("torch", "torch-cuda", "cuda"), "numpy torch"), ((), "numpy")],
)
def test_a_python_model_says_what_the_servers_python_needs(requires: tuple[str, ...], packages: str) -> None:
    runner = RunnerRecord("SomeCPU", "cpu", "some", "cpu", live=False, path="some:Some", requires=requires)
    assert needs(runner) == f"the server's Python needs: pip install {packages}"
