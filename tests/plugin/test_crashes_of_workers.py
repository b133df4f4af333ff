"""With `-n 1` any number of crashes in the live model are a failed test each, and that of the step that crashed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import status, words

if TYPE_CHECKING:
    from blackbox import Fake, Nav

pytestmark = pytest.mark.slow

SEVERAL = """
@pytest.fixture(scope="session", params=range(6))
def nav_model(request):
    if request.param != 3: os._exit(0)
"""
ONE = '@pytest.fixture(scope="session")\ndef nav_model():\n'
MODE = "mode='exit', where='export'"


def test_more_crashes_than_xdist_allows_leave_no_test_unrun(dense: Fake, nav: Nav) -> None:
    pytester = dense(name="'six'")
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace(ONE, f"import os\n{SEVERAL}"))
    result = nav("-v", "-n1", "-k", "source or dense", "--nav-package={model}.nav", formats="", subprocess=True)
    found = words(result)
    assert {name: found[name] for name in found if "source" in name} == {
        f"test_source[{i}]": "PASSED" if i == 3 else "FAILED" for i in range(6)
    }
    assert {found[f"test_correctness[{i}-dense-cpu]"] for i in range(6) if i != 3} == {"SKIPPED"}
    result.assert_outcomes(failed=5, passed=2, skipped=5)
    result.stdout.no_fnmatch_line("*maximum crashed workers*")
    again = nav("-n1", "-k", "source and 3", formats="", subprocess=True)
    assert "-n 1" not in result.stdout.str() + again.stdout.str()


def test_a_limit_of_the_users_for_crashes_stays(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace(ONE, f"import os\n{SEVERAL}"))
    result = nav("-n1", "--max-worker-restart=1", formats="", subprocess=True)
    result.stdout.fnmatch_lines(["*maximum crashed workers reached: 1*"])


@pytest.mark.parametrize("selected", ["correctness", "correctness or export"])
def test_a_crash_is_blamed_on_the_step_that_crashed(dense: Fake, nav: Nav, selected: str) -> None:
    pytester = dense(MODE)
    order = "\ndef pytest_collection_modifyitems(items): items.reverse()\n"
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + order)
    result = nav("-v", "-n1", "-k", selected, "--nav-package=out.nav", formats="", subprocess=True)
    assert words(result)["test_correctness[fake-cpu]"] == "SKIPPED"
    if "export" in selected:
        assert words(result)["test_export[fake]"] == "FAILED"
    else:
        result.stdout.fnmatch_lines(["FAILED: export fake failed, and selected tests need it"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    steps = status(next(pytester.path.glob("*.nav")))["pytest_navigator"]["steps"]
    assert (steps["export.fake"]["error"], steps["correctness.fake.FakeCPU"]["cause"]) == ("crash", "export.fake")


def test_a_crash_that_nav_config_expects_is_an_xfail(dense: Fake, nav: Nav) -> None:
    dense(f"{MODE}), Other.config(", xfail="{'fake': 'upstream bug 1'}")
    result = nav("-v", "-n1", "-rx", formats="", subprocess=True)
    assert words(result)["test_export[fake]"] == "XFAIL"
    result.stdout.fnmatch_lines(["XFAIL *test_export?fake? - *upstream bug 1*"])
    assert result.ret == 0
