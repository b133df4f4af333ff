"""`NAV_DEBUG=1` lets exceptions through, for a debugger and for the whole traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from blackbox import Fake, Nav


@pytest.mark.parametrize("debug", ["1", "0", ""])
def test_an_exporters_exception_goes_through(
    dense: Fake, nav: Nav, monkeypatch: pytest.MonkeyPatch, debug: str
) -> None:
    monkeypatch.setenv("NAV_DEBUG", debug)
    dense("mode='raise', where='export'")
    result = nav("-k", "export", "--tb=short", formats="")
    result.assert_outcomes(failed=1, deselected=3)
    traceback = [line for line in result.outlines if line.startswith("E   ")]
    assert traceback == (["E   ZeroDivisionError: division by zero"] if debug == "1" else [])


@pytest.mark.parametrize("debug", ["1", ""])
def test_what_the_model_raises_goes_through(dense: Fake, nav: Nav, monkeypatch: pytest.MonkeyPatch, debug: str) -> None:
    monkeypatch.setenv("NAV_DEBUG", debug)
    project = dense()
    module = project.path / "fake_format.py"
    module.write_text(
        module.read_text().replace("return x @ self.weight.T + self.bias\n\n\nclass", "return {}['gone']\n\n\nclass")
    )
    result = nav("-k", "source", "--tb=short", formats="")
    result.assert_outcomes(failed=1, deselected=3)
    assert ("E   KeyError: 'gone'" in result.outlines) is (debug == "1")
    reason = "the model raised on sample 0: KeyError: 'gone'"
    assert (reason in result.outlines) is (debug != "1")
    assert f"FAILED: source: {reason}" in result.outlines


def test_what_a_comparison_raises_goes_through(dense: Fake, nav: Nav, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAV_DEBUG", "1")
    dense(comparisons="{'fake': {'output__0': lambda expected, actual: {}['missing']}}")
    result = nav("-k", "correctness and fake", "--tb=short", formats="")
    result.assert_outcomes(failed=1, deselected=3)
    assert "E   KeyError: 'missing'" in result.outlines


STOPPING = '''
import pdb

class Printing(pdb.Pdb):
    """Prints where it stops, and goes on."""

    def interaction(self, frame, tb):
        tb = getattr(tb, "__traceback__", tb)
        while tb.tb_next:
            tb = tb.tb_next
        print(f"\\nstopped in {tb.tb_frame.f_code.co_filename} at {tb.tb_frame.f_code.co_name}")
'''
PDB = ("--nav-in-process", "--pdb", "--pdbcls=printing_pdb:Printing")
CALL = "def __call__(self, x):\n        return x @"
HIDDEN = """try:
            {}['gone']
        except KeyError as error:
            raise ValueError('wrapped') from error"""


def stops(nav: Nav, pytester: pytest.Pytester) -> list[str]:
    """Return where the debugger stops: file and function."""
    pytester.makepyfile(printing_pdb=STOPPING)
    lines = nav(*PDB, formats="").outlines
    return [line.removeprefix(f"stopped in {pytester.path}/") for line in lines if line.startswith("stopped in ")]


@pytest.mark.parametrize("body", ["{}['gone']", HIDDEN], ids=["raised", "wrapped"])
def test_pdb_stops_in_the_model(dense: Fake, nav: Nav, body: str) -> None:
    project = dense()
    module = project.path / "fake_format.py"
    module.write_text(module.read_text().replace(CALL, CALL.replace("return", f"{body}\n        return")))
    assert stops(nav, project) == ["fake_format.py at __call__"]


@pytest.mark.parametrize(("where", "function"), [("export", "<lambda>"), ("infer", "<lambda>")])
def test_pdb_stops_in_the_exporter_and_the_runner(dense: Fake, nav: Nav, where: str, function: str) -> None:
    project = dense(f"mode='raise', where={where!r}")
    assert stops(nav, project) == [f"fake_format.py at {function}"]


def test_pdb_stops_in_the_fixture(dense: Fake, nav: Nav) -> None:
    project = dense()
    conftest = project.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace("    return Dense(", "    {}['gone']\n    return Dense("))
    assert stops(nav, project) == ["conftest.py at nav_model"]


BACKWARDS = """
def pytest_collection_modifyitems(items):
    items.reverse()
"""


def test_pdb_stops_in_the_steps_own_test_whichever_ran_first(dense: Fake, nav: Nav) -> None:
    project = dense("mode='raise', where='export'")
    conftest = project.path / "conftest.py"
    conftest.write_text(conftest.read_text() + BACKWARDS)
    assert stops(nav, project) == ["fake_format.py at <lambda>"]
    nav(*PDB, formats="").assert_outcomes(passed=2, failed=1, skipped=1)


@pytest.mark.parametrize("more", ["", BACKWARDS], ids=["in order", "backwards"])
def test_pdb_stops_at_no_failure_that_is_expected(dense: Fake, nav: Nav, more: str) -> None:
    project = dense("mode='raise', where='export'", xfail="{'fake': 'known'}")
    conftest = project.path / "conftest.py"
    conftest.write_text(conftest.read_text() + more)
    assert stops(nav, project) == []
