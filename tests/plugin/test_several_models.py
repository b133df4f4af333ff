"""Several models in one run: each has its own suite, outcomes and package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import MODULE, outcomes, status, two_models

if TYPE_CHECKING:
    from blackbox import Nav


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    return two_models(pytester)


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["plain", "n2"])
def test_a_wrong_model_does_not_touch_the_other(project: pytest.Pytester, nav: Nav, arguments: tuple[str, ...]) -> None:
    result = nav("-v", "--nav-package={model}.nav", *arguments, formats="", subprocess=bool(arguments))
    failed = {nodeid for nodeid, word in outcomes(result).items() if word != "PASSED"}
    assert failed == {"test_wrong.py::nav_model::test_correctness[fake-cpu]"}
    assert {path.name for path in project.path.glob("*.nav")} == {"right.nav", "wrong.nav"}
    for name, word in (("right", "passed"), ("wrong", "failed")):
        steps = status(project.path / f"{name}.nav")["pytest_navigator"]["steps"]
        assert steps["correctness.fake.FakeCPU"]["status"] == word


def test_the_summary_has_a_block_for_each(project: pytest.Pytester, nav: Nav) -> None:
    lines = nav(formats="").outlines
    assert {"right (dense)", "wrong (dense)"} <= set(lines)
    assert sum(line.split()[:2] == ["fake", "FakeCPU"] for line in lines) == 2


def test_a_model_that_was_deselected_leaves_its_package_alone(project: pytest.Pytester, nav: Nav) -> None:
    nav("--nav-package={model}.nav", formats="")
    before = (project.path / "wrong.nav").read_bytes()
    nav("--nav-package={model}.nav", "-k", "test_right", formats="").assert_outcomes(passed=4, deselected=4)
    assert (project.path / "wrong.nav").read_bytes() == before
    assert not list(project.path.glob("*.partial.nav"))


def test_one_model_alone_needs_no_placeholder(project: pytest.Pytester, nav: Nav) -> None:
    nav("--nav-package=out.nav", "test_right.py", formats="").assert_outcomes(passed=4)
    assert (project.path / "out.nav").exists()


def test_the_name_of_the_configuration_names_the_package(project: pytest.Pytester, nav: Nav) -> None:
    project.makepyfile(test_right=MODULE.format(scale=1.0, width=7, rest=", name='resnet'"))
    nav("--nav-package=built/{model}.nav", formats="")
    assert {path.name for path in (project.path / "built").glob("*.nav")} == {"resnet.nav", "wrong.nav"}


def test_a_name_with_a_slash_stays_in_the_folder(project: pytest.Pytester, nav: Nav) -> None:
    project.makepyfile(test_right=MODULE.format(scale=1.0, width=7, rest=", name='../org/resnet'"))
    nav("--nav-package={model}.nav", "test_right.py", formats="").assert_outcomes(passed=4)
    assert [path.name for path in project.path.glob("*.nav")] == ["..-org-resnet.nav"]


def test_models_of_equal_parameters_are_models_of_their_own(project: pytest.Pytester, nav: Nav) -> None:
    one = MODULE.format(scale=1.0, width=7, rest="")
    parametrized = one.replace('"module")\ndef nav_model()', '"module", params=[True, True])\ndef nav_model(request)')
    project.makepyfile(test_pair=parametrized + "\ndef verify_shape(nav_runner): pass\n")

    result = nav("-v", "--nav-package={model}.nav", "test_pair.py", formats="")

    assert {path.name for path in project.path.glob("*.nav")} == {"pair-True0.nav", "pair-True1.nav"}
    assert set(outcomes(result).values()) == {"PASSED"}
    for path in project.path.glob("*.nav"):
        assert status(path)["pytest_navigator"]["steps"]["correctness.fake.FakeCPU"]["status"] == "passed"
