"""Where a suite is, what its tests are called, and which configuration it has."""

from __future__ import annotations

import pytest
from blackbox import LAZY, LINEAR, collected, outcomes, status

SUITE = ["test_source", "test_export[torchscript-trace]", "test_correctness[torch-cpu]"]
SUITE += ["test_correctness[torchscript-trace-cpu]"]
LOADER = LINEAR[LINEAR.index("@pytest.fixture", LINEAR.index("nav_model")) :]
PARAMETRIZED = f"""
import pytest, torch

@pytest.fixture(scope="session", params=[7, 9], ids=["small", "large"])
def nav_model(request) -> torch.nn.Module:
    return torch.nn.Linear(5, request.param).eval()

{LOADER}"""
UPSTREAM = f"""
import pytest, torch

@pytest.fixture(scope="session", params=[7, 9], ids=["small", "large"])
def width(request):
    return request.param

@pytest.fixture(scope="session")
def nav_model(width) -> torch.nn.Module:
    return torch.nn.Linear(5, width).eval()

{LOADER}"""

Nav = "Callable[..., pytest.RunResult]"


def test_a_conftest_gets_a_suite_with_the_ids_of_the_design(linear: pytest.Pytester, nav: Nav) -> None:
    result = nav("-v", "--nav-in-process")
    assert outcomes(result) == {f"conftest.py::nav_model::{name}": "PASSED" for name in SUITE}
    result.stdout.fnmatch_lines(["*collected 4 items"])


def test_a_module_gets_a_suite_beside_its_own_tests(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makepyfile(test_m=LINEAR + "\ndef test_mine(): pass\n")
    found = outcomes(nav("-v", "--nav-in-process"))
    assert found == {"test_m.py::test_mine": "PASSED"} | {f"test_m.py::nav_model::{name}": "PASSED" for name in SUITE}


def test_a_class_gets_a_suite(pytester: pytest.Pytester, nav: Nav) -> None:
    source = """
        import pytest, torch

        class TestMine:
            @pytest.fixture(scope="class")
            def nav_model(self) -> torch.nn.Module:
                return torch.nn.Linear(5, 7).eval()

            @pytest.fixture(scope="class")
            def nav_dataloader(self):
                return [torch.randn(3, 5) for _ in range(4)]

            def test_mine(self): pass

        class TestDerived(TestMine):
            @pytest.fixture(scope="class")
            def nav_model(self) -> torch.nn.Module:
                return torch.nn.Linear(5, 9).eval()
    """
    pytester.makepyfile(test_m=source)
    found = outcomes(nav("-v", "--nav-in-process"))
    expected = {f"test_m.py::{c}::nav_model::{name}": "PASSED" for c in ("TestMine", "TestDerived") for name in SUITE}
    assert found == expected | {f"test_m.py::{c}::test_mine": "PASSED" for c in ("TestMine", "TestDerived")}


def test_a_fixture_that_is_imported_gets_a_suite_where_it_is_imported(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makepyfile(models=LINEAR, test_m="from models import nav_model, nav_dataloader")
    found = outcomes(nav("-v", "--nav-in-process"))
    assert found == {f"test_m.py::nav_model::{name}": "PASSED" for name in SUITE}


def test_a_fixture_may_be_given_its_name_by_the_decorator(pytester: pytest.Pytester, nav: Nav) -> None:
    named = LINEAR.replace('scope="session")\ndef nav_model', 'scope="session", name="nav_model")\ndef make_model')
    assert "make_model" in named
    pytester.makeconftest(named)
    found = outcomes(nav("-v", "--nav-in-process"))
    assert found == {f"conftest.py::nav_model::{name}": "PASSED" for name in SUITE}


@pytest.mark.parametrize("scope", ["function", "class", "module", "package", "session"])
@pytest.mark.parametrize("place", ["conftest", "test_m"])
def test_every_fixture_scope_works(pytester: pytest.Pytester, nav: Nav, place: str, scope: str) -> None:
    pytester.makepyfile(**{place: LINEAR.replace('"session"', f'"{scope}"')})
    nav("--nav-in-process").assert_outcomes(passed=4)


@pytest.mark.parametrize("source", [PARAMETRIZED, UPSTREAM])
def test_each_parameter_of_the_model_is_a_suite_and_a_package(pytester: pytest.Pytester, nav: Nav, source: str) -> None:
    pytester.makeconftest(source)
    found = outcomes(nav("-v", "--nav-in-process", "--nav-package={model}.nav"))
    ids = ["test_source[{}]", "test_export[{}-torchscript-trace]", "test_correctness[{}-torch-cpu]"]
    ids.append("test_correctness[{}-torchscript-trace-cpu]")
    expected = {f"conftest.py::nav_model::{i.format(model)}" for model in ("small", "large") for i in ids}
    assert found == dict.fromkeys(expected, "PASSED")
    packages = {path.name: status(path) for path in pytester.path.glob("*.nav")}
    own = pytester.path.name
    assert packages.keys() == {f"{own}-small.nav", f"{own}-large.nav"}
    outputs = {name: package["output_metadata"]["metadata"] for name, package in packages.items()}
    assert outputs == {
        f"{own}-{model}.nav": [{"name": "output__0", "shape": [-1, width], "dtype": "float32"}]
        for model, width in (("small", 7), ("large", 9))
    }


def test_the_models_id_is_the_same_whatever_else_parametrizes_an_item(pytester: pytest.Pytester, nav: Nav) -> None:
    """An autouse fixture's parameters are in the ids, and are none of the model's."""
    pytester.makeconftest(
        PARAMETRIZED
        + """
@pytest.fixture(params=["x", "y"], autouse=True)
def unrelated(request): pass
"""
    )
    nav("--nav-in-process", "--nav-package={model}.nav").assert_outcomes(passed=16)
    assert {p.name for p in pytester.path.glob("*.nav")} == {
        f"{pytester.path.name}-{m}.nav" for m in ("small", "large")
    }


XUNIT = """
import pytest, torch

def setup_module(module):
    module.prepared = True

class TestIt:
    @classmethod
    def setup_class(cls):
        cls.ready = True

    def setup_method(self):
        self.calls = 1

    def teardown_method(self, method):
        assert self.calls == 1

    @pytest.fixture
    def nav_model(self) -> torch.nn.Module:
        assert prepared
        return torch.nn.Linear(5, 7).eval()

    @pytest.fixture
    def nav_dataloader(self):
        return [torch.randn(3, 5)]

    def test_mine(self):
        assert self.ready and self.calls

    def verify_mine(self, nav_runner):
        assert self.ready and self.calls
"""


def test_setup_methods_of_the_users_class_are_for_the_users_tests(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makepyfile(test_m=XUNIT)
    found = outcomes(nav("-v", "--nav-in-process"))
    assert set(found.values()) == {"PASSED"}
    assert {f"test_m.py::TestIt::nav_model::{name}" for name in SUITE} < set(found)
    assert {"test_m.py::TestIt::test_mine", "test_m.py::TestIt::verify_mine[torchscript-trace-cpu]"} <= set(found)


def test_two_places_are_two_packages(pytester: pytest.Pytester, nav: Nav) -> None:
    for folder in ("first", "second"):
        pytester.mkpydir(folder).joinpath("conftest.py").write_text(LINEAR)
    found = outcomes(nav("-v", "--nav-in-process", "--nav-package={model}.nav"))
    assert found == {f"{f}/conftest.py::nav_model::{n}": "PASSED" for f in ("first", "second") for n in SUITE}
    assert {p.name for p in pytester.path.glob("*.nav")} == {"first.nav", "second.nav"}


def test_the_nearest_configuration_wins_whole(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest("from pytest_navigator import NavConfig\nnav_config = NavConfig(name='far', atol=7.0)\n")
    pytester.makepyfile(
        test_near="from pytest_navigator import NavConfig\nnav_config = NavConfig(seed=3)\n" + LINEAR, test_far=LINEAR
    )
    result = nav("--nav-show-config", "--nav-in-process", "test_near.py", "test_far.py", "-k", "test_source")
    near, far = result.stdout.str().split("test_far.py::nav_model:")
    assert "3  (nav_config)" in near
    assert "7.0  (" not in near
    assert "7.0  (nav_config)" in far


def test_a_configuration_by_parameter_changes_the_tests_of_that_parameter(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(
        PARAMETRIZED
        + """
from pytest_navigator import NavConfig
nav_config = {"small": NavConfig(name="tiny", formats=["torchscript-trace"]), "large": NavConfig(formats=["onnx"])}
"""
    )
    result = nav("--collect-only", "-q", "--nav-package={model}.nav", formats="")
    assert [i for i in collected(result) if "test_export" in i] == [
        "conftest.py::nav_model::test_export[small-torchscript-trace]",
        "conftest.py::nav_model::test_export[large-onnx]",
    ]
    result.stdout.fnmatch_lines(["8/20 tests collected (12 deselected)*"])


def test_a_configuration_for_a_parameter_that_does_not_exist_is_an_error(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(
        PARAMETRIZED + "\nfrom pytest_navigator import NavConfig\nnav_config = {'smal': NavConfig()}\n"
    )
    result = nav("--collect-only")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *'smal'*did you mean 'small'*"])


@pytest.mark.parametrize("arguments", [["--doctest-modules"], ["conftest.py"], ["-o", "python_files=*.py"]])
def test_the_conftest_is_collected_once_however_pytest_meets_it(
    linear: pytest.Pytester, nav: Nav, arguments: list[str]
) -> None:
    found = collected(nav("--collect-only", "-q", *arguments))
    assert found == [f"conftest.py::nav_model::{name}" for name in SUITE]


@pytest.mark.parametrize("option", ["python_functions=check_*", "python_classes=Check*"])
def test_the_users_naming_rules_do_not_hide_the_generated_tests(linear: pytest.Pytester, nav: Nav, option: str) -> None:
    assert len(collected(nav("--collect-only", "-q", "-o", option))) == 4


def test_a_loader_below_its_model_is_a_usage_error(linear: pytest.Pytester, nav: Nav) -> None:
    linear.makepyfile(
        test_m="""
        import pytest

        @pytest.fixture
        def nav_dataloader(): return []

        def verify_something(nav_runner): pass
    """
    )
    result = nav()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: test_m.py overrides nav_dataloader below its nav_model (conftest.py*"])


def test_a_framework_that_cannot_be_told_is_a_usage_error(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(
        LINEAR.replace(" -> torch.nn.Module", "")
        + "\nfrom pytest_navigator import NavConfig\nnav_config = NavConfig(framework='troch')\n"
    )
    result = nav()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: unknown framework 'troch'; did you mean 'torch'*"])


@pytest.mark.parametrize("xdist", [[], ["-n2"]])
@pytest.mark.parametrize(
    ("package", "names", "message"),
    [
        ("out.nav", ["", ""], "Write {model} in it"),
        ("{model}.nav", ["same", "same"], "two models are called 'same'"),
    ],
)
def test_several_models_need_packages_of_their_own(
    pytester: pytest.Pytester, nav: Nav, package: str, names: list[str], message: str, xdist: list[str]
) -> None:
    for folder, name in zip(("first", "second"), names, strict=True):
        config = f"\nfrom pytest_navigator import NavConfig\nnav_config = NavConfig(name={name!r})\n" if name else ""
        pytester.mkpydir(folder).joinpath("conftest.py").write_text(LAZY + config)
    result = nav(f"--nav-package={package}", *xdist, subprocess=bool(xdist))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stdout.str() + result.stderr.str()
    assert message in text
    assert "Traceback" not in text
    assert "first/conftest.py::nav_model" in text
    assert "second/conftest.py::nav_model" in text
    assert not list(pytester.path.glob("*.nav"))
