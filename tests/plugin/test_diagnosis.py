"""What a failed comparison says of where its numbers first go another way; a diagnosis that fails changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.package.commands import command

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Fake, Nav
    from expecting import Expecting

TRANSLATED = """
import pytest, torch
from onnxscript import opset20 as op
from pytest_navigator import NavConfig
from pytest_navigator.configuration.onnx_config import OnnxConfig

def by_tanh(self, approximate="none"):
    return op.Gelu(self, approximate="tanh")

table = {torch.ops.aten.gelu.default: by_tanh}
nav_config = NavConfig(
    formats=[OnnxConfig(opset=20, custom_args={"custom_translation_table": table}), "torch-exportedprogram"], atol=1e-6
)

class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.up, self.down = torch.nn.LayerNorm(8), torch.nn.Linear(8, 32), torch.nn.Linear(32, 8)

    def forward(self, x):
        wide = self.up(self.norm(x))
        return x + self.down(torch.nn.functional.gelu(wide))

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return torch.nn.Sequential(Block(), Block()).eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(3, 8) for _ in range(2)]
"""
LINE = 1 + next(i for i, text in enumerate(TRANSLATED.strip().splitlines()) if "functional.gelu" in text)

LOOKING = """
import ctypes, os, time
import numpy as np
from pytest_navigator.comparison.divergence import Divergence
from pytest_navigator.errors import NotApplicable
from pytest_navigator.formats.diagnosis import Diagnosis
from pytest_navigator.samples.array_folder import ArrayFolder

class Raises(Diagnosis):
    def compare(self, question):
        return 1 / 0

class Ends(Diagnosis):
    def compare(self, question):
        os._exit(7)

class Hangs(Diagnosis):
    def compare(self, question):
        time.sleep(600)

class Declines(Diagnosis):
    def compare(self, question):
        raise NotApplicable("it has no parts")

class AsksModel(Diagnosis):
    def asks_model(self, question):
        return True

    def capture(self, source, question):
        kept = ArrayFolder(question.references)
        kept.add("dense/weight", source.model.weight)
        kept.close()

    def compare(self, question):
        kept = ArrayFolder(question.references)
        assert question.feed()["x"].shape[1] == 5
        with np.load(question.artifact()) as file:
            wrong = np.abs(file["weight"] - kept["dense/weight"]).max()
        return Divergence("export", "weights", value="weight", operator="product", module="dense", error=float(wrong))
"""


@pytest.fixture
def looked(dense: Fake) -> Callable[[str], pytest.Pytester]:
    """Write a format that is wrong, and what looks into it."""

    def write(kind: str, **nav_config: str) -> pytest.Pytester:
        pytester = dense("scale=2.0", **nav_config)
        pytester.makepyfile(looking=LOOKING)
        conftest = pytester.path / "conftest.py"
        conftest.write_text(f"{conftest.read_text()}\nFake.diagnosis = 'looking:{kind}'\n")
        return pytester

    return write


def message(result: pytest.RunResult) -> str:
    (line,) = [line for line in result.outlines if line.startswith("FAILED ") and "test_correctness" in line]
    return line


def recorded(root: Path, step: str) -> dict[str, Any] | None:
    (path,) = (root / "navigator_workspace").glob(f"*/.steps/{step}*.json")
    found: dict[str, Any] | None = json.loads(path.read_bytes())["data"].get("divergence")
    return found


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "n2"])
def test_the_failure_of_an_onnx_file_names_the_place_and_leaves_a_script(
    workers: tuple[str, ...], pytester: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    pytester.makeconftest(TRANSLATED)
    result = nav("--nav-package=out.nav", *workers, formats="", subprocess=bool(workers))
    place = f"0 gelu at conftest.py:{LINE}"
    assert f"; first divergence: {place}: " in message(result)
    assert f"also 1 gelu at conftest.py:{LINE}" in message(result)
    found = recorded(pytester.path, "correctness.onnx")
    assert (found["verdict"], found["module"], found["operator"]) == ("export", "0", "gelu")
    (folder,) = (pytester.path / "navigator_workspace").glob("*-*")
    told = subprocess.run([sys.executable, folder / found["script"]], capture_output=True, text=True, check=True).stdout
    assert f"largest difference: {found['error']:.3g}" in told

    with zipfile.ZipFile("out.nav") as package:
        assert [name for name in package.namelist() if "diagnose" in name or "program.pt2" in name] == []
    later = command("diagnose", "out.nav", "onnx-cpu")
    assert later.out.startswith(f"in its run: first divergence: {place}: "), later
    assert (pytester.path / "out-onnx-cpu/onnx/diagnose/onnx-cpu.py").exists()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("Raises", "; not diagnosed: ZeroDivisionError: division by zero"),
        ("Ends", "; not diagnosed: the child process ended itself (exit 7)"),
        ("AsksModel", "; first divergence: dense product: "),
        ("Nowhere", "; not diagnosed: looking:Nowhere cannot be imported"),
        pytest.param("Hangs", "; not diagnosed: it took more than 3 s", marks=pytest.mark.slow),
    ],
)
def test_whatever_a_diagnosis_does_the_failure_is_that_of_the_comparison(
    kind: str, said: str, looked: Callable[..., pytest.Pytester], nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    pytester = looked(kind)
    result = nav("--nav-timeout=3", formats="fake,other")
    assert "max abs" in message(result)
    assert said in message(result)
    result.assert_outcomes(passed=5, failed=1)
    assert list((pytester.path / "navigator_workspace").rglob(".references")) == []


def test_where_nothing_can_be_told_the_record_says_why_and_the_message_nothing(
    looked: Callable[..., pytest.Pytester], nav: Nav
) -> None:
    pytester = looked("Declines")
    assert "diverge" not in message(nav(formats="fake"))
    found = recorded(pytester.path, "correctness.fake")
    assert (found["verdict"], found["reason"]) == ("not applicable", "it has no parts")


def test_a_format_without_a_diagnosis_says_so_in_its_record(dense: Fake, nav: Nav) -> None:
    pytester = dense("scale=2.0")
    assert "diagnos" not in message(nav(formats="fake"))
    assert recorded(pytester.path, "correctness.fake")["reason"] == "no way is known to look into fake"


def test_nothing_is_looked_into_where_nobody_wants_to_know(looked: Callable[..., pytest.Pytester], nav: Nav) -> None:
    pytester = looked("AsksModel")
    assert "diverge" not in message(nav("--nav-no-diagnosis", formats="fake"))
    assert recorded(pytester.path, "correctness.fake") is None


def test_an_expected_failure_is_not_looked_into(looked: Callable[..., pytest.Pytester], nav: Nav) -> None:
    pytester = looked("AsksModel", xfail="{'fake-cpu': 'known'}")
    nav(formats="fake").assert_outcomes(passed=3, xfailed=1)
    assert recorded(pytester.path, "correctness.fake") is None


def test_the_diagnosis_of_a_cell_that_passed_says_so_first(dense: Fake, nav: Nav) -> None:
    dense()
    nav("--nav-package=out.nav", formats="")
    assert command("diagnose", "out.nav", "fake-cpu").out.startswith("fake-cpu passed in the record: ")


def test_what_the_run_found_is_said_first_and_stands_where_a_package_tells_less(
    looked: Callable[..., pytest.Pytester], nav: Nav
) -> None:
    looked("AsksModel")
    nav("--nav-package=out.nav", formats="fake")
    found = command("diagnose", "out.nav", "fake-cpu")
    assert found.out.startswith("in its run: first divergence: dense product: "), found
    assert "\nnot diagnosed: the runner FakeCPU is not one of pytest-navigator's: " in found.out
    assert (found.code, Path("out-fake-cpu").exists()) == (0, False)


MADE_OTHERWISE = """
import pytest, torch
from pytest_navigator import NavConfig
nav_config = NavConfig(formats=["onnx", "torch-exportedprogram"])

class Other(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(8, 8)

    def forward(self, x):
        x = self.linear(x)
        return x + 0.01 if torch.compiler.is_exporting() else x

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return Other().eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(3, 8) for _ in range(2)]
"""


def test_a_file_that_is_what_a_wrong_program_is_is_not_called_right(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(MADE_OTHERWISE)
    nav("--nav-package=out.nav", formats="")
    told = command("diagnose", "out.nav", "onnx-cpu")
    assert told.out.startswith("in its run: first divergence: "), told
    assert "conftest.py:12" in told.out.splitlines()[0]
    assert "compared with is wrong itself: look into torch-exportedprogram\n" in told.out
    nav("--nav-package=out.nav", "--nav-no-diagnosis", formats="")
    told = command("diagnose", "out.nav", "onnx-cpu")
    assert "look into torch-exportedprogram\n" in told.out
    assert told.code == 1


@pytest.mark.parametrize("seconds", ["0", "-5", "nan", "inf", "x"])
def test_a_time_that_is_none_is_a_usage_error(seconds: str) -> None:
    found = command("diagnose", "out.nav", "onnx-cpu", f"--seconds={seconds}")
    assert (found.code, "argument --seconds" in found.err) == (2, True)


def test_a_failure_that_the_expected_file_knows_is_not_diagnosed(
    looked: Callable[..., pytest.Pytester], nav: Nav, expecting: Expecting
) -> None:
    pytester = looked("AsksModel")
    expecting(fake_cpu="fail-correctness")
    nav(formats="fake")
    assert recorded(pytester.path, "correctness.fake") is None
