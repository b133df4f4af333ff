"""A run that would check nothing, or two things as one: a usage error that says what to write or to add."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from blackbox import LAZY, LINEAR

BELOW = """
import pytest

@pytest.fixture
def nav_dataloader():
    return []

def verify_it(nav_runner):
    pass
"""

TWO = """
import pytest, torch

class First:
    @pytest.fixture
    def nav_model(self) -> torch.nn.Module:
        return torch.nn.Linear(5, 7).eval()

    @pytest.fixture
    def nav_dataloader(self):
        return [torch.randn(3, 5)]

class TestFirst(First):
    pass

class TestSecond(First):
    pass
"""

UNTOLD = """
import pytest

@pytest.fixture
def nav_model():
    from company import build
    return build()

@pytest.fixture
def nav_dataloader():
    return []
"""

LEFT = "there is no runner left to check conftest.py::nav_model with: "

LEFT_OUT = " is known, but not part of this run: "

CONTRADICTIONS = {
    ("--nav-device=cuda", "--nav-runtimes=cpu"): f"{LEFT}runtimes = cpu (--nav-runtimes), device = cuda (--nav-device)",
    ("--nav-formats=onnx", "--nav-runtimes=TorchScriptCPU"): (
        f"{LEFT}formats = onnx (--nav-formats), runtimes = TorchScriptCPU (--nav-runtimes); "
        "TorchScriptCPU runs torchscript, which is not made: name it in --nav-formats"
    ),
    ("--nav-runtimes=TensorRTRTX",): (
        f"{LEFT}runtimes = TensorRTRTX (--nav-runtimes); "
        "TensorRTRTX runs trt-rtx, which is not made: name it in --nav-formats"
    ),
    ("--nav-keep=required",): "keep = required (--nav-keep) would keep nothing: name formats in --nav-require",
    ("--nav-require=onnx", "--nav-formats=torchscript"): (
        f"required format 'onnx'{LEFT_OUT}formats = torchscript (--nav-formats) leave it out; "
        "write --nav-formats=torchscript,onnx"
    ),
    ("--nav-require=onnx-cuda", "--nav-runtimes=cpu"): (
        f"required format 'onnx-cuda'{LEFT_OUT}runtimes = cpu (--nav-runtimes) leave it out; "
        "write --nav-runtimes=cpu,cuda"
    ),
    ("--nav-require=trt-rtx-int8", "--nav-runtimes=cpu"): (
        f"required format 'trt-rtx-int8'{LEFT_OUT}it is made only where it is named; write --nav-formats=*,trt-rtx-int8"
    ),
}


def refused(result: pytest.RunResult, *messages: str) -> None:
    """A usage error: pytest's exit code for it, the lines of the message, no traceback, and nothing was run."""
    assert result.ret == pytest.ExitCode.USAGE_ERROR, result.stdout.str()
    for message in messages:
        assert any(fnmatchcase(line, message.replace("[", "[[]")) for line in result.errlines), result.errlines
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    assert "passed" not in result.stdout.str()


@pytest.mark.parametrize("flag", ["--nav", "--nav-package=out.nav"])
def test_a_run_without_a_model_says_what_to_write(pytester: pytest.Pytester, flag: str) -> None:
    pytester.makepyfile("def test_of_mine(): pass")

    refused(
        pytester.runpytest(flag),
        f"ERROR: {flag.partition('=')[0]}: no nav_model was found. Write in a conftest.py or a test module:",
        "    def nav_model(): return MyModel().eval()",
        "    def nav_dataloader(): return [[]one_batch, another_batch]".replace("[[]", "["),
    )
    assert not (pytester.path / "out.nav").exists()


def test_a_model_in_a_plugin_of_the_project_is_to_be_imported_into_a_conftest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(models=LAZY, test_mine="def test_of_mine(): pass")
    pytester.makeconftest("pytest_plugins = ['models']")

    refused(
        pytester.runpytest_subprocess("--nav"),
        "ERROR: --nav: nav_model of the plugin models is not checked where it is; import it into a conftest.py: "
        "from models import nav_model, nav_dataloader",
    )
    pytester.makeconftest("from models import nav_model, nav_dataloader")
    found = pytester.runpytest_subprocess("--nav", "--collect-only", "-q").outlines
    assert "conftest.py::nav_model::test_source" in found


def test_a_model_that_is_visible_but_not_collected_is_named_with_the_argument_to_add(
    linear: pytest.Pytester,
) -> None:
    linear.mkdir("tests").joinpath("test_mine.py").write_text("def test_of_mine(): pass")

    refused(
        linear.runpytest("--nav-package=out.nav", "tests"),
        "ERROR: --nav-package: conftest.py defines nav_model, but was not collected; add it to the arguments: pytest "
        "--nav-package=out.nav conftest.py",
    )
    assert linear.runpytest("--nav", "--nav-formats=onnx", "--collect-only", "conftest.py", "tests").ret == 0


def test_without_any_option_of_ours_nothing_is_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_of_mine(): pass")

    pytester.runpytest().assert_outcomes(passed=1)


def test_a_loader_below_its_model_is_refused(linear: pytest.Pytester) -> None:
    linear.makepyfile(test_below=BELOW)

    refused(
        linear.runpytest("--nav"),
        "ERROR: test_below.py overrides nav_dataloader below its nav_model (conftest.py::nav_model): one suite has one "
        "loader. Move it to where nav_model is, or give this place a nav_model of its own",
    )


def test_two_models_need_a_name_each_in_the_package_path(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TWO)

    refused(
        pytester.runpytest("--nav-package=out.nav"),
        "ERROR: --nav-package=out.nav: two models would be written to it: *py::Test*::nav_model and "
        "*py::Test*::nav_model. Write {model} in it: {model}.nav",
    )


def test_a_model_whose_framework_cannot_be_told_is_refused(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeconftest(UNTOLD)
    monkeypatch.setattr("pytest_navigator.plugin.detection.find_spec", lambda name: None)

    refused(
        pytester.runpytest("--nav"),
        "ERROR: the framework of conftest.py::nav_model cannot be told; annotate the fixture (def nav_model() -> "
        "torch.nn.Module, -> Callable for a function of numpy arrays) or write nav_config = NavConfig(framework=...) "
        "beside it, one of: *python*torch*",
    )


@pytest.mark.parametrize("flags", CONTRADICTIONS)
def test_options_that_contradict_each_other_are_refused(linear: pytest.Pytester, flags: tuple[str, ...]) -> None:
    refused(linear.runpytest("--nav", *flags), f"ERROR: {CONTRADICTIONS[flags]}")


def test_a_fixture_that_does_not_exist_is_an_error_of_the_source(linear: pytest.Pytester) -> None:
    linear.makeconftest(LINEAR.replace("def nav_model()", "def nav_model(weights)"))

    result = linear.runpytest("--nav", "--nav-in-process", "--nav-formats=onnx", "--nav-no-profile", "-k", "source")

    result.stdout.fnmatch_lines(["nav_model needs the fixture 'weights', which is not found"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED
