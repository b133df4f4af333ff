"""Where `nav_pipeline` is: the items of its modules and of the whole, and what is wrong with it before it is built."""

from __future__ import annotations

import pytest
from piped import FIXTURE, LOADER, MODULES, PIPELINE

MODEL = """
@pytest.fixture
def nav_model() -> "torch.nn.Module":
    ...
"""
VERIFY = "def verify_it(nav_pipeline_runner): pass\n"


def collected(pytester: pytest.Pytester, *arguments: str) -> list[str]:
    result = run(pytester, *arguments)
    assert result.ret == 0
    return [line for line in result.outlines if "::" in line]


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    own = ("--nav", "--collect-only", "-q", "--nav-formats=onnx", "--nav-runtimes=OnnxCPU", "-p", "no:randomly")
    return pytester.runpytest_inprocess(*own, *arguments)


def test_each_module_has_the_items_of_a_model_and_the_whole_its_own(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(PIPELINE)
    pytester.makepyfile(test_images=VERIFY)
    steps = ("source", "export", "correctness", "profile", "profile")
    cells = ("", "-onnx", "-onnx-cpu", "-onnx-cpu-batch1", "-onnx-cpu-batchmax")
    assert collected(pytester) == [
        *(
            f"conftest.py::nav_pipeline::test_{step}[{module}{cell}]"
            for module in ("encoder", "parts.decoder")
            for step, cell in zip(steps, cells, strict=True)
        ),
        "conftest.py::nav_pipeline::test_pipeline[onnx-cpu]",
        "conftest.py::nav_pipeline::test_pipeline[best]",
        "test_images.py::verify_it[onnx-cpu]",
        "test_images.py::verify_it[best]",
    ]


@pytest.mark.parametrize("place", ["class Images:", "class TestImages:"])
def test_a_pipeline_may_stand_in_a_class_of_a_test_module(pytester: pytest.Pytester, place: str) -> None:
    body = (FIXTURE + MODULES + LOADER).replace("():", "(self):", 1).replace("loader():", "loader(self):")
    pytester.makepyfile(test_mine="import pytest\n" + place + body.replace("\n", "\n    ") + "\n")
    result = run(pytester, "-k", "test_pipeline")
    tested = place == "class TestImages:"
    assert ("test_mine.py::TestImages::nav_pipeline::test_pipeline[best]" in result.outlines) == tested


def test_a_module_may_have_a_configuration_of_its_own(pytester: pytest.Pytester) -> None:
    own = (
        'from pytest_navigator import NavConfig\nnav_modules = {"encoder": None, "spare": NavConfig(batch_sizes=[4])}\n'
    )
    pytester.makeconftest(PIPELINE + own)
    found = collected(pytester, "-k", "test_profile")
    assert [line.partition("[")[2] for line in found if "[" in line] == [
        "encoder-onnx-cpu-batch1]",
        "encoder-onnx-cpu-batchmax]",
        "spare-onnx-cpu-batch4]",
    ]


BAD = {
    "": 'conftest.py::nav_pipeline has no nav_modules beside it: write nav_modules = ("unet", *',
    "nav_modules = 'encoder'": "nav_modules seen from conftest.py::nav_pipeline is 'encoder': write *",
    "nav_modules = ()": "nav_modules seen from conftest.py::nav_pipeline is empty: write *",
    "nav_modules = ('a', 'a')": "* names 'a' twice: leave one of them out",
    "nav_modules = ('a b',)": "* has 'a b': a module's name is a text of letters, digits, *",
    "nav_modules = {'a': 3}": "* has 3 for 'a': it must be a NavConfig, or None",
    "@pytest.fixture\ndef nav_modules(): ...": "nav_modules seen from conftest.py::nav_pipeline is a fixture: write *",
    MODULES + MODEL: "conftest.py has nav_model and nav_pipeline: one place has one of them; *",
    MODULES + "def verify_it(nav_runner): ...": "*verify_it asks for 'nav_runner' and would never run: *",
    MODULES + "def verify_it(nav_pipline_runner): ...": "*verify_it asks for 'nav_pipline_runner' and would never *",
}


@pytest.mark.parametrize("written", BAD)
def test_what_cannot_be_a_suite_is_a_usage_error(pytester: pytest.Pytester, written: str) -> None:
    pytester.makeconftest("import pytest\n" + FIXTURE + LOADER + written)
    result = run(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {BAD[written]}"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_a_pipeline_with_parameters_is_a_usage_error(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        PIPELINE.replace('scope="session"', "params=[1, 2]", 1).replace("pipeline()", "pipeline(request)")
    )
    result = run(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: conftest.py::nav_pipeline has params: one place is one pipeline; *"])


def test_a_test_of_a_pipeline_is_skipped_where_nothing_is_checked(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(PIPELINE)
    pytester.makepyfile("def test_it(nav_pipeline_runner): pass")
    pytester.runpytest_inprocess("-p", "no:randomly").assert_outcomes(skipped=1)


def test_a_conftest_that_is_not_collected_is_named_with_its_pipeline(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(PIPELINE)
    pytester.makepyfile(test_mine="def test_mine(): pass")
    result = run(pytester, "test_mine.py")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --nav: conftest.py defines nav_pipeline, but was not collected; *"])


def test_a_test_that_sees_no_pipeline_says_so(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import pytest\n" + MODEL)
    pytester.makepyfile("def test_it(nav_pipeline_runner): pass")
    result = pytester.runpytest_inprocess("--nav", "-k", "test_it", "-p", "no:randomly")
    result.stdout.fnmatch_lines(["*::test_it sees no nav_pipeline: move it below one"])


def test_a_pipeline_is_not_tested_beside_a_model_that_is_named(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(PIPELINE)
    pytester.makepyfile(test_images=VERIFY, models="def build(): ...")
    found = collected(pytester, "--nav-model=models:build", "--nav-framework=torch", ".")
    assert found
    assert not any("pipeline" in line for line in found)


def test_formats_that_run_the_live_module_are_in_no_mix(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(PIPELINE)
    result = pytester.runpytest_inprocess("--nav", "--collect-only", "-q", "--nav-formats=torch", "-p", "no:randomly")
    assert not any("test_pipeline" in line for line in result.outlines)
    assert any("test_source[encoder]" in line for line in result.outlines)
