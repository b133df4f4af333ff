from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from filelock import ReadWriteLock, Timeout

from pytest_navigator.core.digests import digest_of, files_of
from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status
from pytest_navigator.engine.workspace import MACHINE, Workspace, slug
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def test_a_folder_that_holds_anything_else_is_refused_and_left_alone(workspace):
    workspace.root.mkdir()
    thesis = workspace.root / "thesis.txt"
    thesis.write_text("years of work")
    with pytest.raises(ConfigError, match="nothing was deleted"):
        workspace.claim()
    assert thesis.read_text() == "years of work"


def test_a_new_run_replaces_the_one_before(workspace):
    workspace.claim().release()
    old = workspace.suite("model", "conftest.py::nav_model")
    old.write(Outcome("source", Status.PASSED))
    workspace.claim().release()
    assert old.record("source") is None


def suite_that_ran(workspace):
    """A suite in which one step has run, with an artifact, a sample and a failed comparison's evidence."""
    folder = workspace.suite("model", "conftest.py::nav_model")
    folder.write(Outcome("export", Status.PASSED, "onnx", digest="x"))
    for name in (
        "suite.json",
        "signature.json",
        "onnx/model.onnx",
        "model_input/batches/0.npz",
        "onnx-cpu_inputs.json",
    ):
        (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
        (folder.path / name).write_text(name)
    return folder


def visible(folder):
    """Return what is no hidden file, below a folder."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if not path.as_posix().startswith(".")}


def test_a_resumed_run_sets_aside_what_the_one_before_recorded(workspace):
    workspace.claim().release()
    folder = suite_that_ran(workspace)
    workspace.claim(resume=True).release()
    assert folder.outcomes() == []
    assert visible(folder.path) == {"suite.json"}
    assert [outcome.key for outcome in folder.earlier.outcomes()] == ["onnx"]
    assert visible(folder.earlier.path) == {"onnx/model.onnx", "onnx-cpu_inputs.json"}


def test_what_was_set_aside_stays_until_it_is_replaced(workspace):
    """A resumed run that was killed before it came to a step leaves that step's record to the next one."""
    workspace.claim().release()
    folder = suite_that_ran(workspace)
    for _ in range(2):
        workspace.claim(resume=True).release()
    assert [outcome.digest for outcome in folder.earlier.outcomes()] == ["x"]
    folder.write(Outcome("export", Status.PASSED, "onnx", digest="y"))
    workspace.claim(resume=True).release()
    assert [outcome.digest for outcome in folder.earlier.outcomes()] == ["y"]


def test_a_link_in_a_suite_is_removed_but_not_what_it_points_to(workspace, tmp_path):
    workspace.claim().release()
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("here")
    link = workspace.suite("model", "conftest.py::nav_model").path / "link"
    (link.parent / ".steps").mkdir(parents=True)
    link.symlink_to(precious)
    workspace.claim().release()
    assert (precious / "file").read_text() == "here"
    assert not link.parent.exists()


def test_what_somebody_put_into_a_workspace_is_refused_and_stays(workspace, tmp_path):
    workspace.claim().release()
    (tmp_path / "precious").mkdir()
    (workspace.root / "link").symlink_to(tmp_path / "precious")
    (workspace.root / "mine").mkdir()
    with pytest.raises(ConfigError, match=r"did not write \(link, mine\); nothing was deleted"):
        workspace.claim()
    assert (workspace.root / "link").is_symlink()
    assert (workspace.root / "mine").is_dir()


def test_a_run_that_was_killed_while_it_wrote_leaves_a_folder_that_the_next_one_takes(workspace):
    workspace.claim().release()
    for name in (".machine.db-wal", "..pytest_navigator.json.x1y2", "model-abc/.suite.json.x1y2"):
        (workspace.root / name).parent.mkdir(exist_ok=True)
        (workspace.root / name).write_text("half")
    workspace.claim().release()
    assert sorted(path.name for path in workspace.root.iterdir()) == [
        ".devices",
        ".gitignore",
        ".pytest_navigator.json",
        ".pytest_navigator.json.run",
        ".pytest_navigator.lock",
    ]


def test_the_folder_keeps_itself_out_of_the_users_repository(workspace):
    workspace.claim().release()
    subprocess.run(["git", "init", "-q"], cwd=workspace.root.parent, check=True)
    git = ["git", "status", "--porcelain", "-uall", "."]
    assert subprocess.check_output(git, cwd=workspace.root.parent) == b""
    (workspace.root / ".gitignore").write_text("*.log\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"did not write \(\.gitignore\)"):
        workspace.claim()


def test_two_runs_cannot_have_one_workspace(workspace):
    lock = workspace.claim()
    code = "import sys, pathlib, pytest_navigator.engine.workspace as w; w.Workspace(pathlib.Path(sys.argv[1])).claim()"
    other = subprocess.run([sys.executable, "-c", code, workspace.root], capture_output=True, text=True, check=False)
    lock.release()
    assert "is in use by another run" in other.stderr


def test_suites_of_one_name_have_folders_of_their_own(workspace):
    first, second = (workspace.suite("model", f"tests/{n}/conftest.py::nav_model") for n in "ab")
    assert first.path != second.path
    assert first.path.name.startswith("model-")


def test_a_step_that_measures_has_the_machine_for_itself(workspace):
    workspace.claim().release()
    with workspace.machine(exclusive=True):
        other = ReadWriteLock(workspace.root / MACHINE, is_singleton=False)
        with pytest.raises(Timeout):
            other.acquire_read(timeout=0.05)
    with workspace.machine(exclusive=False):
        assert other.acquire_read(timeout=5)
        other.release()


def test_a_step_whose_process_died_gets_the_outcome_that_it_noted_before(workspace):
    folder = workspace.suite("model", "conftest.py::nav_model")
    crashed = Outcome("export", Status.FAILED, "onnx", message="the process ended")
    folder.start(crashed)
    assert folder.unfinished() == ["export.onnx"]
    assert folder.bury("export.onnx") == crashed
    assert folder.record("export.onnx") == crashed
    assert folder.unfinished() == []


@pytest.mark.parametrize(("text", "safe"), [("resnet50", "resnet50"), ("torch-trt-fp16.x", "torch-trt-fp16.x")])
def test_a_safe_name_stays(text, safe):
    assert slug(text) == safe


@pytest.mark.parametrize("text", ["a/b", "../up", "x:y", "", "é", "a" * 300])
def test_any_other_name_becomes_one_file_name(text):
    assert "/" not in slug(text)
    assert not slug(text).startswith(".")
    assert len(slug(text)) < 100


def test_names_that_look_alike_stay_apart():
    assert slug("a/b") != slug("a:b")


def test_the_digest_of_a_folder_follows_names_and_contents(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    first = digest_of(tmp_path)
    (tmp_path / "a" / "x").rename(tmp_path / "a" / "y")
    assert digest_of(tmp_path) != first


def test_the_digest_of_a_large_onnx_model_follows_the_weights_beside_it(tmp_path):
    model, weights = tmp_path / "model.onnx", tmp_path / "model.onnx.data"
    model.write_text("graph")
    alone = digest_of(model)
    assert files_of(model) == [model]
    weights.write_text("1")
    first = digest_of(model)
    assert files_of(model) == [model, weights]
    weights.write_text("2")
    assert len({alone, first, digest_of(model)}) == 3
