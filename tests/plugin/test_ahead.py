"""With steps that run ahead of their items, a run is what it is without: outcomes, messages, records, the package."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from blackbox import DENSE, FAKE_FORMAT
from test_interrupted import ended, interrupt, started

from pytest_navigator.engine.workspace import MARKER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from blackbox import Nav

FORMATS = '''
"""A format that is converted, and one whose export takes until something else has run ahead, where something does."""

import os
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from fake_format import Fake, FakeCPU, Other, call, note
from pytest_navigator import Variant
from pytest_navigator.configuration.format_config import FormatConfig
from pytest_navigator.errors import StepFailed
from pytest_navigator.core.script_parts import MakingCode
from pytest_navigator.formats.base import Format
from pytest_navigator.samples.npz import save_npz

HERE = Path(__file__).parent


@dataclass(frozen=True)
class TurnedConfig(FormatConfig):
    mode: str = ""
    where: str = ""
    scale: float = 1.0
    fail_once: bool = False


class TurnedCPU(FakeCPU):
    name = "TurnedCPU"
    format = "turned"

    def infer(self, feed):
        note("turned-infer")
        return super().infer(feed)


class Turned(Format):
    name = "turned"
    config = TurnedConfig
    parent = "fake"
    frameworks = ("dense",)
    runners = (TurnedCPU,)

    def variants(self, config, parents):
        own = {"mode": config.mode, "where": config.where, "scale": config.scale, "fail_once": config.fail_once}
        return [Variant("turned", "turned", parent.key, "model.npz", own) for parent in parents]

    def convert(self, parent, example, signature, variant, path):
        call("convert", variant.parameters)
        print("turning", parent)
        flag = HERE / "convert_failed"
        if variant.parameters["fail_once"] and not flag.exists():
            flag.touch()
            raise StepFailed("the first conversion always fails")
        with np.load(parent) as file:
            save_npz(path, {name: file[name] * variant.parameters["scale"] for name in file})
        (path.parent / "notes.txt").write_text("beside it")
        return {}

    def convert_script(self, subject):
        note("script-by-" + threading.current_thread().name)
        return MakingCode("shutil.copy(args.artifact, args.output)", imports=("import shutil",))


@dataclass(frozen=True)
class LateConfig(FormatConfig):
    pass


class Late(Other):
    name = "late"
    config = LateConfig

    class LateCPU(Other.OtherCPU):
        name = "LateCPU"
        format = "late"

    runners = (LateCPU,)

    def variants(self, config, parents):
        (variant,) = super().variants(config, parents)
        return [replace(variant, key="late", format="late")]

    def export(self, source, example, signature, variant, path):
        note("late-began")
        print("exporting late")
        word, end = (HERE / "until").read_text(), time.monotonic() + 20
        while word and word not in (HERE / "calls.txt").read_text() and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.2 if word else 0)
        note("late-ended")
        then = HERE / "then"
        if then.exists():
            if then.read_text() == "die":
                os._exit(3)
            (HERE / "waiting.txt").touch()
            time.sleep(600)
        return super().export(source, example, signature, variant, path)
'''

CONFTEST = """
from ahead_formats import Late, LateConfig, Turned, TurnedConfig
{dense}
nav_config = NavConfig(
    name="model", framework="dense", formats=[FakeConfig({fake}), TurnedConfig({turned}), LateConfig()]
)
"""

VERIFY = """
import numpy as np

def verify_shape(nav_runner):
    for _ in range(3):
        assert nav_runner(np.ones((2, 5), "float32")).shape == (2, 7)

def test_of_mine():
    pass
"""

OF_TIME = ("duration", "started", "run", "seconds", "asked_at", "execution_time", "time", "uuid", "timestamp")
ARTIFACT = re.compile(r"\.(npz|nav)$")
TIMES = re.compile(
    r"\d{4}-\d\d-\d\d[ T][\d:.,]+(\+00:00|Z)?|\b\d+(\.\d+)? ?(ms|s)\b|in \d+\.\d+s|0x[0-9a-f]+|[0-9a-f]{32,64}"
    r"|\b\d+(\.\d+)? infer/s|x\d+\.\d+"
)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a model with an exported format, one that is converted from it, and one whose export comes late."""
    monkeypatch.setenv("COLUMNS", "300")

    def write(fake: str = "", turned: str = "") -> Path:
        dense = DENSE.replace("[DenseFormat, Fake, Other]", "[DenseFormat, Fake, Turned, Late]")
        pytester.makepyfile(fake_format=FAKE_FORMAT, ahead_formats=FORMATS)
        pytester.makeconftest(CONFTEST.format(dense=dense, fake=fake, turned=turned))
        return pytester.path

    return write


class Both:
    """A run with steps ahead, and the same one without."""

    def __init__(self, folder: Path, nav: Nav) -> None:
        self.folder, self.nav = folder, nav

    def run(self, *arguments: str, ahead: bool, until: str = "turned-infer", **more: Any) -> dict[str, Any]:
        """Return all that a run says and leaves, but for times."""
        self.prepare(until if ahead else "")
        package = ["--nav-package=out.nav", f"--nav-ahead={int(ahead)}"]
        result = self.nav("-v", *package, *arguments, formats="", **more)
        return {"said": said(result.outlines), "exit": int(result.ret), **left(self.folder)}

    def same(self, *arguments: str, **more: Any) -> dict[str, Any]:
        """Make both, and return what they say and leave."""
        until = more.pop("until", "turned-infer")
        without = self.run(*arguments, ahead=False, **more)
        return alike(without, self.run(*arguments, ahead=True, until=until, **more))

    def interrupted(self, *, ahead: bool) -> dict[str, Any]:
        """Press Ctrl-C in the late export; return the same."""
        self.prepare("turned-infer" if ahead else "")
        with started(self.folder, "-v", "-p", "no:cacheprovider", f"--nav-ahead={int(ahead)}") as run:
            interrupt(run, self.folder / "waiting.txt")
            assert ended(run, self.folder) == pytest.ExitCode.INTERRUPTED
        return {"said": said((self.folder / "output.txt").read_text().splitlines()), **left(self.folder)}

    def prepare(self, until: str) -> None:
        """Remove what the run before has left, but for pytest's cache, and say how long the late export takes."""
        for name in ("navigator_workspace", "calls.txt", "convert_failed", "waiting.txt"):
            path = self.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        for package in self.folder.glob("*.nav"):
            package.unlink()
        (self.folder / "until").write_text(until)

    @property
    def calls(self) -> list[str]:
        """What the formats of the last run were asked for, in order."""
        return (self.folder / "calls.txt").read_text().split()


@pytest.fixture
def both(pytester: pytest.Pytester, nav: Nav) -> Both:
    return Both(pytester.path, nav)


def said(lines: list[str]) -> list[str]:
    """Return the lines of a run without times."""
    return [TIMES.sub("*", line).rstrip("=").rstrip() for line in lines if "random seed" not in line]


def left(folder: Path) -> dict[str, Any]:
    """Return what is in the workspace and in the package, without times and the order of once-a-run names."""
    workspace = folder / "navigator_workspace"
    found = {
        path.relative_to(workspace).as_posix(): content(path.name, path.read_bytes())
        for path in sorted(workspace.rglob("*"))
        if path.is_file()
        and not path.name.endswith(".lock")
        and ".devices" not in path.parts
        and not path.name.startswith(MARKER)
    }
    packages = {path.name: packed(path) for path in sorted(folder.glob("*.nav"))}
    return {"workspace": found, "packages": packages}


def packed(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        return {name: content(name, archive.read(name)) for name in sorted(archive.namelist())}


def content(name: str, data: bytes) -> Any:
    """Return what a file says, without times."""
    if ARTIFACT.search(name) or b"\0" in data:
        return len(data)
    if name.endswith((".json", ".yaml")) and b"duration" in data:
        return without_times(json.loads(data) if name.endswith(".json") else yaml.load(data, yaml.CSafeLoader))
    return TIMES.sub("*", data.decode()).splitlines() if "machine.db" not in name else None


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        # Digests of what has times in it.
        value = {k: v for k, v in value.items() if k not in ("navigator.log", "status.yaml")}
        return {k: without_times(v) for k, v in value.items() if k not in OF_TIME}
    return [without_times(v) for v in value] if isinstance(value, list) else value


def alike(without: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Return what both are."""
    one, other = dict(flat(without)), dict(flat(found))
    different = sorted(place for place in {*one, *other} if one.get(place) != other.get(place))
    assert not different, "\n".join(f"{each}: {one.get(each)!r}, {other.get(each)!r}" for each in different)
    return found


def flat(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested dicts and lists, each with its place."""
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from flat(each, f"{place} {key}")
    else:
        yield place, value


def test_what_a_child_does_by_itself_runs_while_another_format_is_exported(
    project: Callable[..., Path], both: Both
) -> None:
    project()
    assert both.same()["exit"] == pytest.ExitCode.OK
    began, end = both.calls.index("late-began"), both.calls.index("late-ended")
    assert began < both.calls.index("turned-infer") < end
    assert both.calls.count("convert") == 1


def test_scripts_of_steps_ahead_are_written_by_the_main_thread(project: Callable[..., Path], both: Both) -> None:
    """They are made of source code, and Python's parser is not safe in two threads at once."""
    project()
    found = both.same("-k", "export or convert", until="convert")
    assert any(name.endswith("reproduce_conversion.py") for name in found["workspace"])
    assert {call for call in both.calls if call.startswith("script-by-")} == {"script-by-MainThread"}


WRONG = "scale=2.0"
ONCE = "fail_once=True"
CRASHES = {
    "wrong": WRONG,
    "segfault": "mode='segfault', where='infer'",
    "exit in convert": "mode='exit', where='convert'",
    "error": "mode='raise', where='convert'",
}


@pytest.mark.parametrize("turned", CRASHES.values(), ids=CRASHES)
def test_a_failure_ahead_is_its_own_items(project: Callable[..., Path], both: Both, turned: str) -> None:
    project(turned=turned)
    until = "convert" if "convert" in turned else "turned-infer"
    assert both.same(until=until)["exit"] == pytest.ExitCode.TESTS_FAILED
    assert both.calls.index(until) < both.calls.index("late-ended")


SELECTIONS = {
    "x": ["-x"],
    "maxfail": ["--maxfail=2"],
    "k": ["-k", "export or correctness and late"],
    "only what needs it": ["-k", "correctness and turned or late"],
    "reruns": ["--reruns=1"],
    "repeat": ["--count=2"],
}


@pytest.mark.parametrize("arguments", SELECTIONS.values(), ids=SELECTIONS)
def test_a_run_that_is_cut_short_or_goes_on_leaves_the_same(
    project: Callable[..., Path], both: Both, arguments: list[str]
) -> None:
    project(fake=WRONG, turned=ONCE)
    both.same(*arguments, until="" if {"-k", "--count=2"} & {*arguments} else "convert")


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_items_in_another_order_stay_in_it(project: Callable[..., Path], both: Both, seed: str) -> None:
    project(fake=WRONG)
    found = both.same("-p", "pytest_randomly", f"--randomly-seed={seed}", until="")
    assert found["exit"] == pytest.ExitCode.TESTS_FAILED


def test_last_failed_runs_the_same(project: Callable[..., Path], both: Both) -> None:
    project(turned=WRONG)
    both.run(ahead=False)
    shutil.copytree(both.folder / ".pytest_cache", both.folder / "kept")
    without = both.run("--lf", ahead=False)
    shutil.rmtree(both.folder / ".pytest_cache")
    shutil.copytree(both.folder / "kept", both.folder / ".pytest_cache")
    found = alike(without, both.run("--lf", ahead=True, until=""))
    assert found["exit"] == pytest.ExitCode.TESTS_FAILED
    assert "late-began" not in both.calls


def test_a_crash_ahead_does_not_end_the_runner_of_a_verify_test(project: Callable[..., Path], both: Both) -> None:
    folder = project(turned=CRASHES["segfault"])
    (folder / "test_quality.py").write_text(VERIFY)
    found = both.same("test_quality.py", "conftest.py", until="")
    assert any("verify_shape[fake-cpu] PASSED" in line for line in found["said"])
    assert any("test_correctness[turned-cpu] FAILED" in line for line in found["said"])


def test_an_option_that_is_neither_0_nor_1_is_an_error(project: Callable[..., Path], nav: Nav) -> None:
    folder = project()
    nav("--nav-ahead=2", formats="").stderr.fnmatch_lines(["*--nav-ahead: '2' is not one of 0, 1"])
    (folder / "pytest.ini").write_text("[pytest]\nnav_ahead = 2\n")
    nav(formats="").stderr.fnmatch_lines(["*pytest.ini: nav_ahead: '2' is not one of 0, 1"])


def test_the_ini_file_switches_it_off(project: Callable[..., Path], both: Both) -> None:
    folder = project()
    (folder / "pytest.ini").write_text("[pytest]\nnav_ahead = 0\n")
    both.prepare("")
    both.nav(formats="").assert_outcomes(passed=8)
    assert both.calls.index("late-ended") < both.calls.index("convert")


@pytest.mark.slow
def test_one_worker_leaves_the_same(project: Callable[..., Path], both: Both) -> None:
    project(turned=WRONG)
    both.same("-n1", subprocess=True)


@pytest.mark.slow
def test_several_workers_come_to_the_same_and_run_nothing_ahead(project: Callable[..., Path], both: Both) -> None:
    project(turned=WRONG)
    found = [both.run("-n2", ahead=ahead, until="", subprocess=True) for ahead in (False, True)]
    # Which of them does what, and when, is another thing each time.
    for each in found:
        each["said"] = sorted(re.sub(r"gw\d|\[ *\d+%\]", "", line) for line in each["said"])
        for package in (each["workspace"], *each["packages"].values()):
            for name in [name for name in package if name.endswith("navigator.log")]:
                del package[name]
    alike(*found)
    assert "asked_at" not in (both.folder / "navigator_workspace/model-0f1a7a/status.yaml").read_text()


@pytest.mark.slow
def test_a_crash_of_the_worker_leaves_nothing_of_what_ran_ahead(project: Callable[..., Path], both: Both) -> None:
    (project() / "then").write_text("die")
    found = both.same("-n1", "-k", "export or turned", subprocess=True)
    assert found["exit"] == pytest.ExitCode.TESTS_FAILED
    assert both.calls.count("convert") == 2  # ahead, and once more by another worker


@pytest.mark.slow
def test_ctrl_c_leaves_the_same(project: Callable[..., Path], both: Both) -> None:
    (project() / "then").write_text("hang")
    without = both.interrupted(ahead=False)
    assert "convert" not in both.calls
    alike(without, both.interrupted(ahead=True))
    assert "convert" in both.calls
