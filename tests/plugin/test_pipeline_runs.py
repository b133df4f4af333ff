"""A pipeline is checked with formats in the places of its modules: all of one, and the best of each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from blackbox import outcomes
from piped import PIPELINE

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Nav

VERIFY = """
import torch

def verify_shape(nav_pipeline_runner):
    x = torch.ones(2, 5)
    assert nav_pipeline_runner.modules["encoder"] == "torchscript-trace-cpu"
    torch.testing.assert_close(nav_pipeline_runner(x), nav_pipeline_runner.eager(x))
"""


def suite(pytester: pytest.Pytester, suffix: str = "") -> Path:
    (found,) = pytester.path.glob(f"navigator_workspace/*{suffix}/pipeline.json")
    return found.parent


def whole(pytester: pytest.Pytester, mix: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((suite(pytester) / ".steps" / f"pipeline.{mix}.json").read_text())
    return found


def test_modules_and_the_whole_pass_and_a_test_of_the_users_verifies_it(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(PIPELINE)
    pytester.makepyfile(test_images=VERIFY)
    result = nav("-v")
    found = outcomes(result)
    assert result.ret == 0
    assert found["conftest.py::nav_pipeline::test_correctness[parts.decoder-torchscript-trace-cpu]"] == "PASSED"
    assert found["conftest.py::nav_pipeline::test_pipeline[torchscript-trace-cpu]"] == "PASSED"
    assert found["test_images.py::verify_shape[torchscript-trace-cpu]"] == "PASSED"
    result.stdout.fnmatch_lines(
        [
            "* (pipeline: encoder, parts.decoder)",
            "  formats                result  eager ms  ms  speed-up  verified",
            "  torchscript-trace-cpu  ok      -         -   -         yes",
        ]
    )


def test_the_best_mix_is_chosen_and_measured(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(PIPELINE)
    result = nav("-v", "--nav-batch-sizes=1", "-k", "test_pipeline and best", profile=True)
    assert result.ret == 0
    (line,) = [line for line in result.outlines if line.startswith("  best ")]
    assert line.split()[1] in ("ok", "skipped")
    assert len([line for line in result.outlines if line.startswith("best: ")]) == 2


WRONG = """
import pytest, torch
from pytest_navigator import NavConfig

class Noisy(torch.nn.Module):
    def forward(self, x):
        return x + 0.5 if torch.jit.is_tracing() else 1 * x
"""
WRONG_PIPELINE = WRONG + PIPELINE.replace("torch.nn.Linear(7, 7), torch.nn.Tanh()", "Noisy()")
LENIENT = WRONG_PIPELINE + 'nav_modules = {"encoder": None, "parts.decoder": NavConfig(atol=10.0)}\n'
"""A module of which a format is wrong, and whose own tolerance lets it through."""


def test_a_pipeline_that_is_wrong_with_a_format_fails_and_names_the_module(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(LENIENT)
    result = nav("-v")
    found = outcomes(result)
    assert found["conftest.py::nav_pipeline::test_correctness[parts.decoder-torchscript-trace-cpu]"] == "PASSED"
    assert found["conftest.py::nav_pipeline::test_pipeline[torchscript-trace-cpu]"] == "FAILED"
    result.stdout.fnmatch_lines(["*max*; right without the format of parts.decoder"])


def test_the_tolerance_of_the_whole_is_that_of_the_nav_config_beside_it(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(WRONG_PIPELINE + "nav_config = NavConfig(atol=10.0)\n")
    assert nav("-v").ret == 0


def test_where_a_test_of_the_users_judges_no_tolerance_does(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(LENIENT)
    pytester.makepyfile(test_images="def verify_any(nav_pipeline_runner): assert nav_pipeline_runner.mix")
    assert nav("-v").ret == 0


def test_a_module_whose_format_is_not_right_stays_as_it_is(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(WRONG_PIPELINE)
    result = nav("-v")
    found = outcomes(result)
    assert found["conftest.py::nav_pipeline::test_correctness[parts.decoder-torchscript-trace-cpu]"] == "FAILED"
    assert found["conftest.py::nav_pipeline::test_pipeline[torchscript-trace-cpu]"] == "PASSED"
    modules = whole(pytester, "torchscript-trace-cpu")["data"]["modules"]  # type: ignore[index]
    assert modules == {"encoder": "torchscript-trace-cpu", "parts.decoder": "eager"}


GRADIENTS = PIPELINE.replace("self.encoder(x)", "self.encoder(x.requires_grad_()).detach()").replace(
    "@torch.no_grad()", "@torch.enable_grad()"
)


def test_a_format_that_ran_in_no_call_fails_the_pipeline(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(GRADIENTS.replace('("encoder", "parts.decoder")', '("encoder",)'))
    result = nav("-v")
    found = outcomes(result)
    assert found["conftest.py::nav_pipeline::test_correctness[encoder-torchscript-trace-cpu]"] == "PASSED"
    assert found["conftest.py::nav_pipeline::test_pipeline[torchscript-trace-cpu]"] == "FAILED"
    result.stdout.fnmatch_lines(
        ["no format ran in the pipeline: encoder: none of its calls *: an argument *gradients*"]
    )


COUNTED = """
def pytest_configure(config):
    import pytest_navigator.pipelines.observing as observing

    own = observing.recording
    def counted(*args, **kwargs):
        with open("recordings", "a") as file:
            file.write("x")
        return own(*args, **kwargs)
    observing.recording = counted
"""


@pytest.mark.parametrize("arguments", [(), pytest.param(("-n2",), id="n2")])
def test_a_pipeline_is_recorded_once_in_a_run(pytester: pytest.Pytester, nav: Nav, arguments: tuple[str, ...]) -> None:
    pytester.makeconftest(PIPELINE + COUNTED)
    result = nav(*arguments)
    assert result.ret == 0
    assert (pytester.path / "recordings").read_text() == "x"


def test_last_failed_and_resumed_runs(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(LENIENT)
    nav()
    pytester.makeconftest(LENIENT + "nav_config = NavConfig(atol=10.0)\n")
    found = outcomes(nav("-v", "--lf", "--nav-resume"))
    assert found == {"conftest.py::nav_pipeline::test_pipeline[torchscript-trace-cpu]": "PASSED"}


def test_a_pipeline_alone_runs_what_it_needs(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(PIPELINE)
    result = nav("-v", "-x", "-k", "test_pipeline")
    assert outcomes(result) == {"conftest.py::nav_pipeline::test_pipeline[torchscript-trace-cpu]": "PASSED"}


def test_calls_of_a_rarer_structure_run_eagerly_and_are_named(pytester: pytest.Pytester, nav: Nav) -> None:
    called = (
        "y = self.encoder(x)\n            self.spare(y[None])\n            self.spare(y)\n            self.spare(y + 1)"
    )
    spare = PIPELINE.replace("y = self.encoder(x)", called).replace('("encoder", "parts.decoder")', '("spare",)')
    pytester.makeconftest(spare)
    result = nav("-v")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "note: spare is called in 2 structures: the most frequent one has formats, the others run eagerly",
            "note: spare ran eagerly in 2 of 6 calls: a structure that was not recorded",
        ]
    )


def test_a_module_without_a_batch_axis_is_checked_as_its_configuration_says(
    pytester: pytest.Pytester, nav: Nav
) -> None:
    own = 'nav_modules = {"encoder": NavConfig(batch_dim=None)}\n'
    pytester.makeconftest(WRONG + PIPELINE.replace("torch.randn(size, 5)) for", "torch.randn(4, 5)) for") + own)
    assert nav("-v").ret == 0


IN_PLACE = (
    """
import torch

class InPlace(torch.nn.Linear):
    def forward(self, x):
        x += 1
        return super().forward(x)

"""
    + PIPELINE
).replace("self.encoder = torch.nn.Linear", "self.encoder = InPlace")
LISTED = 'nav_modules = ("encoder", "parts.decoder")'
STAYS = {
    "training mode": (
        PIPELINE.replace("Linear(5, 7).eval()", "Linear(5, 7)"),
        "test_source[encoder]",
        "*encoder stays as it is: the module is in training mode*",
    ),
    "in place": (IN_PLACE, "test_source[encoder]", "*encoder stays as it is: it changes its argument * in place*"),
    "a part": (
        PIPELINE.replace(LISTED, 'nav_modules = ("parts.decoder.0", "encoder", "parts.decoder")'),
        "test_source[parts.decoder.0]",
        "*parts.decoder.0 stays as it is: it is a part of 'parts.decoder', whose format holds it*",
    ),
}


@pytest.mark.parametrize("case", STAYS.values(), ids=STAYS)
def test_a_module_that_can_have_no_format_is_skipped_with_the_reason(
    pytester: pytest.Pytester, nav: Nav, case: tuple[str, str, str]
) -> None:
    text, item, message = case
    pytester.makeconftest(text)
    result = nav("-v", "-rs")
    found = outcomes(result)
    assert result.ret == 0
    assert found[f"conftest.py::nav_pipeline::{item}"] == "SKIPPED"
    assert found["conftest.py::nav_pipeline::test_pipeline[torchscript-trace-cpu]"] == "PASSED"
    result.stdout.fnmatch_lines([message])


def test_a_part_of_what_has_no_format_can_have_one(pytester: pytest.Pytester, nav: Nav) -> None:
    whole_and_part = PIPELINE.replace(LISTED, 'nav_modules = ("parts.decoder.0", "parts.decoder")')
    pytester.makeconftest(whole_and_part.replace("self.parts.eval()", "self.parts.eval()['decoder'].training = True"))
    found = outcomes(nav("-v"))
    assert found["conftest.py::nav_pipeline::test_source[parts.decoder]"] == "SKIPPED"
    assert found["conftest.py::nav_pipeline::test_correctness[parts.decoder.0-torchscript-trace-cpu]"] == "PASSED"


def test_a_test_of_the_users_that_fails_is_the_result_and_lf_runs_it_alone(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(PIPELINE)
    pytester.mkdir("quality").joinpath("test_images.py").write_text(
        "def verify_it(nav_pipeline_runner): assert not nav_pipeline_runner.mix\n"
    )
    row = "  torchscript-trace-cpu  FAILED  -         -   -         no"
    assert row in nav().outlines
    again = nav("--lf", "-v")
    assert list(outcomes(again)) == ["quality/test_images.py::verify_it[torchscript-trace-cpu]"]
    assert row in again.outlines
    assert not [line for line in again.outlines if "was not collected" in line]
    hint = "note: conftest.py was not collected, only tests that use its nav_pipeline; add conftest.py to run all"
    assert hint in nav("quality").outlines


def test_what_modules_have_in_common_is_told_once_and_one_of_which_nothing_ran_has_one_line(
    pytester: pytest.Pytester, nav: Nav
) -> None:
    pytester.makeconftest(PIPELINE)
    lines = nav("-k", "(test_correctness and parts) or (test_source and encoder)").outlines
    (line,) = [line for line in lines if "-encoder (torch)" in line]
    assert line.endswith("-encoder (torch): nothing of its formats ran")
    assert [line for line in lines if line.startswith("results: ")] == ["results: navigator_workspace"]
    # Of everything, on a machine that lacks a GPU.
    own = ("-p", "no:randomly", "--nav", "--nav-no-profile", "-k", "test_source")
    lines = pytester.runpytest_inprocess(*own).outlines
    assert len([line for line in lines if line.startswith(("not here: ", "hint: "))]) <= 2
    assert len([line for line in lines if line.endswith("(torch): nothing of its formats ran")]) == 2
