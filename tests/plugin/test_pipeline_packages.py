"""All modules of a pipeline are packed in one file, which `nav.bundle` loads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from piped import PIPELINE

from pytest_navigator.pipelines.bundle_file import open_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Nav


def modules(path: Path) -> dict[str, tuple[str, str]]:
    """Return what is chosen for each module, and why."""
    with open_bundle(path) as bundle:
        assert bundle.damaged_packages() == []
        return {choice.module: (choice.format, choice.reason) for choice in bundle.manifest.choices}


def test_the_modules_are_in_one_file(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(PIPELINE)
    result = nav("--nav-package=out.nav", "--nav-batch-sizes=1", profile=True)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["package: out.nav (2 modules)"])
    assert list(modules(pytester.path / "out.nav")) == ["encoder", "parts.decoder"]
    assert [path.name for path in pytester.path.glob("*.nav")] == ["out.nav"]


def test_the_name_of_the_pipeline_stands_in_the_path(pytester: pytest.Pytester, nav: Nav) -> None:
    named = PIPELINE + "from pytest_navigator import NavConfig\nnav_config = NavConfig(name='images')\n"
    pytester.makeconftest(named)
    nav("--nav-package={model}.nav")
    found = modules(pytester.path / "images.nav")
    assert set(found.values()) == {("", "nothing was measured")}


def test_what_was_not_checked_wholly_is_packed_as_partial(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(PIPELINE)
    result = nav("--nav-package=out.nav", "-k", "encoder")
    result.stdout.fnmatch_lines(["package: out.partial.nav (partial: not all was checked; 2 modules)"])


def test_two_pipelines_of_one_path_are_a_usage_error(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(PIPELINE)
    pytester.makepyfile(test_other=PIPELINE)
    result = nav("--nav-package=out.nav")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --nav-package=out.nav: two models would be written to it: *nav_pipeline*"])
