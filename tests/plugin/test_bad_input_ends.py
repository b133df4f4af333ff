"""`pytest.skip`, `pytest.fail` and `sys.exit` in nav_model or its loader: the source step records them, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import status, words

if TYPE_CHECKING:
    from collections.abc import Callable

    Nav = Callable[..., pytest.RunResult]
    Project = Callable[..., None]
    Failed = Callable[[pytest.RunResult], dict[str, str]]

SKIPS = {
    "the model": ({"made": "pytest.skip('no weights here')"}, "nav_model was skipped: no weights here"),
    "the loader": ({"loader": "pytest.skip('no data here')"}, "nav_dataloader was skipped: no data here"),
    "a module that is missing": (
        {"made": "pytest.importorskip('no_such_module')"},
        "nav_model was skipped: could not import 'no_such_module': No module named 'no_such_module'",
    ),
    "the loader's iteration": (
        {"made": "torch.nn.Linear(5, 7).eval()", "loader": "lambda: pytest.skip('no data here')"},
        "the step was skipped: no data here",
    ),
}
FAILURES = {
    "the model": ({"made": "pytest.fail('no weights here')"}, "nav_model failed: no weights here"),
    "the loader": (
        {"made": "torch.nn.Linear(5, 7).eval()", "loader": "pytest.fail('no data here')"},
        "nav_dataloader failed: no data here",
    ),
    "an exit": ({"made": "__import__('sys').exit(3)"}, "nav_model raised SystemExit: 3"),
}


@pytest.mark.parametrize("case", SKIPS)
def test_a_skip_is_the_source_steps_and_what_needs_it_is_skipped_for_the_same_reason(
    pytester: pytest.Pytester, project: Project, nav: Nav, case: str
) -> None:
    lines, reason = SKIPS[case]
    project(**{"made": "torch.nn.Linear(5, 7).eval()", **lines})
    result = nav("-v", "-rs", "--nav-in-process", "--nav-package=out.nav")
    assert result.ret == 0
    assert set(words(result).values()) == {"SKIPPED"}
    result.stdout.fnmatch_lines(
        [f"skipped: 4 steps: {reason}", "package: out.nav", f"SKIPPED ?4? conftest.py:*: {reason}"]
    )
    source = status(pytester.path / "out.nav")["pytest_navigator"]["steps"]["source"]
    assert (source["status"], source["message"]) == ("skipped", reason)


def test_a_skip_of_the_model_fails_what_is_required(project: Project, nav: Nav, failed: Failed) -> None:
    project(made="pytest.skip('no weights here')")
    result = nav("-v", "--nav-in-process", "--nav-require=torchscript-trace-cpu")
    assert failed(result) == {
        "test_correctness[torchscript-trace-cpu]": (
            "nav_model was skipped: no weights here (required by --nav-require)"
        )
    }
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("case", FAILURES)
def test_an_end_of_the_model_is_one_failure(
    pytester: pytest.Pytester, project: Project, nav: Nav, failed: Failed, case: str
) -> None:
    lines, message = FAILURES[case]
    project(**lines)
    result = nav("-v", "--nav-in-process", "--nav-package=out.nav")
    assert failed(result) == {"test_source": message}
    assert set(words(result).values()) == {"FAILED", "SKIPPED"}
    assert status(pytester.path / "out.nav")["pytest_navigator"]["steps"]["source"]["message"] == message
