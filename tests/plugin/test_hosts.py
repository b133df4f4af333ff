"""pytest-xdist over hosts that share no disk with the run: each works in its own folder, and the run is as one."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from blackbox import DENSE, FAKE_FORMAT, status

from tests.package.commands import command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]

pytestmark = pytest.mark.slow

CONFIG = "nav_config = NavConfig(framework='dense', formats=[FakeConfig({})])\n"

SEES = """
def pytest_sessionstart():
    from pathlib import Path
    here = Path(__file__).parent
    known = [Path(line) for line in (here / "folders.txt").read_text().splitlines()]
    (here / "seen.txt").write_text("\\n".join(f.name for f in known if (f / "conftest.py").exists()))
"""

# A host of its own as far as this system allows it: another home, no network, and a disk without the others' folders.
PYTHON = """#!/bin/sh
export HOME={home} TMPDIR={home}
exec {apart} sh -c '{hide} exec "$@"' sh {python} "$@"
"""


def unshare() -> list[str]:
    """Return the command whose child has mounts and a network of its own, nothing where that is not allowed."""
    mount = ["mount", "-t", "tmpfs", "none", "/mnt"]
    for start in (["unshare", "-mn"], ["unshare", "-rmn"]):
        if shutil.which("unshare") and not subprocess.run([*start, *mount], capture_output=True).returncode:
            return start
    return []


@pytest.fixture
def folders(pytester: pytest.Pytester, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the folder of the run, and those of two hosts, with copies of one project."""
    base = tmp_path_factory.mktemp("hosts")
    found = [pytester.path, *(base / name for name in ("red", "blue"))]
    for folder in found:
        folder.mkdir(exist_ok=True)
        (folder / "folders.txt").write_text("\n".join(map(str, found)))
        (folder / "pytest.ini").write_text("[pytest]\n")
        project(folder)
    return found


def project(folder: Path, config: str = "", more: str = "") -> None:
    (folder / "fake_format.py").write_text(FAKE_FORMAT)
    (folder / "conftest.py").write_text(DENSE + CONFIG.format(config) + SEES + more)


@pytest.fixture
def hosts(folders: list[Path]) -> list[str]:
    """Return pytest-xdist's specification of each host."""
    found = []
    for folder in folders[1:]:
        hidden = [other for other in folders if other != folder] if unshare() else []
        home = folder.parent / f"home-{folder.name}"
        home.mkdir()
        python = folder.parent / f"python-{folder.name}"
        hide = "".join(f"mount -t tmpfs none {other} && " for other in hidden)
        python.write_text(PYTHON.format(home=home, apart=" ".join(unshare()), hide=hide, python=sys.executable))
        python.chmod(python.stat().st_mode | stat.S_IXUSR)
        found.append(f"popen//python={python}//chdir={folder}//id={folder.name}")
    return found


@pytest.fixture
def run(pytester: pytest.Pytester, hosts: list[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest on the hosts; pytest-rerunfailures asks for the run on the loopback of each."""
    monkeypatch.setenv("COLUMNS", "500")

    def start(*args: str, on: list[str] = hosts, profile: bool = False) -> pytest.RunResult:
        given = [f"--tx={spec}" for spec in on] + ([] if profile else ["--nav-no-profile"])
        plugins = [word for name in ("randomly", "rerunfailures", "html") for word in ("-p", f"no:{name}")]
        return pytester.runpytest_subprocess(*plugins, "--nav", *given, "--nav-package=out.nav", *args)

    return start


def machines(package: Path) -> dict[str, str]:
    steps = status(package)["pytest_navigator"]["steps"]
    return {name: step["data"]["machine"] for name, step in steps.items()}


def calls(folders: list[Path]) -> Counter[str]:
    texts = [path.read_text() for folder in folders if (path := folder / "calls.txt").exists()]
    return Counter(line for text in texts for line in text.split())


def test_two_hosts_without_a_shared_disk_are_as_one(run: Run, folders: list[Path]) -> None:
    here, red, blue = folders
    result = run("--dist=load", "--nav-json=out.json", "--junitxml=out.xml", profile=True)

    result.assert_outcomes(passed=8)
    details = status(here / "out.nav")["pytest_navigator"]
    assert details["complete"]
    assert {*details["machines"]} == {*machines(here / "out.nav").values()} == {"red", "blue"}
    result.stdout.fnmatch_lines(["machine: red (*): * steps*", "machine: blue (*): * steps*", "package: out.nav"])
    assert {*re.findall(r'nav_machine" value="(\w+)"', (here / "out.xml").read_text())} == {"red", "blue"}
    # Nothing of one host is on the other, or here.
    for folder, others in ((red, (here, blue)), (blue, (here, red)), (here, (red, blue))):
        files = [path for path in (folder / "navigator_workspace").rglob("*") if path.is_file()]
        assert not [path for path in files for other in others if f"{other}/".encode() in path.read_bytes()]
    if unshare():
        assert [(folder / "seen.txt").read_text() for folder in (red, blue)] == ["red", "blue"]
    assert command("show", here / "out.nav").code == 0
