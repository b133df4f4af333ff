"""What the README says is so: its commands run, its code works, and it stays a first page."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from documents import ROOT, blocks, copy_of, not_seen, run

if TYPE_CHECKING:
    from pathlib import Path

README = (ROOT / "README.md").read_text(encoding="utf-8")
INSTALL = re.compile(r"python3 -m venv \.venv && \.venv/bin/pip install -q -c constraints\.txt -e '\.\[[\w,]+\]' && ")


def marked(name: str) -> str:
    """Return the command below a marker."""
    return blocks(README.partition(f"<!-- {name} -->")[2], "shell")[0].text.strip()


@pytest.mark.slow
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
    command = r"\.venv/bin/python -m pytest -n 2 --durations=25 -m \"not slow\""
    assert re.fullmatch(INSTALL.pattern + command, marked("tests"))


def test_ci_runs_what_the_second_command_leaves_out() -> None:
    """Each test is run by one of both: the one has the mark of the other, and nothing else differs."""
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    _, _, command = marked("tests").rpartition("&& ")

    assert command.replace('-m "not slow"', "-m slow") in lines


def test_it_is_a_first_page() -> None:
    assert len(README.splitlines()) <= 80


def test_it_is_read_on_a_package_index_where_no_file_is_beside_it() -> None:
    links = re.findall(r"\]\(([^)\s]+)\)|^\[\w+\]: (\S+)", README, re.MULTILINE)

    assert [link for pair in links for link in pair if link and not link.startswith("https://")] == []
