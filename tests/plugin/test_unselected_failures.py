"""A run does not exit with 0 because the item that failed was not selected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Nav = Callable[..., pytest.RunResult]

BRANCHES = """
import pytest, torch

class Unscriptable(torch.nn.Module):
    def forward(self, x):
        return [x for _ in {"a set, which TorchScript has not"}][0]

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return Unscriptable().eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(3, 5)]
"""
RAISES = """
import pytest, torch

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    raise FileNotFoundError("weights.pt")

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(3, 5)]
"""


def test_a_failed_export_that_only_selected_tests_need_makes_the_run_fail(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(BRANCHES)

    result = nav("-k", "test_correctness", formats="torchscript")

    result.assert_outcomes(passed=2, skipped=1, deselected=3)
    result.stdout.fnmatch_lines(["FAILED: export torchscript-script failed, and selected tests need it"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_failed_export_that_its_own_test_reports_is_said_once(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(BRANCHES)

    result = nav(formats="torchscript")

    result.assert_outcomes(failed=1, passed=4, skipped=1)
    result.stdout.no_fnmatch_line("*selected tests need it")


def test_a_failed_export_that_its_own_test_expects_leaves_the_run_green(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(
        BRANCHES + "\nfrom pytest_navigator import NavConfig"
        "\nnav_config = NavConfig(xfail={'torchscript-script': 'sets are not supported'})"
    )

    result = nav(formats="torchscript")

    result.assert_outcomes(xfailed=1, passed=4, skipped=1)
    assert result.ret == pytest.ExitCode.OK


def test_a_model_that_raises_fails_a_run_of_other_tests_too(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(RAISES)

    result = nav("-k", "test_export")

    result.stdout.fnmatch_lines(
        [
            "FAILED: source: nav_model raised FileNotFoundError: weights.pt",
            "FAILED: source failed, and selected tests need it",
        ]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_model_that_raises_shows_the_users_lines_only(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(RAISES)

    result = nav()

    result.stdout.fnmatch_lines(["*conftest.py*, line 5, in nav_model", "FAILED *::test_source - nav_model raised *"])
    result.stdout.no_fnmatch_line("*/pluggy/*")
    result.stdout.no_fnmatch_line("*no format of * but the source*")
