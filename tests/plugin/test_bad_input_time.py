"""A step that does not end is one failed test: the run goes on, and the limit is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import status

if TYPE_CHECKING:
    from collections.abc import Callable

    Nav = Callable[..., pytest.RunResult]
    Project = Callable[..., None]
    Failed = Callable[[pytest.RunResult], dict[str, str]]

SLOW = """
import time

class Model(torch.nn.Module):
    def forward(self, x):
        if {when}:
            time.sleep(60)
        return x * 2
"""


def test_a_live_model_that_hangs_fails_the_source(project: Project, nav: Nav, failed: Failed) -> None:
    project(SLOW.format(when="True"))

    result = nav("--nav-in-process", "--nav-timeout=0.3")

    assert failed(result) == {"test_source": "no answer within 0.3 s"}
    result.assert_outcomes(failed=1, skipped=3)


def test_a_loader_that_hangs_fails_the_source(project: Project, nav: Nav, failed: Failed) -> None:
    project("import time", made="torch.nn.Linear(5, 7).eval()", loader="(time.sleep(60) for _ in range(2))")

    assert failed(nav("--nav-in-process", "--nav-timeout=0.3")) == {"test_source": "no answer within 0.3 s"}


def test_an_export_that_hangs_fails_and_the_other_formats_are_made(
    project: Project, nav: Nav, failed: Failed, pytester: pytest.Pytester
) -> None:
    project(SLOW.format(when="torch.jit.is_tracing()"))

    result = nav("--nav-timeout=10", "--nav-package=out.nav", formats="torchscript-trace,onnx")

    assert failed(result) == {"test_export[torchscript-trace]": "no answer within 10 s"}
    result.assert_outcomes(passed=4, failed=1, skipped=1)
    models = status(pytester.path / "out.nav")["models_status"]
    assert models["torchscript-trace"]["status"]["ExportTorch2TorchScript"] == "FAIL"
    assert models["onnx"]["runners_status"]["OnnxCPU"]["status"]["Correctness"] == "OK"


@pytest.mark.parametrize("when", ["True", "torch.jit.is_tracing()"])
def test_the_limit_of_pytest_timeout_ends_a_live_step(project: Project, nav: Nav, failed: Failed, when: str) -> None:
    pytest.importorskip("pytest_timeout")
    project(SLOW.format(when=when))

    result = nav("--nav-in-process", "-p", "timeout", "--timeout=3", "--timeout-method=signal", "--nav-timeout=300")

    step = "test_source" if when == "True" else "test_export[torchscript-trace]"
    assert failed(result) == {step: "the step failed: Timeout (>3.0s) from pytest-timeout."}


def test_an_unnamed_format_that_is_too_slow_is_a_failure_all_the_same(
    project: Project, nav: Nav, failed: Failed
) -> None:
    project(SLOW.format(when="torch.jit.is_tracing()"))

    result = nav("--nav-timeout=5", "-k", "source or trace", formats="")

    assert failed(result) == {"test_export[torchscript-trace]": "no answer within 5 s"}
