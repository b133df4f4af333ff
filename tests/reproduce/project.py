"""The project whose packages the tests take their scripts from: written to a folder, run once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.engine.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pytest_navigator.core.records import Outcome
    from pytest_navigator.engine.workspace import SuiteFolder

MODELS = '''
from dataclasses import dataclass
from typing import NamedTuple

import torch


class Words(torch.nn.Module):
    """Dict in, dict out, a dynamic sequence length, a constant, an integer output and a number."""

    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(50, 8)
        self.head = torch.nn.Linear(8, 4)

    def forward(self, input_ids, attention_mask=None, scale=1.0):
        hidden = self.embed(input_ids) * attention_mask.unsqueeze(-1) * scale
        logits = self.head(hidden.sum(1))
        return {"logits": logits, "parts": (hidden, logits.argmax(-1))}


class Branching(torch.nn.Module):
    """Takes another way where the values are negative: onnx refuses it, a trace follows the first way only."""

    def forward(self, x, pair):
        if x.sum() > 0:
            return [x + pair[0], pair[1]]
        return [x - pair[0], pair[1]]


@dataclass
class Batch:
    values: torch.Tensor
    weight: float


class Result(NamedTuple):
    sums: torch.Tensor
    nothing: None
    last: torch.Tensor


class Pairs(torch.nn.Module):
    """An object in, an object out; only even lengths are possible, which torch has to derive."""

    def forward(self, batch):
        pairs = batch.values.reshape(batch.values.shape[0], -1, 2)
        return Result(pairs.sum(-1) * batch.weight, None, pairs[:, -1])


def make_pairs():
    return Pairs().eval()


def make_linear():
    return torch.nn.Linear(5, 7).eval()


def make_words():
    return Words().eval()


def make_half():
    return torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.GELU()).to(torch.bfloat16).eval()


class Sliced(torch.nn.Module):
    """What ONNX Runtime can do in bfloat16 on a processor."""

    def forward(self, x):
        return x[:, :2]


def make_sliced():
    return Sliced().eval()


def make_branching():
    return Branching().eval()


class Limited(torch.nn.Module):
    """Takes six rows at most."""

    def forward(self, x):
        if x.shape[0] > 6:
            raise ValueError(f"{len(x)} rows are too many")
        return x * 2


def make_limited():
    return Limited().eval()
'''

TESTS = {
    "linear": """
nav_config = NavConfig(name="linear", runtimes=["cpu", "compile-cpu"], atol=1e-5, batch_sizes=[5],
                       formats=["torchscript", "onnx", CopyConfig(), UnscriptedConfig()])
nav_model = pytest.fixture(scope="module")(models.make_linear)

@pytest.fixture(scope="module")
def nav_dataloader():
    return [torch.randn(3, 5) for _ in range(4)]
""",
    "words": """
nav_config = NavConfig(name="words", runtimes=["cpu"], profile=False,
                       formats=[TorchScriptConfig(jit_type="trace"), "torch-exportedprogram", "onnx"])
nav_model = pytest.fixture(scope="module")(models.make_words)

@pytest.fixture(scope="module")
def nav_dataloader():
    sizes = [(2, 5), (3, 8), (1, 4)]
    return [{"input_ids": torch.randint(0, 50, s), "attention_mask": torch.ones(s), "scale": 0.5} for s in sizes]
""",
    "half": """
nav_config = NavConfig(name="half", runtimes=["cpu"], profile=False, formats=["torchscript", "torch-exportedprogram"])
nav_model = pytest.fixture(scope="module")(models.make_half)

@pytest.fixture(scope="module")
def nav_dataloader():
    return [torch.randn(2, 5, dtype=torch.bfloat16) for _ in range(3)]
""",
    "sliced": """
nav_config = NavConfig(name="sliced", runtimes=["cpu"], profile=False, formats=["onnx"])
nav_model = pytest.fixture(scope="module")(models.make_sliced)

@pytest.fixture(scope="module")
def nav_dataloader():
    return [torch.randn(size, 4, dtype=torch.bfloat16) for size in (2, 3)]
""",
    "pairs": """
nav_config = NavConfig(name="pairs", runtimes=["cpu"], profile=False, atol={"*": 1e-6, "sums": 1e-5},
                       formats=[TorchScriptConfig(jit_type="trace"), "torch-exportedprogram", "onnx"])
nav_model = pytest.fixture(scope="module")(models.make_pairs)

@pytest.fixture(scope="module")
def nav_dataloader():
    return [nav.Call(models.Batch(torch.randn(2, size), 0.25)) for size in (4, 6, 8)]
""",
    "limited": """
nav_config = NavConfig(name="limited", runtimes=["cpu"], batch_sizes=[7], formats=["torchscript-script"])
nav_model = pytest.fixture(scope="module")(models.make_limited)

@pytest.fixture(scope="module")
def nav_dataloader():
    return [torch.randn(size, 3) for size in (2, 3)]
""",
    "branching": """
nav_config = NavConfig(name="branching", runtimes=["cpu"], profile=False,
                       formats=["torchscript-trace", "torch-exportedprogram", "onnx"])
nav_model = pytest.fixture(scope="module")(models.make_branching)

@pytest.fixture(scope="module")
def nav_dataloader():
    return [(sign * torch.ones(2, 3), (torch.rand(2, 3), torch.rand(2, 1))) for sign in (1, -1)]
""",
}

HEAD = """
import pytest, torch
import models
from extension import CopyConfig, UnscriptedConfig
import pytest_navigator as nav
from pytest_navigator import NavConfig, TorchScriptConfig
"""

EXTENSION = '''
"""Formats of another package: one that is converted, with a script, and one that has none."""
import shutil
from dataclasses import dataclass
from typing import ClassVar

from pytest_navigator.formats.base import Format
from pytest_navigator.configuration.format_config import FormatConfig
from pytest_navigator.core.records import Variant
from pytest_navigator.core.script_parts import MakingCode
from pytest_navigator.backends.builtin import known
TorchScriptCPU = known().runners()["TorchScriptCPU"].load()


class CopyCPU(TorchScriptCPU):
    name = "CopyCPU"
    format = "copy"


class UnscriptedCPU(TorchScriptCPU):
    name = "UnscriptedCPU"
    format = "unscripted"

    @classmethod
    def script(cls, subject):
        return None


@dataclass(frozen=True)
class CopyConfig(FormatConfig):
    pass


@dataclass(frozen=True)
class UnscriptedConfig(FormatConfig):
    pass


class Copy(Format):
    name = "copy"
    config = CopyConfig
    frameworks = ("torch",)
    parent = "torchscript"
    runners = (CopyCPU,)

    def variants(self, config, parents):
        runners = tuple(runner.name for runner in self.runners)
        return [Variant(self.name, self.name, parents[-1].key, "model.pt", {}, runners)]

    def convert(self, parent, data, signature, variant, path):
        shutil.copy(parent, path)
        return {}

    def convert_script(self, subject):
        return MakingCode("shutil.copy(args.artifact, args.output)", imports=("import shutil",))


class Unscripted(Copy):
    name = "unscripted"
    config = UnscriptedConfig
    runners = (UnscriptedCPU,)

    def convert_script(self, subject):
        return None
'''

CONFTEST = """
import sys, pathlib
sys.path.insert(0, str(pathlib.Path(__file__).parent))

def pytest_nav_formats():
    from extension import Copy, Unscripted
    return [Copy, Unscripted]
"""


@dataclass(frozen=True)
class Ran:
    """How one script ended."""

    code: int
    text: str


@dataclass(frozen=True)
class Project:
    """A folder in which the plugin has run, with its packages unpacked elsewhere."""

    root: Path
    unpacked: Path
    report: str
    models: tuple[str, ...]

    def outcomes(self, model: str) -> dict[str, Outcome]:
        """Return what a suite has recorded, by the step's id."""
        return {outcome.id: outcome for outcome in self.workspace(model).outcomes()}

    def workspace(self, model: str) -> SuiteFolder:
        """Return a suite's folder in the workspace."""
        workspaces = map(Workspace, self.root.rglob("navigator_workspace"))
        (suite,) = (s for workspace in workspaces for s in workspace.suites() if s.suite.name == model)
        return suite

    def scripted(self, model: str) -> list[Outcome]:
        """Return the outcomes of one package that name a script."""
        return [outcome for outcome in self.outcomes(model).values() if "script" in outcome.data]

    def command(self, model: str, outcome: Outcome) -> list[str]:
        """Return the script of an outcome and its options, with the model's function."""
        script, *options = str(outcome.data["script"]).split()
        options = [option.replace("MODULE:FUNCTION", f"models:make_{model}") for option in options]
        return [script.replace(".sh", ".py"), *options, *(["--seconds=0.05"] if outcome.step == "profile" else [])]

    def shell(self, command: list[str], folder: Path) -> Ran:
        """Run a shell script as a user would, in a folder, without pytest_navigator."""
        done = subprocess.run(
            ["sh", *command], cwd=folder, env=self.environment(), capture_output=True, text=True, timeout=120
        )
        return Ran(done.returncode, done.stdout + done.stderr)

    def environment(self) -> dict[str, str]:
        """Return the environment of a user who has the model's module and not pytest_navigator."""
        paths = [str(self.unpacked / "refusal"), str(self.unpacked / "user")]
        return {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": os.pathsep.join(paths)}


def make_project(root: Path, unpacked: Path, models: Sequence[str] = tuple(TESTS), *options: str) -> Project:
    """Write the project of some models, run it once, and unpack its packages."""
    files = {f"test_{name}.py": HEAD + TESTS[name] for name in models}
    for name, content in {"models.py": MODELS, "extension.py": EXTENSION, "conftest.py": CONFTEST, **files}.items():
        (root / name).write_text(content)
    report = run_plugin(root, *options)
    unpack(root, unpacked, models)
    write_user(unpacked, MODELS)
    return Project(root, unpacked, report, tuple(models))


def run_plugin(root: Path, *options: str) -> str:
    """Run pytest in a folder; returns what it printed."""
    command = "-m pytest --nav-package={model}.nav --nav-profile-seconds=0.05 -p no:randomly -p no:cacheprovider"
    done = subprocess.run(
        [sys.executable, *command.split(), *options], cwd=root, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), done.stdout + done.stderr
    return done.stdout + done.stderr


def unpack(root: Path, unpacked: Path, models: Iterable[str]) -> None:
    """Unpack the packages of some models, each into a folder of its name."""
    for name in models:
        with zipfile.ZipFile(root / f"{name}.nav") as archive:
            archive.extractall(unpacked / name)


def write_user(unpacked: Path, models: str) -> None:
    """Write what a user has beside the packages: the module of the models, and no pytest_navigator."""
    (unpacked / "user").mkdir()
    (unpacked / "user" / "models.py").write_text(models)
    (unpacked / "refusal").mkdir()
    (unpacked / "refusal" / "sitecustomize.py").write_text(REFUSAL)


REFUSAL = """
import sys

class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pytest_navigator":
            raise ImportError("a script has imported pytest_navigator")

sys.meta_path.insert(0, Refusal())
"""

FORKS = '''
"""Run scripts, each in a fork of this process, which has imported what all of them need (that saves minutes)."""
import json, os, runpy, sys, traceback
import numpy, onnx, onnxruntime, onnxscript, torch, MODULES

results = []
for folder, command in json.load(sys.stdin):
    sys.stdout.flush()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(write, 1), os.dup2(write, 2), os.close(read), os.chdir(folder)
        sys.argv, code = command, 0
        try:
            runpy.run_path(command[0], run_name="__main__")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
            if isinstance(end.code, str):
                print(end.code)
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        os._exit(code)
    os.close(write)
    with os.fdopen(read, errors="replace") as output:
        text = output.read()
    results.append([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text])
json.dump(results, sys.stdout)
'''


TORCH = "torch._dynamo, torch._inductor.compile_fx, torch.onnx._internal.exporter._core"


def run_all(project: Project, modules: str = TORCH) -> dict[tuple[str, str], Ran]:
    """Run the script of every outcome of every package, by (package, step).

    Args:
        modules: what the scripts import and is slow to import.
    """
    steps = [(model, outcome) for model in project.models for outcome in project.scripted(model)]
    work = [(str(project.unpacked / model), project.command(model, outcome)) for model, outcome in steps]
    done = subprocess.run(
        [sys.executable, "-c", FORKS.replace("MODULES", modules)],
        input=json.dumps(work),
        env=project.environment(),
        stdout=subprocess.PIPE,
        text=True,
        timeout=900,
        check=True,
    )
    results = json.loads(done.stdout)
    return {(model, outcome.id): Ran(*result) for (model, outcome), result in zip(steps, results, strict=True)}
