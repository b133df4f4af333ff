"""What the README says is so: its commands run, its code works, its tables are complete."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest
from documents import ROOT
from documents import Block
from documents import blocks
from documents import copy_of
from documents import not_seen
from documents import run

from pytest_navigator import NavConfig
from pytest_navigator.configuration.settings import OPTIONS

if TYPE_CHECKING:
    from pathlib import Path

README = (ROOT / "README.md").read_text(encoding="utf-8")
INSTALL = re.compile(r"python3 -m venv \.venv && \.venv/bin/pip install -q -c constraints\.txt -e '\.\[[\w,]+\]' && ")
NAMED = re.compile(r"# (\w+\.py)\n")


PAGES = ["README.md", "CHANGELOG.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]


def marked(name: str) -> str:
    """Return the command below a marker."""
    return blocks(README.partition(f"<!-- {name} -->")[2], "shell")[0].text.strip()


def python_blocks(*, named: bool) -> list[Block]:
    return [block for block in blocks(README, "python") if bool(NAMED.match(block.text)) is named]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the files that the README's code blocks name."""
    for block in python_blocks(named=True):
        found = NAMED.match(block.text)
        assert found is not None
        (tmp_path / found[1]).write_text(block.text, encoding="utf-8")
    return tmp_path


def test_the_first_command_shows_what_stands_below_it_and_leaves_a_package(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / name, tmp_path)
    copy_of(ROOT / "example_projects" / "torch_linear", tmp_path / "example_projects" / "torch_linear")
    install = INSTALL.match(marked("example"))
    assert install is not None

    ran = run(marked("example").removeprefix(install[0]).removeprefix(".venv/bin/"), tmp_path)

    assert ran.returncode == 0, ran.stdout
    assert not_seen(blocks(README, "text")[0].text, ran.stdout) == [], ran.stdout
    assert (tmp_path / "torch_linear.nav").is_file()


def test_the_second_command_runs_the_tests_and_is_what_ci_runs() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").partition('echo "+')[0]
    found = subprocess.run(
        ["bash", "-euc", script.replace('cd "$(dirname "$0")/.."', f"cd '{ROOT}'") + 'printf %s "$command"'],
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout == marked("tests")
    assert re.fullmatch(INSTALL.pattern + r"\.venv/bin/python -m pytest --durations=25", marked("tests"))


def test_the_code_and_the_ci_command_work_as_they_stand(project: Path) -> None:
    for block in blocks(README.partition("## In CI")[2], "shell"):
        ran = run(block.text, project)
        assert ran.returncode == 0, ran.stdout
        assert "verify_the_same_class_wins[" not in ran.stdout.partition("short test summary")[2]

    reading = [block.text for block in python_blocks(named=False) if "out.nav" in block.text]
    read = subprocess.run([sys.executable, "-c", *reading], cwd=project, check=True, capture_output=True, text=True)
    assert "'onnx': True" in read.stdout


def test_the_configuration_can_be_written_like_that() -> None:
    sources = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    found = [*python_blocks(named=False), *blocks(sources, "python")]
    configurations = [block for block in found if "NavConfig(" in block.text]

    for block in configurations:
        names: dict[str, object] = {}
        exec(compile(block.text, "README.md", "exec"), names)
        assert isinstance(names["nav_config"], NavConfig)
    assert len(configurations) > 1


def test_the_ini_settings_are_read(project: Path) -> None:
    (ini,) = blocks(README, "ini")
    (project / "pytest.ini").write_text(ini.text, encoding="utf-8")

    ran = run("pytest --nav --nav-show-config --collect-only -q", project)

    origins = [line.partition("=")[0].strip() for line in ini.lines if "=" in line]
    assert [name for name in origins if f"(ini: {name})" not in ran.stdout] == []


def test_the_table_of_options_is_complete(pytester: pytest.Pytester) -> None:
    shown = pytester.runpytest("--help").stdout.str()
    table = README.partition("<!-- options -->")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[3:]]
    flags = [re.findall(r"--[\w-]+", flag)[0] for flag, *_ in rows]

    assert sorted(flags) == sorted(re.findall(r"^ +(--nav[\w-]*)", shown, re.MULTILINE))
    assert sorted(ini.strip("`") for _, _, ini, _ in rows if ini) == sorted(re.findall(r"^ +(nav_\w+) \(", shown, re.M))
    fields = {flag: field for flag, (_, field, *_) in zip(flags, rows, strict=True)}
    assert [option.flag for option in OPTIONS if fields[option.flag] != f"`{option.name}`"] == []


def test_the_table_of_formats_names_every_field() -> None:
    import pytest_navigator as nav
    from pytest_navigator.formats.base import FormatConfig

    text = README.partition("## Configuration")[2].partition("### Options")[0]
    classes = [getattr(nav, name) for name in nav.__all__ if name.endswith("Config") and name != "NavConfig"]

    for kind in (c for c in classes if issubclass(c, FormatConfig) and c is not FormatConfig):
        assert f"| `{kind.__name__}` |" in text
        hidden = {"graph_surgeon_optimization", "export_device"}
        names = [field.name for field in fields(kind)]
        assert [name for name in names if f"`{name}`" not in text and name not in hidden] == []


@pytest.mark.parametrize(
    "name", ["README.md", "CHANGELOG.md", *(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]
)
def test_links_to_files_lead_somewhere(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"\]\(([^)#:\s]+)\)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_unreleased_changes_stand_on_top() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert headings[0] == "Unreleased"
