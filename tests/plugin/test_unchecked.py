"""`nav.unchecked`: no comparison looks at such an output, so a `verify_` test has to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import status

if TYPE_CHECKING:
    from blackbox import Fake, Nav

UNCHECKED = "{'output__0': nav.unchecked('sampled from a distribution')}"
LINE = "unchecked: output__0: sampled from a distribution (dense-cpu, fake-cpu)"
NOBODY = (
    "FAILED: nobody checks output 'output__0' of * in fake-cpu: it is unchecked (sampled from a distribution), and no "
    "verify_ test passed; write `def verify_output__0(nav_runner): ...` with an assertion that its values must meet, "
    "or give it a comparison (nav.share, nav.cosine, a function)"
)
VERIFY = """
def verify_range(nav_runner):
    assert nav_runner.format == "fake"
"""


@pytest.fixture
def project(dense: Fake) -> pytest.Pytester:
    """A model whose only output nothing compares: its format gives other numbers."""
    written = dense("scale=2.0", comparisons=UNCHECKED)
    conftest = written.path / "conftest.py"
    conftest.write_text("import pytest_navigator as nav\n" + conftest.read_text())
    return written


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["plain", "n2"])
def test_without_a_verify_test_the_run_fails_and_says_what_to_write(
    project: pytest.Pytester, nav: Nav, arguments: tuple[str, ...]
) -> None:
    result = nav("--nav-package=out.nav", *arguments, formats="", subprocess=bool(arguments))
    result.assert_outcomes(passed=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([LINE, NOBODY, "package: out.nav"])


def test_beside_a_verify_test_that_passes_it_is_legal_and_its_reason_is_shown(
    project: pytest.Pytester, nav: Nav
) -> None:
    project.makepyfile(test_quality=VERIFY)
    result = nav("--nav-package=out.nav", formats="")
    assert result.ret == 0
    assert LINE in result.outlines
    assert status(project.path / "out.nav")["pytest_navigator"]["verified"] == ["fake/FakeCPU"]


@pytest.mark.parametrize("body", ["import pytest; pytest.skip('no data')", "import pytest; pytest.xfail('not yet')"])
def test_a_verify_test_that_says_nothing_is_not_enough(project: pytest.Pytester, nav: Nav, body: str) -> None:
    project.makepyfile(test_quality=f"def verify_range(nav_runner):\n    {body}\n")
    result = nav(formats="")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([NOBODY])


def test_a_verify_test_that_failed_or_was_left_out_is_told_once(project: pytest.Pytester, nav: Nav) -> None:
    project.makepyfile(test_quality=VERIFY.replace("==", "!="))
    result = nav(formats="")
    result.assert_outcomes(passed=4, failed=1)
    assert "nobody checks" not in result.stdout.str()
    for left_out in (("-knot verify",), ("conftest.py::nav_model::test_export[fake]",)):
        result = nav(*left_out, formats="")
        assert result.ret == 0
        assert "nobody checks" not in result.stdout.str()
