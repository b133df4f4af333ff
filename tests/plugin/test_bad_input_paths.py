"""Packages and workspaces that cannot be: told before the run, and nothing that was there is lost."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest
from blackbox import calls
from filelock import FileLock

from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.reader import open_package

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Fake

    Nav = Callable[..., pytest.RunResult]

FULL_DISK = """
import resource

@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish():
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

def pytest_unconfigure():
    resource.setrlimit(resource.RLIMIT_FSIZE, resource.getrlimit(resource.RLIMIT_FSIZE)[1:] * 2)
"""


def refused(result: pytest.RunResult, message: str) -> None:
    """A usage error: pytest's exit code for it, the message, no traceback, and nothing was run."""
    assert result.ret == pytest.ExitCode.USAGE_ERROR, result.stdout.str()
    assert any(fnmatchcase(line, f"ERROR: {message}".replace("[", "[[]")) for line in result.errlines), result.errlines
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    assert "passed" not in result.stdout.str()


def test_a_folder_is_no_package(linear: pytest.Pytester, nav: Nav) -> None:
    linear.mkdir("build")

    refused(
        nav("--nav-package=build"), "--nav-package=*build: this is a folder; name a file in it, like *build/out.nav"
    )


def test_a_file_that_is_no_package_is_not_overwritten(linear: pytest.Pytester, nav: Nav) -> None:
    thesis = linear.path / "thesis.nav"
    thesis.write_text("years of work")

    result = nav("--nav-package=thesis.nav")

    message = "this file is no package and would be lost; choose another name or delete it"
    refused(result, f"--nav-package=*thesis.nav: {message}")
    assert thesis.read_text() == "years of work"


@pytest.mark.parametrize("name", ["autoencoder.nav", "autoencoder.partial.nav"])
@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["plain", "n2"])
def test_the_package_of_each_model_is_looked_at_before_the_run(
    dense: Fake, nav: Nav, name: str, arguments: tuple[str, ...]
) -> None:
    project = dense(name="'autoencoder'")
    thesis = project.path / name
    thesis.write_text("years of work")

    result = nav("--nav-package={model}.nav", *arguments, formats="", subprocess=bool(arguments))

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stdout.str() + result.stderr.str()
    assert f"{name}: this file is no package and would be lost; choose another name or delete it" in text
    assert thesis.read_text() == "years of work"
    assert calls(project) == []


def test_a_folder_called_like_the_package_of_a_model_is_found_before_the_run(dense: Fake, nav: Nav) -> None:
    project = dense(name="'autoencoder'")
    project.mkdir("autoencoder.nav")

    refused(
        nav("--nav-package={model}.nav", formats=""),
        "--nav-package=*autoencoder.nav: this is a folder; name a file in it, like *autoencoder.nav/out.nav",
    )
    assert calls(project) == []


def test_a_file_called_model_is_none_of_the_models_packages(dense: Fake, nav: Nav) -> None:
    project = dense(name="'autoencoder'")
    (project.path / "model.nav").write_text("years of work")

    nav("--nav-package={model}.nav", formats="").assert_outcomes(passed=4)


def test_a_path_below_a_file_is_found_before_the_run(linear: pytest.Pytester, nav: Nav) -> None:
    (linear.path / "notes").write_text("a file")

    result = nav("--nav-package=notes/deep/out.nav")

    refused(result, "--nav-package=*out.nav: *notes is a file, so that nothing can be written below it")


def test_a_folder_in_which_nobody_may_write_is_found_before_the_run(linear: pytest.Pytester, nav: Nav) -> None:
    result = nav("--nav-package=/proc/self/out.nav")

    refused(result, "--nav-package=/proc/self/out.nav: cannot be written (*); choose another folder")


def test_an_empty_path_is_no_package(linear: pytest.Pytester, nav: Nav) -> None:
    refused(nav("--nav-package="), "--nav-package=: the path is missing; name a file, like --nav-package=out.nav")


def test_a_package_inside_of_the_workspace_is_refused(linear: pytest.Pytester, nav: Nav) -> None:
    result = nav("--nav-package=navigator_workspace/out.nav")

    refused(
        result,
        "--nav-package=*out.nav: this is inside of the workspace *navigator_workspace, which every run empties; choose "
        "another folder",
    )


def test_a_workspace_in_use_is_left_to_the_run_that_uses_it(linear: pytest.Pytester, nav: Nav) -> None:
    nav("--nav-in-process", "-k", "source").assert_outcomes(passed=1, deselected=3)
    before = sorted(linear.path.glob("navigator_workspace/**/*"))
    with FileLock(linear.path / "navigator_workspace" / ".pytest_navigator.lock"):
        result = nav()

    refused(
        result,
        "the workspace *navigator_workspace is in use by another run; wait for it, or choose another folder with "
        "--nav-workspace=DIR",
    )
    assert sorted(linear.path.glob("navigator_workspace/**/*")) == before


def test_a_workspace_that_is_a_file_is_refused(linear: pytest.Pytester, nav: Nav) -> None:
    (linear.path / "notes").write_text("a file")

    refused(
        nav("--nav-workspace=notes"),
        "the workspace *notes cannot be used (File exists); choose another folder with --nav-workspace=DIR",
    )
    assert (linear.path / "notes").read_text() == "a file"


def test_a_workspace_below_a_file_is_refused(linear: pytest.Pytester, nav: Nav) -> None:
    (linear.path / "notes").write_text("a file")

    refused(nav("--nav-workspace=notes/deep"), "the workspace *deep cannot be used (Not a directory); choose another *")


def test_the_current_folder_is_no_workspace(linear: pytest.Pytester, nav: Nav) -> None:
    refused(
        nav("--nav-workspace=."),
        "the workspace * holds something that pytest-navigator did not write (*conftest.py*); *",
    )
    assert (linear.path / "conftest.py").is_file()


def test_the_users_own_files_in_a_workspace_stay(linear: pytest.Pytester, nav: Nav) -> None:
    nav("--nav-in-process", "-k", "source").assert_outcomes(passed=1, deselected=3)
    (linear.path / "navigator_workspace" / "thesis.txt").write_text("years of work")

    result = nav("--nav-in-process", "-k", "source")

    refused(result, "the workspace * holds something that pytest-navigator did not write (thesis.txt); nothing was *")
    assert (linear.path / "navigator_workspace" / "thesis.txt").read_text() == "years of work"


def test_a_package_path_that_pytest_takes_for_an_argument_is_told(
    linear: pytest.Pytester, tmp_path_factory: pytest.TempPathFactory
) -> None:
    package = tmp_path_factory.mktemp("elsewhere") / "out.nav"
    arguments = ("--nav-formats=onnx", "--nav-no-profile", "--nav-runtimes=cpu", "--nav-package", str(package))
    linear.runpytest(*arguments).assert_outcomes(passed=4)
    before = package.read_bytes()

    result = linear.runpytest(*arguments)

    refused(
        result,
        f"--nav-package {package}: pytest takes a path that exists for an argument, and so looks for its configuration "
        f"there (rootdir: *); write --nav-package={package}",
    )
    assert package.read_bytes() == before


def test_a_package_path_below_the_current_folder_may_be_an_argument_of_its_own(linear: pytest.Pytester) -> None:
    cheap = ("--nav-formats=torchscript-trace", "--nav-no-profile", "--nav-runtimes=cpu")
    linear.runpytest(*cheap, "--nav-package", "out.nav").assert_outcomes(passed=4)

    linear.runpytest(*cheap, "--nav-package", "out.nav").assert_outcomes(passed=4)


def test_a_full_disk_keeps_the_package_that_was_there(dense: Fake, nav: Nav) -> None:
    folder = dense().path
    nav("--nav-package=out.nav", formats="").assert_outcomes(passed=4)
    before = (folder / "out.nav").read_bytes()
    with (folder / "conftest.py").open("a", encoding="utf-8") as conftest:
        conftest.write(FULL_DISK)

    result = nav("--nav-package=out.nav", formats="", subprocess=True)

    result.stdout.fnmatch_lines(
        [
            "ERROR: no package was written: cannot write *out.nav: File too large; what was there before is untouched, "
            "and the workspace * still has everything"
        ]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert (folder / "out.nav").read_bytes() == before
    assert [path.name for path in folder.iterdir() if "out.nav" in path.name] == ["out.nav"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_package_is_told(linear: pytest.Pytester, nav: Nav, share: float) -> None:
    nav("--nav-in-process", "--nav-package=out.nav")
    package = linear.path / "out.nav"
    package.write_bytes(package.read_bytes()[: int(package.stat().st_size * share)])

    with pytest.raises(PackageError, match=r"out\.nav.*make it again with pytest --nav-package=PATH") as caught:
        open_package(package)

    assert "is truncated or damaged" in str(caught.value) or "is empty" in str(caught.value)
