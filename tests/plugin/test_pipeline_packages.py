"""All modules of a pipeline are packed in one file, which `nav.bundle` loads."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import torch
from blackbox import outcomes
from piped import PIPELINE, SLOW, SLOW_PIPELINE

from pytest_navigator import bundle, load_optimized, unload, wrap
from pytest_navigator.pipelines.bundle_file import open_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Nav


def modules(path: Path) -> dict[str, tuple[str, str]]:
    """Return what is chosen for each module, and why."""
    with open_bundle(path) as bundle:
        assert bundle.damaged_packages() == []
        return {choice.module: (choice.format, choice.reason) for choice in bundle.manifest.choices}


def test_the_modules_are_in_one_file(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(PIPELINE)
    result = nav("--nav-package=out.nav", "--nav-batch-sizes=1", profile=True)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["package: out.nav (2 modules)"])
    assert list(modules(pytester.path / "out.nav")) == ["encoder", "parts.decoder"]
    assert [path.name for path in pytester.path.glob("*.nav")] == ["out.nav"]


@pytest.fixture
def slow(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A pipeline, of which one module is slower as it is than in any format, and a store of its own."""
    monkeypatch.setenv("NAV_PIPELINES_DIR", str(pytester.path / "store"))
    monkeypatch.delitem(sys.modules, "parts_of_it", raising=False)
    pytester.makepyfile(parts_of_it=SLOW)
    pytester.makeconftest(SLOW_PIPELINE)
    pytester.syspathinsert()
    return pytester


def test_what_was_chosen_is_served_where_the_file_is_loaded(slow: pytest.Pytester, nav: Nav) -> None:
    result = nav("--nav-package=out.nav", "--nav-batch-sizes=1", profile=True)
    result.stdout.fnmatch_lines(["  best *ok *x *-", "best: slow torchscript-trace-cpu (*x as fast)"])
    assert modules(slow.path / "out.nav")["slow"][0] == "torchscript-trace"
    from parts_of_it import Pipeline  # type: ignore[import-not-found]

    pipeline, x = Pipeline(), torch.ones(1, 5)
    expected = pipeline(x)
    wrap(pipeline, ["slow"])
    bundle.load(slow.path / "out.nav")
    load_optimized()
    own = pipeline.slow.forward
    torch.testing.assert_close(pipeline(x), expected)
    unload()
    assert (own.calls, dict(own.eager)) == (2, {})


CULPRITS = (
    SLOW
    + """

class Wrong(Slow):
    def forward(self, x):
        return super().forward(x) + (0.5 if torch.jit.is_tracing() else 0.0)


class Culprits(Pipeline):
    def __init__(self):
        super().__init__()
        self.wrong, self.idle = Wrong().eval(), Slow().eval()

    @torch.no_grad()
    def __call__(self, x):
        with torch.enable_grad():
            x = self.idle(x.clone().requires_grad_()).detach()
        return self.head(self.wrong(self.slow(x)))
"""
)
"""A module whose format is wrong and passes by its own tolerance, and one whose calls no format runs."""


def test_a_module_that_the_whole_is_not_right_with_is_eager_and_the_others_are_not(
    slow: pytest.Pytester, nav: Nav
) -> None:
    slow.makepyfile(parts_of_it=CULPRITS)
    named = 'nav_modules = {"slow": None, "idle": None, "wrong": pytest_navigator.NavConfig(atol=9.0)}'
    named = f"import pytest_navigator\n{named}"
    slow.makeconftest(SLOW_PIPELINE.replace('nav_modules = ["slow"]', named).replace("it.Pipeline()", "it.Culprits()"))
    result = nav("-v", "--nav-package=out.nav", "--nav-batch-sizes=1", profile=True)
    assert outcomes(result)["conftest.py::nav_pipeline::test_pipeline[best]"] == "PASSED"
    found = modules(slow.path / "out.nav")
    assert {name: chosen for name, (chosen, _) in found.items()} == {
        "slow": "torchscript-trace",
        "idle": "",
        "wrong": "",
    }
    assert found["idle"][1].startswith("none of its calls in the pipeline ran the format: an argument")
    assert "max" in found["wrong"][1]


FAILS = "def verify_it(nav_pipeline_runner):\n    assert nav_pipeline_runner.mix != 'best'\n"


def test_what_a_test_of_the_users_is_not_content_with_is_not_chosen(slow: pytest.Pytester, nav: Nav) -> None:
    slow.makepyfile(test_images=FAILS)
    result = nav("--nav-package=out.nav", "--nav-batch-sizes=1", profile=True)
    result.stdout.fnmatch_lines(["  torchscript-trace-cpu *yes", "  best * no"])
    assert modules(slow.path / "out.nav")["slow"] == ("", "a test of the whole pipeline did not pass with it")


def test_the_name_of_the_pipeline_stands_in_the_path(pytester: pytest.Pytester, nav: Nav) -> None:
    named = PIPELINE + "from pytest_navigator import NavConfig\nnav_config = NavConfig(name='images')\n"
    pytester.makeconftest(named)
    nav("--nav-package={model}.nav")
    found = modules(pytester.path / "images.nav")
    assert set(found.values()) == {("", "nothing was measured")}


def test_what_was_not_checked_wholly_is_packed_as_partial(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(PIPELINE)
    result = nav("--nav-package=out.nav", "-k", "encoder")
    result.stdout.fnmatch_lines(
        ["package: out.partial.nav (partial: not all was checked, run all tests to complete it; 2 modules)"]
    )


def test_two_pipelines_of_one_path_are_a_usage_error(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(PIPELINE)
    pytester.makepyfile(test_other=PIPELINE)
    result = nav("--nav-package=out.nav")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --nav-package=out.nav: two models would be written to it: *nav_pipeline*"])
