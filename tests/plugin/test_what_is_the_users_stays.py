"""What Model Navigator changed, deleted or needed without a word: the user's own stays as it was."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import torch
from blackbox import LINEAR, status

if TYPE_CHECKING:
    from collections.abc import Callable

    Nav = Callable[..., pytest.RunResult]
    Project = Callable[..., None]
    Failed = Callable[[pytest.RunResult], dict[str, str]]

SHUFFLING = """
class Counted(torch.utils.data.DataLoader):
    def __iter__(self):
        with open("iterations.txt", "a") as file:
            file.write("x")
        return super().__iter__()
"""

MEDDLING = """
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(5, 7)
        self.dropout = torch.nn.Dropout(0.0)

    def forward(self, x):
        if torch.jit.is_tracing():
            self.train()
            self.linear.weight.requires_grad_(False)
            torch.set_grad_enabled(True)
        return self.dropout(self.linear(x))
"""

STATE_OF_MODEL = """
import torch

def test_of_mine(nav_model):
    assert [m.training for m in nav_model.modules()] == [False, False, False]
    assert [p.requires_grad for p in nav_model.parameters()] == [True, True]
    assert nav_model(torch.ones(1, 5)).requires_grad
    assert str(nav_model.linear.weight.device) == "cpu"
    assert torch.is_grad_enabled()
"""

RANDOM_BEFORE = """
import numpy, random, torch

def states():
    drawn = [part.tolist() if hasattr(part, "tolist") else part for part in numpy.random.get_state()]
    return [random.getstate(), drawn, torch.get_rng_state().tolist()]

BEFORE = states()
"""

JITTERY = """
import time
from pytest_navigator import NavConfig, OptimizationProfile

nav_config = NavConfig(optimization_profile=OptimizationProfile(window_size=5, max_trials=4, batch_sizes=[1]))

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        # Each window of 5 is over half as slow again as the one before: no load of the machine evens that out.
        time.sleep(min(0.3, 0.0005 * 1.1**self.calls))
        return x * 2
"""

UNGUARDED = """
import pytest
print("the script ran")
code = pytest.main(["--nav-package=out.nav", "--nav-formats=onnx", "--nav-runtimes=cpu", "--nav-no-profile"])
print("exit code", int(code))
"""


def test_a_shuffling_loader_is_iterated_once(project: Project, nav: Nav, pytester: pytest.Pytester) -> None:
    project(
        SHUFFLING,
        made="torch.nn.Linear(5, 7).eval()",
        loader="Counted([torch.randn(5) for _ in range(12)], batch_size=3, shuffle=True)",
    )

    result = nav("--nav-profile-seconds=0.1", formats="onnx,torchscript-trace", profile=True)

    result.assert_outcomes(passed=12)
    assert (pytester.path / "iterations.txt").read_text() == "x"


def test_the_model_is_handed_back_as_it_was(project: Project, nav: Nav, pytester: pytest.Pytester) -> None:
    project(MEDDLING)
    pytester.makepyfile(test_mine=STATE_OF_MODEL)

    nav("--nav-profile-seconds=0.1", profile=True).assert_outcomes(passed=9)


def test_a_model_in_training_mode_fails_the_source_and_stays_in_it(
    project: Project, nav: Nav, failed: Failed, pytester: pytest.Pytester
) -> None:
    project(made="torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Dropout(0.5))")
    pytester.makepyfile("def test_of_mine(nav_model):\n    assert nav_model.training and nav_model[1].training")

    result = nav()

    assert failed(result) == {
        "test_source": "nav_model is in training mode: submodule '1' (Dropout) and 2 more; return model.eval()"
    }
    result.assert_outcomes(passed=1, failed=1, skipped=3)


def test_the_random_state_of_the_users_own_tests_is_as_before(linear: pytest.Pytester, nav: Nav) -> None:
    linear.makeconftest(LINEAR + RANDOM_BEFORE)
    linear.makepyfile("from conftest import BEFORE, states\n\ndef test_of_mine():\n    assert states() == BEFORE")

    nav("--nav-profile-seconds=0.1", formats="onnx,torchscript", profile=True).assert_outcomes(passed=17)


def test_a_noisy_machine_takes_no_format_away(
    project: Project, nav: Nav, failed: Failed, pytester: pytest.Pytester
) -> None:
    project(JITTERY)

    result = nav("--nav-package=out.nav", profile=True)

    assert not failed(result)
    package = status(pytester.path / "out.nav")
    assert package["models_status"]["torch"]["runners_status"]["TorchCPU"]["status"]["Performance"] == "OK"
    measured = package["pytest_navigator"]["steps"]["profile.torch.TorchCPU.batch1"]
    assert measured["data"]["result"]["stability"] == "unstable"
    result.stdout.fnmatch_lines(["note: * profile figure* a caveat (* above), for example *"])


def test_a_folder_that_holds_something_else_is_not_taken_for_a_workspace(linear: pytest.Pytester, nav: Nav) -> None:
    thesis = linear.mkdir("mine") / "thesis.txt"
    thesis.write_text("years of work")

    result = nav("--nav-workspace=mine")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: the workspace *mine holds something that pytest-navigator did not write (thesis.txt); nothing was "
            "deleted. Choose another folder with --nav-workspace=DIR, or empty this one yourself"
        ]
    )
    assert [path.name for path in thesis.parent.iterdir()] == ["thesis.txt"]
    assert thesis.read_text() == "years of work"


def test_the_packages_of_this_interpreter_are_recorded_whatever_pip_is_on_the_path(
    linear: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pip", "pip3", "python", "python3"):
        program = linear.mkdir(f"of-{name}") / name
        program.write_text("#!/bin/sh\necho torch==0.0.1\necho wrong==1.0\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")

    nav("--nav-package=out.nav").assert_outcomes(passed=4)

    packages = status(linear.path / "out.nav")["environment"]["python_packages"]
    assert packages["torch"] == torch.__version__
    assert "wrong" not in packages


@pytest.mark.slow
@pytest.mark.parametrize("way", ["script", "stdin", "notebook"])
def test_a_script_without_a_main_guard_runs_once(linear: pytest.Pytester, way: str) -> None:
    script = linear.path / "run.py"
    script.write_text(UNGUARDED)
    # A notebook's kernel runs a cell by exec, in a namespace whose `__main__` has no file.
    module = "import sys, types; sys.modules['__main__'] = cell = types.ModuleType('__main__')"
    cell = f"{module}; exec({UNGUARDED!r}, vars(cell))"
    arguments, stdin = {"script": ([str(script)], ""), "stdin": (["-"], UNGUARDED), "notebook": (["-c", cell], "")}[way]

    done = subprocess.run(
        [sys.executable, *arguments], cwd=linear.path, input=stdin, text=True, capture_output=True, timeout=300
    )

    assert done.stdout.count("the script ran") == 1
    assert "exit code 0" in done.stdout
    assert "= 4 passed" in done.stdout
    assert status(linear.path / "out.nav")["models_status"]["onnx"]["runners_status"]["OnnxCPU"]
