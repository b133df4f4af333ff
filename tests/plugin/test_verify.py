"""`verify_` functions: which are ours, what they get, and what they leave in the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import DENSE, FAKE_FORMAT, calls, outcomes, status, words

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


MEANT = ("nav_runer", "nav_model", "nav_dataloader", "navrunner", "nav_sourcerunner", "nav_packages")


@pytest.mark.parametrize("file", ["conftest.py", "test_quality.py"])
@pytest.mark.parametrize("asked", MEANT)
def test_a_function_that_is_meant_to_verify_and_would_never_run_is_an_error(
    project: pytest.Pytester, nav: Nav, asked: str, file: str
) -> None:
    with (project.path / file).open("a") as text:
        text.write(f"\ndef verify_it({asked}):\n    assert False\n")
    result = nav("-v", formats="")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {file}::verify_it asks for '{asked}' and would never run: *nav_runner*"])


def test_a_function_of_the_users_that_is_called_so_is_none_of_our_tests(project: pytest.Pytester, nav: Nav) -> None:
    project.makepyfile(
        test_mine="def verify_password(text, user): ...\nverify_all = [verify_password]\ndef test_it(): pass"
    )
    result = run(nav)
    assert result.ret == 0
    assert not any("verify_" in line for line in result.outlines)


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


@pytest.mark.slow
def test_a_verify_test_alone_names_the_suite_in_several_workers_too(project: pytest.Pytester, nav: Nav) -> None:
    project.mkdir("quality").joinpath("test_quality.py").write_text(PASSES)
    hint = "note: conftest.py was not collected, only tests that use its nav_model; add conftest.py to run all"
    assert hint in nav("-n2", "quality", formats="", subprocess=True).outlines


def test_a_verify_test_of_a_format_that_is_wrong_is_skipped(project: pytest.Pytester, nav: Nav) -> None:
    conftest = project.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace("FakeConfig()", "FakeConfig(scale=2.0)"))
    project.makepyfile(test_quality=PASSES)
    found = words(run(nav, "-rs"))
    assert found["test_correctness[fake-cpu]"] == "FAILED"
    assert found["verify_shape[fake-cpu]"] == "SKIPPED"
    assert found["verify_shape[other-cpu]"] == "PASSED"


def test_a_run_without_its_verify_tests_verifies_nothing_and_leaves_the_verified_package(
    project: pytest.Pytester, nav: Nav
) -> None:
    project.makepyfile(test_quality=PASSES)
    run(nav)
    before = (project.path / "out.nav").read_bytes()
    for arguments in ("--deselect=test_quality.py", "-knot verify"):
        result = run(nav, arguments)
        text = "package: out.partial.nav (partial: 2 of 8 steps did not run; out.nav is as it was)"
        result.stdout.fnmatch_lines([text])
        partial = status(project.path / "out.partial.nav")["pytest_navigator"]
        assert partial["missing"] == [f"test_quality.py::verify_shape[{key}-cpu]" for key in ("fake", "other")]
        assert (partial["complete"], partial["verified"]) == (False, [])
    assert (project.path / "out.nav").read_bytes() == before


def test_a_cell_is_verified_only_when_each_of_its_verify_tests_has_run(project: pytest.Pytester, nav: Nav) -> None:
    project.makepyfile(test_quality=PASSES + PASSES.replace("verify_shape", "verify_same_shape"))
    result = run(nav, "-knot same_shape and not verify_same_shape or (verify_same_shape and other)")
    assert verified(project.path / "out.partial.nav") == ["other/OtherCPU"]
    rows = [line.split() for line in result.outlines]
    assert [row[-2:] for row in rows if row[:2] == ["fake", "FakeCPU"]] == [["not", "run"]]


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["plain", "n2"])
def test_x_in_a_verify_test_leaves_the_complete_package(
    project: pytest.Pytester, nav: Nav, arguments: tuple[str, ...]
) -> None:
    project.makepyfile(test_quality=PASSES)
    run(nav)
    before = (project.path / "out.nav").read_bytes()
    project.makepyfile(test_quality=PASSES + "    assert nav_runner.format == 'other', 'wrong'\n")
    result = nav("--nav-package=out.nav", "-x", *arguments, formats="", subprocess=bool(arguments))
    assert result.ret != 0
    result.stdout.fnmatch_lines(["package: out.partial.nav (partial: *; out.nav is as it was)"])
    assert "fake/FakeCPU" not in verified(project.path / "out.partial.nav")
    assert (project.path / "out.nav").read_bytes() == before


def test_the_record_of_a_failure_has_its_reason(project: pytest.Pytester, nav: Nav) -> None:
    project.makepyfile(
        test_quality="""
import pytest

def verify_assertion(nav_runner):
    share = 0.25
    assert share > 0.9, "too few right answers"

def verify_failed(nav_runner):
    pytest.fail("not like this\\nat all")

def verify_raised(nav_runner):
    {}["missing"]

def verify_fixture(nav_runner, no_such_fixture):
    pass

def verify_skipped(nav_runner):
    pytest.skip("no data here")
"""
    )
    run(nav)
    package = status(project.path / "out.nav")["pytest_navigator"]
    found = {r["nodeid"]: r["message"] for r in package["verification"] if r["key"] == "fake"}
    assert {nodeid.partition("::")[2].partition("[")[0]: message for nodeid, message in found.items()} == {
        "verify_assertion": "AssertionError: too few right answers",
        "verify_failed": "not like this",
        "verify_raised": "KeyError: 'missing'",
        "verify_fixture": "fixture 'no_such_fixture' not found",
        "verify_skipped": "no data here",
    }


def test_a_verify_test_that_is_expected_to_fail_does_not_verify(project: pytest.Pytester, nav: Nav) -> None:
    marked = "import pytest\n@pytest.mark.xfail(reason='not yet')\n" + FAKE_FAILS.strip().replace("not_fake", "known")
    project.makepyfile(test_quality=f"{marked}\n{PASSES}")
    result = run(nav)
    assert result.ret == 0
    own = status(project.path / "out.nav")["pytest_navigator"]
    assert own["verified"] == ["other/OtherCPU"]  # there it passed, although it was expected to fail
    found = {(r["key"], r["nodeid"].partition("::")[2].partition("[")[0]): r for r in own["verification"]}
    assert found["fake", "verify_known"]["status"] == "xfailed"
    assert found["fake", "verify_known"]["message"] == "not yet"
    rows = [line.split() for line in result.outlines]
    assert [row[-1] for row in rows if row[:2] == ["fake", "FakeCPU"]] == ["xfailed"]


def test_a_verify_test_that_was_skipped_leaves_the_package_complete_and_unverified(
    project: pytest.Pytester, nav: Nav
) -> None:
    project.makepyfile(
        test_quality=PASSES + "\ndef verify_data(nav_runner):\n    import pytest; pytest.skip('no data')\n"
    )
    rows = [line.split() for line in run(nav).outlines]
    assert [row[-1] for row in rows if row[:2] == ["fake", "FakeCPU"]] == ["skipped"]
    own = status(project.path / "out.nav")["pytest_navigator"]
    assert (own["complete"], own["verified"]) == (True, [])
    assert sorted(r["status"] for r in own["verification"]) == ["passed", "passed", "skipped", "skipped"]


@pytest.mark.slow
def test_the_groups_of_xdist_do_not_hide_a_verify_test(project: pytest.Pytester, nav: Nav) -> None:
    project.makepyfile(test_quality=PASSES.replace("def ", "import pytest\n@pytest.mark.xdist_group('g')\ndef "))
    nav("--nav-package=out.nav", "-n2", "--dist=loadgroup", formats="", subprocess=True)
    assert verified(project.path / "out.nav") == ["fake/FakeCPU", "other/OtherCPU"]


WATCHED = """
from filelock import ReadWriteLock, Timeout

def tell_whether_the_machine_is_free(what):
    path = Path(__file__).with_name("navigator_workspace") / ".machine.db"
    try:
        with ReadWriteLock(path, is_singleton=False).write_lock(timeout=0):
            note(f"{what}-while-free")
    except Timeout:
        note(f"{what}-while-held")
"""
CALLS_ALL = f"""
import numpy as np
from fake_format import tell_whether_the_machine_is_free

def verify_all(nav_runner, nav_source_runner):
    tell_whether_the_machine_is_free("body")
    x = {ZEROS}
    assert np.allclose(nav_runner(x), nav_source_runner(x))
    assert np.allclose(nav_runner.infer({{"x": x}})["output__0"], nav_source_runner.infer({{"x": x}})["output__0"])
"""


def test_nothing_is_measured_while_a_verify_test_calls_a_runner(project: pytest.Pytester, nav: Nav) -> None:
    """Each call holds the machine with others; what the test itself does in between holds nothing."""
    text = FAKE_FORMAT.replace("    def activate(self):\n", ACTIVATE, 1).replace(
        "    def infer(self, feed):\n", INFER, 1
    )
    text = text.replace("    def __call__(self, x):\n", CALLED, 1)
    (project.path / "fake_format.py").write_text(text + WATCHED)
    project.makepyfile(test_quality=CALLS_ALL)
    assert outcomes(run(nav, "-k", "fake"))["test_quality.py::verify_all[fake-cpu]"] == "PASSED"
    told = [line for line in calls(project) if "-while-" in line]
    assert set(told) == {"activate-while-held", "infer-while-held", "source-while-held", "body-while-free"}
    assert told[told.index("body-while-free") :].count("infer-while-held") == 2


ACTIVATE = """    def activate(self):
        tell_whether_the_machine_is_free("activate")
"""
INFER = """    def infer(self, feed):
        tell_whether_the_machine_is_free("infer")
"""
CALLED = """    def __call__(self, x):
        tell_whether_the_machine_is_free("source")
"""
