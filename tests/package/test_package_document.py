"""docs/package.md: its code runs, and its tables are complete."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_navigator as nav
from pytest_navigator.errors import PackageError
from tests.package.pair_project import PROJECT

PAGE = (Path(__file__).parents[2] / "docs" / "package.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_code_runs_as_it_stands(pair: Path, tmp_path: Path) -> None:
    shutil.copy(pair, tmp_path / "out.nav")
    (tmp_path / "model.py").write_text(PROJECT)
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))

    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    assert "{'torch': True, 'torchscript-script': True, 'torchscript-trace': True, 'onnx': True}" in ran.stdout
    assert "(-1, 5) float32" in ran.stdout
    with nav.load(tmp_path / "verified.nav") as saved:
        assert saved.is_verified("onnx", "cpu")


@pytest.mark.parametrize(("heading", "function"), [("`nav.load(path", nav.load), ("`save(path", nav.Package.save)])
def test_the_tables_name_every_argument_with_its_default(heading: str, function: object) -> None:
    table = PAGE.partition(f"| {heading}")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", table, re.MULTILINE))
    parameters = inspect.signature(function).parameters.values()

    assert rows == {p.name: str(p.default) for p in parameters if p.name not in ("self", "path")}


def test_every_strategy_is_in_its_table() -> None:
    names = [name for name in nav.__all__ if name.endswith("Strategy")]

    assert len(names) == 5
    assert set(re.findall(r"^\| `(\w+Strategy)\(", PAGE, re.MULTILINE)) == set(names)


@pytest.mark.parametrize("name", ["Format", "JitType", "TensorRTPrecision", "RuntimeProvider", "MeasurementMode"])
def test_a_member_of_an_enumeration_is_its_string(name: str) -> None:
    members = list(getattr(nav, name))

    assert len(members) > 1
    assert [f"{member}" for member in members] == [member.value for member in members]


def test_the_namespace_of_the_later_documents_is_there(pair: Path, tmp_path: Path) -> None:
    package = nav.package.load(pair)
    nav.package.save(package=package, path=tmp_path / "out.nav")
    with pytest.raises(PackageError, match="override=True"):
        nav.package.save(package=package, path=tmp_path / "out.nav")
