"""A failed comparison leaves its inputs and outputs for Polygraphy; a passed one leaves nothing."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from blackbox import words

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Fake, Nav


def left(pytester: pytest.Pytester) -> list[Path]:
    return sorted(pytester.path.glob("navigator_workspace/*/*.comparator_*.json"))


def test_polygraphy_reads_what_a_failed_comparison_left(dense: Fake, nav: Nav) -> None:
    comparator = pytest.importorskip("polygraphy.comparator")
    serde = pytest.importorskip("polygraphy.json")
    pytester = dense("scale=2.0")

    result = nav("-v", "--nav-package=out.nav", formats="fake")

    assert words(result)["test_correctness[fake-cpu]"] == "FAILED"
    result.stdout.fnmatch_lines(
        ["*inputs and outputs of 8 of 8 comparisons: fake-cpu.comparator_inputs.json, fake-cpu.comparator_outputs.json"]
    )
    inputs, outputs = left(pytester)
    feeds, results = serde.load_json(str(inputs)), comparator.RunResults.load(str(outputs))
    assert list(results.keys()) == ["source", "FakeCPU"]
    assert {len(feeds), *(len(every) for every in results.values())} == {8}
    for feed, source, fake in zip(feeds, results["source"], results["FakeCPU"], strict=True):
        np.testing.assert_allclose(fake["output__0"] - 2 * source["output__0"], 0, atol=1e-4)
        assert feed["x"].shape == (len(source["output__0"]), 5)
    with zipfile.ZipFile(pytester.path / "out.nav") as package:
        assert {inputs.name, outputs.name} <= set(package.namelist())


@pytest.mark.parametrize("save_data", ["all", "none"])
def test_samples_that_are_not_to_be_packed_are_not_packed_in_this_form(dense: Fake, nav: Nav, save_data: str) -> None:
    pytester = dense("scale=2.0")

    nav("--nav-package=out.nav", f"--nav-save-data={save_data}", formats="fake")

    (package,) = pytester.path.glob("*.nav")
    with zipfile.ZipFile(package) as archive:
        found = [name for name in archive.namelist() if "comparator" in name]
    assert len(found) == (2 if save_data == "all" else 0)


def test_a_passed_comparison_leaves_nothing(dense: Fake, nav: Nav) -> None:
    pytester = dense("scale=2.0")
    nav(formats="fake")
    assert len(left(pytester)) == 2

    text = (pytester.path / "conftest.py").read_text()
    (pytester.path / "conftest.py").write_text(text.replace("scale=2.0", "scale=1.0"))
    result = nav("-v", "--nav-resume", formats="fake")

    assert words(result)["test_correctness[fake-cpu]"] == "PASSED"
    assert left(pytester) == []


def test_a_comparison_of_the_live_model_leaves_the_same(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    model = (pytester.path / "conftest.py").read_text()
    changing = """
class Changing(DenseCPU):
    def infer(self, feed):
        return {name: value + 1 for name, value in super().infer(feed).items()}

class Wrong(DenseFormat):
    runners = (Changing,)

def pytest_nav_formats():
    return [Wrong, Fake]
"""
    (pytester.path / "conftest.py").write_text(model.replace("nav_config =", f"{changing}\nnav_config ="))

    result = nav("-v", formats="fake")

    assert words(result)["test_correctness[dense-cpu]"] == "FAILED"
    assert [path.name for path in left(pytester)] == [
        "dense-cpu.comparator_inputs.json",
        "dense-cpu.comparator_outputs.json",
    ]


def test_the_largest_difference_is_among_them_where_there_is_no_room_for_all(
    dense: Fake, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparator = pytest.importorskip("polygraphy.comparator")
    monkeypatch.setattr("pytest_navigator.engine.evidence.LARGEST_BYTES", 1)
    pytester = dense("scale=2.0")

    result = nav(formats="fake")

    result.stdout.fnmatch_lines(["*inputs and outputs of 1 of 8 comparisons*"])
    (_, outputs) = left(pytester)
    results = comparator.RunResults.load(str(outputs))
    (source,), (fake,) = results["source"], results["FakeCPU"]
    worst = float(np.abs(fake["output__0"] - source["output__0"]).max())
    result.stdout.fnmatch_lines([f"output__0: max abs {worst:.3g} (*"])
