"""Somebody writes into the workspace while a run uses it: one line says what is lost, the other models keep theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import DENSE, FAKE_FORMAT, status, words

if TYPE_CHECKING:
    from blackbox import Nav

TWO_MODELS = DENSE.replace(
    """@pytest.fixture(scope="session")
def nav_model():
""",
    """nav_config = NavConfig(framework="dense", formats=[FakeConfig()])

@pytest.fixture(scope="session", params=["good", "lost"])
def nav_model(request):
""",
)
DAMAGE = """
def pytest_sessionfinish(session):
    (folder,) = Path("navigator_workspace").glob("*-lost-*")
    (folder / {file!r}).write_text({text!r})
"""
FILES = {
    ".steps/source.json": "{",
    ".steps/export.fake.json": "[]",
    ".steps/profile.fake.FakeCPU.batch1.started": "",
    "signature.json": '{"inputs": 3}',
    "suite.json": "",
}


@pytest.mark.parametrize("file", FILES)
def test_a_record_that_cannot_be_read_costs_its_own_models_package(
    pytester: pytest.Pytester, nav: Nav, file: str
) -> None:
    pytester.makepyfile(fake_format=FAKE_FORMAT)
    pytester.makeconftest(TWO_MODELS + DAMAGE.format(file=file, text=FILES[file]))
    result = nav("--nav-package={model}.nav", "--nav-in-process", formats="")
    result.assert_outcomes(passed=8)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    error = f"ERROR: no package was written: *{file} is damaged (*); remove the workspace and run again"
    result.stdout.fnmatch_lines(["*-lost-*", error])
    output = result.stdout.str() + result.stderr.str()
    assert "Traceback" not in output
    assert "INTERNALERROR" not in output
    (package,) = pytester.path.glob("*.nav")
    assert package.name.endswith("-good.nav")
    assert status(package)["pytest_navigator"]["complete"] is True


def test_a_record_that_cannot_be_read_by_the_next_step_is_told_in_a_line(
    pytester: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "800")
    pytester.makepyfile(fake_format=FAKE_FORMAT)
    pytester.makeconftest(TWO_MODELS + DAMAGE.format(file=".steps/source.json", text="{").replace(*AFTER_THE_SOURCE))
    result = nav("-v", "-rf", "--nav-package={model}.nav", "--nav-in-process", formats="")
    found = words(result)
    assert {name for name, word in found.items() if word == "FAILED"} == {
        "test_export[lost-fake]",
        "test_correctness[lost-dense-cpu]",
        "test_correctness[lost-fake-cpu]",
    }
    result.stdout.fnmatch_lines(
        ["FAILED *lost-fake? - *source.json is damaged (*); remove the workspace and run again"]
    )
    assert "exception" not in result.stdout.str()
    assert [package.name for package in pytester.path.glob("*.nav") if package.name.endswith("-good.nav")]


AFTER_THE_SOURCE = (
    "def pytest_sessionfinish(session):",
    "def pytest_runtest_teardown(item):\n    if item.name != 'test_source[lost]': return",
)
