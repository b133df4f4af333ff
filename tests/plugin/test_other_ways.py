"""An exporter that declines a model is followed by the next one; one that crashes, hangs or lacks memory is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from blackbox import member, status, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Nav

WAYS = """
import os, time
from dataclasses import replace
from fake_format import Fake, FakeConfig, note
from pytest_navigator.formats.base import Format
from pytest_navigator.formats.ways import Way, Ways
from pytest_navigator.errors import StepFailed

FIRST = @FIRST@
SECOND = @SECOND@

class Two(Fake):
    "Made in one of two ways."

    def ways(self, variant, source):
        a, b = Way("first", "FakeConfig(mode='first')"), Way("second", "FakeConfig(mode='second')")
        chosen = variant.parameters["mode"]
        return Ways((a, b)) if not chosen else Ways((a,), (b,)) if chosen == "first" else Ways((b,), (a,))

    def export(self, source, example, signature, variant, path):
        engine = variant.parameters["engine"]
        note(engine)
        (path.parent / f"left_by_{engine}").write_text(engine, encoding="utf-8")
        (FIRST if engine == "first" else SECOND)(path)
        plain = replace(variant, parameters={**variant.parameters, "mode": ""})
        super().export(source, example, signature, plain, path)
        return {"engine": engine}

def decline(path):
    path.write_text("half of it", encoding="utf-8")
    raise StepFailed("the first one has no operator for it", "line of the traceback", "ValueError")

def decline_too(path):
    raise StepFailed("nor has the second one")

def broken(path):
    raise StepFailed("no answer from here on", "", "SIGSEGV")

def no_memory(path):
    raise MemoryError("bytes")

def full(path):
    raise StepFailed("RuntimeError: DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

def hang(path):
    time.sleep(60)

def fine(path):
    pass
"""


@pytest.fixture
def two(pytester: pytest.Pytester, dense: Callable[..., pytest.Pytester]) -> Callable[..., Path]:
    """Write a model and a format that is made in one of two ways; returns where the calls of them are noted."""

    def write(first: str, second: str = "fine", config: str = "") -> Path:
        dense(config)
        pytester.makepyfile(two_ways=WAYS.replace("@FIRST@", f"lambda path: {first}(path)").replace(
            "@SECOND@", f"lambda path: {second}(path)"))  # fmt: skip
        conftest = Path(pytester.path, "conftest.py")
        text = conftest.read_text(encoding="utf-8").replace(
            "from fake_format import *", "from fake_format import *\nfrom two_ways import Two"
        )
        conftest.write_text(text.replace("[DenseFormat, Fake, Other]", "[DenseFormat, Two, Other]"), encoding="utf-8")
        return Path(pytester.path, "calls.txt")

    return write


def test_what_the_first_declines_the_second_makes_and_everything_says_so(two: Callable[..., Path], nav: Nav) -> None:
    calls = two("decline")
    result = nav("--nav-package=o.nav", "-v", "-rxX", formats="fake")
    assert words(result)["test_export[fake]"] == "PASSED"
    assert calls.read_text(encoding="utf-8").split()[:2] == ["first", "second"]
    note = "note: export.fake: made by second; first did not: the first one has no operator for it"
    result.stdout.fnmatch_lines([note])
    package = calls.with_name("o.nav")
    config = yaml.safe_load(member(package, "fake/config.yaml"))["pytest_navigator"]
    assert (config["engine"], config["declined"]) == ("second", {"first": "the first one has no operator for it"})
    assert status(package)["pytest_navigator"]["steps"]["export.fake"]["data"]["engine"] == "second"
    assert "line of the traceback" in member(package, "fake/format.log")


def test_nothing_of_the_first_attempt_is_in_the_artifact_of_the_second(
    two: Callable[..., Path], nav: Nav, pytester: pytest.Pytester
) -> None:
    two("decline")
    nav(formats="fake").assert_outcomes(passed=4, skipped=0, failed=0)
    names = {path.name for path in pytester.path.glob("navigator_workspace/*/fake/*")}
    assert "left_by_second" in names
    assert "left_by_first" not in names


def test_the_failure_of_both_says_what_each_said(two: Callable[..., Path], nav: Nav) -> None:
    two("decline", "decline_too")
    result = nav("-rfx", formats="fake")
    result.stdout.fnmatch_lines(["*the first one has no operator for it; by second: nor has the second one*"])


def test_the_failure_of_a_chosen_one_names_the_other(two: Callable[..., Path], nav: Nav) -> None:
    calls = two("decline", config="mode='first'")
    result = nav("-rfx", formats="fake")
    result.stdout.fnmatch_lines(["*for it; not tried, since another one is configured: FakeConfig(mode='second')*"])
    assert calls.read_text(encoding="utf-8").split() == ["first"]


@pytest.mark.parametrize(("first", "text"), [("broken", "no answer"), ("no_memory", "bytes"), ("full", "allocate")])
def test_the_end_of_the_first_is_no_reason_to_try_the_second(
    first: str, text: str, two: Callable[..., Path], nav: Nav
) -> None:
    calls = two(first)
    result = nav("-rfx", formats="fake")
    assert "second" not in calls.read_text(encoding="utf-8").split()
    result.stdout.fnmatch_lines([f"FAILED: export fake: *{text}*"])


def test_one_time_limit_holds_for_both(two: Callable[..., Path], nav: Nav) -> None:
    two("decline", "hang")
    result = nav("-rfx", "--nav-timeout=2", formats="fake")
    result.stdout.fnmatch_lines(["*no answer within * before that, first did not make it: the first one has no*"])


SECOND_CHOICE = """
import torch, pytest
from model import build
from pytest_navigator import NavConfig

nav_model = pytest.fixture(scope="session")(build)
nav_config = NavConfig(formats=["onnx"])

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(batch, 5) for batch in (1, 3)]
"""


def test_the_script_of_a_second_choice_repeats_that_one(pytester: pytest.Pytester, nav: Nav) -> None:
    onnx = pytest.importorskip("onnx")
    pytester.makepyfile(
        model="import torch\n\ndef build():\n    return torch.jit.script(torch.nn.Linear(5, 7)).eval()\n"
    )
    pytester.makeconftest(SECOND_CHOICE)
    pytester.syspathinsert()
    result = nav("-v", formats="")
    assert words(result)["test_export[onnx]"] == "PASSED"
    result.stdout.fnmatch_lines(
        ["note: export.onnx: made by trace; dynamo did not: torch.export does not take Script*"]
    )

    (script,) = pytester.path.glob("navigator_workspace/*/onnx/reproduce_export.py")
    made, again = script.with_name("model.onnx"), pytester.path / "again.onnx"
    environment = {**os.environ, "PYTHONPATH": str(pytester.path)}
    command = [sys.executable, str(script), "--model", "model:build", "--output", str(again)]
    folder = script.parents[1]
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    assert "dynamo=False" in script.read_text(encoding="utf-8")
    nodes = [[node.op_type for node in onnx.load(path).graph.node] for path in (made, again)]
    assert nodes[0] == nodes[1]
