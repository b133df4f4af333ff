"""A format with fewer digits is judged beside the one with more: what it loses, whether it is faster and smaller."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from blackbox import FAKE_FORMAT, status, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Nav

REDUCED_FORMAT = '''
"""A format of a third party with weights of few steps, which can be slow, and have zeros behind them."""

from dataclasses import dataclass, field

from fake_format import *
from pytest_navigator import QuantizationConfig


@dataclass(frozen=True)
class ReducedConfig(FormatConfig):
    steps: int = 4096
    zeros: int = 0
    times: int = 1
    quantization: QuantizationConfig = field(default_factory=QuantizationConfig)


class ReducedCPU(FakeCPU):
    name = "ReducedCPU"
    format = "reduced"

    def bind(self, feed):
        call = super().bind(feed)

        def slow():
            for _ in range(self.parameters["times"]):
                found = call()
            return found

        return slow


class Reduced(Format):
    name = "reduced"
    config = ReducedConfig
    parent = "fake"
    frameworks = ("dense",)
    runners = (ReducedCPU,)

    def variants(self, config, parents):
        said = {"mode": "", "where": "", "precision": "int8", "quantization": config.quantization.parameters()}
        said |= {"steps": config.steps, "zeros": config.zeros, "times": config.times}
        return [Variant("reduced", "reduced", "fake", "model.npz", said, ("ReducedCPU",), "fake")]

    def convert(self, parent, data, signature, variant, path):
        with np.load(parent) as file:
            arrays = dict(file)
        step = np.abs(arrays["weight"]).max() / variant.parameters["steps"]
        arrays["weight"] = (np.round(arrays["weight"] / step) * step).astype("float32")
        arrays["zeros"] = np.zeros(variant.parameters["zeros"], "int8")
        if not variant.parameters["zeros"]:
            del arrays["zeros"]
        save_npz(path, arrays)
        return {"bytes": path.stat().st_size}
'''
CONFTEST = """
from reduced_format import *
from pytest_navigator import NavConfig
import numpy as np, pytest
import pytest_navigator as nav

@pytest.fixture(scope="session")
def nav_model():
    rng = np.random.default_rng(0)
    return Dense(rng.standard_normal((7, 5)).astype("float32"), np.zeros(7, "float32"))

@pytest.fixture(scope="session")
def nav_dataloader():
    rng = np.random.default_rng(1)
    return [rng.standard_normal((3, 5)).astype("float32") for _ in range(4)]

nav_config = NavConfig(formats=["fake", ReducedConfig({config})], comparisons={comparisons})

def pytest_nav_formats():
    return [DenseFormat, Fake, Other, Reduced]

def pytest_nav_frameworks():
    return [DenseFramework]
"""
COARSE = "steps=1"
SLOW = "times=500"
ITEM = "test_quantization[reduced-cpu]"
STEP = "quantization.reduced.ReducedCPU"
VERIFY = """
import numpy as np

def verify_accuracy(nav_runner):
    assert {condition}
"""

Project = "Callable[..., pytest.Pytester]"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.Pytester]:
    """Make a project with a reduced format of a configuration."""

    def make(config: str = "", comparisons: str = "None", verify: str = "") -> pytest.Pytester:
        monkeypatch.setenv("COLUMNS", "500")
        pytester.makepyfile(fake_format=FAKE_FORMAT, reduced_format=REDUCED_FORMAT)
        pytester.makeconftest(CONFTEST.format(config=config, comparisons=comparisons))
        if verify:
            pytester.makepyfile(test_noise_bears=VERIFY.format(condition=verify))
        return pytester

    return make


def line(result: pytest.RunResult, beginning: str = "quantization: reduced-cpu: ") -> str:
    """Return the line of the summary."""
    return next(each.strip() for each in result.outlines if each.strip().startswith(beginning))


def facts(pytester: pytest.Pytester, package: str = "out.nav") -> dict[str, Any]:
    found: dict[str, Any] = status(pytester.path / package)["pytest_navigator"]["steps"][STEP]["data"]
    return found


def test_accuracy_speed_and_size_stand_in_one_line_everywhere(project: Project, nav: Nav) -> None:
    pytester = project()
    result = nav(
        "-v", "--nav-package=out.nav", "--junitxml=junit.xml", "--nav-report=out.html", formats="", profile=True
    )

    assert words(result)[ITEM] == "PASSED"
    told = line(result)
    assert " dB, cosine 0.999" in told
    assert " fake " in told
    assert "one thread each" in told
    assert told.endswith("(100 %)")
    found = facts(pytester)
    assert (found["reference"], found["bytes"]) == ("fake", found["reference_bytes"])
    assert found["speed"]["verdict"] in ("unchanged", "faster", "inconclusive")
    properties = {each.get("name"): each.get("value") for each in ElementTree.parse("junit.xml").iter("property")}
    assert float(properties["nav_snr_db"]) == pytest.approx(found["snr"])
    assert (properties["nav_reference"], properties["nav_size_ratio"]) == ("fake", "1.0")
    assert told in (pytester.path / "out.html").read_text(encoding="utf-8")
    shown = pytester.run(sys.executable, "-m", "pytest_navigator", "show", "out.nav")
    assert line(shown) == told


@pytest.mark.parametrize("workers", [(), pytest.param(("-n2",), marks=pytest.mark.slow)], ids=["plain", "n2"])
def test_what_is_slower_fails_and_says_what_to_write(
    project: Project, nav: Nav, failed: Callable[..., dict[str, str]], workers: tuple[str, ...]
) -> None:
    pytester = project(SLOW)
    result = nav("--nav-package=out.nav", *workers, formats="", profile=True)

    assert set(failed(result)) == {ITEM}
    text = failed(result)[ITEM]
    assert text.startswith("slower than fake: SNR ")
    assert "x slower than fake (" in text
    assert "let that pass: quantization=QuantizationConfig(allow_slower=True)" in text
    assert facts(pytester)["speed"]["again"] > 2  # a second process has confirmed it
    assert line(result).startswith("quantization: reduced-cpu: SLOWER: ")
    row = next(each for each in result.outlines if each.split()[:2] == ["reduced", "ReducedCPU"])
    assert row.count(" -") == 1, "its figures are shown, though it is not chosen"  # of the column "verified"


@pytest.mark.parametrize("allowed", [False, True])
def test_what_is_larger_fails_unless_it_is_allowed(project: Project, nav: Nav, allowed: bool) -> None:
    project(f"zeros=100000, quantization=QuantizationConfig(allow_larger={allowed})")
    result = nav("-v", "--nav-no-profile", formats="")

    assert words(result)[ITEM] == ("PASSED" if allowed else "FAILED")
    assert line(result).startswith(f"quantization: reduced-cpu: {'larger (allowed)' if allowed else 'LARGER'}: ")
    assert ("allow_larger=True" in result.stdout.str()) != allowed


@pytest.mark.parametrize(
    ("option", "reason"), [("--nav-no-profile", "--nav-no-profile"), ("--nav-in-process", "--nav-in-process: there")]
)
def test_speed_that_is_not_measured_is_said(project: Project, nav: Nav, option: str, reason: str) -> None:
    project(SLOW)
    result = nav("-v", option, formats="", profile=True)

    assert words(result)[ITEM] == "PASSED"
    assert "speed not measured: " in line(result)
    assert reason in line(result)


def test_a_resumed_run_takes_the_verdict_over(project: Project, nav: Nav) -> None:
    pytester = project()
    nav("--nav-no-profile", "--nav-package=out.nav", formats="")
    result = nav("-v", "--nav-no-profile", "--nav-resume", "--nav-package=out.nav", formats="")

    assert words(result)[ITEM] == "PASSED"
    assert STEP in line(result, "reused ")
    assert facts(pytester)["reference"] == "fake"


def test_the_default_says_both_figures_and_what_would_pass(
    project: Project, nav: Nav, failed: Callable[..., dict[str, str]]
) -> None:
    project("steps=3")
    result = nav("--nav-no-profile", formats="")

    text = failed(result)["test_correctness[reduced-cpu]"]
    assert "< 20 dB" in text
    assert "(int8 default); max abs " in text
    assert "; snr(" in text


@pytest.mark.parametrize("allowed", [True, False], ids=["passes", "fails"])
def test_verify_tests_judge_in_the_place_of_the_default(project: Project, nav: Nav, allowed: bool) -> None:
    project(COARSE, verify=str(allowed))
    result = nav("-v", "--nav-no-profile", formats="")

    found = words(result)
    assert found["test_correctness[reduced-cpu]"] == "PASSED"
    assert found["verify_accuracy[reduced-cpu]"] == ("PASSED" if allowed else "FAILED")
    assert line(result, "unchecked: ").startswith("unchecked: output__0: judged by verify_accuracy: SNR ")
    assert result.ret == (0 if allowed else 1)


@pytest.mark.parametrize(
    ("comparisons", "option"),
    [("{'reduced': nav.snr(20)}", ""), ("None", "-k=not verify"), ("None", "--nav-atol=1e-4")],
    ids=["a rule", "deselected", "a tolerance"],
)
def test_verify_tests_take_no_place_of_what_the_user_asks_for_nor_where_they_do_not_run(
    project: Project, nav: Nav, comparisons: str, option: str
) -> None:
    project(COARSE, comparisons, verify="True")
    result = nav("-v", "--nav-no-profile", *filter(None, (option,)), formats="")

    assert words(result)["test_correctness[reduced-cpu]"] == "FAILED"
    assert result.ret == 1


def test_the_last_failed_run_lets_a_verify_test_that_has_passed_still_judge(project: Project, nav: Nav) -> None:
    project(f"{COARSE}, zeros=100000", verify="True")
    nav("--nav-no-profile", "-p", "cacheprovider", formats="")
    result = nav("-v", "--nav-no-profile", "--lf", "-p", "cacheprovider", formats="")

    assert words(result)[ITEM] == "FAILED"
    assert "larger than fake" in result.stdout.str()
    assert "int8 default" not in line(result)


@pytest.mark.parametrize(("formats", "word"), [("edge", "XFAIL"), ("edge,reduced", "FAILED")])
def test_what_is_larger_fails_where_somebody_has_asked_for_it_by_name(
    project: Project, nav: Nav, formats: str, word: str
) -> None:
    pytester = project("zeros=100000")
    path = pytester.path / "reduced_format.py"
    path.write_text(
        path.read_text().replace("    config = Reduced", '    groups = {"edge": ("reduced",)}\n    config = Reduced')
    )
    result = nav("-v", "--nav-no-profile", formats=formats)

    assert words(result)[ITEM] == word
    assert line(result).startswith("quantization: reduced-cpu: LARGER: ")
