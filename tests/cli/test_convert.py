"""`pytest-navigator convert`: Model Navigator's command of that name, as its document writes it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pytest_navigator.cli.convert import NAMES, worded
from pytest_navigator.configuration.convert_flags import FLAGS
from pytest_navigator.configuration.nav_config_file import KEYS, OLDER, REPEAT, flag_of
from pytest_navigator.plugin.options import MODEL_OPTIONS
from tests.package.commands import Ran, command

if TYPE_CHECKING:
    from pathlib import Path

SIGNATURE = "--inputs image__0=-1,3,-1,-1:float32 --outputs output__0=-1,10:float32"
PROFILE = "--value-ranges image__0=0,1 --dtypes image__0=float32 --max-shapes image__0=4,3,12,16"
DOCUMENTED = f"--model-name ResNet50_trace --model-path model.pt --target-formats onnx {SIGNATURE} {PROFILE}"
"""As the document has it for TorchScript, with smaller images."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small classifier as TorchScript, and as ONNX files of one axis that may be of any size."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    model = torch.nn.Sequential(*layers, torch.nn.Linear(4, 10)).eval()
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        torch.jit.trace(model, torch.rand(2, 3, 8, 8)).save(str(tmp_path / "model.pt"))
    return tmp_path


def convert(folder: Path, line: str) -> Ran:
    """Run the command in a folder, as a user does."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest_navigator", "convert", *shlex.split(line)],
        cwd=folder,
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in ran.stderr
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def results(folder: Path) -> list[Any]:
    found: list[Any] = yaml.safe_load((folder / "navigator_workspace" / "convert_results.yaml").read_text())
    return found


def test_the_documents_command_converts_checks_and_says_where_everything_is(folder: Path) -> None:
    ran = convert(folder, f"{DOCUMENTED} --output-path models/trace.onnx")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-2:] == [
        "converted: navigator_workspace/converted/ResNet50_trace-onnx.onnx",
        "conversions: navigator_workspace/convert_results.yaml",
    ]
    (entry,) = results(folder)
    assert entry["status"]["state"] == "succeeded"
    assert entry["source_model_config"]["model_name"] == "ResNet50_trace"
    assert entry["dataset_profile"]["max_shapes"] == {"image__0": [4, 3, 12, 16]}
    made = (folder / "navigator_workspace" / entry["output_model"]["path"]).read_bytes()
    assert (folder / "models" / "trace.onnx").read_bytes() == made
    assert (folder / "navigator_workspace" / "converted" / "ResNet50_trace-onnx.onnx").read_bytes() == made


EFFICIENT = """--model-name EfficientNet --model-path efficientnet.onnx --output-path efficientnet_fp16.plan
--min-shapes input_1=1,32,32,3 --opt-shapes input_1=16,116,116,3 --max-shapes input_1=32,224,224,3
--target-precisions fp16"""


@pytest.mark.slow
def test_the_documents_engine_has_its_profile_and_is_made_where_there_is_a_gpu(folder: Path) -> None:
    onnx = pytest.importorskip("onnx")
    value, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    node = onnx.helper.make_node("ReduceMean", ["input_1"], ["mean"], axes=[1, 2], keepdims=0)
    inputs, outputs = [value("input_1", kind, ["n", "h", "w", 3])], [value("mean", kind, ["n", 3])]
    graph = onnx.helper.make_graph([node], "mean", inputs, outputs)
    opset = onnx.helper.make_opsetid("", 13)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), folder / "efficientnet.onnx")

    ran = convert(folder, EFFICIENT)

    (entry,) = results(folder)
    assert entry["conversion_config"]["tensorrt_precisions"] == ["fp16"]
    profile = {key: entry["dataset_profile"][f"{key}_shapes"]["input_1"] for key in ("min", "opt", "max")}
    assert profile == {"min": [1, 32, 32, 3], "opt": [16, 116, 116, 3], "max": [32, 224, 224, 3]}
    made = entry["status"]["state"] == "succeeded"
    assert (ran.code, (folder / "efficientnet_fp16.plan").exists()) == (int(not made), made)
    if entry["status"]["state"] == "skipped":
        assert ran.out.splitlines()[-1].startswith("FAILED: nothing was converted: trt-fp16 skipped: ")


FAST = """--model-name FastPitch_PyT --model-path fastpitch.pt
--inputs input__0:-1,-1:int64 input__1:-1,1:int64
--outputs output__0:-1,80,-1:float16 output__1:-1,1:int64 output__2:-1,-1:float16 output__3:-1,-1:float16
--max-shapes input__0=8,128"""

FAST_PITCH = """
import torch

class FastPitch(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(200, 80).half()

    def forward(self, tokens, speaker):
        return self.embedding(tokens).transpose(1, 2), speaker + 1, (2 * tokens).half(), (tokens + 3).half()

example = torch.randint(0, 2, (2, 9)), torch.randint(0, 2, (2, 1))
torch.jit.trace(FastPitch().eval(), example).save("fastpitch.pt")
"""


@pytest.mark.slow
def test_the_documents_signature_of_several_inputs_and_outputs_is_taken(folder: Path) -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", FAST_PITCH], cwd=folder, check=True)

    ran = convert(folder, FAST)

    assert ran.code == 0, ran.out
    entry = next(each for each in results(folder) if each["conversion_config"]["target_format"] == "onnx")
    assert entry["status"]["state"] == "succeeded"
    assert list(entry["model_signature_config"]["outputs"]) == [f"output__{index}" for index in range(4)]
    assert entry["dataset_profile"]["max_shapes"] == {"input__0": [8, 128], "input__1": [8, 1]}


@pytest.mark.slow
def test_what_an_onnx_file_says_itself_is_not_said_otherwise(folder: Path) -> None:
    assert convert(folder, f"{DOCUMENTED} --output-path made.onnx").code == 0
    sizes = "--max-shapes image__0=2,3,8,8 --target-formats onnx"

    assert convert(folder, f"made.onnx {SIGNATURE} {sizes}").code == 0
    for said, problem in {
        "--inputs image__0:-1,3,-1,-1:float16": "--inputs: image__0:-1,3,-1,-1:float16, which is image__0:-1,3,",
        "--inputs image__0:-1,1,-1,-1:float32": "--inputs: image__0:-1,1,-1,-1:float32, which is image__0:-1,3,",
        "--inputs x:-1,3,-1,-1:float32": "--inputs: unknown input 'x' (valid: image__0)",
        "--outputs x:-1,10:float32": "--outputs: unknown output 'x' (valid: output__0)",
        "--onnx-opsets 13": "--onnx-opsets: an ONNX file keeps the opset that it has; leave it out",
    }.items():
        refused = convert(folder, f"made.onnx {said} {sizes}")
        assert refused.code == 2
        assert refused.err.startswith(f"pytest-navigator: error: {problem}")


@pytest.mark.slow
def test_a_flag_goes_before_the_file_and_the_next_run_replaces_its_own_workspace(folder: Path) -> None:
    (folder / "convert.yaml").write_text(
        "model_path: model.pt\ntarget_formats: [onnx]\nonnx_opsets: [13]\nmax_shapes: {image__0: [8, 3, 9, 9]}\n"
        "inputs: ['image__0:-1,3,-1,-1:float32']\noutputs: ['output__0:-1,10:float32']\natol: {output__0: 1e-3}\n"
    )
    assert convert(folder, "--config-path convert.yaml").code == 0
    first = results(folder)[0]

    assert convert(folder, "--config-path convert.yaml --max-shapes image__0=2,3,9,9 --onnx-opsets 17 18").code == 0

    seventeen, eighteen = results(folder)
    assert [first["conversion_config"]["onnx_opsets"], first["dataset_profile"]["max_shapes"]["image__0"][0]] == [
        [13],
        8,
    ]
    assert [each["conversion_config"]["onnx_opsets"] for each in (seventeen, eighteen)] == [[17], [18]]
    assert seventeen["dataset_profile"]["max_shapes"] == {"image__0": [2, 3, 9, 9]}
    assert seventeen["comparator_config"] == first["comparator_config"] == {
        "atol": {"output__0": 1e-3},
        "rtol": {"output__0": 1e-5},
    }  # fmt: skip
    converted = folder / "navigator_workspace" / "converted"
    assert sorted(path.name for path in converted.iterdir()) == ["model-onnx-opset17.onnx", "model-onnx-opset18.onnx"]


def test_numbers_that_differ_are_a_failed_conversion(folder: Path) -> None:
    ran = convert(
        folder, f"model.pt {DOCUMENTED} --value-ranges=-1e4,1e4 --atol 0 --rtol 0 --output-path out.onnx".replace(
            "--value-ranges image__0=0,1 ", ""
        ),
    )  # fmt: skip

    assert ran.code == 1
    assert ran.out.splitlines()[-1].startswith("FAILED: test_correctness[onnx-cpu]")
    assert results(folder)[0]["status"]["state"] == "failed"
    assert not (folder / "out.onnx").exists()
    assert list((folder / "navigator_workspace" / "converted").iterdir()) == []


def test_what_the_model_is_not_is_said_by_the_flags_of_the_command(folder: Path) -> None:
    open_axes = convert(folder, f"model.pt --target-formats onnx {SIGNATURE}")

    assert open_axes.code == 2
    assert open_axes.err.startswith("pytest-navigator: error: axis 2 of input 'image__0', axis 3")
    assert "    --max-shapes image__0=4,3,16,16" in open_axes.err.splitlines()
    assert results(folder)[0]["status"]["state"] == "skipped"
    unsigned = convert(folder, "model.pt --target-formats onnx")
    assert unsigned.code == 2
    assert '--inputs="input__0:-1,3,224,224:float32" --outputs="output__0:-1,1000:float32"' in unsigned.err
    wrong = convert(folder, f"model.pt {SIGNATURE} --max-shapes img=4,3,12,16")
    assert "--max-shapes: unknown input 'img' (valid: image__0)" in wrong.err


def test_a_file_whose_own_format_is_asked_for_is_checked_and_delivered(folder: Path) -> None:
    ran = convert(folder, f"{DOCUMENTED.replace('formats onnx', 'formats torchscript')} --output-path copy.pt")

    assert ran.code == 0, ran.out
    assert (folder / "copy.pt").read_bytes() == (folder / "model.pt").read_bytes()
    (entry,) = results(folder)
    assert (entry["status"]["state"], entry["conversion_config"]["target_format"]) == ("succeeded", "torchscript")


@pytest.mark.slow
def test_a_package_is_converted_with_its_own_samples(folder: Path) -> None:
    assert convert(folder, f"{DOCUMENTED} --output-package out.nav").code == 0

    ran = convert(folder, "out.nav --target-formats onnx --output-path again.onnx --atol 1e-3")

    assert ran.code == 0, ran.out
    assert (folder / "again.onnx").is_file()
    assert results(folder)[0]["comparator_config"]["atol"] == {"output__0": 1e-3}
    needless = convert(folder, "out.nav --max-batch-size 4")
    assert (needless.code, needless.err) == (
        2,
        "pytest-navigator: error: --max-batch-size is of no use beside out.nav: a package brings its own\n",
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "no model is named: write FILE first"),
        ("absent.onnx", "there is no file"),
        ("my.models:build", "there is no file my.models:build; what is none is checked by pytest --nav-model="),
        ("model.pt --model-path other.pt", "model.pt and --model-path other.pt name two models"),
        ("model.pt --model-format onnx", "is a TorchScript file by its content, not an ONNX file"),
        ("model.pt --model-format tf-trt", "--model-format: 'tf-trt' cannot be read"),
        ("model.pt --model-name ''", "--model-name: '' is no text"),
        ("model.pt --config-path absent.yaml", "absent.yaml: No such file"),
        ("model.pt --inputs x:1:flt", "--inputs: 'x:1:flt': 'flt' is no type"),
        ("model.pt --outputs y", "--outputs: 'y' is no name with a shape and a type"),
        ("model.pt --batch-dim rows", "--batch-dim: 'rows' is not a whole number of 0 or more"),
        ("model.pt --unbatched x x", "--unbatched: 'x x': names are needed, each once"),
        ("model.pt --max-batch-size 0", "--max-batch-size: '0' is not a positive whole number"),
        ("model.pt --min-shapes x=1,a", "--min-shapes: x: '1,a' is no shape"),
        ("model.pt --opt-shapes 1,3", "--opt-shapes: '1,3' is for no input"),
        ("model.pt --max-shapes x=1,-1", "--max-shapes: x: '1,-1' is no shape"),
        ("model.pt --value-ranges x=1,0", "--value-ranges: x: '1,0' is no range"),
        ("model.pt --dtypes x=flota32", "--dtypes: x: 'flota32' is no type of numpy; did you mean 'float32'?"),
        ("model.pt --random-seed -1", "--random-seed: '-1' is not a whole number of 0 or more"),
        ("model.pt --target-formats onx", "unknown format of a torchscript model 'onx'; did you mean 'onnx'?"),
        ("model.pt --target-formats onnx onnx", "--target-formats: 'onnx onnx': names are needed, each once"),
        ("model.pt --onnx-opsets 1.5", "--onnx-opsets: '1.5' is not a positive whole number"),
        ("model.pt --target-precisions int4", "--tensorrt-precisions: unknown value 'int4'"),
        ("model.pt --tensorrt-precisions-mode both", "--tensorrt-precisions-mode: unknown value 'both'"),
        ("model.pt --tensorrt-explicit-precision perhaps", "--tensorrt-explicit-precision: 'perhaps' is not a boolean"),
        ("model.pt --tensorrt-sparse-weights perhaps", "--tensorrt-sparse-weights: 'perhaps' is not a boolean"),
        ("model.pt --tensorrt-max-workspace-size 4G", "--tensorrt-max-workspace-size: '4G' is not a positive whole"),
        ("model.pt --atol small", "--atol: 'small' is not a number"),
        ("model.pt --rtol y=1 y=2", "--rtol: 'y' comes twice"),
        ("model.pt --workspace-path model.pt", "the workspace"),
        ("model.pt --override-workspace maybe", "--override-workspace: 'maybe' is not a boolean"),
        ("model.pt --output-path model.pt", "model.pt exists, and is not what an earlier run wrote"),
        ("model.pt --output-package absent.yaml/out.nav --output-package ''", "--output-package: '' is no text"),
        ("model.pt --verbose model.pt", "--verbose: 'model.pt' is not a boolean"),
        ("model.pt --launch-mode podman", "--launch-mode: unknown value 'podman' (valid: docker, local)"),
        ("model.pt --launch-mode docker", "name one that is there in --framework-docker-image"),
        ("model.pt --override-conversion-container", "--override-conversion-container: 'true': "),
        ("model.pt --container-version 23.01", "--container-version: '23.01': "),
        ("model.pt --triton-docker-image triton", "--triton-docker-image: 'triton': "),
        ("model.pt --gpus 0 1", "--gpus: '0 1': this version chooses no GPUs; the environment variable CUDA_VISIBLE_D"),
        ("model.pt --model-version 2", "see pytest-navigator deploy triton --version"),
        ("model.pt --engine-count-per-device gpu=2", "see pytest-navigator deploy triton --version --instances"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_nothing_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, line: str, message: str
) -> None:
    monkeypatch.chdir(folder)

    ran = command("convert", *shlex.split(line))

    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert ran.err.startswith("pytest-navigator: error: ")
    assert not (folder / "navigator_workspace").exists()


DEFAULTS = """--workspace-path navigator_workspace
--override-workspace --container-version 22.07 --gpus all --verbose false
--random-seed 0 --model-version 1 --launch-mode local --override-conversion-container false
--target-formats tf-trt tf-savedmodel onnx trt torchscript torch-trt --onnx-opsets 14 --tensorrt-precisions fp16 fp32
--tensorrt-precisions-mode hierarchy --tensorrt-explicit-precision --tensorrt-sparse-weights false
--tensorrt-max-workspace-size 4294967296 --atol 1e-05 --rtol 1e-05 --max-batch-size 128"""


def test_the_documents_defaults_may_be_written_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    ran = command("convert", "absent.onnx", *shlex.split(DEFAULTS))

    assert ran.err == f"pytest-navigator: error: there is no file {tmp_path / 'absent.onnx'}\n"


def test_there_is_a_flag_for_every_key_and_none_beside_them() -> None:
    keys = [flag.key for flags in FLAGS.values() for flag in flags]

    assert sorted([*keys, "config_path", REPEAT]) == sorted(KEYS)
    assert set(OLDER.values()) < set(keys)


def test_texts_of_the_engine_are_put_in_flags_that_there_are() -> None:
    theirs = {flag for flag, *_ in MODEL_OPTIONS} | {"--nav-workspace", "--nav-package"}
    helped = command("convert", "--help").out

    assert {f"--nav-{name}" for name in ("model", "model-format", "inputs", "outputs")} <= theirs
    assert all(flag_of(name) in helped for name in NAMES.values())
    assert worded("--nav-formats=onnx, --nav-device=all") == "--target-formats=onnx, pytest --nav-device=all"
    assert worded("write pytest --nav-device=all") == "write pytest --nav-device=all"
    assert worded("say it in value_ranges of --nav-config") == "say it in --value-ranges"
    assert worded("formats = trt (nav_config) asks") == "formats = trt asks"
    assert worded("a.yaml: max_shapes: x") == "a.yaml: max_shapes: x"
    assert worded("/a/max_shapes/b, max_shapes.onnx") == "/a/max_shapes/b, max_shapes.onnx"


def test_a_flag_that_is_none_is_an_error_of_few_lines() -> None:
    unknown, valueless = command("convert", "model.pt", "--max-shapez", "x=1"), command("convert", "--model-name")

    assert "unrecognized arguments: --max-shapez x=1" in unknown.err
    assert "argument --model-name: expected one argument" in valueless.err
    assert (unknown.code, valueless.code) == (2, 2)
    assert max(len(ran.err.splitlines()) for ran in (unknown, valueless)) <= 2


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (
            "--inputs x:-1,4,8,8:float32 --outputs y:-1,10:float32",
            "--inputs says x:-1,4,8,8:float32: does the model take that?",
        ),
        (
            "--inputs x:-1,3,8,8:float64 --outputs y:-1,10:float32",
            "--inputs says x:-1,3,8,8:float64: does the model take that?",
        ),
        (
            "--inputs x:-1,3,8,8:float32 --outputs y:-1,9:float32",
            "--outputs says y:-1,9:float32, the model gives y:-1,10:float32",
        ),
        (
            "--inputs x:-1,3,8,8:float32 --outputs y:-1,10:float64",
            "--outputs says y:-1,10:float64, the model gives y:-1,10:float32",
        ),
    ],
)
def test_a_signature_that_is_not_the_models_is_told_once_by_its_flag(folder: Path, flags: str, told: str) -> None:
    ran = convert(folder, f"model.pt --target-formats onnx {flags}")

    assert ran.code == 2
    assert ran.err.rstrip().endswith(told)
    assert "value-ranges" not in ran.err
    assert "does the model" not in ran.out
    assert "SKIPPED" not in ran.out


def test_a_file_without_a_signature_ends_with_what_to_write(folder: Path) -> None:
    ran = convert(folder, "model.pt")

    assert ran.code == 2
    assert ran.err.count("does not say what its inputs are") == 1
    assert "does not say" not in ran.out
    assert ran.err.splitlines()[1].strip() == "inputs:"
    assert ran.err.splitlines()[-1].strip().startswith('or say it to this run: --inputs="')
    assert "SKIPPED" not in ran.out


def test_a_flag_is_written_out(folder: Path) -> None:
    ran = convert(folder, "model.pt --launch-mod local")

    assert ran.code == 2
    assert "unrecognized arguments: --launch-mod" in ran.err


def test_a_format_that_is_none_of_the_models_is_told_in_good_english(folder: Path) -> None:
    onnx = pytest.importorskip("onnx")
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 3]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Add", ["x", "x"], ["y"])], "g", values[:1], values[1:])
    opset = onnx.helper.make_opsetid("", 18)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9), folder / "m.onnx")

    assert "format of an onnx model 'onix'; did you mean 'onnx'" in convert(folder, "m.onnx --target-formats onix").err
