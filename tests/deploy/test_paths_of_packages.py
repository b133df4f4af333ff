"""A path where an open package is needed is told so."""

from __future__ import annotations

from pathlib import Path

import pytest

import pytest_navigator as nav
from pytest_navigator.errors import ConfigError

SAID = r"package='out\.nav': an open package is needed: nav\.load\('out\.nav'\)"


@pytest.mark.parametrize("package", ["out.nav", Path("out.nav")])
def test_pytriton_and_triton_take_open_packages(package: str | Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=SAID):
        nav.pytriton.PyTritonAdapter(package)
    with pytest.raises(ConfigError, match=SAID):
        nav.triton.model_repository.add_model_from_package(tmp_path, "model", package)
