"""`--nav-interpreter`, `nav_interpreter`, `NavConfig(interpreters=...)`, `launch_mode`: a format's own Python."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from blackbox import calls, status, words
from turned import edit

from pytest_navigator.devices.driver_library import has_driver
from tests.other_pythons import environment, of_another_version

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from blackbox import Nav
    from turned import Write

    Docker = Callable[[Path], Path]

PACKAGE = ("-v", "--nav-package=out.nav")
SAID = "interpreters (--nav-interpreter): "
DOCKER = """
#!{python}
import json, os, sys
with open({record!r}, "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
words = sys.argv[2:]
while words[0].startswith("-"):
    del words[: 2 if words[0] in ("-v", "--user", "-e") else 1]
image, program, *rest = words
if image == "absent":
    sys.stderr.write("Unable to find image 'absent'\\n")
    sys.exit(125)
os.closerange(3, 256)
os.chdir("/")
os.execve({other!r}, [{other!r}, *rest], {{"PATH": os.defpath, "LANG": "C"}})
"""


@pytest.fixture(params=[pytest.param((), id="one"), pytest.param(("-n2",), id="n2")])
def workers(request: pytest.FixtureRequest) -> tuple[str, ...]:
    chosen: tuple[str, ...] = request.param
    return chosen


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("other") / "venv")


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """Put a stand-in on PATH: it notes how it is called, and runs a Python with nothing of what starts it.

    Like a container it has no socket, no variable and not the folder of its caller.
    """
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    def write(python: Path) -> Path:
        record = folder / "calls"
        program = folder / "docker"
        program.write_text(DOCKER.lstrip().format(python=sys.executable, record=str(record), other=str(python)))
        program.chmod(0o755)
        return record

    return write


@pytest.fixture
def told(turned: Write) -> Callable[[], dict[str, set[str]]]:
    """Write a format that is converted, and that tells where; returns what was done -> the Pythons that did it."""
    pytester = turned()
    module = pytester.path / "turned_format.py"
    edit(module, "import numpy as np\n", "import sys\nimport numpy as np\n")
    edit(module, 'note("compared")', 'note(f"compared@{sys.prefix}")')
    edit(module, 'note("timed")', 'note(f"timed@{sys.prefix}")')
    edit(module, 'call("convert", variant.parameters)', 'note(f"convert@{sys.prefix}")')
    edit(pytester.path / "fake_format.py", "note(step)\n", 'import sys; note(f"{step}@{sys.prefix}")\n')

    def read() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for line in calls(pytester):
            what, _, where = line.partition("@")
            found.setdefault(what, set()).add(where)
        return found

    return read


def noted(package: Path) -> dict[str, Any]:
    steps = status(package)["pytest_navigator"]["steps"]
    return {name: step["data"].get("interpreter", {}) for name, step in steps.items()}


def test_what_converts_to_a_format_and_runs_it_is_the_other_python(
    told: Callable[[], dict[str, set[str]]], nav: Nav, other: Path, pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    ran = nav(*PACKAGE, f"--nav-interpreter=turned={other}", *workers, formats="", profile=True)

    assert set(words(ran).values()) == {"PASSED"}
    there = {str(other.parents[1])}
    done = told()
    assert (done["convert"], done["compared"], done["timed"]) == (there, there, there)
    assert done["export"] == {sys.prefix}
    found = noted(pytester.path / "out.nav")
    assert {name.split(".")[1] for name, what in found.items() if what} == {"turned"}
    assert found["convert.turned"]["python"] == sys.version.split()[0]
    assert set(found["convert.turned"]) == {"python", "numpy"}
    assert str(other) not in str(status(pytester.path / "out.nav"))
    ran.stdout.fnmatch_lines([f"note: turned in another Python: {sys.version.split()[0]} (numpy *)"])


def test_a_command_that_starts_it_in_a_container_is_talked_to_by_its_input_and_output(
    told: Callable[[], dict[str, set[str]]], nav: Nav, other: Path, docker: Docker, pytester: pytest.Pytester
) -> None:
    record = docker(other)
    pytester.makeini(
        "[pytest]\nnav_interpreter =\n    *=docker run --rm -v {workspace}:{workspace} -e A=1 some/image python\n"
    )

    ran = nav(*PACKAGE, formats="", profile=True)

    assert set(words(ran).values()) == {"PASSED"}
    there = {str(other.parents[1])}
    done = told()
    assert (done["convert"], done["compared"], done["infer"]) == (there, there, there)
    started = [json.loads(line) for line in record.read_text().splitlines()]
    workspace = pytester.path / "navigator_workspace"
    head = ["run", "-i", "--rm", "-v", f"{workspace}:{workspace}", "-e", "A=1", "some/image", "python"]
    assert all(words[: len(head)] == head for words in started)
    assert len(started) == 2  # what it has is asked once; one container is there for all steps


@pytest.mark.parametrize("how", ["direct", "docker"])
def test_the_end_of_the_child_is_told_as_everywhere(
    turned: Write, nav: Nav, other: Path, docker: Docker, how: str, pytester: pytest.Pytester
) -> None:
    turned()
    edit(pytester.path / "turned_format.py", 'note("compared")', "__import__('ctypes').string_at(0)")
    docker(other)
    command = "docker run -i image python" if how == "docker" else str(other)

    ran = nav("-v", f"--nav-interpreter=turned={command}", formats="")

    found = words(ran)
    assert (found["test_correctness[turned-cpu]"], found["test_correctness[fake-cpu]"]) == ("FAILED", "PASSED")
    ran.stdout.fnmatch_lines(["*the child process was ended by SIGSEGV*"])


def test_a_cache_goes_by_what_is_installed_there(
    told: object, nav: Nav, tmp_path: Path, pytester: pytest.Pytester
) -> None:
    own = environment(tmp_path / "venv")
    cached = ("-v", "--nav-cache=cache", f"--nav-interpreter=turned={own}")
    made = [_conversions(pytester, nav, *cached), _conversions(pytester, nav, *cached)]
    (metadata,) = own.parents[1].glob("lib/python*/site-packages/numpy-*.dist-info")
    original = metadata.resolve()
    metadata.unlink()
    shutil.copytree(original, metadata)
    edit(metadata / "METADATA", "\nVersion: ", "\nVersion: 0.")

    assert [*made, _conversions(pytester, nav, *cached)] == [1, 1, 2]


def _conversions(pytester: pytest.Pytester, nav: Nav, *arguments: str) -> int:
    nav(*arguments, formats="")
    return [line.partition("@")[0] for line in calls(pytester)].count("convert")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("turned=/nowhere/bin/python", f"{SAID}turned: /nowhere/bin/python is not there; name a Python*"),
        ("turned=no-such-python", f"{SAID}turned: no-such-python is not there*"),
        ("turnd={other}", "unknown format of interpreters (--nav-interpreter) 'turnd'; did you mean 'turned'*"),
        ("turned=/bin/ls", f"{SAID}turned: /bin/ls does not start a Python (exit 2)"),
        ("dense={other}", f"{SAID}dense is the live model itself, which runs in this Python*"),
        ("turned={other} --nav-in-process", f"{SAID}--nav-in-process runs everything in this Python*"),
        ("turned={other} --nav-interpreter=turned=python3", f"{SAID}two interpreters for 'turned': *"),
        (
            "turned=docker run absent python",
            f"{SAID}turned: */docker run -i absent python does not start * (exit 125*",
        ),
    ],
)
def test_what_cannot_be_is_a_usage_error_before_anything_runs(
    turned: Write, nav: Nav, other: Path, docker: Docker, entry: str, said: str, pytester: pytest.Pytester
) -> None:
    turned()
    docker(other)
    entry, *more = entry.format(other=other).split(" --")

    ran = nav(f"--nav-interpreter={entry}", *(f"--{word}" for word in more), formats="")

    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    ran.stderr.fnmatch_lines([f"ERROR: {said}"])
    assert not (pytester.path / "calls.txt").exists()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("turned", "'turned' is no interpreter: write FORMAT=PYTHON*"),
        ("=python", "'=python' is no interpreter*"),
        ("turned='a", "turned='a: No closing quotation*"),
        ("turned=docker python", "a container is started, like docker run --rm*"),
        ("turned=docker run -it image python", "-it puts a terminal in between; leave it out*"),
    ],
)
def test_what_is_no_interpreter_is_refused_with_what_to_write(turned: Write, nav: Nav, entry: str, said: str) -> None:
    turned()

    ran = nav(f"--nav-interpreter={entry}", formats="")

    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    ran.stderr.fnmatch_lines([f"*--nav-interpreter: *{said}"])


def test_a_library_that_the_format_needs_and_the_other_python_lacks_is_named(
    turned: Write, nav: Nav, other: Path, pytester: pytest.Pytester
) -> None:
    turned()
    edit(
        pytester.path / "turned_format.py",
        '    parent = "fake"\n',
        '    parent = "fake"\n    requires = ("yaml", "torch")\n',
    )

    ran = nav(f"--nav-interpreter=turned={other}", formats="")

    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    ran.stderr.fnmatch_lines([f"ERROR: *turned: {other} (Python 3.*) lacks torch; *pip install torch*"])


@pytest.mark.parametrize("needed", ["torch", "torch-cuda"])
def test_what_only_its_runner_needs_is_asked_before_anything_runs(
    turned: Write, nav: Nav, other: Path, pytester: pytest.Pytester, needed: str
) -> None:
    turned()
    edit(
        pytester.path / "turned_format.py",
        '    name = "TurnedCPU"\n',
        f'    name = "TurnedCPU"\n    requires = ("{needed}",)\n',
    )

    ran = nav(f"--nav-interpreter=turned={other}", formats="")

    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    ran.stderr.fnmatch_lines([f"ERROR: *turned: {other} (Python 3.*) lacks torch; *pip install torch*"])
    assert not (pytester.path / "calls.txt").exists()


def test_what_a_runner_needs_of_a_gpu_that_is_not_here_is_a_skip(
    turned: Write, nav: Nav, other: Path, pytester: pytest.Pytester
) -> None:
    if has_driver():
        pytest.skip("there is a GPU")
    turned()
    edit(
        pytester.path / "turned_format.py",
        '    name = "TurnedCPU"\n',
        '    name = "TurnedCPU"\n    requires = ("cuda", "torch-cuda")\n',
    )

    ran = nav("-rs", f"--nav-interpreter=turned={other}", formats="")

    assert ran.ret == 0
    ran.stdout.fnmatch_lines(["SKIPPED * no CUDA device*"])


@pytest.mark.parametrize(
    ("more", "lacking"), [(("onnx", "protobuf"), "onnxruntime"), (("onnxruntime", "flatbuffers"), "onnx")]
)
def test_what_reads_and_runs_a_model_file_is_asked_of_the_python_that_it_is_for(
    pytester: pytest.Pytester, nav: Nav, tmp_path: Path, more: tuple[str, ...], lacking: str
) -> None:
    exec(MODEL_FILE, {})
    python = environment(tmp_path / "venv", more=more)

    ran = nav("--nav-model=model.onnx", f"--nav-interpreter=onnx={python}", formats="")

    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    ran.stderr.fnmatch_lines([f"ERROR: *onnx: {python} (Python 3.*) lacks {lacking}; *pip install {lacking}"])


MODEL_FILE = """
import onnx
from onnx import TensorProto, helper

values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in ("x", "y")]
graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "g", values[:1], values[1:])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), "model.onnx")
"""


def test_launch_mode_docker_runs_a_model_file_in_the_image_that_is_named(
    pytester: pytest.Pytester, nav: Nav, docker: Docker, tmp_path: Path
) -> None:
    exec(MODEL_FILE, {})
    record = docker(
        environment(tmp_path / "venv", more=("onnx", "onnxruntime", "protobuf", "flatbuffers", "sympy", "mpmath"))
    )
    pytester.makefile(".yaml", nav="target_formats: [onnx]\nlaunch_mode: docker\nframework_docker_image: my/image:1\n")

    ran = nav("--nav-model=model.onnx", "--nav-config=nav.yaml", *PACKAGE, formats="")

    assert set(words(ran).values()) == {"PASSED"}
    own = ["--user", f"{os.getuid()}:{os.getgid()}", "-e", "HOME=/tmp"]
    assert own == json.loads(record.read_text().splitlines()[-1])[5:9]
    assert noted(pytester.path / "out.nav")["correctness.onnx.OnnxCPU"]["onnxruntime"]


def test_a_python_of_another_version_makes_and_runs_what_this_one_need_not_have(
    linear: pytest.Pytester, nav: Nav
) -> None:
    python = of_another_version()

    ran = nav(*PACKAGE, f"--nav-interpreter=openvino={python}", f"--nav-interpreter=onnx={python}", formats="openvino")

    assert set(words(ran).values()) == {"PASSED"}
    found = noted(linear.path / "out.nav")
    with zipfile.ZipFile("out.nav") as package:
        package.extractall("out")
    assert found["convert.openvino"]["openvino"]
    script = (linear.path / "out" / "openvino" / "reproduce_conversion.py").read_text()
    assert f"Made with Python {found['convert.openvino']['python']}, numpy " in script
    assert found["convert.openvino"]["python"].split(".")[:2] != sys.version.split(".")[:2]
    assert found["correctness.onnx.OnnxCPU"]["onnxruntime"]
