"""What the black-box tests share: models, a format of a third party, and how to read what a run left."""

from __future__ import annotations

import re
import sys
import zipfile
from typing import TYPE_CHECKING, Any, TypeAlias

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

import ctypes, hashlib, os, time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.base import Format
from pytest_navigator.configuration.format_config import FormatConfig
from pytest_navigator.frameworks.base import Framework
from pytest_navigator.frameworks.base import Source
from pytest_navigator.samples.npz import save_npz
from pytest_navigator.core.records import Variant
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
    frameworks = ("torch", "dense")
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
        arrays = {name: getattr(source.model, name) for name in ("weight", "bias")}
        arrays = {name: a.detach().numpy() if hasattr(a, "detach") else a for name, a in arrays.items()}
        save_npz(path, {name: a * variant.parameters["scale"] for name, a in arrays.items()})
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


@dataclass
class Dense:
    """A model of a framework that needs nothing but numpy: it starts in no time in any number of processes."""

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, x):
        return x @ self.weight.T + self.bias


class DenseSource(Source):
    def __init__(self, framework, model):
        self.framework, self.model = framework, model

    def check(self):
        pass

    def fingerprint(self):
        return hashlib.sha256(self.model.weight.tobytes() + self.model.bias.tobytes()).hexdigest()

    def precision(self):
        return ""

    def parameter_names(self):
        return ["x"]

    def call(self, args, kwargs):
        return self.model(*args, **kwargs)

    def device(self):
        return "cpu"

    def preserved(self):
        return nullcontext()


class DenseFramework(Framework):
    name = "dense"
    package = "numpy"

    def is_array(self, value):
        return isinstance(value, np.ndarray)

    def to_numpy(self, array):
        return np.array(array)

    def from_numpy(self, array, device="cpu"):
        return np.array(array)

    def seeded(self, seed):
        return nullcontext()

    def source(self, model, parameters):
        return DenseSource(self, model)


@dataclass(frozen=True)
class DenseConfig(FormatConfig):
    pass


class DenseCPU(Runner):
    name = "DenseCPU"
    format = "dense"
    runtime = "cpu"
    live = True

    def activate(self):
        pass

    def deactivate(self):
        pass

    def infer(self, feed):
        return {self.signature.outputs[0].name: self.artifact.model(**feed)}

    def bind(self, feed):
        return lambda: self.artifact.model(**feed)


class DenseFormat(Format):
    name = "dense"
    config = DenseConfig
    frameworks = ("dense",)
    runners = (DenseCPU,)

    def variants(self, config, parents):
        return [Variant("dense", "dense", None, "")]
'''

FAKE_CONFTEST = f"""
from fake_format import Fake, FakeConfig, Other
from pytest_navigator import NavConfig
{LINEAR}
def pytest_nav_formats():
    return [Fake, Other]
"""

DENSE = """
import numpy as np, pytest
from fake_format import *
from pytest_navigator import NavConfig

@pytest.fixture(scope="session")
def nav_model():
    return Dense(np.random.randn(7, 5).astype("float32"), np.random.randn(7).astype("float32"))

@pytest.fixture(scope="session")
def nav_dataloader():
    return [np.random.randn(3, 5).astype("float32") for _ in range(4)]

def pytest_nav_formats():
    return [DenseFormat, Fake, Other]

def pytest_nav_frameworks():
    return [DenseFramework]
"""
"""A model of a third party's framework, without torch."""

SESSION = '@pytest.fixture(scope="session"{params})\ndef nav_model():'


def doubled(conftest: str) -> str:
    """Return the text of a conftest.py whose model is two by a parameter, `a` and `b`."""
    one, two = SESSION.format(params=""), SESSION.format(params=', params=["a", "b"]')
    assert one in conftest
    return conftest.replace(one, two)


PROGRESS = re.compile(r"\n  \S+: \d+ s \.\.\.")
"""What a long step prints into its item's line."""
VERBOSE = re.compile(
    r"^(?:\[gw\d+\] \[ *\d+%\] (?P<word1>[A-Z]+)(?: \([^)]*\))? )?(?P<id>\S+?::.+?)(?: (?P<word2>[A-Z]+)\b.*)?$"
)


def prepared(code: str, *arguments: str) -> list[str]:
    """Return the command of a Python that has run some code first.

    Nothing of Python may run between `fork` and `exec` (a `preexec_fn`): JAX warns of it once it is imported.
    """
    start = "import os, sys; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    return [sys.executable, "-c", f"{code}; {start}", *arguments]


def outcomes(result: pytest.RunResult) -> dict[str, str]:
    """Return the word that `-v` prints for each item, by node id; with and without xdist."""
    lines = PROGRESS.sub("", "\n".join(result.outlines)).splitlines()
    matches = [m for line in lines if (m := VERBOSE.match(line.rstrip()))]
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


HOOKS = "from fake_format import *\n" + DENSE[DENSE.index("def pytest_nav_formats") :]
MODULE = """
import numpy as np, pytest
from fake_format import *
from pytest_navigator import NavConfig

nav_config = NavConfig(framework="dense", formats=[FakeConfig(scale={scale})]{rest})

@pytest.fixture(scope="module")
def nav_model():
    return Dense(np.random.randn({width}, 5).astype("float32"), np.zeros({width}, "float32"))

@pytest.fixture(scope="module")
def nav_dataloader():
    return [np.random.randn(3, 5).astype("float32") for _ in range(2)]
"""


def two_models(pytester: pytest.Pytester) -> pytest.Pytester:
    """Write a right model and a wrong one."""
    modules = {
        "test_right": MODULE.format(scale=1.0, width=7, rest=""),
        "test_wrong": MODULE.format(scale=2.0, width=9, rest=""),
    }
    pytester.makepyfile(fake_format=FAKE_FORMAT, **modules)
    pytester.makeconftest(HOOKS)
    return pytester
