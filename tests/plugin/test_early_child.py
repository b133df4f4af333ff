"""The child imports a framework while a conftest.py does, where one process runs steps: it is the run's own child."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest
from blackbox import DENSE, FAKE_FORMAT, words

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real_processes

# As small as one can be: what is read of its settings.
FRAMEWORK = """
class config:
    jax_enable_x64, jax_default_matmul_precision = False, None
"""
NOTES = """
def _note(when):
    import psutil
    children = [each.pid for each in psutil.Process().children() if "isolation.worker" in " ".join(each.cmdline())]
    with open("children.txt", "a") as file:
        file.write(" ".join(map(str, [when, *children])) + "\\n")

_note("conftest")

def pytest_collection(session):
    _note("collection")

@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session):
    _note("collected")

@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    _note("finished")
"""


@pytest.fixture
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "200")
    pytester.makepyfile(fake_format=FAKE_FORMAT, jax=FRAMEWORK)
    write(pytester.path)
    return pytester.path


def write(folder: Path, before: str = "", after: str = "", config: str = "") -> None:
    own = f"nav_config = NavConfig(framework='dense', formats=[FakeConfig(){config}])\n"
    (folder / "conftest.py").write_text(f"{before}\nimport jax\n{after}\n{DENSE}{own}{NOTES}")


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    plugins = [word for name in ("randomly", "rerunfailures", "html") for word in ("-p", f"no:{name}")]
    checked = ["--nav-no-profile"] if "--nav" in args else []
    return pytester.runpytest_subprocess(*plugins, "-v", *checked, *args)


def noted(folder: Path) -> dict[str, list[str]]:
    """Return the ids of the children that there were, by when."""
    lines = (line.split() for line in (folder / "children.txt").read_text().splitlines())
    return {when: children for when, *children in lines}


def test_the_child_of_the_run_is_there_when_the_framework_is(pytester: pytest.Pytester, folder: Path) -> None:
    result = run(pytester, "--nav")

    assert set(words(result).values()) == {"PASSED"}
    found = noted(folder)
    assert len(found["conftest"]) == 1
    assert found["conftest"] == found["collected"] == found["finished"]
    assert not psutil.pid_exists(int(found["conftest"][0]))


def test_what_the_tests_add_to_the_search_path_reaches_it(pytester: pytest.Pytester, folder: Path) -> None:
    """Their folder is added when they are collected, and the format lies there."""
    tests = folder / "checks"
    tests.mkdir()
    (folder / "fake_format.py").rename(tests / "fake_format.py")
    write(folder, after="import sys; sys.path.insert(0, 'checks')")
    result = run(pytester, "--nav")

    assert set(words(result).values()) == {"PASSED"}
    assert noted(folder)["conftest"] == noted(folder)["finished"]


def test_a_variable_that_is_set_later_is_in_the_child_of_the_run(pytester: pytest.Pytester, folder: Path) -> None:
    write(folder, after="import os; os.environ['OMP_NUM_THREADS'] = '1'")
    result = run(pytester, "--nav")

    assert set(words(result).values()) == {"PASSED"}
    found = noted(folder)
    assert [len(children) for children in found.values()] == [1] * 4
    assert found["conftest"] == found["collection"]
    assert found["collected"] == found["finished"] != found["conftest"]


@pytest.mark.parametrize(
    "args", [[], ["--nav", "--collect-only"], ["--nav", "--nav-in-process"], ["--nav", "-n1"], ["--nav", "-n2"]]
)
def test_nothing_is_started_where_nobody_needs_it_yet(pytester: pytest.Pytester, folder: Path, args: list[str]) -> None:
    result = run(pytester, *args)

    assert result.ret in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    assert noted(folder)["conftest"] == []


@pytest.mark.parametrize("wrong", ["raise RuntimeError('a mistake')", "import no_such_module"])
def test_a_conftest_that_raises_leaves_no_process(pytester: pytest.Pytester, folder: Path, wrong: str) -> None:
    write(folder, after=NOTES.partition("def pytest_coll")[0] + wrong)
    result = run(pytester, "--nav")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (child,) = noted(folder)["conftest"]
    assert not psutil.pid_exists(int(child))


def test_where_no_step_was_selected_it_ends_with_the_collection(pytester: pytest.Pytester, folder: Path) -> None:
    pytester.makepyfile("def test_user(): pass")
    result = run(pytester, "--nav", "-k", "test_user")

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*::test_user PASSED*"])
    assert len(noted(folder)["conftest"]) == 1
    assert noted(folder)["finished"] == []
