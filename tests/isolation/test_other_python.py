"""The child in another Python, alone or behind a command that starts it: a container has no socket of this process."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest

from pytest_navigator.errors import ConfigError, StepFailed
from pytest_navigator.isolation.child import Child
from pytest_navigator.isolation.interpreter import Interpreter, code_folder, probe
from tests.other_pythons import NEEDED, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.real_processes

TESTS = Path(__file__).parent
LIMIT = 30.0


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("other") / "venv")


@pytest.fixture(scope="module", params=["alone", "behind a command"])
def child(request: pytest.FixtureRequest, python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    wrapped = request.param != "alone"
    command = ("/usr/bin/env", "NAV_TEST=1", str(python)) if wrapped else (str(python),)
    code = code_folder(tmp_path_factory.mktemp("code"), copied=wrapped)
    with closing(Child(python_path=[str(TESTS)], interpreter=Interpreter(command, code))) as child:
        yield child


@pytest.fixture
def call(child: Child, tmp_path: Path) -> Callable[..., Any]:
    def call(name: str, *, arrays: Any = None, timeout: float = LIMIT, **kwargs: Any) -> Any:
        return child.call(f"children:{name}", kwargs, arrays=arrays, log=tmp_path / "step.log", timeout=timeout)

    return call


def test_its_path_is_its_own_and_behind_it_the_users_code(child: Child, call: Callable[..., Any], python: Path) -> None:
    path = call("state").result["path"]

    installed = [one for one in sys.path if one.endswith("site-packages")]
    assert not {*installed} & {*path}
    own = [i for i, one in enumerate(path) if one.startswith(str(python.parents[1]))]
    assert own
    assert max(own) < path.index(str(TESTS))
    assert child.interpreter is not None
    assert path[0] == str(child.interpreter.code)
    assert [each.name for each in child.interpreter.code.iterdir()] == ["pytest_navigator"]


def test_it_runs_this_very_package(child: Child, tmp_path: Path) -> None:
    found = child.call(
        "pytest_navigator.engine.isolated:versions",
        {"names": ["numpy", "pytest"], "modules": ["yaml"]},
        log=tmp_path / "log",
        timeout=LIMIT,
    ).result

    assert found["python"] == sys.version
    assert found["libraries"] == {"numpy": np.__version__, "pytest": None}
    assert set(found["versions"]) == {"pyyaml"}


def test_arrays_go_there_and_back_beside_what_is_printed(call: Callable[..., Any], tmp_path: Path) -> None:
    large = np.arange(3_000_000, dtype=np.float32)
    assert call("same", arrays={"x": large}).arrays["x"].tobytes() == large.tobytes()
    call("speak")
    assert {"from Python", "from C, 42", "from a process"} <= {*(tmp_path / "step.log").read_text().splitlines()}


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("segfault", "SIGSEGV", "the child process was ended by SIGSEGV"),
        ("leave", "exit 3", "the child process ended itself (exit 3)"),
    ],
)
def test_its_end_is_a_failed_step_and_the_next_call_gets_a_new_one(
    call: Callable[..., Any], name: str, kind: str, message: str
) -> None:
    before = call("pid").result
    with pytest.raises(StepFailed) as caught:
        call(name)

    assert (caught.value.kind, caught.value.message) == (kind, message)
    assert call("pid").result != before


def test_a_call_without_an_answer_ends_at_its_limit_with_all_that_it_started(
    call: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(StepFailed, match=r"no answer within 1\.5 s"):
        call("native_nap", started=str(tmp_path / "pids"), timeout=1.5)

    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    assert pids
    deadline = time.monotonic() + 10
    while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_runs(pid) for pid in pids)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_behind_a_command_it_ends_when_the_other_end_of_its_input_is_closed(python: Path, tmp_path: Path) -> None:
    # As in a container, whose processes nobody outside of it can end.
    command = ("/usr/bin/setsid", "--wait", str(python))
    child = Child(python_path=[str(TESTS)], interpreter=Interpreter(command, code_folder(tmp_path, copied=True)))
    child.start()
    pid = child.call("children:pid", {}, log=tmp_path / "log", timeout=LIMIT).result
    assert child._process is not None
    child._process.connection.close()

    deadline = time.monotonic() + 10
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(pid)
    child.close(grace=0)


def test_ctrl_c_is_not_for_it(call: Callable[..., Any]) -> None:
    assert call("state").result["sigint"] is True


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("", "*is not executable*"),
        ("#!/bin/sh\necho no such image >&2; exit 125", "*does not start a Python (exit 125: no such image)*"),
        ("#!/bin/sh\necho '[[3, 8, 18], []]'", "*is Python 3.8.18; Python 3.11 or a newer one is needed*"),
        ("#!/bin/sh\necho '[[3, 12, 1], [\"yaml\"]]'", "*(Python 3.12.1) lacks yaml; *pip install PyYAML*"),
    ],
)
def test_what_cannot_be_the_child_is_told_with_what_to_do(tmp_path: Path, script: str, said: str) -> None:
    program = tmp_path / "python"
    program.write_text(script)
    program.chmod(0o755 if script else 0o644)

    with pytest.raises(ConfigError) as caught:
        probe((str(program),), (), "interpreters (--nav-interpreter)")

    assert str(caught.value).startswith("interpreters (--nav-interpreter): ")
    pytest.LineMatcher([str(caught.value)]).fnmatch_lines([said])


@pytest.mark.parametrize("name", [*NEEDED[:3], "psutil", "PyYAML"])
def test_a_library_that_every_child_needs_is_named_when_it_lacks(tmp_path: Path, name: str) -> None:
    python = environment(tmp_path / "venv", without=name)

    with pytest.raises(ConfigError, match=rf"lacks {'yaml' if name == 'PyYAML' else name};"):
        probe((str(python),), (), "interpreters")


def test_no_file_of_the_working_directory_is_taken_for_a_module_there(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("json", "torch"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(3)")

    with pytest.raises(ConfigError, match="lacks torch;"):
        probe((str(python),), ("torch",), "interpreters")
