"""What is imported when: nothing without an option of ours, no framework by collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import LAZY, LINEAR

if TYPE_CHECKING:
    from blackbox import Nav

pytestmark = pytest.mark.real_processes

NAMES = ("hypothesispytest", "hydra_pytest", "jaxtyping", "randomly")
STRANGERS = [argument for name in NAMES for argument in ("-p", f"no:{name}")]
"""Plugins that import numpy, yaml or a framework themselves; Hydra comes with ExecuTorch."""

FRAMEWORKS = ("torch", "onnx", "onnxscript", "onnxruntime", "tensorflow", "jax", "transformers")
HEAVY = (*FRAMEWORKS, "numpy", "filelock", "psutil", "yaml", "cattrs", "ml_dtypes")
PRINTER = """
import sys

def pytest_unconfigure():
    print("\\nimported:", *sorted(name for name in sys.modules if name.partition(".")[0] in {names}))
"""


def imported(result: pytest.RunResult) -> set[str]:
    """Return the top-level packages of interest that the process had imported at its end."""
    (line,) = [line for line in result.outlines if line.startswith("imported:")]
    return {name.partition(".")[0] for name in line.split()[1:]}


def project(pytester: pytest.Pytester, model: str) -> pytest.Pytester:
    pytester.makeconftest(model + PRINTER.format(names=HEAVY))
    pytester.makepyfile(test_mine="def test_mine(): pass\n\ndef verify_mine(nav_runner): pass\n")
    return pytester


def test_without_an_option_of_ours_nothing_is_generated_and_nothing_imported(pytester: pytest.Pytester) -> None:
    project(pytester, LAZY)
    result = pytester.runpytest_subprocess(*STRANGERS, "-s", ".", "conftest.py")
    result.assert_outcomes(passed=1)
    assert imported(result) == set()
    assert not (pytester.path / "navigator_workspace").exists()


@pytest.mark.parametrize("option", ["--nav", "--nav-package=out.nav"])
def test_collection_imports_no_framework(pytester: pytest.Pytester, option: str) -> None:
    project(pytester, LAZY)
    result = pytester.runpytest_subprocess(option, "--collect-only", "-q", "-s", *STRANGERS)
    assert result.ret == 0
    assert any("test_export[onnx]" in line for line in result.outlines)
    assert any("verify_mine[onnx-cpu]" in line for line in result.outlines)
    assert not imported(result) & set(FRAMEWORKS)
    assert not (pytester.path / "navigator_workspace").exists()
    assert not list(pytester.path.glob("*.nav"))


def test_a_run_imports_what_its_steps_need_only(pytester: pytest.Pytester, nav: Nav) -> None:
    """ONNX Runtime runs in the child; TorchScript needs no onnx anywhere."""
    project(pytester, LINEAR)
    result = nav("-s", subprocess=True)
    result.assert_outcomes(passed=6)
    assert not imported(result) & {"onnx", "onnxscript", "onnxruntime", "tensorflow", "jax", "transformers"}


def test_an_inactive_plugin_leaves_the_users_fixtures_alone(linear: pytest.Pytester) -> None:
    linear.makepyfile(
        test_mine="def test_mine(nav_model, nav_dataloader): assert nav_model(nav_dataloader[0]).ndim == 2"
    )
    linear.runpytest_inprocess(*STRANGERS).assert_outcomes(passed=1)


def test_a_test_of_a_model_is_skipped_where_none_is_checked(pytester: pytest.Pytester) -> None:
    fixtures = ("nav_runner", "nav_source_runner", "nav_package")
    pytester.makepyfile("\n".join(f"def test_{name}({name}): pass" for name in fixtures))
    result = pytester.runpytest_inprocess("-rs", *STRANGERS)
    result.assert_outcomes(skipped=len(fixtures))
    result.stdout.fnmatch_lines(["SKIPPED * no model is checked without --nav, *"] * 3)


def test_the_marks_are_known_to_strict_markers(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import pytest\npytestmark = pytest.mark.nav_profile\ndef test_mine(): pass")
    arguments = ("--strict-markers", *STRANGERS)
    pytester.runpytest_inprocess(*arguments).assert_outcomes(passed=1)


def test_version_and_help_work_with_the_plugin(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--help", *STRANGERS)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*--nav-package=PATH*"])
