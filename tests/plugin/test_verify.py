"""`verify_` functions: which are ours, what they get, and what they leave in the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import DENSE
from blackbox import FAKE_FORMAT
from blackbox import calls
from blackbox import outcomes
from blackbox import status
from blackbox import words

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Nav

CONFIG = "nav_config = NavConfig(framework='dense', formats=[FakeConfig(), Other.config()])\n"
ZEROS = 'np.zeros((2, 5), "float32")'
PASSES = f"""
import numpy as np

def verify_shape(nav_runner):
    assert nav_runner({ZEROS}).shape == (2, 7)
"""
FAKE_FAILS = """
def verify_not_fake(nav_runner):
    assert nav_runner.format != "fake"
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A suite of two formats, without torch."""
    pytester.makepyfile(fake_format=FAKE_FORMAT)
    pytester.makeconftest(DENSE + CONFIG)
    return pytester


def run(nav: Nav, *arguments: str) -> pytest.RunResult:
    return nav("-v", "--nav-package=out.nav", *arguments, formats="")


def verified(package: Path) -> list[str]:
    found: list[str] = status(package)["pytest_navigator"]["verified"]
    return found


def test_a_verify_test_runs_for_every_format_and_is_recorded(project: pytest.Pytester, nav: Nav) -> None:
    project.makepyfile(test_quality=PASSES)
    found = outcomes(run(nav))
    assert found["test_quality.py::verify_shape[fake-cpu]"] == "PASSED"
    assert found["test_quality.py::verify_shape[other-cpu]"] == "PASSED"
    assert verified(project.path / "out.nav") == ["fake/FakeCPU", "other/OtherCPU"]


def test_a_format_is_verified_only_when_all_its_verify_tests_passed(project: pytest.Pytester, nav: Nav) -> None:
    project.makepyfile(test_quality=PASSES + FAKE_FAILS)
    result = run(nav)
    assert words(result)["verify_not_fake[fake-cpu]"] == "FAILED"
    assert verified(project.path / "out.nav") == ["other/OtherCPU"]
    rows = [line.split() for line in result.outlines]
    assert [row[-1] for row in rows if row[:2] == ["fake", "FakeCPU"]] == ["FAILED"]
    assert [row[-1] for row in rows if row[:2] == ["other", "OtherCPU"]] == ["yes"]


@pytest.mark.parametrize(
    "body", ["pytest.skip('no data here')", "pytest.xfail('known')"], ids=["skipped", "expected to fail"]
)
def test_a_verify_test_that_did_not_pass_verifies_nothing(project: pytest.Pytester, nav: Nav, body: str) -> None:
    project.makepyfile(test_quality=f"import pytest\n\ndef verify_metric(nav_runner):\n    {body}\n")
    assert run(nav).ret == 0
    assert verified(project.path / "out.nav") == []


def test_the_verify_record_names_the_test_and_the_artifact(project: pytest.Pytester, nav: Nav) -> None:
    project.makepyfile(test_quality=PASSES)
    run(nav)
    package = status(project.path / "out.nav")["pytest_navigator"]
    (record,) = [record for record in package["verification"] if record["key"] == "fake"]
    assert record["runner"] == "FakeCPU"
    assert record["nodeid"] == "test_quality.py::verify_shape[fake-cpu]"
    assert record["digest"] == package["steps"]["export.fake"]["digest"]


def test_only_functions_that_ask_for_our_fixtures_are_collected(project: pytest.Pytester, nav: Nav) -> None:
    project.makepyfile(
        test_quality="""
        def verify_something_else(tmp_path): raise AssertionError
        def verify_helper(array): raise AssertionError
        def verify_ours(nav_source_runner): pass
        """
    )
    found = outcomes(run(nav))
    assert {nodeid for nodeid in found if "verify" in nodeid} == {"test_quality.py::verify_ours"}


def test_without_a_nav_model_a_verify_function_is_none_of_ours(project: pytest.Pytester, nav: Nav) -> None:
    inner = project.mkdir("inner")
    (project.path / "conftest.py").rename(inner / "conftest.py")
    project.makepyfile(test_quality="def verify_ours(nav_runner): raise AssertionError")
    assert not any("verify_ours" in nodeid for nodeid in outcomes(run(nav)))


def test_verify_functions_may_stand_in_the_conftest_the_module_and_the_class(
    project: pytest.Pytester, nav: Nav
) -> None:
    conftest = project.path / "conftest.py"
    conftest.write_text(conftest.read_text() + PASSES.replace("verify_shape", "verify_in_conftest"))
    project.makepyfile(
        test_quality=PASSES.replace("verify_shape", "verify_in_module")
        + """
class TestQuality:
    def verify_in_class(self, nav_runner):
        assert nav_runner.format in ("fake", "other")
"""
    )
    found = outcomes(run(nav))
    places = ["conftest.py::verify_in_conftest", "test_quality.py::verify_in_module"]
    places.append("test_quality.py::TestQuality::verify_in_class")
    for place in places:
        for key in ("fake", "other"):
            assert found[f"{place}[{key}-cpu]"] == "PASSED"


def test_a_model_in_a_class_is_what_the_verify_functions_of_the_class_see(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makepyfile(fake_format=FAKE_FORMAT)
    hooks = DENSE[DENSE.index("def pytest_nav_formats") :]
    pytester.makeconftest("from fake_format import *\n" + hooks)
    pytester.makepyfile(test_models=f"import numpy as np, pytest\nfrom fake_format import *\n{IN_CLASSES}")
    found = outcomes(nav("-v", "--nav-package={model}.nav", formats=""))
    for name in ("TestSeven", "TestNine"):
        assert found[f"test_models.py::{name}::verify_width[fake-cpu]"] == "PASSED"
        assert verified(pytester.path / f"{name}.nav") == ["fake/FakeCPU"]


IN_CLASSES = """
from pytest_navigator import NavConfig

nav_config = NavConfig(framework="dense", formats=[FakeConfig()])

class Base:
    @pytest.fixture(scope="class")
    def nav_dataloader(self):
        return [np.random.randn(3, 5).astype("float32")]

class TestSeven(Base):
    @pytest.fixture(scope="class")
    def nav_model(self):
        return Dense(np.ones((7, 5), "float32"), np.ones(7, "float32"))

    def verify_width(self, nav_runner):
        assert nav_runner(np.zeros((1, 5), "float32")).shape == (1, 7)

class TestNine(Base):
    @pytest.fixture(scope="class")
    def nav_model(self):
        return Dense(np.ones((9, 5), "float32"), np.ones(9, "float32"))

    def verify_width(self, nav_runner):
        assert nav_runner(np.zeros((1, 5), "float32")).shape == (1, 9)
"""


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["plain", "n2"])
def test_each_parameter_of_the_model_is_verified_on_its_own(
    project: pytest.Pytester, nav: Nav, arguments: tuple[str, ...]
) -> None:
    conftest = project.path / "conftest.py"
    text = conftest.read_text().replace(
        '@pytest.fixture(scope="session")\ndef nav_model():',
        '@pytest.fixture(scope="session", params=[7, 9], ids=["small", "large"])\ndef nav_model(request):',
    )
    conftest.write_text(text.replace("randn(7", "randn(request.param"))
    project.makepyfile(
        test_quality=f"""
import numpy as np

def verify_width(nav_runner, nav_source_runner, request):
    width = request.node.callspec.params["nav_model"]
    assert nav_runner({ZEROS}).shape == nav_source_runner({ZEROS}).shape == (2, width)
    assert nav_runner.format != "fake" or width == 7
"""
    )
    result = nav("-v", "--nav-package={model}.nav", *arguments, formats="", subprocess=bool(arguments))
    found = words(result)
    assert found["verify_width[small-fake-cpu]"] == "PASSED"
    assert found["verify_width[large-fake-cpu]"] == "FAILED"
    own = project.path.name
    assert verified(project.path / f"{own}-small.nav") == ["fake/FakeCPU", "other/OtherCPU"]
    assert verified(project.path / f"{own}-large.nav") == ["other/OtherCPU"]


def test_the_runner_is_called_like_the_model_or_with_arrays_by_name(project: pytest.Pytester, nav: Nav) -> None:
    project.makepyfile(
        test_quality="""
import numpy as np, pytest

def verify_both_forms(nav_runner, nav_source_runner, nav_model):
    x = np.random.randn(4, 5).astype("float32")
    expected = nav_model(x)
    for runner in (nav_runner, nav_source_runner):
        np.testing.assert_allclose(runner(x), expected, atol=1e-5)
        np.testing.assert_allclose(runner.infer({"x": x})["output__0"], expected, atol=1e-5)
    with pytest.raises(Exception, match="unknown input 'y'.*x"):
        nav_runner.infer({"y": x})
"""
    )
    assert words(run(nav))["verify_both_forms[fake-cpu]"] == "PASSED"


def test_the_source_runner_needs_no_format(project: pytest.Pytester, nav: Nav) -> None:
    project.makepyfile(test_quality=PASSES.replace("nav_runner", "nav_source_runner"))
    result = run(nav, "test_quality.py")
    assert words(result) == {"verify_shape": "PASSED"}
    assert calls(project) == []


def test_the_package_so_far_is_a_folder(project: pytest.Pytester, nav: Nav) -> None:
    project.makepyfile(
        test_quality="""
def verify_files(nav_runner, nav_package):
    assert (nav_package / nav_runner.format / "model.npz").stat().st_size > 0
"""
    )
    assert words(run(nav))["verify_files[fake-cpu]"] == "PASSED"


def test_a_verify_test_alone_pulls_what_it_needs_and_names_the_suite(project: pytest.Pytester, nav: Nav) -> None:
    """`pytest tests` with the model in the root conftest.py: very common."""
    project.mkdir("quality").joinpath("test_quality.py").write_text(PASSES)
    result = run(nav, "quality")
    assert outcomes(result) == {f"quality/test_quality.py::verify_shape[{k}-cpu]": "PASSED" for k in ("fake", "other")}
    assert calls(project).count("export") == 2
    hint = "note: conftest.py was not collected, only tests that use its nav_model; add conftest.py to run all"
    result.stdout.fnmatch_lines([hint])
    assert hint not in run(nav, "quality", "conftest.py").outlines
    assert hint not in run(nav, "quality/test_quality.py::verify_shape").outlines
    assert hint in nav("-n2", "quality", formats="", subprocess=True).outlines


def test_a_verify_test_of_a_format_that_is_wrong_is_skipped(project: pytest.Pytester, nav: Nav) -> None:
    conftest = project.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace("FakeConfig()", "FakeConfig(scale=2.0)"))
    project.makepyfile(test_quality=PASSES)
    found = words(run(nav, "-rs"))
    assert found["test_correctness[fake-cpu]"] == "FAILED"
    assert found["verify_shape[fake-cpu]"] == "SKIPPED"
    assert found["verify_shape[other-cpu]"] == "PASSED"


def test_the_deprecated_result_of_another_artifact_does_not_verify(project: pytest.Pytester, nav: Nav) -> None:
    """A second run that does not run the verify test has not verified anything."""
    project.makepyfile(test_quality=PASSES)
    run(nav)
    run(nav, "--deselect=test_quality.py")
    assert verified(project.path / "out.nav") == []
