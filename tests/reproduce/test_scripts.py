from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.core.steps import KINDS, Status
from tests.reproduce.others import OTHERS
from tests.reproduce.project import TESTS

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet

    from pytest_navigator.core.records import Outcome
    from tests.reproduce.project import Project, Ran


def about(model: str, *more: object) -> ParameterSet:
    """Return the parameters of a test of a model; those of TensorFlow, JAX and files take longest."""
    return pytest.param(model, *more, marks=[pytest.mark.slow] if model in OTHERS else [])


ALL = [about(model) for model in (*TESTS, *OTHERS)]


def of_step(project: Project, model: str, step: str) -> list[Outcome]:
    return [outcome for outcome in project.scripted(model) if outcome.step == step]


ERROR = re.compile(r"[\w.]+(Error|Exception|SymNode|Violation|NotImplemented)\b.*: ")


def raised(text: str) -> str:
    """Return the last line that names an error: its type and the first line of its message; all of what is no trace."""
    return [line for line in text.splitlines() if ERROR.match(line) or line == text.strip()][-1]


def first_way(detail: str) -> str:
    """Return what the first way said where none made a format: it is the one that the script repeats."""
    before, *said = re.split(r"^[a-z0-9._-]+:\n", detail, flags=re.MULTILINE)
    return said[0] if said and not before else detail


@pytest.mark.parametrize("model", ALL)
def test_every_step_that_ran_names_its_script_and_the_package_holds_it(home: Project, model: str):
    ran = [o for o in home.outcomes(model).values() if o.status is not Status.SKIPPED and KINDS[o.step].script]
    named = {o.id for o in home.scripted(model) if o.status is not Status.SKIPPED}
    assert {o.id for o in ran if "nscripted" not in o.id} == named
    for outcome in home.scripted(model):
        script = str(outcome.data["script"]).split()[0]
        assert (home.unpacked / model / script).is_file()
        assert (home.unpacked / model / script.replace(".sh", ".py")).is_file()


def test_scripts_have_model_navigators_names(project: Project):
    found = sorted(
        p.relative_to(project.unpacked / "linear").as_posix() for p in (project.unpacked / "linear").rglob("*.sh")
    )
    assert found == [
        "copy/reproduce_conversion.sh",
        "copy/reproduce_correctness-copycpu.sh",
        "copy/reproduce_profiling-copycpu.sh",
        "onnx/reproduce_correctness-onnxcpu.sh",
        "onnx/reproduce_export.sh",
        "onnx/reproduce_profiling-onnxcpu.sh",
        "torch/reproduce_correctness-torchcompilecpu.sh",
        "torch/reproduce_correctness-torchcpu.sh",
        "torch/reproduce_profiling-torchcompilecpu.sh",
        "torch/reproduce_profiling-torchcpu.sh",
        "torchscript-script/reproduce_correctness-torchscriptcpu.sh",
        "torchscript-script/reproduce_export.sh",
        "torchscript-script/reproduce_profiling-torchscriptcpu.sh",
        "torchscript-trace/reproduce_correctness-torchscriptcpu.sh",
        "torchscript-trace/reproduce_export.sh",
        "torchscript-trace/reproduce_profiling-torchscriptcpu.sh",
    ]


@pytest.mark.parametrize("model", ALL)
def test_a_correctness_script_measures_what_the_step_has_recorded(
    home: Project, scripts: dict[tuple[str, str], Ran], model: str
):
    compared = [outcome for outcome in of_step(home, model, "correctness") if "outputs" in outcome.data]
    assert compared
    for outcome in compared:
        script = scripts[model, outcome.id]
        for report in outcome.data["outputs"]:
            line = f"{report['name']}: max abs {report['atol']}, max rel {report['rtol']}: "
            line += "FAILED: " if report["problem"] else "passed\n"
            assert line in script.text, outcome.id
        assert script.code == (0 if outcome.passed else 1), script.text


@pytest.mark.parametrize("model", ALL)
def test_the_script_of_a_good_export_writes_an_artifact_that_its_runtime_loads(
    home: Project, scripts: dict[tuple[str, str], Ran], model: str
):
    for outcome in [*of_step(home, model, "export"), *of_step(home, model, "convert")]:
        if outcome.passed:
            script = scripts[model, outcome.id]
            assert script.code == 0, script.text
            written = script.text.splitlines()[-1].removeprefix("written: ")
            assert written.startswith(f"{outcome.key}/reproduced.")
            assert (home.unpacked / model / written).stat().st_size > 0


@pytest.mark.parametrize(
    ("model", "steps"),
    [
        about(model, steps)
        for model, steps in {
            "branching": ["export.onnx", "export.torch-exportedprogram"],
            "limited": ["profile.torch.TorchCPU.batch7", "profile.torchscript-script.TorchScriptCPU.batch7"],
            "eager": ["export.tf-savedmodel"],
            "uncommon": ["convert.onnx"],
            "values": ["export.onnx", "export.stablehlo", "export.tf-savedmodel"],
            "function": ["profile.python.PythonRunner.batch7"],
            "saved": ["convert.onnx"],
            "program": ["convert.onnx"],
        }.items()
    ],
)
def test_the_script_of_a_failed_step_raises_the_same_error(
    home: Project, scripts: dict[tuple[str, str], Ran], model: str, steps: list[str]
):
    failed = [o for o in home.scripted(model) if o.status in (Status.FAILED, Status.XFAILED) and o.error != "mismatch"]
    assert [outcome.id for outcome in failed] == steps
    for outcome in failed:
        script = scripts[model, outcome.id]
        assert script.code == 1
        assert raised(script.text).endswith(raised(first_way(outcome.detail)))
        assert outcome.error in raised(script.text)


@pytest.mark.slow
def test_wrong_numbers_are_wrong_in_the_script_too(others: Project, others_ran: dict[tuple[str, str], Ran]):
    for model, keys in {"leaning": ["onnx", "tf-savedmodel"], "traced": ["jax", "stablehlo"]}.items():
        failed = [o for o in of_step(others, model, "correctness") if not o.passed]
        assert [outcome.key for outcome in failed] == keys
        assert all("FAILED: outside of the tolerance" in others_ran[model, o.id].text for o in failed)


def test_a_script_exports_by_the_way_that_succeeded(project: Project):
    outcomes = project.outcomes("pairs")
    scripts = {
        o.key: (project.unpacked / "pairs" / o.key / "reproduce_export.py").read_text()
        for o in outcomes.values()
        if o.step == "export"
    }
    for key in ("onnx", "torch-exportedprogram"):
        assert outcomes[f"export.{key}"].data["derived_sizes"] is True
        assert "{0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO}" in scripts[key]
    assert outcomes["export.torchscript-trace"].data["interface"] == "flat"
    assert "torch.jit.trace(Flat(model).eval(), tensors" in scripts["torchscript-trace"]


@pytest.mark.parametrize(
    ("model", "count", "size"),
    [about("linear", 6, 5), about("keras", 3, 2), about("flat", 5, 2), about("function", 1, 2), about("script", 2, 2)],
)
def test_a_profiling_script_prints_the_latency_of_the_bare_call(
    home: Project, scripts: dict[tuple[str, str], Ran], model: str, count: int, size: int
):
    profiled = [outcome for outcome in of_step(home, model, "profile") if outcome.passed]
    assert len(profiled) == count
    for outcome in profiled:
        script = scripts[model, outcome.id]
        found = re.search(r"(\d+) inferences: p50 (\S+) ms, avg (\S+) ms", script.text)
        assert found, script.text
        assert int(found[1]) >= 5
        assert 0 < float(found[2]) < 1000
        assert outcome.data["script"].endswith(f" --batch-size {size}")


@pytest.mark.parametrize("model", ALL)
def test_no_script_mentions_the_plugin_as_a_module(home: Project, model: str):
    for script in (home.unpacked / model).rglob("reproduce_*"):
        assert "pytest_navigator" not in script.read_text()


def test_the_failure_in_the_terminal_names_the_command(project: Project):
    folder = f"navigator_workspace/{project.workspace('branching').path.name}"
    python = f"PYTHON={shlex.quote(sys.executable)}"
    for command in (
        "bash torchscript-trace/reproduce_correctness-torchscriptcpu.sh",
        "bash onnx/reproduce_export.sh --model MODULE:FUNCTION",
    ):
        assert f"reproduce, from {folder}: {python} {command}\n" in project.report


def test_the_printed_command_needs_no_activated_environment(project: Project):
    (line,) = {
        line
        for line in project.report.splitlines()
        if line.startswith("reproduce") and "correctness-torchscriptcpu" in line
    }
    found = subprocess.run(
        line.partition(": ")[2],
        shell=True,
        cwd=project.workspace("branching").path,
        env={**os.environ, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert (found.returncode, found.stdout.splitlines()[-1]) == (1, "output__1: max abs 0.0, max rel 0.0: passed")


@pytest.mark.parametrize("model", ALL)
def test_no_package_tells_where_this_python_is(home: Project, model: str):
    for file in (home.unpacked / model).rglob("*"):
        assert not file.is_file() or sys.executable.encode() not in file.read_bytes()


def test_that_command_works_in_the_folder_that_the_failure_names(project: Project):
    folder = project.workspace("branching").path
    script = project.shell(["torchscript-trace/reproduce_correctness-torchscriptcpu.sh"], folder)
    assert script.code == 1
    assert "output__0: max abs 1.26" in script.text
    assert script.text.splitlines()[-1] == "output__1: max abs 0.0, max rel 0.0: passed"


def test_elsewhere_than_at_the_root_of_a_package_a_script_says_where_to_run_it(project: Project):
    script = project.shell(["reproduce_correctness-torchscriptcpu.sh"], project.unpacked / "half" / "torchscript-trace")
    assert script.code == 2
    assert "No such file" in script.text
    path = project.unpacked / "half" / "torchscript-trace" / "reproduce_correctness-torchscriptcpu.py"
    script = project.shell(["-c", f'"$PYTHON" "{path}"'], project.unpacked)
    assert script.code == 2
    assert "run this from the root of a package that has its samples" in script.text


def test_a_script_that_needs_the_live_model_says_how_to_give_it(project: Project):
    script = project.shell(["torchscript-trace/reproduce_export.sh"], project.unpacked / "words")
    assert script.code == 2
    assert "the following arguments are required: --model" in script.text
    text = (project.unpacked / "words" / "torchscript-trace" / "reproduce_export.py").read_text()
    assert "a fixture cannot be called" in text


def test_a_correctness_script_takes_another_artifact(project: Project, ran: dict[tuple[str, str], Ran]):
    assert ran["words", "export.onnx"].code == 0
    command = ["onnx/reproduce_correctness-onnxcpu.sh", "--artifact", "onnx/reproduced.onnx"]
    script = project.shell(command, project.unpacked / "words")
    assert script.code == 0, script.text


def test_an_export_script_writes_where_it_is_told(project: Project):
    target = project.unpacked / "other.pt"
    command = ["torchscript-trace/reproduce_export.sh", "--model=models:make_half", f"--output={target}"]
    script = project.shell(command, project.unpacked / "half")
    assert script.code == 0, script.text
    assert target.stat().st_size > 0
