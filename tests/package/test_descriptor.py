"""`nav.load` and what one asks the package: status, figures, models, verification."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import pytest_navigator as nav
from pytest_navigator.errors import ConfigError, PackageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS = ["torch", "torchscript-script", "torchscript-trace", "onnx"]


@pytest.fixture
def package(pair: Path) -> Iterator[nav.Package]:
    with nav.load(pair) as found:
        yield found


def test_status_and_latency_are_told_for_each_format(package: nav.Package) -> None:
    assert package.get_formats_status() == dict.fromkeys(KEYS, True)
    performance = package.get_formats_performance()
    assert list(performance) == KEYS
    row = package.status["models_status"]["onnx"]["runners_status"]["OnnxCPU"]["result"]["Performance"]
    assert performance[nav.Format.ONNX] == row["profiling_results"][0]["p50_latency"]


def test_a_notebook_shows_the_matrix(package: nav.Package) -> None:
    shown = package._repr_html_()
    assert shown.startswith("<table><caption>pair.nav: ")
    assert all(f">{key}</td>" in shown for key in KEYS)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"format": nav.Format.ONNX}, True),
        ({"format": "onnx", "runtime_provider": nav.RuntimeProvider.CPU}, True),
        ({"format": "onnx", "runtime": "OnnxCPU"}, True),
        ({"format": nav.Format.TORCHSCRIPT, "jit_type": nav.JitType.SCRIPT}, True),
        ({"format": nav.Format.TORCHSCRIPT, "runtime": nav.RuntimeProvider.PYT}, True),
        ({"format": "torchscript-trace", "runtime": "cpu"}, True),
        ({"format": nav.Format.ONNX, "runtime": nav.RuntimeProvider.CUDA}, False),
        ({"format": nav.Format.ONNX, "precision": nav.TensorRTPrecision.FP16}, False),
        ({"format": nav.Format.TENSORRT}, False),
    ],
)
def test_a_status_is_asked_for_by_enums_or_their_strings(
    package: nav.Package, asked: dict[str, Any], expected: bool
) -> None:
    assert package.get_status(**asked) is expected


def test_a_format_that_no_runner_checked_is_not_right_and_can_be_run_all_the_same(package: nav.Package) -> None:
    outcomes = [each for each in package.results.outcomes if (each.step, each.key) != ("correctness", "onnx")]
    package.results = replace(package.results, outcomes=tuple(outcomes))

    assert package.get_formats_status() == {**dict.fromkeys(KEYS, True), "onnx": False}
    assert package.get_status("onnx") is False
    assert package.get_runner("onnx").name == "onnx/OnnxCPU"


@pytest.mark.real_processes
def test_loading_imports_no_framework_and_extracts_nothing_until_asked(pair: Path) -> None:
    script = f"""
import sys
import pytest_navigator as nav
package = nav.load({str(pair)!r})
package.get_formats_status(), package.get_formats_performance(), package.get_best()
frameworks = {{"torch", "onnx", "onnxruntime", "tensorflow", "jax"}}
assert not frameworks & set(sys.modules), frameworks & set(sys.modules)
assert package.workdir is None
with package.get_runner("onnx") as runner:
    assert frameworks & set(sys.modules) == {{"onnxruntime"}}, frameworks & set(sys.modules)
    files = [p.relative_to(package.workdir).as_posix() for p in package.workdir.rglob("*") if p.is_file()]
    assert sorted(files) == [".pytest_navigator_package.json", "onnx/model.onnx"], files
print(package.workdir)
"""
    ran = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    assert not _exists(ran.stdout.strip())


def test_a_model_is_the_object_of_its_library(package: nav.Package) -> None:
    import onnx
    import torch

    assert isinstance(package.get_model(nav.Format.ONNX), onnx.ModelProto)
    script = package.get_model(format=nav.Format.TORCHSCRIPT, jit_type=nav.JitType.TRACE)
    assert isinstance(script, torch.jit.ScriptModule)
    assert package.get_path("onnx").read_bytes().startswith(b"\x08")


def test_a_format_that_means_several_is_not_guessed(package: nav.Package) -> None:
    with pytest.raises(
        PackageError, match=r"torchscript-script, torchscript-trace\): give one of these names, or jit_type$"
    ):
        package.get_model(nav.Format.TORCHSCRIPT)


@pytest.mark.parametrize("name", ["onxx", "openvino"])
def test_an_unknown_format_is_told_with_those_there_are(package: nav.Package, name: str) -> None:
    for ask in (package.get_status, package.get_model, package.get_runner, package.set_verified):
        with pytest.raises(PackageError, match=rf"unknown format '{name}'.*valid: onnx, torch, torchscript"):
            ask(name)


def test_a_strategy_in_the_place_of_a_format_is_told_where_it_belongs(package: nav.Package) -> None:
    with pytest.raises(PackageError, match=r"MinLatencyStrategy.*: not the name of a format; .* as strategies="):
        package.get_runner(nav.MinLatencyStrategy())


def test_a_format_of_model_navigator_that_is_not_in_the_package_is_told_with_those_there_are(
    package: nav.Package,
) -> None:
    with pytest.raises(PackageError, match=r"there is no trt in this package \(there are: onnx, torch, torchscript"):
        package.get_runner(nav.Format.TENSORRT)


def test_an_unknown_runtime_is_told_with_those_there_are(package: nav.Package) -> None:
    for ask in (package.get_status, package.get_runner, package.set_verified):
        with pytest.raises(PackageError, match=r"onnx: unknown runtime 'cqu'.*valid: OnnxCPU, cpu"):
            ask("onnx", runtime="cqu")


def test_a_runtime_in_the_place_of_another_parameter_is_told_its_keyword(package: nav.Package) -> None:
    for arguments in (("onnx", "cpu"), ("onnx", "OnnxCPU"), ("onnx", None, "cuda"), ("cpu",)):
        with pytest.raises(PackageError, match=rf"; did you mean runtime='{arguments[-1]}'\?$"):
            package.get_runner(*arguments)
    with pytest.raises(PackageError, match=r"there is no onnx with jit_type=cqu \(there are: onnx\)$"):
        package.get_runner("onnx", "cqu")


def test_a_runtime_that_is_not_in_the_package_is_not_taken_for_another(package: nav.Package) -> None:
    with pytest.raises(PackageError, match=r"unknown runtime 'gpu' \(valid: OnnxCPU, cpu\)"):
        package.get_runner("onnx", runtime="gpu")


def test_the_two_spellings_of_runtime_must_agree(package: nav.Package) -> None:
    assert package.get_status("onnx", runtime="cpu", runtime_provider="cpu")
    with pytest.raises(PackageError, match="are the same keyword"):
        package.get_status("onnx", runtime="cpu", runtime_provider="cuda")


def test_a_workdir_of_ones_own_stays_and_is_replaced_only_when_asked(pair: Path, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    with nav.load(pair, workdir=folder) as package:
        assert package.get_path("onnx") == folder / "onnx" / "model.onnx"
    assert (folder / "onnx" / "model.onnx").is_file()
    with pytest.raises(PackageError, match="override_workdir=True replaces it"):
        nav.load(pair, workdir=folder)
    with nav.load(pair, workdir=folder, override_workdir=True):
        assert [path.name for path in folder.iterdir()] == [".pytest_navigator_package.json"]


def test_what_somebody_else_put_into_the_workdir_is_never_deleted(pair: Path, tmp_path: Path) -> None:
    nav.load(pair, workdir=tmp_path / "work").get_path("onnx")
    (tmp_path / "work" / "thesis.txt").write_text("years")
    with pytest.raises(PackageError, match=r"not extracted from a package \(thesis.txt\); nothing was deleted"):
        nav.load(pair, workdir=tmp_path / "work", override_workdir=True)
    assert (tmp_path / "work" / "onnx" / "model.onnx").is_file()


def test_a_target_device_restricts_the_runners(pair: Path) -> None:
    with nav.load(pair, target_device="cuda") as package:
        assert not package.get_status("onnx", runtime="cpu")
        with pytest.raises(PackageError, match="onnx has no runner on cuda"):
            package.get_runner("onnx")


def test_verified_is_what_passed_and_was_set_so(package: nav.Package, tmp_path: Path) -> None:
    assert not package.is_verified("onnx", "cpu")
    package.set_verified(format=nav.Format.ONNX, runtime=nav.RuntimeProvider.CPU)
    package.set_verified(format=nav.Format.TORCHSCRIPT, jit_type=nav.JitType.SCRIPT)
    assert package.is_verified("onnx", "cpu")
    package.save(tmp_path / "out.nav")
    with nav.load(tmp_path / "out.nav") as again:
        assert again.is_verified("onnx", "cpu")
        assert again.is_verified("torchscript-script", "cpu")
        assert not again.is_verified("torchscript-trace", "cpu")
        row = again.status["models_status"]["onnx"]["runners_status"]["OnnxCPU"]["status"]
        assert row["VerifyModel"] == "OK"
        assert again.status["pytest_navigator"]["verified"] == ["torchscript-script/TorchScriptCPU", "onnx/OnnxCPU"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), (b"", "is empty"), (b"not a zip", "is not a package"), (b"PK\x03\x04more", "truncated")],
)
def test_what_is_no_package_is_told_so(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "bad.nav").write_bytes(content)
    with pytest.raises(PackageError, match=message):
        nav.load(tmp_path / "bad.nav")


def test_a_runner_is_called_like_the_model(package: nav.Package) -> None:
    import torch

    x, bias = torch.ones(2, 5), torch.zeros(2, 7)
    with package.get_runner(nav.Format.ONNX) as runner:
        outputs = runner(x=x, bias=bias)
        arrays = runner.infer({"x": x.numpy(), "bias": bias.numpy()})

    assert list(outputs) == ["sum", "parts"]
    assert isinstance(outputs["parts"], tuple)
    assert torch.equal(outputs["parts"][0], x)
    np.testing.assert_array_equal(outputs["sum"].numpy(), arrays["sum"])


def _exists(path: str) -> bool:
    from pathlib import Path

    return Path(path).exists()


def test_a_runner_that_exists_elsewhere_is_false_and_one_that_does_not_is_an_error(package: nav.Package) -> None:
    assert package.get_status("onnx", runtime="TensorFlowCPU") is False
    with pytest.raises(PackageError, match="unknown runtime 'OnxCPU'; did you mean 'OnnxCPU'"):
        package.get_status("onnx", runtime="OnxCPU")


def test_a_closed_package_says_that_it_is_closed(pair: Path) -> None:
    package = nav.load(pair)
    package.close()

    with pytest.raises(PackageError, match=r"pair\.nav was closed; open it again"):
        package.get_runner("onnx")


@pytest.mark.parametrize("name", ["cpu", "cpu:0"])
def test_a_device_is_the_same_by_whichever_name(pair: Path, name: str) -> None:
    torch = pytest.importorskip("torch")

    for device in (name, torch.device(name)):
        with nav.load(pair, target_device=device) as package, package.get_runner("onnx") as runner:
            assert runner.name == "onnx/OnnxCPU"


def test_a_device_that_is_none_is_told_when_the_package_is_loaded(pair: Path) -> None:
    with pytest.raises(
        ConfigError, match=r'^target_device=\'tpu\': "cpu" or "cuda" is needed, or None for any device$'
    ):
        nav.load(pair, target_device="tpu")
