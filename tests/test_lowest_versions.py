"""The oldest versions that are promised are those that are tested, and pytest 8 reads what pytest 9 does."""

from __future__ import annotations

import tomllib
from configparser import ConfigParser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
EXTRAS = ("torch", "onnx", "tensorflow", "jax", "benchmark")


def promised() -> dict[str, Version]:
    """The floor of every package that the plugin or an extra of it needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [text for extra in EXTRAS for text in project["optional-dependencies"][extra]]
    floors = {}
    for requirement in map(Requirement, (*project["dependencies"], *extras)):
        (floor,) = (s for s in requirement.specifier if s.operator == ">=")
        floors[requirement.name] = Version(floor.version)
    return floors


def pinned(file: str) -> dict[str, Version]:
    lines = [line for line in (ROOT / file).read_text().splitlines() if line and not line.startswith("#")]
    return {name: Version(version) for name, version in (line.split("==") for line in lines)}


def test_every_floor_is_the_version_that_the_lowest_environment_installs() -> None:
    lowest = pinned("constraints-lowest.txt")

    assert promised() == {name: lowest[name] for name in promised()}


def test_no_version_is_tested_below_what_is_promised() -> None:
    newest = pinned("constraints.txt")

    assert {name: floor for name, floor in promised().items() if newest[name] < floor} == {}


def test_pytest_8_knows_the_markers_that_pytest_9_does() -> None:
    ini = ConfigParser(interpolation=None)
    ini.read(ROOT / "tox.ini", encoding="utf-8")
    own = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["markers"]

    assert ini["pytest"]["markers"].split("\n")[1:] == own
