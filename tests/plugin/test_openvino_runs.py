"""OpenVINO is made where it is named, and nowhere else; then it is a format like all others."""

from __future__ import annotations

import sys
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from blackbox import LINEAR, status, words

import pytest_navigator as nav_api
from pytest_navigator.backends.openvino.model import capabilities

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Nav

pytest.importorskip("openvino")

WIDE = LINEAR.replace(
    "torch.nn.Linear(5, 7).eval()", "torch.nn.Sequential(torch.nn.Linear(5, 999), torch.nn.Linear(999, 7)).eval()"
)


def test_nobody_has_it_who_does_not_name_it(linear: pytest.Pytester, nav: Nav) -> None:
    text = nav("--collect-only", "-q", formats="").stdout.str()
    assert "onnx" in text
    assert "openvino" not in text


def test_it_is_checked_required_packed_loaded_and_its_scripts_run(
    linear: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = ("--nav-package=out.nav", "--nav-require=openvino-cpu,OpenVINOCPU")
    result = nav("-v", *named, formats="openvino,openvino-fp16", subprocess=True)
    found = words(result)
    assert {found[f"test_convert[openvino{end}]"] for end in ("", "-fp16")} == {"PASSED"}
    assert {found[f"test_correctness[openvino{end}-cpu]"] for end in ("", "-fp16")} == {"PASSED"}
    assert "openvino" in status(linear.path / "out.nav")["environment"]["python_packages"]

    x = np.ones((3, 5), np.float32)
    with nav_api.load("out.nav") as package:
        with (
            package.get_runner("openvino", runtime="OpenVINOCPU") as runner,
            package.get_runner("onnx") as other,
        ):
            np.testing.assert_allclose(np.asarray(runner(x)), np.asarray(other(x)), atol=1e-5)
        assert [port.any_name for port in package.get_model("openvino-fp16").inputs] == ["input"]

    with zipfile.ZipFile("out.nav") as package_file:
        assert b"Convert ONNX to OpenVINO" in package_file.read("navigator.log")
        package_file.extractall("unpacked")
    monkeypatch.chdir("unpacked")
    for script, said in {
        "openvino-fp16/reproduce_conversion.py": "written: openvino-fp16/reproduced.openvino",
        "openvino/reproduce_correctness-openvinocpu.py": "output__0: max abs *: passed",
    }.items():
        assert "navigator" not in (linear.path / "unpacked" / script).read_text(encoding="utf-8").split('"""')[2]
        ran = linear.run(sys.executable, script)
        assert ran.ret == 0
        ran.stdout.fnmatch_lines([said])


def test_bfloat16_is_a_format_of_its_own_beside_float32_and_throughput_a_runtime(
    linear: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = ("--nav-package=out.nav", "--nav-runtimes=cpu,openvino-throughput")
    result = nav("-v", *named, formats="openvino-bf16", subprocess=True)
    found = words(result)
    ran = "PASSED" if "BF16" in capabilities() else "SKIPPED"
    assert found["test_correctness[openvino-cpu]"] == "PASSED"
    assert found["test_correctness[openvino-openvino-throughput]"] == "PASSED"
    assert found["test_correctness[openvino-bf16-cpu]"] == ran
    assert found["test_correctness[openvino-bf16-openvino-throughput]"] == ran
    if ran == "SKIPPED":
        return

    with zipfile.ZipFile("out.nav") as package_file:
        package_file.extractall("unpacked")
    monkeypatch.chdir("unpacked")
    for script in ("cpu", "throughputcpu"):
        ran = linear.run(sys.executable, f"openvino-bf16/reproduce_correctness-openvino{script}.py")
        assert ran.ret == 0
        ran.stdout.fnmatch_lines(["output__0: max abs *: passed"])


def test_int8_is_calibrated_on_the_loader_measured_beside_float32_and_its_script_runs(
    linear: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    linear.makeconftest(WIDE)
    result = nav("-v", "--nav-package=out.nav", formats="openvino-int8,openvino-bf16", subprocess=True)
    found = words(result)
    assert found["test_correctness[openvino-cpu]"] == "PASSED"
    assert found["test_correctness[openvino-int8-cpu]"] == "PASSED"
    assert "Statistics collection" not in result.stdout.str() + result.stderr.str()
    with zipfile.ZipFile("out.nav") as package_file:
        package_file.extractall("unpacked")
    unpacked = linear.path / "unpacked"
    assert "Statistics collection" in (unpacked / "openvino-int8/format.log").read_text(encoding="utf-8")
    monkeypatch.chdir(unpacked)
    ran = linear.run(sys.executable, "openvino-int8/reproduce_conversion.py")
    ran.stdout.fnmatch_lines(["written: openvino-int8/reproduced.openvino"])


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an IR of a perceptron, whose files are called net.xml and net.bin."""
    import openvino
    from openvino import opset13 as op

    random = np.random.default_rng(0)
    x = op.parameter([-1, 32], np.float32, name="x")
    x.output(0).set_names({"x"})
    first, second = (op.constant(random.standard_normal(shape).astype("f4") / 8) for shape in ((32, 999), (999, 7)))
    model = openvino.Model([op.matmul(op.relu(op.matmul(x, first, False, False)), second, False, False)], [x], "net")
    path = tmp_path_factory.mktemp("network") / "net.xml"
    openvino.save_model(model, path, compress_to_fp16=False)
    return path.parent


@pytest.mark.parametrize("named", ["net.xml", ""])
def test_an_ir_is_a_source_and_its_other_precisions_are_made_of_it(
    pytester: pytest.Pytester, nav: Nav, network: Path, named: str
) -> None:
    (pytester.path / "notes.txt").write_text("not a part of it")
    made = ["openvino-fp16", "openvino-int8", *(["openvino-bf16"] if "BF16" in capabilities() else [])]
    found = words(
        nav(
            "-v",
            f"--nav-model={network / named}",
            "--nav-package=out.nav",
            formats=",".join(made),
            subprocess=bool(named),
        )
    )
    assert found["test_correctness[openvino-cpu]"] == "PASSED"
    assert {found[f"test_convert[{key}]"] for key in made} == {"PASSED"}
    assert {found[f"test_correctness[{key}-cpu]"] for key in made} == {"PASSED"}
    with zipfile.ZipFile("out.nav") as package:
        files = {name for name in package.namelist() if name.startswith("openvino/model.openvino/")}
    assert {name.rpartition("/")[2] for name in files} - {""} == {"model.xml", "model.bin"}
    again = words(nav("-v", "--nav-model=out.nav", formats="openvino-int8", subprocess=True))
    assert again["test_correctness[openvino-int8-cpu]"] == "PASSED"


def test_a_fixture_returns_the_path_of_an_ir(pytester: pytest.Pytester, nav: Nav, network: Path) -> None:
    pytester.makeconftest(f"""
import numpy as np, pytest
from pytest_navigator import NavConfig

nav_config = NavConfig(framework="openvino")

@pytest.fixture(scope="session")
def nav_model():
    return {str(network / "net.xml")!r}

@pytest.fixture(scope="session")
def nav_dataloader():
    return [{{"x": np.ones((rows, 32), "f4")}} for rows in (1, 3)]
""")
    assert words(nav("-v", formats="openvino", subprocess=True))["test_correctness[openvino-cpu]"] == "PASSED"


SPOILED = """
import pytest, torch
import pytest_navigator as nav

form = nav.OpenVINOConfig(precision="int8", quantization=nav.{how})
nav_config = nav.NavConfig(formats=[form], comparisons={{"openvino-int8": nav.cosine(0.995)}})

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    torch.manual_seed(0)
    first, wide, last = torch.nn.Linear(32, 64), torch.nn.Linear(64, 64), torch.nn.Linear(64, 8)
    with torch.no_grad():
        wide.weight[0] *= 300
        last.weight[:, 0] = 0
    return torch.nn.Sequential(first, torch.nn.ReLU(), wide, torch.nn.ReLU(), last).eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(3, 32) for _ in range(4)]
"""


def test_a_failure_of_int8_names_the_worst_layer_and_a_search_leaves_it_out(
    pytester: pytest.Pytester, nav: Nav
) -> None:
    pytester.makeconftest(SPOILED.format(how="QuantizationConfig(per_channel=False)"))
    result = nav("-v", "--nav-no-profile", formats="", subprocess=True)
    assert words(result)["test_correctness[openvino-int8-cpu]"] == "FAILED"
    result.stdout.re_match_lines([r".*worst layers: .*leave them out by QuantizationConfig\(exclude=\["])
    pytester.makeconftest(SPOILED.format(how="QuantizationConfig(per_channel=False, search='accuracy')"))
    found = words(nav("-v", "--nav-no-profile", formats="", subprocess=True))
    assert found["test_correctness[openvino-int8-cpu]"] == "PASSED"
