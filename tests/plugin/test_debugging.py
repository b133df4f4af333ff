"""`NAV_DEBUG=1` lets exceptions through, for a debugger and for the whole traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from blackbox import Fake
    from blackbox import Nav


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
