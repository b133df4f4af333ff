from __future__ import annotations

import pytest

from tests.reproduce.others import MODULES, OTHERS, make_others
from tests.reproduce.project import Project, Ran, make_project, run_all


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("unpacked"))


@pytest.fixture(scope="session")
def ran(project: Project) -> dict[tuple[str, str], Ran]:
    """How the script of every recorded step ended."""
    return run_all(project)


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The models of the other sources than PyTorch."""
    for package in ("tensorflow", "tf2onnx", "jax", "jax2onnx"):
        pytest.importorskip(package)
    return make_others(tmp_path_factory.mktemp("others"), tmp_path_factory.mktemp("others_unpacked"))


@pytest.fixture(scope="session")
def others_ran(others: Project) -> dict[tuple[str, str], Ran]:
    return run_all(others, MODULES)


@pytest.fixture
def home(model: str, request: pytest.FixtureRequest) -> Project:
    """The project of the model that a test is about."""
    found: Project = request.getfixturevalue("others" if model in OTHERS else "project")
    return found


@pytest.fixture
def scripts(model: str, request: pytest.FixtureRequest) -> dict[tuple[str, str], Ran]:
    """How the scripts of that project ended."""
    found: dict[tuple[str, str], Ran] = request.getfixturevalue("others_ran" if model in OTHERS else "ran")
    return found
