"""Functions of the API in a plain script: progress and summary on the terminal, a package as the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.scripts import output, run

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = """
import numpy as np
import pytest_navigator as nav

def double(x):
    return {"y": x * 2, "sum": x.sum(axis=1)}

batches = [np.full((rows, 3), rows, np.float32) for rows in (1, 4)]
profile = nav.OptimizationProfile(batch_sizes=[2], window_size=5)
"""

VERIFY = """
seen = []

def same(found, expected):
    pairs = list(zip(found, expected, strict=True))
    seen.append([(sorted(f), f["y"].shape, bool((f["y"] == e["y"]).all())) for f, e in pairs])
    return True

package = nav.python.optimize(
    double, lambda: iter(batches), model_name="twice", verify_func=same, optimization_profile=profile
)
print(seen)
print(package.get_formats_status(), list(package.get_formats_performance()))
package.save("twice.nav")
print(nav.load("twice.nav").get_formats_status())
"""


def test_a_script_gets_a_package_and_shows_what_pytest_shows(tmp_path: Path) -> None:
    lines = output(BEGIN + VERIFY, tmp_path)

    tests = [line.split()[0] for line in lines if "::" in line]
    assert tests == [
        "twice::nav_model::test_source",
        "twice::nav_model::test_correctness[python-cpu]",
        "twice::nav_model::test_profile[python-cpu-batch2]",
        "twice::verify_func[python-cpu]",
    ]
    assert any(line.split()[:2] == ["python", "PythonRunner"] and line.split()[-1] == "yes" for line in lines)
    (best,) = [line.split() for line in lines if line.startswith("MaxThroughputStrategy ")]
    assert best[3:] == ["PythonRunner", "python", "2"]
    assert lines[-3:] == [
        "[[(['sum', 'y'], (1, 3), True), (['sum', 'y'], (4, 3), True)]]",
        "{'python': True} ['python']",
        "{'python': True}",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["navigator_workspace", "script.py", "twice.nav"]


def test_code_that_comes_from_an_interpreters_input_runs_too_as_often_as_one_likes(tmp_path: Path) -> None:
    twice = """
for factor in (2, 3):
    def model(x, factor=factor):
        return x * factor

    nav.python.optimize(model, batches, optimization_profile=profile, verify_func=lambda found, expected: False)
"""
    lines = output(BEGIN + twice, tmp_path, by_input=True, PYTEST_ADDOPTS="--no-such-option")

    assert sum("verify_func[python-cpu] FAILED" in line for line in lines) == 2
    assert lines.count("verify_func returned False, not True") == 2
    assert not any("hidden" in line for line in lines)


BRANCH = """
import torch
import pytest_navigator as nav

class Model(torch.nn.Module):
    def forward(self, x):
        return x * 2 if x.sum() > 0 else x

batches = [torch.ones(rows, 3) for rows in (1, 4)]
profile = nav.OptimizationProfile(batch_sizes=[2], window_size=5)
"""


def test_a_format_that_cannot_be_made_is_a_failure_only_where_the_call_asks_for_it(tmp_path: Path) -> None:
    onnx = "nav.OnnxConfig(export_engine=nav.OnnxDynamoExportConfig())"
    options = f"custom_configs=[{onnx}], runners=['TorchScriptCPU'], optimization_profile=profile"
    lines = output(f"{BRANCH}nav.torch.optimize(Model().eval(), batches, {options})", tmp_path)

    words = {line.partition("[")[2].partition("]")[0]: line.split()[1] for line in lines if "::test_export[" in line}
    assert words["torch-exportedprogram"] == "XFAIL"
    assert words["onnx"] == "FAILED"
    assert any(line.startswith("xfailed: export torch-exportedprogram: ") for line in lines)
    assert any(line.startswith("FAILED: export onnx: ") for line in lines)


def test_a_test_of_ones_own_may_call_it(tmp_path: Path) -> None:
    own = """
import pytest

def test_it(tmp_path):
    package = nav.python.optimize(double, batches, workspace=tmp_path / "w", optimization_profile=profile)
    assert package.get_formats_status() == {"python": True}

if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, "-q", "-p", "no:cacheprovider"]))
"""
    result = run(BEGIN + own, tmp_path)

    assert result.returncode == 0, result.stdout
    assert "1 passed" in result.stdout
    assert not [path for path in tmp_path.iterdir() if "navigator" in path.name or path.suffix == ".nav"]


def test_an_onnx_file_needs_no_samples(tmp_path: Path) -> None:
    script = """
import onnx
from onnx import TensorProto, helper
import pytest_navigator as nav

x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in "xy")
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "relu.onnx")
package = nav.onnx.optimize("relu.onnx", optimization_profile=nav.OptimizationProfile(batch_sizes=[1], window_size=5))
print(package.get_formats_status())
"""
    assert output(script, tmp_path)[-1] == "{'onnx': True}"


def test_what_an_earlier_run_left_is_replaced_only_if_one_says_so_and_what_is_anothers_never(tmp_path: Path) -> None:
    script = """
from pathlib import Path
import pytest_navigator as nav
from pytest_navigator.errors import ConfigError

Path("mine").mkdir()
Path("mine", "thesis.txt").write_text("chapter 1")
for function, option in ((nav.torch.export, "workdir"), (nav.python.optimize, "workspace")):
    try:
        function(lambda x: x, [1.0], **{option: "mine"})
    except ConfigError as error:
        print(str(error).replace(str(Path.cwd()), "."))
print(Path("mine", "thesis.txt").read_text())
"""
    lines = output(script, tmp_path)

    assert lines[0] == "the folder ./mine is not empty: give another workdir, or override_workdir=True"
    assert lines[-2].startswith("the workspace ./mine holds something that pytest-navigator did not write")
    assert lines[-1] == "chapter 1"


def test_a_model_that_breaks_its_contract_is_an_error_with_the_reason(tmp_path: Path) -> None:
    script = """
import numpy as np
import pytest_navigator as nav
from pytest_navigator.errors import SourceError

def broken(x):
    return x / 0

np.seterr(all="ignore")
try:
    nav.python.optimize(broken, [np.ones((2, 3), np.float32)])
except SourceError as error:
    print("it says:", error)
"""
    last = output(script, tmp_path)[-1]

    assert last.startswith("it says: output output__0 of the model is inf on sample 0 at [0, 0]")


def test_each_call_is_of_its_own_model_whatever_it_and_the_callers_modules_are_called(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("OFFSET = 1\n")
    script = """
import model
for offset in (10.0, 20.0):
    def add(x):
        return x + offset * model.OFFSET

    package = nav.python.optimize(add, batches, optimization_profile=profile)
    package.load_source(add)
    with package.get_runner("python") as runner:
        print(runner(np.zeros((1, 3), np.float32)))
"""
    lines = output(BEGIN + script, tmp_path)

    assert [line for line in lines if line.startswith("[[")] == ["[[10. 10. 10.]]", "[[20. 20. 20.]]"]
    assert sum(line.startswith("model::nav_model::test_correctness[python-cpu] PASSED") for line in lines) == 2
