"""docs/command-line.md: its commands run, and print what stands below them."""

from __future__ import annotations

import re
import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from documents import ROOT, Block, blocks, copy_of, not_seen, run

from pytest_navigator.cli import COMMANDS
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.layout.recorded import recorded

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
# A server runs until it is stopped, here once it has said all.
STOPPED = "{} --port=0 > said & until grep -q '^curl' said; do kill -0 $!; sleep 0.1; done; kill $!; wait $!; cat said"
QUICK = " --nav-profile-seconds=0.05 -q -p no:cacheprovider"


def commands(block: Block) -> list[str]:
    """Return the lines of a block as this checkout runs them, and pytest's without long measurements."""
    module = f"'{sys.executable}' -m pytest_navigator"
    lines = [
        line.replace("pytest-navigator", module) + (QUICK if line.startswith("pytest ") else "") for line in block.lines
    ]
    return [STOPPED.format(line) if " serve " in line else line for line in lines]


def marked(name: str) -> Block:
    return blocks(PAGE.partition(f"<!-- {name} -->")[2], "shell")[0]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's folder in a checkout, in which the page's two runs have been, with the file of one."""
    checkout = tmp_path_factory.mktemp("page")
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / name, checkout)
    folder = copy_of(ROOT / "example_projects" / "torch_linear", checkout / "example_projects" / "torch_linear")
    for command in [*commands(marked("matrix")), *commands(marked("file"))]:
        ran = run(command, folder)
        assert ran.returncode == 0, ran.stdout
    return folder


def shown() -> list[tuple[Block, Block]]:
    """Return every command that has its output below it."""
    pairs = re.findall(r"```shell\n([^\n]*\n)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    return [(Block("shell", command), Block("text", output)) for command, output in pairs]


@pytest.mark.slow
@pytest.mark.parametrize(("command", "output"), shown(), ids=[command.text.split()[1] for command, _ in shown()])
def test_each_command_prints_what_stands_below_it(project: Path, command: Block, output: Block) -> None:
    (line,) = commands(command)
    ran = run(line, project)

    assert ran.returncode == 0, ran.stdout
    assert not_seen(output.text, ran.stdout) == [], ran.stdout


def test_the_page_shows_every_command() -> None:
    names = [module.__name__.rpartition(".")[2] for module in COMMANDS]

    assert sorted(command.text.split()[1] for command, _ in shown()) == sorted(names)
    assert re.findall(r"^\| `(\w+) ", PAGE, re.MULTILINE) == names


@pytest.mark.slow
def test_a_second_job_from_the_package_of_the_first_is_merged_with_it(tmp_path: Path) -> None:
    shutil.copy(ROOT / "example_projects" / "torch_linear" / "conftest.py", tmp_path)
    first, second, merge = commands(marked("machines"))
    # Without a GPU another runtime stands for it.
    first = f"{first} --nav-formats=torchscript-trace,onnx"
    second = f"{second.replace('--nav-runtimes=cuda', '--nav-runtimes=cpu')} --nav-formats=onnx"
    for command in (first, second, merge):
        ran = run(command, tmp_path)
        assert ran.returncode == 0, ran.stdout

    with open_package(tmp_path / "both.nav") as package:
        package.verify()
        results = recorded(package)
    assert list(results.machines) == ["cpu", "gpu"]
    assert {o.id: o.data["machine"] for o in results.others if o.step == "correctness"} == {
        "correctness.onnx.OnnxCPU": "gpu"
    }
    assert results.suite.provided == results.missing == ()
