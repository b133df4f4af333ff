"""In the C locale, without Python's UTF-8 mode, as in a slim container: files are UTF-8 all the same."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest
from blackbox import status

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Fake, Nav

pytestmark = pytest.mark.real_processes

C_LOCALE = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture(autouse=True)
def c_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in C_LOCALE.items():
        monkeypatch.setenv(name, value)


def insert(path: Path, before: str, line: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, before + line, 1), encoding="utf-8")


@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["one process", "n1"])
def test_a_run_packs_what_one_elsewhere_does(dense: Fake, nav: Nav, workers: tuple[str, ...]) -> None:
    project = dense(name="'modèle'")
    project.makefile(".ini", pytest="[pytest]\nnav_redact =\n    größe-[0-9]+\n")
    insert(project.path / "fake_format.py", "    def export(self, source, example, signature, variant, path):\n", SAY)
    result = nav("--nav-package=out.nav", "-v", "-ra", *workers, formats="", subprocess=True)

    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    assert status(project.path / "out.nav")["pytest_navigator"]["suite"]["name"] == "modèle"
    with zipfile.ZipFile(project.path / "out.nav") as package:
        log = package.read("fake/format.log").decode("utf-8")
    assert "überall" in log
    assert "größe-77" not in log


SAY = "        print('größe-77, überall')\n"
READ = "open(Path(__file__).with_name('notes.txt')).read()\n"


def test_what_runs_in_a_process_of_its_own_reads_utf8(dense: Fake, nav: Nav) -> None:
    project = dense()
    (project.path / "notes.txt").write_text("größe", encoding="utf-8")
    insert(project.path / "fake_format.py", "    def activate(self):\n", f"        {READ}")

    result = nav(formats="", subprocess=True)

    assert result.ret == 0, result.stdout.str()


def test_what_reads_files_as_ascii_is_told_what_to_set(dense: Fake, nav: Nav) -> None:
    project = dense()
    (project.path / "notes.txt").write_text("größe", encoding="utf-8")
    insert(project.path / "conftest.py", "def nav_model():\n", f"    from pathlib import Path\n    {READ}")

    result = nav(formats="", subprocess=True)

    result.stdout.fnmatch_lines(["FAILED: source: nav_model raised UnicodeDecodeError: *set PYTHONUTF8=1"])
