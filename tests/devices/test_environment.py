from __future__ import annotations

import json
import platform
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.devices.environment import environment, git_state, python_packages

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "model.py").write_text("x = 1\n")
    git(tmp_path, "add", "model.py")
    git(tmp_path, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-q", "-m", "x")
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def test_the_block_is_model_navigators_and_plain_data() -> None:
    block = environment()

    assert list(block) == ["cpu", "memory", "gpu", "os", "python_version", "python_packages", "libraries"]
    assert list(block["cpu"]) == ["name", "physical_cores", "logical_cores", "min_frequency", "max_frequency"]
    assert block["cpu"]["logical_cores"] >= 1
    assert block["cpu"]["name"]
    assert block["python_version"] == platform.python_version()
    assert json.loads(json.dumps(block)) == block


def test_the_packages_are_those_of_the_running_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "pip", "#!/bin/sh\necho numpy==0.0.0\n")
    monkeypatch.setenv("PATH", str(tmp_path))

    packages = environment()["python_packages"]
    assert packages["numpy"] == version("numpy")
    assert packages["pytest"] == version("pytest")


def test_the_first_distribution_on_the_path_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "numpy-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 9.9\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    assert python_packages()["numpy"] == "9.9"


@pytest.mark.real_processes
def test_no_framework_is_imported_for_it() -> None:
    script = (
        "import sys; from pytest_navigator.devices.environment import environment; environment();"
        "print([m for m in ('torch', 'onnx', 'onnxruntime', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"


def test_git_tells_commit_branch_and_changes(repo: Path) -> None:
    (repo / "navigator_workspace").mkdir()
    (repo / "navigator_workspace" / "status.yaml").write_text("untracked")

    state = {"commit": git(repo, "rev-parse", "HEAD"), "branch": "main", "dirty": False, "url": None}
    assert git_state(repo) == state
    (repo / "model.py").write_text("x = 2\n")
    assert git_state(repo) == state | {"dirty": True}
    git(repo, "checkout", "-q", "--detach")
    assert git_state(repo) == state | {"dirty": True, "branch": None}


def test_outside_of_a_checkout_there_is_no_git_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_state(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) is None
