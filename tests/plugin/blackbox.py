"""What the black-box tests share: models, a format of a third party, and how to read what a run left."""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeAlias

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

Nav: TypeAlias = "Callable[..., pytest.RunResult]"
Fake: TypeAlias = "Callable[..., pytest.Pytester]"

LINEAR = """
import pytest, torch

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return torch.nn.Linear(5, 7).eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(3, 5) for _ in range(4)]
"""

LAZY = LINEAR.replace("import pytest, torch", "import pytest").replace("torch.nn.Module", '"torch.nn.Module"')
LAZY = LAZY.replace("    return", "    import torch\n    return")
"""The same in a file that imports no framework before a fixture runs."""

FAKE_FORMAT = '''
"""A format of a third party: the weights of a linear model, run by numpy; it can misbehave in any step."""

import ctypes, os, time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.base import Format
from pytest_navigator.formats.base import FormatConfig
from pytest_navigator.records import Variant
from pytest_navigator.runners.base import Runner

MODES = {
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "exit": lambda: os._exit(7),
    "hang": lambda: time.sleep(600),
    "raise": lambda: 1 / 0,
}


def note(text):
    with open(Path(__file__).with_name("calls.txt"), "a") as file:
        file.write(text + "\\n")


def call(step, parameters):
    note(step)
    if parameters["where"] == step and parameters["mode"]:
        print("the last words of", step, flush=True)
        MODES[parameters["mode"]]()


@dataclass(frozen=True)
class FakeConfig(FormatConfig):
    mode: str = ""
    where: str = ""
    scale: float = 1.0
    fail_once: bool = False
    precision: tuple = ("fp32",)


class FakeCPU(Runner):
    name = "FakeCPU"
    format = "fake"
    runtime = "cpu"

    def activate(self):
        with np.load(self.artifact) as file:
            self.weight, self.bias = file["weight"], file["bias"]

    def deactivate(self):
        pass

    def infer(self, feed):
        call("infer", self.parameters)
        (x,) = feed.values()
        return {self.signature.outputs[0].name: x @ self.weight.T + self.bias}

    def bind(self, feed):
        call("bind", self.parameters)
        return lambda: self.infer_quietly(feed)

    def infer_quietly(self, feed):
        (x,) = feed.values()
        return x @ self.weight.T + self.bias


class Fake(Format):
    name = "fake"
    config = FakeConfig
    frameworks = ("torch",)
    runners = (FakeCPU,)

    def variants(self, config, parents):
        parameters = {"mode": config.mode, "where": config.where, "scale": config.scale, "fail_once": config.fail_once}
        return [Variant("fake", "fake", None, "model.npz", parameters)]

    def export(self, source, example, signature, variant, path):
        call("export", variant.parameters)
        flag = Path(__file__).with_name("failed")
        if variant.parameters["fail_once"] and not flag.exists():
            flag.touch()
            raise StepFailed("the first export always fails")
        weight, bias = (p.detach().numpy() * variant.parameters["scale"] for p in source.model.parameters())
        np.savez(path, weight=weight, bias=bias)
        return {}


class Other(Fake):
    """A second one, to see that the others run on."""

    name = "other"

    @dataclass(frozen=True)
    class config(FormatConfig):
        pass

    class OtherCPU(FakeCPU):
        name = "OtherCPU"
        format = "other"

    runners = (OtherCPU,)

    def variants(self, config, parents):
        (variant,) = super().variants(FakeConfig(), parents)
        return [replace(variant, key="other", format="other")]
'''

FAKE_CONFTEST = f"""
from fake_format import Fake, FakeConfig, Other
from pytest_navigator import NavConfig
{LINEAR}
def pytest_nav_formats():
    return [Fake, Other]
"""

VERBOSE = re.compile(r"^(?:\[gw\d+\] \[ *\d+%\] (?P<word1>[A-Z]+) )?(?P<id>\S+?\.py::.+?)(?: (?P<word2>[A-Z]+)\b.*)?$")


def outcomes(result: pytest.RunResult) -> dict[str, str]:
    """Return the word that `-v` prints for each item, by node id; with and without xdist."""
    matches = [m for line in result.outlines if (m := VERBOSE.match(line.rstrip()))]
    return {m["id"].strip(): m["word1"] or m["word2"] for m in matches if m["word1"] or m["word2"]}


def words(result: pytest.RunResult) -> dict[str, str]:
    """Return the same by what follows the last `::`."""
    return {nodeid.rpartition("::")[2]: word for nodeid, word in outcomes(result).items()}


def collected(result: pytest.RunResult) -> list[str]:
    """Return the node ids of `--collect-only -q`."""
    return [line for line in result.outlines if "::" in line and not line.startswith("ERROR")]


def member(package: Path, name: str) -> str:
    """Return the text of one file in a package."""
    with zipfile.ZipFile(package) as archive:
        return archive.read(name).decode()


def status(package: Path) -> dict[str, Any]:
    """Return status.yaml of a package."""
    found: dict[str, Any] = yaml.safe_load(member(package, "status.yaml"))
    return found


def calls(pytester: pytest.Pytester) -> list[str]:
    """Return what the fake format was asked to do so far."""
    path = pytester.path / "calls.txt"
    return path.read_text().split() if path.exists() else []
