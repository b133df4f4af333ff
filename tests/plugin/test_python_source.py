"""Any Python function of arrays as `nav_model`: nothing is exported, everything else is checked."""

from __future__ import annotations

import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from blackbox import outcomes, status, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Nav

FUNCTION = """
import numpy as np, pytest

def centred(x, *, scale=2.0):
    return {"normal": (x - x.mean(axis=1, keepdims=True)) * scale, "top": x.argmax(axis=1)}

@pytest.fixture(scope="session")
def nav_model():
    return centred

@pytest.fixture(scope="session")
def nav_dataloader():
    return [np.random.randn(3, 5).astype("float32") for _ in range(4)]
"""

VERIFY = """
import numpy as np

def verify_mean(nav_runner, nav_source_runner):
    x = np.random.randn(6, 5).astype("float32")
    assert abs(nav_runner(x)["normal"].mean()) < 1e-5
    assert nav_runner.infer({"x": x})["top"].tolist() == nav_source_runner(x)["top"].tolist()
"""


@pytest.fixture
def function(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write a conftest.py of another function, loader or fixture; lines of the run are not cut."""
    monkeypatch.setenv("COLUMNS", "500")

    def write(body: str = "", *, returned: str = "centred", head: str = "def nav_model():", loader: str = "") -> None:
        text = FUNCTION.replace("return centred", f"return {returned}").replace("def nav_model():", head)
        if loader:
            text = text[: text.rindex("    return")] + f"    return {loader}\n"
        pytester.makeconftest(text.replace("import numpy as np, pytest\n", f"import numpy as np, pytest\n{body}\n", 1))

    return write


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["plain", "n2"])
def test_a_function_is_checked_profiled_verified_and_packed(
    pytester: pytest.Pytester, nav: Nav, function: Callable[..., None], arguments: tuple[str, ...]
) -> None:
    function()
    pytester.makepyfile(test_quality=VERIFY)
    options = ("-v", "--nav-package=out.nav", "--nav-profile-seconds=0.2", *arguments)
    result = nav(*options, formats="", profile=True, subprocess=bool(arguments))
    assert result.ret == 0
    assert outcomes(result) == {
        "conftest.py::nav_model::test_source": "PASSED",
        "conftest.py::nav_model::test_correctness[python-cpu]": "PASSED",
        "conftest.py::nav_model::test_profile[python-cpu-batch1]": "PASSED",
        "conftest.py::nav_model::test_profile[python-cpu-batchmax]": "PASSED",
        "test_quality.py::verify_mean[python-cpu]": "PASSED",
    }
    found = status(pytester.path / "out.nav")
    assert list(found["models_status"]) == ["python"]
    runner = found["models_status"]["python"]["runners_status"]["PythonRunner"]
    assert runner["status"] == {"Correctness": "OK", "Performance": "OK", "VerifyModel": "OK"}
    assert [output["name"] for output in found["output_metadata"]["metadata"]] == ["normal", "top"]
    own = found["pytest_navigator"]
    assert own["complete"]
    assert own["verified"] == ["python/PythonRunner"]
    assert own["source"]["model"].endswith("conftest.centred")


def test_the_row_of_a_function_is_in_the_summary(nav: Nav, function: Callable[..., None]) -> None:
    function()
    result = nav(formats="")
    (row,) = [line.split() for line in result.outlines if line.split()[:2] == ["python", "PythonRunner"]]
    assert row[2:5] == ["-", "ok", "0"]


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("def nav_model() -> 'Callable[[np.ndarray], np.ndarray]':", "import torch"),
        ("def nav_model() -> Callable[..., object]:", "import torch\nfrom collections.abc import Callable"),
        ("def nav_model() -> typing.Callable:", "import torch, typing"),
        (
            "def nav_model():",
            "import torch\nfrom pytest_navigator import NavConfig\nnav_config = NavConfig(framework='python')",
        ),
        ("def nav_model():", "import json, scipy.special"),
    ],
    ids=["text", "abc", "typing", "nav_config", "imports"],
)
def test_a_function_is_told_from_a_model_of_a_framework(
    nav: Nav, function: Callable[..., None], head: str, body: str
) -> None:
    function(body, head=head)
    result = nav("--collect-only", "-q", formats="")
    assert "conftest.py::nav_model::test_correctness[python-cpu]" in result.outlines


def test_a_model_of_another_module_is_no_function(
    pytester: pytest.Pytester, nav: Nav, function: Callable[..., None]
) -> None:
    """It may be one of any framework: with several installed, the user says which."""
    pytester.makepyfile(company="def build(): pass")
    function("import company")
    result = nav("--collect-only", "-q", formats="")
    assert not any("[python-cpu]" in line for line in result.outlines)


@pytest.mark.parametrize(
    ("body", "returned", "loader", "message"),
    [
        ("", "3", "", "the model is int, which cannot be called: a function is needed"),
        ("class Model: pass", "Model", "", "the model is the class Model: an instance of it is needed"),
        ("async def f(x): return x", "f", "", "the model is an async function: one is needed that calls it with"),
        ("def f(x): yield x", "f", "", "the model is a generator function: one is needed that returns its arrays"),
        ("def f(x): return object()", "f", "", "output is a object: arrays, None, bool, int"),
        ("def f(x): return x + np.random.randn()", "f", "", "the model's output changes from call to call"),
        ("def f(x): return 1 / 0", "f", "", "the model raised on sample 0: ZeroDivisionError"),
        ("def f(x): return x", "f", "[Tensor()]", "a callable takes and gives numpy arrays, this is a "),
    ],
    ids=["not callable", "class", "async", "generator", "no arrays", "random", "raises", "tensors"],
)
def test_what_is_no_function_of_arrays_fails_with_what_to_write(
    nav: Nav,
    function: Callable[..., None],
    failed: Callable[[pytest.RunResult], dict[str, str]],
    body: str,
    returned: str,
    loader: str,
    message: str,
) -> None:
    tensor = "class Tensor:\n    def __dlpack__(self): raise AssertionError\n"
    function(tensor + body, returned=returned, loader=loader or "[3.0 * np.ones((2, 5), 'float32')]")
    found = failed(nav(formats=""))
    assert message in found["test_source"]


def test_a_function_may_write_into_its_arguments(nav: Nav, function: Callable[..., None]) -> None:
    function("def f(x):\n    x += 1\n    return x", returned="f")
    assert nav(formats="").ret == 0


def test_a_callable_that_tells_no_names_has_numbered_inputs(
    pytester: pytest.Pytester, nav: Nav, function: Callable[..., None]
) -> None:
    function("import operator", returned="operator.itemgetter((slice(None), 1))")
    assert nav("--nav-package=out.nav", formats="").ret == 0
    (spec,) = status(pytester.path / "out.nav")["input_metadata"]["metadata"]
    assert spec["name"] == "input__0"


def test_another_function_is_told_by_its_outputs(pytester: pytest.Pytester, nav: Nav) -> None:
    """A function has no parameters whose digest could tell it: what it gives does."""
    pytester.makeconftest(
        FUNCTION.replace("return centred", "return next(MODELS)").replace(
            '(scope="session")\ndef nav_model', "\ndef nav_model"
        )
        + "\nMODELS = iter([centred, lambda x: {'normal': x, 'top': x.argmax(axis=1)}])\n"
    )
    result = nav("-v", formats="")
    assert words(result)["test_correctness[python-cpu]"] == "FAILED"
    result.stdout.fnmatch_lines(["nav_model is another model here than*"])


def test_a_function_has_nothing_to_configure(nav: Nav, function: Callable[..., None]) -> None:
    function(
        "from pytest_navigator import NavConfig\nfrom pytest_navigator.backends.python.live import PythonConfig\n"
        "nav_config = NavConfig(formats=[PythonConfig(device='cuda')])"
    )
    result = nav(formats="")
    result.stderr.fnmatch_lines(["*PythonConfig.device='cuda': nothing is exported from a callable; remove it*"])


PIPELINE = """
def centred(x):
    return {"normal": x - x.mean(axis=1, keepdims=True), "top": [x.argmax(axis=1)]}

def build():
    return centred

def another():
    return lambda x: {"normal": x, "top": [x.argmax(axis=1)]}
"""


def test_scripts_repeat_the_comparison_and_the_timing_of_a_function(
    pytester: pytest.Pytester, nav: Nav, function: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(pipeline=PIPELINE)
    function("import pipeline", returned="pipeline.build()", head="def nav_model() -> 'Callable':")
    nav("--nav-package=out.nav", "--nav-profile-seconds=0.2", formats="", profile=True).assert_outcomes(passed=4)
    with zipfile.ZipFile("out.nav") as package:
        package.extractall("unpacked")
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    monkeypatch.chdir("unpacked")
    correctness, profiling = (f"python/reproduce_{what}-pythonrunner.py" for what in ("correctness", "profiling"))
    same = pytester.run(sys.executable, correctness, "--model=pipeline:build")
    assert same.ret == 0
    same.stdout.fnmatch_lines(["normal: max abs 0.0, *: passed", "top__0: max abs 0*: passed"])
    other = pytester.run(sys.executable, correctness, "--model=pipeline:another")
    assert other.ret == 1
    other.stdout.fnmatch_lines(["normal: *: FAILED*", "top__0: max abs 0*: passed"])
    timed = pytester.run(sys.executable, profiling, "--model=pipeline:build", "--seconds=0.05", "--batch-size=2")
    assert timed.ret == 0
    timed.stdout.fnmatch_lines(["* inferences: p50 * ms, avg * ms"])
