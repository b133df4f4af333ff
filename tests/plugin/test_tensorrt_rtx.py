"""Engines of TensorRT-RTX are built for real where there is no GPU, and say so instead of running."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from blackbox import status, words

import pytest_navigator as nav_api
from pytest_navigator.errors import PackageError

onnx = pytest.importorskip("onnx")
pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
pytest.importorskip("polygraphy")

from onnx import (  # noqa: E402
    TensorProto,
    helper,
    numpy_helper,
)

from pytest_navigator.backends.tensorrt.engine import load  # noqa: E402
from pytest_navigator.devices.present import devices  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from blackbox import Nav

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(devices().gpus), reason="this machine has a GPU: the engines would run"),
]

ENGINES = "trt-rtx-fp32,trt-rtx-fp16,trt-rtx-int8"


def write(path: Path, *more: onnx.NodeProto) -> None:
    """Write an ONNX file of a convolution and a matrix product, with more nodes behind them."""
    random = np.random.default_rng(0)
    kernel, matrix = (random.standard_normal(s).astype(np.float32) for s in ((4, 3, 3, 3), (4, 2)))
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["c"], ["p"], name="pool"),
        helper.make_node("Flatten", ["p"], ["f"], name="flatten"),
        helper.make_node("MatMul", ["f", "matrix"], ["z" if more else "y"], name="matmul"),
        *more,
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(kernel, "kernel"), numpy_helper.from_array(matrix, "matrix")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


@pytest.fixture
def run(pytester: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Check an ONNX file, with batches of up to 6, and make engines of it."""
    monkeypatch.setenv("COLUMNS", "500")
    pytester.path.joinpath("nav.yaml").write_text("max_batch_size: 6\n")

    def check(*arguments: str, engines: str = ENGINES, nodes: tuple[onnx.NodeProto, ...] = ()) -> pytest.RunResult:
        write(pytester.path / "net.onnx", *nodes)
        given = ("--nav-model=net.onnx", "--nav-config=nav.yaml", "--nav-runtimes=OnnxCPU,TensorRTRTX")
        return nav("-v", *given, *arguments, formats=engines)

    return check


def test_engines_are_built_and_what_needs_a_gpu_skips(run: Callable[..., pytest.RunResult]) -> None:
    found = words(run())
    engines = ENGINES.split(",")
    assert {found[f"test_convert[{key}]"] for key in engines} == {"PASSED"}
    assert {found[f"test_correctness[{key}-tensorrt-rtx]"] for key in engines} == {"SKIPPED"}


def test_the_package_says_what_an_engine_is_and_holds_what_it_was_built_from(
    run: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    run("--nav-package=out.nav", engines="trt-rtx-fp32,trt-rtx-fp16")
    with zipfile.ZipFile(pytester.path / "out.nav") as package:
        names = set(package.namelist())
        assert package.read("trt-rtx-fp16/model.plan").startswith(b"vtrt")
    assert {"trt-rtx-fp16/network.onnx", "trt-rtx-fp16/reproduce_conversion.sh"} <= names
    assert "trt-rtx-fp32/network.onnx" not in names
    own = json.dumps(status(pytester.path / "out.nav")["pytest_navigator"])
    assert '"backend": "tensorrt_rtx"' in own
    assert '"x": {"min": [1, 3, 8, 8], "opt": [4, 3, 8, 8], "max": [6, 3, 8, 8]}' in own


def test_its_script_builds_the_same_engine_again(
    run: Callable[..., pytest.RunResult], pytester: pytest.Pytester, tmp_path: Path
) -> None:
    run("--nav-package=out.nav", engines="trt-rtx-fp16")
    with zipfile.ZipFile(pytester.path / "out.nav") as package:
        package.extractall(tmp_path)
    (tmp_path / "bin").mkdir()
    command = f"#!/bin/sh\nexec {sys.executable} -c 'from polygraphy.tools import main; main()' \"$@\"\n"
    (tmp_path / "bin" / "polygraphy").write_text(command)
    (tmp_path / "bin" / "polygraphy").chmod(0o755)
    environment = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "PYTHON": sys.executable, "HOME": str(tmp_path)}
    script = ["bash", "trt-rtx-fp16/reproduce_conversion.sh"]
    done = subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    made, again = (tmp_path / "trt-rtx-fp16" / name for name in ("model.plan", "reproduced.plan"))
    assert again.stat().st_size == made.stat().st_size


def test_an_operator_that_tensorrt_does_not_have_is_named_with_its_node(run: Callable[..., pytest.RunResult]) -> None:
    nodes = (
        helper.make_node("Unique", ["z"], ["u"], name="unique"),
        helper.make_node("Add", ["z", "z"], ["y"], name="add"),
    )
    result = run(engines="trt-rtx-fp32", nodes=nodes)
    assert words(result)["test_convert[trt-rtx-fp32]"] == "FAILED"
    result.stdout.fnmatch_lines(["*no engine was built: node 'unique' (Unique): TensorRT does not have this operator*"])


CONFIG = """
import pytest
from pytest_navigator import NavConfig, TensorRTRTXConfig

nav_config = NavConfig(framework="onnx", runtimes=["OnnxCPU", "TensorRTRTX"], formats=["onnx", TensorRTRTXConfig({})])

@pytest.fixture(scope="session")
def nav_model():
    return "net.onnx"

@pytest.fixture(scope="session")
def nav_dataloader():
    import numpy as np
    return [{{"x": np.random.rand(n, 3, 8, 8).astype("float32")}} for n in (2, 4)]
"""


@pytest.fixture
def configured(
    pytester: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], pytest.RunResult]:
    """Build an engine as a configuration says."""
    monkeypatch.setenv("COLUMNS", "500")

    def check(fields: str, *arguments: str) -> pytest.RunResult:
        write(pytester.path / "net.onnx")
        pytester.makeconftest(CONFIG.format(f"precision='fp32', {fields}"))
        return nav("-v", *arguments, formats="trt-rtx")

    return check


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("trt_profiles={'x': {0: (1, 2, 3)}}", "axis 0 of 'x' goes from 1 to 3, but the samples have 4"),
        ("trt_profiles={'image': {0: (1, 2, 4)}}", "unknown input 'image'"),
        ("max_workspace_size=1", "*within workspace limit*a larger max_workspace_size may help"),
        ("compute_capabilities='9.0'", "Compute capability 9.0 (SM90) not supported by this TensorRT-RTX version."),
        ("custom_args={'no_such_option': 1}", "Unrecognized Options: *no-such-option*"),
    ],
)
def test_what_cannot_be_built_fails_with_the_reason(
    configured: Callable[[str], pytest.RunResult], fields: str, message: str
) -> None:
    result = configured(fields)
    assert words(result)["test_convert[trt-rtx-fp32]"] == "FAILED"
    result.stdout.fnmatch_lines([f"FAILED*{message.replace('[', '[[]')}*"])


SHARED = """
import numpy as np, pytest, torch
from pytest_navigator import NavConfig, TensorRTRTXConfig

nav_config = NavConfig(
    runtimes=["OnnxCPU", "TensorRTRTX"],
    formats=["onnx", TensorRTRTXConfig(precision="fp32", trt_profiles={"left": {0: (1, 2, 8)}})],
)

class Sum(torch.nn.Module):
    def forward(self, left, right):
        return left + right

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return Sum().eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [(torch.rand(n, 3), torch.rand(n, 3)) for n in (2, 4)]
"""


def test_a_profile_that_moves_one_of_two_axes_of_a_dimension_names_both(
    pytester: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    pytester.makeconftest(SHARED)
    result = nav("-v", formats="onnx,trt-rtx")
    assert words(result)["test_convert[trt-rtx-fp32]"] == "FAILED"
    result.stdout.fnmatch_lines(
        [
            "FAILED*trt_profiles[[]0]: axis 0 of 'left' goes from 1 to 8, tuned for 2, but axis 0 of 'right' goes from "
            "1 to 4, tuned for 4; both are the dimension 'batch': give them the same sizes"
        ]
    )


def test_an_engine_of_several_profiles_and_of_no_tf32_is_built(
    configured: Callable[[str], pytest.RunResult], pytester: pytest.Pytester
) -> None:
    profiles = "[{'x': {0: (1, 1, 1)}}, {'x': {0: (2, 4, 8)}}]"
    result = configured(f"trt_profiles={profiles}, precision_mode='single', optimization_level=1")
    assert words(result)["test_convert[trt-rtx-fp32]"] == "PASSED"
    (log,) = pytester.path.glob("navigator_workspace/*/trt-rtx-fp32/format.log")
    assert "Profile 1:" in log.read_text()
    assert "[STRONGLY_TYPED]" in log.read_text()  # and not TF32


def test_a_build_for_too_large_a_batch_is_tried_for_smaller_ones(
    configured: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    # No batch fits into this workspace, so that each size is tried.
    result = configured("conversion_fallback=True, max_workspace_size=1", "--nav-batch-sizes=1,64")
    assert words(result)["test_convert[trt-rtx-fp32]"] == "FAILED"
    (log,) = pytester.path.glob("navigator_workspace/*/trt-rtx-fp32/format.log")
    tried = re.findall(r"max=\[(\d+), 3, 8, 8\]", log.read_text())
    assert tried == ["64", "32", "16", "4"]


def test_an_engine_takes_the_batches_that_are_asked_for(
    configured: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    result = configured("", "--nav-batch-sizes=1,64")
    assert words(result)["test_convert[trt-rtx-fp32]"] == "PASSED"
    (log,) = pytester.path.glob("navigator_workspace/*/trt-rtx-fp32/format.log")
    assert "{x [min=[1, 3, 8, 8], opt=[32, 3, 8, 8], max=[64, 3, 8, 8]]}" in log.read_text()


def test_a_required_engine_that_cannot_run_is_a_failure(run: Callable[..., pytest.RunResult]) -> None:
    result = run("--nav-require=trt-rtx-fp32", engines="trt-rtx-fp32")
    assert words(result)["test_correctness[trt-rtx-fp32-tensorrt-rtx]"] == "FAILED"
    result.stdout.fnmatch_lines(
        [
            "FAILED: required trt-rtx-fp32 was not checked: correctness.trt-rtx-fp32.TensorRTRTX skipped: no CUDA *",
            "FAILED *no CUDA device (required by --nav-require)",
        ]
    )


HINT = "hint: TensorRT-RTX builds here: --nav-formats=trt-rtx"


def test_where_tensorrt_cannot_build_its_sibling_is_offered(run: Callable[..., pytest.RunResult]) -> None:
    result = run("--nav-runtimes=OnnxCPU,TensorRT", engines="onnx,trt-fp32")
    assert words(result)["test_convert[trt-fp32]"] == "SKIPPED"
    result.stdout.fnmatch_lines(["skipped: * no CUDA device", HINT, "results: *"])
    assert run("--nav-runtimes=OnnxCPU,TensorRT", "-k", "source", engines="trt-fp32").stdout.str().count(HINT) == 0
    assert run("-k", "not rtx", engines="trt-fp32,trt-rtx-fp32").stdout.str().count(HINT) == 0


@pytest.mark.parametrize("module", ["tensorrt_rtx", "polygraphy"])
def test_what_is_not_installed_is_not_offered(
    run: Callable[..., pytest.RunResult], monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    found = importlib.util.find_spec
    hidden = lambda name: None if name == module else found(name)  # noqa: E731
    monkeypatch.setattr("pytest_navigator.reporting.other_runners.find_spec", hidden)
    assert HINT not in run("--nav-runtimes=OnnxCPU,TensorRT", engines="onnx,trt-fp32").outlines


def test_engines_that_nothing_can_check_here_fail_with_what_could_check_their_model(
    run: Callable[..., pytest.RunResult],
) -> None:
    result = run("--nav-runtimes=TensorRTRTX", engines="trt-rtx-fp32")
    assert words(result)["test_convert[trt-rtx-fp32]"] == "PASSED"
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "FAILED: no format of net but the source itself passed correctness: TensorRTRTX cannot run here (no CUDA "
            "device); OnnxCPU could, but runtimes = TensorRTRTX (--nav-runtimes) leaves that out; write "
            "--nav-runtimes=TensorRTRTX,OnnxCPU"
        ]
    )


def test_loaded_elsewhere_its_runner_says_what_is_missing(
    run: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    run("--nav-package=out.nav", engines="trt-rtx-fp32")
    with nav_api.load("out.nav") as package, pytest.raises(PackageError, match="no CUDA device"):
        package.get_runner("trt-rtx", precision="fp32")


def test_an_engine_is_recognised_by_its_content_and_needs_a_gpu(
    run: Callable[..., pytest.RunResult], pytester: pytest.Pytester, nav: Nav
) -> None:
    run("--nav-package=out.nav", engines="trt-rtx-fp32")
    with zipfile.ZipFile(pytester.path / "out.nav") as package:
        pytester.path.joinpath("model.engine").write_bytes(package.read("trt-rtx-fp32/model.plan"))
    result = nav("-v", "--nav-model=model.engine", "--nav-runtimes=TensorRTRTX", formats="")
    assert words(result) == {
        "test_source": "FAILED",
        "test_correctness[trt-rtx-tensorrt-rtx]": "SKIPPED",
    }
    result.stdout.fnmatch_lines(["FAILED*model.engine cannot be run: no CUDA device"])


def test_a_damaged_or_foreign_engine_is_told_by_what_it_is(
    run: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    from pytest_navigator.errors import StepFailed

    run("--nav-package=out.nav", engines="trt-rtx-fp32")
    with zipfile.ZipFile(pytester.path / "out.nav") as package:
        content = package.read("trt-rtx-fp32/model.plan")
    path = pytester.path / "model.plan"
    for damaged, message in (
        (b"vtrt" + bytes(60), "TensorRT-RTX 1.* cannot load the engine"),
        (b"ptrt" + content[4:], "is an engine of TensorRT, not of TensorRT-RTX"),
        (b"junk", "is no engine of TensorRT-RTX: it was cut off or is something else"),
        (content, "CUDA driver version is insufficient"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(StepFailed, match=message):
            load(path, "tensorrt_rtx")
