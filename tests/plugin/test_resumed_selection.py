"""`--nav-resume` with a part of the suite: only what is true of this model and these settings is in the package."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from blackbox import status, words

from pytest_navigator.cli import main

if TYPE_CHECKING:
    from blackbox import Fake, Nav

EVERY = {
    "source",
    "export.fake",
    "correctness.dense.DenseCPU",
    "correctness.fake.FakeCPU",
    *(f"profile.{cell}.batch{size}" for cell in ("dense.DenseCPU", "fake.FakeCPU") for size in ("1", "max")),
}
GROWN = "np.random.randn(7, 5)", "np.random.randn(9, 5)"
BIAS = "np.random.randn(7)", "np.random.randn(9)"
OTHER_WEIGHTS = "np.random.randn(7, 5)", "2 * np.random.randn(7, 5)"
OTHER_SAMPLES = "range(4)]", "range(3)]"
CHANGES = [[GROWN, BIAS], [OTHER_WEIGHTS], [OTHER_SAMPLES], [GROWN, BIAS], [OTHER_WEIGHTS]]

SIZES = "other batch sizes"
SELECTIONS = {
    "no profile": ["--nav-no-profile"],
    "the source": ["-k", "test_source"],
    "exports": ["-k", "test_source or test_export"],
    SIZES: ["--nav-batch-sizes=2"],
    "another cell": ["-k", "dense-cpu"],
}


@pytest.fixture
def ran(dense: Fake, nav: Nav) -> pytest.Pytester:
    """A folder in which everything has run once."""
    pytester = dense(profile_seconds="0.02")
    nav("--nav-package=first.nav", "--nav-in-process", formats="", profile=True).assert_outcomes(passed=8)
    return pytester


def change(pytester: pytest.Pytester, *changes: tuple[str, str]) -> None:
    conftest = pytester.path / "conftest.py"
    text = conftest.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    conftest.write_text(text)


def packed(pytester: pytest.Pytester, name: str = "again") -> tuple[dict[str, Any], set[str]]:
    """Return what the package that a run wrote says of its steps, and the names of its files."""
    (path,) = pytester.path.glob(f"{name}*.nav")
    with zipfile.ZipFile(path) as archive:
        return status(path)["pytest_navigator"]["steps"], set(archive.namelist())


def resume(nav: Nav, *arguments: str) -> pytest.RunResult:
    return nav(
        "-v", "--nav-resume", "--nav-package=again.nav", "--nav-in-process", *arguments, formats="", profile=True
    )


@pytest.mark.parametrize(
    ("arguments", "changes"),
    list(zip(SELECTIONS.values(), CHANGES, strict=True)),
    ids=SELECTIONS,
)
def test_nothing_of_another_model_is_packed(
    ran: pytest.Pytester, nav: Nav, arguments: list[str], changes: list[tuple[str, str]]
) -> None:
    before, _ = packed(ran, "first")
    change(ran, *changes)
    result = resume(nav, *arguments)
    steps, files = packed(ran)
    assert result.ret == 0
    assert "reused" not in result.stdout.str()
    times = {step["started"] for step in before.values()}
    assert not [name for name, step in steps.items() if step["started"] in times]
    assert ("fake/model.npz" in files) == ("export.fake" in steps)
    assert not [name for name in files if name.startswith("fake/") and "export.fake" not in steps]


@pytest.mark.parametrize("selection", ["the source", SIZES, "another cell"])
def test_an_unchanged_model_keeps_what_was_not_selected_and_says_so(
    ran: pytest.Pytester, nav: Nav, selection: str
) -> None:
    before, _ = packed(ran, "first")
    result = resume(nav, *SELECTIONS[selection])
    steps, _ = packed(ran)
    day = before["source"]["started"][:10]
    reused = {name for name, step in steps.items() if "reused" in step["data"]}
    assert reused
    assert reused == {name for name in steps if steps[name]["started"] == before.get(name, {}).get("started")}
    assert all(steps[name]["data"]["reused"] == before[name]["started"] for name in reused)
    asked = EVERY & set(
        next(iter(status(path) for path in ran.path.glob("again*")))["pytest_navigator"]["suite"]["steps"]
    )
    assert reused == asked - {"source"}
    (line,) = [line for line in result.outlines if line.startswith(f"reused {day}: ")]
    assert set(line.partition(": ")[2].split(", ")) == reused


def test_a_reused_outcome_says_so_in_its_line_and_its_row(ran: pytest.Pytester, nav: Nav) -> None:
    result = resume(nav)
    result.stdout.fnmatch_lines(
        [
            "*::test_source PASSED*[[]*",
            "*::test_export[[]fake] PASSED (reused 20*-*-*)*",
            "*::test_correctness[[]fake-cpu] PASSED (reused 20*-*-*)*",
            "*fake *FakeCPU *reused *reused *",
        ]
    )


TIGHTER = ["--nav-atol=1e-3"]
SEED = ["--nav-seed=1"]
FEWER = ["--nav-sample-count=2"]


@pytest.mark.parametrize("setting", [TIGHTER, SEED, FEWER], ids=["tolerance", "seed", "samples"])
def test_nothing_of_another_setting_is_packed(ran: pytest.Pytester, nav: Nav, setting: list[str]) -> None:
    assert resume(nav, *setting, "-k", "test_source").ret == 0
    steps, files = packed(ran)
    assert set(steps) == {"source"}
    assert "fake/model.npz" not in files


def test_nothing_of_an_artifact_that_somebody_changed_is_packed(ran: pytest.Pytester, nav: Nav) -> None:
    (artifact,) = ran.path.glob("navigator_workspace/*/fake/model.npz")
    artifact.write_bytes(b"something else")
    assert resume(nav, "-k", "test_source").ret == 0
    steps, files = packed(ran)
    assert {name for name in steps if "fake" in name} == set()
    assert "correctness.dense.DenseCPU" in steps
    assert not [name for name in files if name.startswith("fake/")]


def test_what_one_run_does_not_ask_for_the_next_one_finds(ran: pytest.Pytester, nav: Nav) -> None:
    assert resume(nav, "--nav-formats=dense").ret == 0
    assert {name for name in packed(ran)[0] if "fake" in name} == set()
    assert "PASSED (reused" in resume(nav).stdout.str()
    assert all("reused" in step["data"] for name, step in packed(ran)[0].items() if name != "source")


def test_a_model_that_is_not_fit_leaves_nothing_of_the_one_before(ran: pytest.Pytester, nav: Nav) -> None:
    change(ran, ("return Dense(", "raise RuntimeError('no weights')\n    return Dense("))
    result = resume(nav, "-k", "test_source or dense-cpu")
    assert words(result)["test_source"] == "FAILED"
    steps, files = packed(ran)
    assert not [name for name, step in steps.items() if step["status"] == "passed"]
    assert not [name for name in files if name.startswith(("model_", "fake/"))]


KILLED = """
def test_killed(nav_model):
    import os
    os._exit(9)
"""


def test_a_killed_run_is_packed_without_what_belongs_to_another_model(ran: pytest.Pytester) -> None:
    """It dies before its source step: what lies in the workspace is another model's."""
    change(ran, OTHER_WEIGHTS)
    ran.makepyfile(test_first=KILLED)
    arguments = ["--nav", "--nav-resume", "-p", "no:randomly", "--nav-in-process", "--nav-no-profile"]
    run = [sys.executable, "-m", "pytest", *arguments]
    assert subprocess.run([*run, "test_first.py", "conftest.py"], cwd=ran.path, capture_output=True).returncode == 9
    assert main(["pack", str(ran.path / "navigator_workspace"), "-o", str(ran.path / "killed.nav")]) == 2
    assert not list(ran.path.glob("killed*"))
    ran.makepyfile(test_zlast=KILLED)
    arguments = ["conftest.py::nav_model::test_source", "test_zlast.py"]
    assert subprocess.run([*run, *arguments], cwd=ran.path, capture_output=True).returncode == 9
    assert main(["pack", str(ran.path / "navigator_workspace"), "-o", str(ran.path / "killed.nav")]) == 0
    assert set(packed(ran, "killed")[0]) == {"source"}


def test_a_suite_that_was_not_collected_is_not_packed_again(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    text = (pytester.path / "conftest.py").read_text()
    head, hooks = text[: text.index("@pytest.fixture")], text[text.index("def pytest_nav_formats") :]
    (pytester.path / "conftest.py").write_text(head + hooks[: hooks.index("nav_config")])
    for name in ("one", "two"):
        (pytester.path / name).mkdir()
        (pytester.path / name / "conftest.py").write_text(
            text[: text.index("def pytest_nav_formats")] + f"nav_config = NavConfig(name={name!r}, framework='dense')\n"
        )
    arguments = ("--nav-package={model}.nav", "--nav-in-process")
    assert nav(*arguments, formats="").ret == 0
    (pytester.path / "two.nav").unlink()
    assert nav(*arguments, "--nav-resume", "one", formats="").ret == 0
    assert (pytester.path / "one.nav").exists()
    assert not (pytester.path / "two.nav").exists()
