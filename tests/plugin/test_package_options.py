"""`--nav-keep` and `--nav-save-data`: what goes into the package; what is left out keeps its outcome and its reason."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from blackbox import DENSE, FAKE_FORMAT, member, status

from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.container.writer import pack

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Nav

    Packed = Callable[..., tuple[set[str], dict[str, Any], pytest.RunResult]]


@pytest.fixture
def packed(pytester: pytest.Pytester, nav: Nav) -> Packed:
    """Run a suite of two formats, of which `fake` is wrong if asked; return files, our part of the status, the run."""

    def run(*arguments: str, fake: str = "", other: str = "Other.config()") -> Any:
        pytester.makepyfile(fake_format=FAKE_FORMAT)
        formats = f"[FakeConfig({fake}), {other}]"
        pytester.makeconftest(f"{DENSE}\nnav_config = NavConfig(framework='dense', formats={formats})\n")
        short = ("--nav-batch-sizes=1", "--nav-profile-seconds=0.05")
        result = nav("--nav-package=out.nav", *short, *arguments, formats="", profile=True)
        with open_package(pytester.path / "out.nav") as package:
            package.verify()
            files = set(package.files())
        return files, status(pytester.path / "out.nav")["pytest_navigator"], result

    return run


def models(files: set[str]) -> set[str]:
    return {name for name in files if name.endswith("model.npz")}


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ((), {"fake", "other"}),
        (("--nav-keep=all",), {"fake", "other"}),
        (("--nav-keep=none",), set()),
        (("--nav-keep=required", "--nav-require=other-cpu"), {"other"}),
    ],
    ids=["default", "all", "none", "required"],
)
def test_the_models_that_are_kept(packed: Packed, arguments: tuple[str, ...], kept: set[str]) -> None:
    files, own, result = packed(*arguments)
    assert result.ret == 0
    assert models(files) == {f"{key}/model.npz" for key in kept}
    word = arguments[0].removeprefix("--nav-") if arguments else ""
    assert own["left_out"] == {f"{key}/model.npz": word for key in {"fake", "other"} - kept}
    for key in ("fake", "other"):
        assert f"{key}/config.yaml" in files
        assert len(own["steps"][f"export.{key}"]["digest"]) == 64


def test_the_best_one_is_kept(packed: Packed) -> None:
    files, own, result = packed("--nav-keep=best", fake="scale=2.0")
    assert models(files) == {"other/model.npz"}
    assert own["left_out"] == {"fake/model.npz": "keep=best"}
    assert "keep = best" not in result.stdout.str()


def test_the_best_one_of_none_is_told(packed: Packed) -> None:
    files, _, result = packed("--nav-keep=best", "--nav-formats=fake", fake="scale=2.0")
    assert models(files) == set()
    note = "note: keep = best: no model is in the package, for no format has passed correctness and profiling"
    assert note in result.outlines


def test_the_best_one_without_figures_is_refused(linear: pytest.Pytester, nav: Nav) -> None:
    result = nav("--nav-keep=best", "--nav-package=out.nav")  # with --nav-no-profile
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: keep = best (--nav-keep) would keep nothing: without figures *"])


def test_samples_are_left_out(pytester: pytest.Pytester, packed: Packed) -> None:
    files, own, _ = packed("--nav-save-data=none")
    assert not [name for name in files if name.startswith(("model_input", "model_output"))]
    assert "model_input/batches/0.npz" in own["left_out"]
    assert set(own["left_out"].values()) == {"save_data=none"}
    assert "value_ranges" not in member(pytester.path / "out.nav", "fake/config.yaml")
    files, own, _ = packed("--nav-save-data=all")
    assert "model_input/batches/0.npz" in files
    assert own["left_out"] == {}
    assert "value_ranges" in member(pytester.path / "out.nav", "fake/config.yaml")


def in_workspace(name: str = "navigator_workspace") -> set[str]:
    return {path.parent.name for path in Path(name).rglob("model.npz")}


@pytest.mark.parametrize(("keep", "left"), [("none", set()), ("best", {"other"}), ("all", {"fake", "other"})])
def test_what_is_left_out_is_gone_from_the_workspace_before_the_package_is_written(
    packed: Packed, pytester: pytest.Pytester, keep: str, left: set[str]
) -> None:
    packed(f"--nav-keep={keep}")
    (folder,) = (path.parent for path in Path("navigator_workspace").rglob("suite.json"))
    gone = {"fake", "other"} - in_workspace()
    assert len(gone) == 2 - len(left)
    assert (folder / "fake" / "format.log").is_file()

    again = pack(folder, pytester.path / "again.nav")

    with open_package(again) as package:
        assert package.details["left_out"] == {f"{key}/model.npz": f"keep={keep}" for key in gone}


def test_a_model_of_which_something_failed_stays_in_the_workspace(packed: Packed) -> None:
    files, _, result = packed("--nav-keep=none", fake="scale=2.0")
    assert result.ret == 1
    assert models(files) == set()
    assert in_workspace() == {"fake"}


def test_a_resumed_run_makes_again_what_was_left_out(packed: Packed) -> None:
    packed("--nav-keep=none")
    files, own, result = packed("--nav-resume", "--nav-keep=all")
    assert result.ret == 0
    assert models(files) == {"fake/model.npz", "other/model.npz"}
    assert own["left_out"] == {}
