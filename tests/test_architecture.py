"""The page on the architecture has the folders that there are, in the order that the contracts hold them to."""

from __future__ import annotations

import re
import sys
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "pytest_navigator"
TESTS = ROOT / "tests"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]

sys.path.insert(0, str(ROOT / "benchmarks"))

from structure import (  # noqa: E402
    House,
    circles,
)


def drawn() -> list[set[str]]:
    """Return the layers of the drawing, the upper ones first."""
    (drawing,) = re.findall(r"^cli .*?(?=\n```)", PAGE, re.MULTILINE | re.DOTALL)
    return [set(re.split(r" \| ", re.split(r"  +", line)[0])) for line in drawing.splitlines()]


def test_the_drawing_has_every_folder_and_file_of_the_house() -> None:
    there = {path.stem for path in HOUSE.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    files = {path.stem for path in HOUSE.glob("*.py")} - {"__init__", "__main__", "_version"}

    assert set().union(*drawn()) == there | files


def test_the_drawing_has_the_layers_of_the_contract_in_their_order() -> None:
    (layers,) = [contract["layers"] for contract in CONTRACTS if contract["type"] == "layers"]

    assert [set(layer.split(" : ")) - {"_version"} for layer in layers] == drawn()


def test_every_module_that_the_page_names_is_there() -> None:
    rooms = "|".join(sorted(set().union(*drawn())))
    named = re.findall(rf"\b((?:{rooms})/[\w/]+)", PAGE)

    assert [name for name in named if not _exists(name)] == []


def test_no_two_files_import_each_other_in_a_circle() -> None:
    house = House(ROOT)

    assert circles(house.edges("top", "local", "tc")) == []


def test_the_tests_of_a_folder_stand_under_its_name() -> None:
    folders = {path.parent.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py")} - {"."}

    assert sorted(folder for folder in folders if not (HOUSE / folder / "__init__.py").is_file()) == []


def test_no_two_folders_without_a_module_of_their_own_name_a_test_file_alike() -> None:
    names = Counter(path.name for path in TESTS.rglob("test_*.py") if not (path.parent / "__init__.py").exists())

    assert [name for name, files in names.items() if files > 1] == []


def _exists(name: str) -> bool:
    path = HOUSE / name
    return path.is_dir() or path.with_suffix(".py").is_file() or path.is_file()
