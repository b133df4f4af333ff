"""--nav-show-config tells what holds for each suite; without the checks it tells that and runs nothing."""

from __future__ import annotations

import pytest
from blackbox import LAZY

OWN_TEST = """
def test_of_mine():
    open("ran", "w").close()
"""


def shown(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:hypothesispytest", "--nav-show-config", *args)


@pytest.mark.parametrize("arguments", [(), ("-n", "2", "-p", "no:benchmark")], ids=["alone", "with workers"])
def test_alone_it_prints_the_settings_of_each_suite_and_runs_nothing(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    pytester.makeconftest(LAZY)
    pytester.makepyfile(OWN_TEST)

    result = shown(pytester, "--nav-timeout=7", *arguments)

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["conftest.py::nav_model:", "timeout * 7.0  (--nav-timeout)"])
    result.stdout.fnmatch_lines(["*tests collected*"])
    assert not (pytester.path / "ran").exists()
    assert not (pytester.path / "navigator_workspace").exists()


def test_beside_the_checks_it_prints_them_and_runs_the_checks(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(LAZY)

    result = shown(pytester, "--nav", "--nav-formats=torchscript-trace", "--nav-runtimes=cpu", "-k", "test_source")

    result.assert_outcomes(passed=1, deselected=7)
    result.stdout.fnmatch_lines(["formats *torchscript-trace  (--nav-formats)"])


def test_without_a_model_it_says_what_to_write(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(OWN_TEST)

    result = shown(pytester)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --nav*: no nav_model was found. Write in a conftest.py or a test module:"])
    assert not (pytester.path / "ran").exists()
