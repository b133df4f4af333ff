"""pytest-xdist over hosts that share no disk with the run: each works in its own folder, and the run is as one."""

from __future__ import annotations

import re
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from blackbox import DENSE, FAKE_FORMAT, status

from tests.package.commands import command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]

pytestmark = pytest.mark.slow

MODEL = """
@pytest.fixture(scope="session")
def nav_model():
    return Dense(np.ones((7, 5), "float32"), np.ones(7, "float32"))

@pytest.fixture(scope="session")
def nav_dataloader():
    return [np.random.randn(3, 5).astype("float32") for _ in range(4)]
"""

CONFIG = "nav_config = NavConfig(framework='dense', formats=[FakeConfig({})])\n"

SEES = """
def pytest_sessionstart():
    from pathlib import Path
    here = Path(__file__).parent
    known = [Path(line) for line in (here / "folders.txt").read_text().splitlines()]
    (here / "seen.txt").write_text("\\n".join(f.name for f in known if (f / "conftest.py").exists()))
"""

DYING = """
def pytest_runtest_setup(item, ran=[]):
    ran.append(item)
    if len(ran) == 2:
        import os
        os._exit(1)
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
        return pytester.runpytest_subprocess(*plugins, "--nav", "--dist=load", *given, "--nav-package=out.nav", *args)

    return start


@pytest.fixture
def server(folders: list[Path]) -> Iterator[str]:
    """Start execnet's server in the second host's folder, which ends with its second test; returns its address."""
    folder = folders[2]
    project(folder, more=DYING)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    start = [sys.executable, "-m", "execnet.script.socketserver", address]
    process = subprocess.Popen(start, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        _await(address)
        yield address
    finally:
        process.kill()
        process.wait()


def _await(address: str) -> None:
    name, _, port = address.partition(":")
    for _ in range(400):
        with socket.socket() as probe:
            if probe.connect_ex((name, int(port))) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nobody listens at {address}")


def machines(package: Path) -> dict[str, str]:
    steps = status(package)["pytest_navigator"]["steps"]
    return {name: step["data"]["machine"] for name, step in steps.items()}


def calls(folders: list[Path]) -> Counter[str]:
    texts = [path.read_text() for folder in folders if (path := folder / "calls.txt").exists()]
    return Counter(line for text in texts for line in text.split())


def test_two_hosts_without_a_shared_disk_are_as_one(run: Run, folders: list[Path]) -> None:
    here, red, blue = folders
    result = run("--nav-profile-seconds=0.1", "--nav-json=out.json", "--junitxml=out.xml", profile=True)

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


def test_hosts_that_disagree_are_named_with_the_step(run: Run, folders: list[Path]) -> None:
    here, _, blue = folders
    project(blue, "scale=2.0")
    result = run("--dist=each")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["FAILED: conflict: correctness.fake.FakeCPU: failed on blue (*), passed on red"])
    details = status(here / "out.nav")["pytest_navigator"]
    assert details["steps"]["correctness.fake.FakeCPU"]["status"] == "failed"
    assert {step["data"]["machine"] for step in details["others"]} == {"red", "blue"} - {""}


def test_another_model_on_a_host_is_left_out_and_said(run: Run, folders: list[Path]) -> None:
    here, _, blue = folders
    project(blue, more=MODEL)
    result = run("--dist=each")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    line = (
        "FAILED: conflict: red and blue cannot be merged: the model has other parameters (*); what blue found is left*"
    )
    result.stdout.fnmatch_lines([line])
    assert {*machines(here / "out.nav").values()} == {"red"}


BROKEN = """
@pytest.fixture(scope="session")
def nav_model():
    raise RuntimeError("no weights")
"""


def test_where_the_source_passed_nowhere_one_host_stands(run: Run, folders: list[Path], hosts: list[str]) -> None:
    for folder in folders[1:]:
        project(folder, more=BROKEN)
    on = [hosts[0], hosts[1].replace("//id=blue", "//id=joined")]
    result = run("--dist=each", on=on)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    line = "FAILED: conflict: the source passed on no machine: what joined found of it is left out"
    result.stdout.fnmatch_lines([line])
    assert {*machines(next(folders[0].glob("*.nav"))).values()} == {"red"}


def test_a_host_that_is_lost_costs_its_items(run: Run, folders: list[Path], hosts: list[str], server: str) -> None:
    here, *_ = folders
    other = f"socket={server}//chdir={folders[2]}//id=blue"
    result = run("-v", "--nav-json=out.json", on=[hosts[0], other])

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    # Refused, or reset by a server that is not gone yet.
    result.stdout.fnmatch_lines(["blue (socket=*) is lost: Connection*Error: *; the run goes on without it"])
    result.stdout.fnmatch_lines(["FAILED: blue (socket=*) is lost: *conftest.py::nav_model::test_*"])
    result.stdout.fnmatch_lines(["*worker 'blue' crashed while running *"])
    package = next(here.glob("*.nav"))
    assert {*machines(package).values()} == {"red"}
    assert "is lost" in (here / "out.json").read_text()


SEVERAL = DENSE.replace(
    '(scope="session")\ndef nav_model():', '(scope="session", params=[1, 2])\ndef nav_model(request):'
)


def test_with_loadscope_what_is_of_one_fixture_runs_on_one_host(run: Run, folders: list[Path]) -> None:
    here, *others = folders
    for folder in others:
        (folder / "conftest.py").write_text(SEVERAL + CONFIG.format(""))
        (folder / "more").mkdir()
        (folder / "more" / "conftest.py").write_text(DENSE.partition("def pytest_nav")[0] + CONFIG.format(""))
    result = run("--dist=loadscope", "--nav-package={model}.nav")

    result.assert_outcomes(passed=12)
    assert calls(folders)["export"] == 3
    assert [len({*machines(package).values()}) for package in sorted(here.glob("*.nav"))] == [1, 1, 1]
    assert not {*calls([here])}


def test_a_worker_beside_the_run_is_one_of_the_machines(run: Run, folders: list[Path], hosts: list[str]) -> None:
    here, *_ = folders
    result = run("--dist=each", on=["popen//id=near", hosts[0]])

    result.assert_outcomes(passed=8)
    details = status(here / "out.nav")["pytest_navigator"]
    assert {*details["machines"]} == {"near", "red"}
    assert {step["data"]["machine"] for step in details["others"]} == {"red"}


def test_workers_of_one_host_share_its_folder(run: Run, folders: list[Path], hosts: list[str]) -> None:
    here, *_ = folders
    result = run(on=["2*" + hosts[0].partition("//id=")[0]])

    result.assert_outcomes(passed=4)
    assert {*machines(here / "out.nav").values()} == {"gw0"}
    assert calls(folders)["export"] == 1


def test_a_worker_that_crashes_on_a_host_costs_a_step(run: Run, folders: list[Path], hosts: list[str]) -> None:
    here, red, _ = folders
    project(red, "mode='exit', where='export'")
    result = run(on=hosts[:1])

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    details = status(next(here.glob("*.nav")))["pytest_navigator"]
    assert (details["steps"]["export.fake"]["error"], {*details["machines"]}) == ("crash", {"red"})
    assert details["steps"]["correctness.dense.DenseCPU"]["status"] == "passed"


OLD = """
import pytest_navigator.plugin.joining
pytest_navigator.plugin.joining.__version__ = "0.0.1"
"""


WRONG = {
    "version": "ERROR: blue has pytest-navigator 0.0.1, and*",
    "workspace": "ERROR: blue: the workspace *thesis.txt*",
    "setting": "ERROR: *blue/pytest.ini: nav_cache_steps: *",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_on_a_host_is_a_usage_error(run: Run, folders: list[Path], wrong: str) -> None:
    here, _, blue = folders
    if wrong == "version":
        project(blue, more=OLD)
    elif wrong == "setting":
        (blue / "pytest.ini").write_text("[pytest]\nnav_cache_steps = nonsense\n")
    else:
        (blue / "navigator_workspace").mkdir()
        (blue / "navigator_workspace" / "thesis.txt").touch()
    result = run("--nav-timeline")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines([WRONG[wrong]])
    assert not (blue / "navigator_workspace" / ".timeline").exists()
    assert not [*here.glob("*.nav")]


def test_a_host_on_which_pytest_cannot_begin_ends_the_run(run: Run, folders: list[Path]) -> None:
    (folders[2] / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    result = run()

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["blue (popen*) is lost: OSError: pytest cannot begin there; the run ends"])
