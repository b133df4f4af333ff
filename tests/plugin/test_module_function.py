"""`--nav-model=module:function`: the function is called for the model, whatever the framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import collected, outcomes, words
from model_files import linear

if TYPE_CHECKING:
    from collections.abc import Callable

    Nav = Callable[..., pytest.RunResult]
    Failed = Callable[[pytest.RunResult], dict[str, str]]

MODELS = """
import torch

def build():
    return torch.nn.Linear(5, 7).eval()

class Family:
    @staticmethod
    def small():
        return torch.nn.Linear(5, 2).eval()

number = 3

def nothing():
    torch.nn.Linear(5, 7)

def broken():
    return {}["weights"]
"""
DATA = "import torch\n\ndef loader():\n    return [torch.ones(n, 5) for n in (3, 6)]\n"
TORCH = {"test_source": "PASSED", "test_correctness[torch-cpu]": "PASSED"}
BOTH = "--nav-model=my_pkg.models:build", "--nav-dataloader=my_pkg.data:loader"


@pytest.fixture
def package(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with functions that return models and samples, below the folder in which pytest starts."""
    monkeypatch.setenv("COLUMNS", "500")
    folder = pytester.mkpydir("my_pkg")
    (folder / "models.py").write_text(MODELS)
    (folder / "data.py").write_text(DATA)


@pytest.fixture
def source_error(nav: Nav, failed: Failed) -> Callable[..., str]:
    """Run and return the message of the source item."""

    def run(*args: str) -> str:
        (message,) = failed(nav(*args, "--nav-in-process", formats="torch")).values()
        return message

    return run


@pytest.mark.usefixtures("package")
def test_the_model_and_its_samples_come_from_functions(pytester: pytest.Pytester, nav: Nav) -> None:
    result = nav("-v", *BOTH, "--nav-in-process", formats="torch")
    assert outcomes(result) == {f"my_pkg/models.py::build::nav_model::{name}": word for name, word in TORCH.items()}
    result.stdout.fnmatch_lines(["build (torch)"])
    static = nav("-v", BOTH[0].replace("build", "Family.small"), BOTH[1], "--nav-in-process", formats="torch")
    assert words(static) == TORCH


@pytest.mark.slow
@pytest.mark.usefixtures("package")
def test_a_single_item_and_several_workers(nav: Nav) -> None:
    one = nav("-v", *BOTH, "my_pkg/models.py::build::nav_model::test_source", "--nav-in-process", formats="torch")
    assert words(one) == {"test_source": "PASSED"}
    assert words(nav("-v", "-n2", *BOTH, formats="torch", subprocess=True)) == TORCH


@pytest.mark.real_processes
@pytest.mark.usefixtures("package")
def test_collecting_imports_neither_the_module_nor_a_framework(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(
        "import sys\ndef pytest_terminal_summary(terminalreporter):\n"
        "    terminalreporter.write_line('imported: ' + ' '.join(sys.modules))\n"
    )
    result = pytester.runpytest_subprocess("-p", "pytest_navigator.plugin", "--collect-only", "-q", *BOTH)
    assert "my_pkg/models.py::build::nav_model::test_source" in collected(result)
    (line,) = (line for line in result.outlines if line.startswith("imported: "))
    assert "pytest_navigator.plugin.named" in line.split()
    assert {"my_pkg", "my_pkg.models", "my_pkg.data", "torch", "tensorflow", "jax", "onnx"} & set(line.split()) == set()


@pytest.mark.usefixtures("package")
def test_the_model_is_built_once(pytester: pytest.Pytester, nav: Nav) -> None:
    path = pytester.path / "my_pkg" / "models.py"
    path.write_text(
        path.read_text().replace("def build():\n", "def build():\n    with open('built', 'a') as f: f.write('x')\n")
    )
    pytester.makepyfile(
        test_quality="""
        import torch

        def verify_zero(nav_runner, nav_source_runner):
            x = torch.zeros(2, 5)
            assert torch.allclose(nav_runner(x), nav_source_runner(x))
        """
    )
    result = nav("-v", *BOTH, "test_quality.py", "--nav-in-process")
    assert words(result)["verify_zero[torchscript-trace-cpu]"] == "PASSED"
    assert (pytester.path / "built").read_text() == "x"


@pytest.mark.usefixtures("package")
def test_a_file_that_holds_tests_as_well_is_still_collected(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makepyfile(test_mine=MODELS + "\ndef test_mine(): pass\n")
    args = "--nav-model=test_mine:build", BOTH[1], "--nav-in-process"
    assert words(nav("-v", *args, formats="torch")) == TORCH | {"test_mine": "PASSED"}


def test_the_framework_is_said_where_it_cannot_be_told(
    pytester: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    linear(pytester.path / "linear.onnx")
    pytester.makepyfile(helpers="PATH = 'linear.onnx'", models="from helpers import *\n\ndef build(): return PATH\n")
    result = nav("--nav-model=models:build", "--nav-in-process", formats="")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: the framework of models.py::build::nav_model cannot be told;*--nav-framework=*"]
    )
    said = nav("-v", "--nav-model=models:build", "--nav-framework=onnx", "--nav-in-process", formats="")
    assert words(said) == {"test_source": "PASSED", "test_correctness[onnx-cpu]": "PASSED"}


def test_the_return_annotation_tells_the_framework(pytester: pytest.Pytester, nav: Nav) -> None:
    code = "def build() -> 'torch.nn.Module':\n    import numpy, jax, torch\n    return torch.nn.Linear(5, 7).eval()\n"
    pytester.makepyfile(models=code, data=DATA)
    listed = nav("--collect-only", "-q", "--nav-model=models:build", "--nav-dataloader=data:loader", formats="torch")
    assert "models.py::build::nav_model::test_correctness[torch-cpu]" in collected(listed)


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("bild", "--nav-model=my_pkg.models:bild: unknown name 'bild'; did you mean 'build'? *"),
        ("number", "--nav-model=my_pkg.models:number is a int, which cannot be called"),
        ("nothing", "--nav-model=my_pkg.models:nothing returned None: return the model"),
        ("broken", "--nav-model=my_pkg.models:broken raised KeyError: 'weights'"),
        ("torch.ones", "--nav-model=my_pkg.models:torch.ones raised TypeError: *"),
    ],
)
def test_a_function_that_gives_no_model_fails_the_source(
    source_error: Callable[..., str], function: str, message: str
) -> None:
    found = source_error(f"--nav-model=my_pkg.models:{function}", "--nav-dataloader=my_pkg.data:loader")
    pytest.LineMatcher([found]).fnmatch_lines([message])


@pytest.mark.usefixtures("package")
def test_a_path_of_which_nobody_says_what_it_is_fails_the_source(
    source_error: Callable[..., str], pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(models="import torch\n\ndef build():\n    return 'model.onnx'\n")
    message = source_error("--nav-model=models:build")
    assert message.startswith("the model is the path 'model.onnx', which is no torch model; of a file, say what it ")
    assert "--nav-framework=onnx" in message


@pytest.mark.usefixtures("package")
def test_a_module_that_does_not_import_fails_the_source(
    source_error: Callable[..., str], pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(models="import torch\nimport no_such_package\n\ndef build(): pass\n")
    message = source_error("--nav-model=models:build")
    assert message == (
        "--nav-model=models:build: importing models raised ModuleNotFoundError: No module named 'no_such_package'"
    )


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["--nav-model=my_pkg.nowhere:build"],
            "--nav-model=my_pkg.nowhere:build: there is no module 'my_pkg.nowhere'*",
        ),
        (["--nav-model=nowhere:build"], "--nav-model=nowhere:build: there is no module 'nowhere' (looked in *"),
        (["--nav-model=my_pkg.models"], "--nav-model=my_pkg.models: there is no file *for a function write module:*"),
        ([BOTH[0], "--nav-dataloader=my_pkg.data"], "--nav-dataloader=my_pkg.data: write module:function, like *"),
        ([BOTH[0], "--nav-framework=pytorch"], "unknown framework 'pytorch'; did you mean 'torch'? *"),
        (["--nav-model=wrong:build"], "--nav-model=wrong:build: *wrong.py is no Python: *"),
    ],
)
def test_what_names_no_function_is_a_usage_error(
    pytester: pytest.Pytester, nav: Nav, args: list[str], message: str
) -> None:
    pytester.makepyfile(wrong="def build(:")
    result = nav(*args, "--nav-in-process", formats="")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
