from __future__ import annotations

import pytest

from tests.reproduce.project import Project
from tests.reproduce.project import Ran
from tests.reproduce.project import make_project
from tests.reproduce.project import run_all


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("unpacked"))


@pytest.fixture(scope="session")
def ran(project: Project) -> dict[tuple[str, str], Ran]:
    """How the script of every recorded step ended."""
    return run_all(project)
