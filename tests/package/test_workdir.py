"""The folder into which a package is extracted: whose it is, and what of it is still there."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

import pytest_navigator as nav
from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.writer import pack
from tests.package.recorded import ONNX_BYTES, correctness, outcomes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TAKEN = "is that of another package that was loaded with it since: load this one again, with another workdir"


@pytest.fixture
def package(workspace: Callable[..., Path], tmp_path: Path) -> Path:
    steps = [correctness(o.key, o.runner) if o.id == "correctness.onnx.OnnxCPU" else o for o in outcomes()]
    return pack(workspace(steps), tmp_path / "out.nav", environment={})


def test_a_workdir_that_a_later_load_has_taken_is_refused(package: Path, tmp_path: Path) -> None:
    first = nav.load(package, workdir=tmp_path / "w")
    first.get_path("onnx")

    second = nav.load(package, workdir=tmp_path / "w", override_workdir=True)

    with pytest.raises(PackageError, match=TAKEN):
        first.get_path("onnx")
    assert second.get_path("onnx").read_bytes() == ONNX_BYTES
    first.save(tmp_path / "copy.nav", keep_workdir=False)
    assert second.get_path("onnx").read_bytes() == ONNX_BYTES


def test_of_two_that_were_loaded_with_an_empty_workdir_the_first_to_use_it_has_it(
    package: Path, tmp_path: Path
) -> None:
    first, second = (nav.load(package, workdir=tmp_path / "w") for _ in range(2))
    second.get_path("onnx")

    with pytest.raises(PackageError, match=TAKEN):
        first.get_path("onnx")


@pytest.mark.parametrize("given", [True, False], ids=["workdir", "temporary"])
@pytest.mark.parametrize("what", ["file", "folder", "all"])
def test_what_somebody_has_removed_is_extracted_again(package: Path, tmp_path: Path, given: bool, what: str) -> None:
    with nav.load(package, workdir=tmp_path / "w" if given else None) as opened:
        path = opened.get_path("onnx")
        gone = {"file": path, "folder": path.parent, "all": path.parent.parent}[what]
        gone.unlink() if what == "file" else shutil.rmtree(gone)

        assert opened.get_path("onnx").read_bytes() == ONNX_BYTES
    assert path.exists() == given


def test_a_workdir_that_somebody_has_used_for_something_else_is_left_alone(package: Path, tmp_path: Path) -> None:
    opened = nav.load(package, workdir=tmp_path / "w")
    shutil.rmtree(opened.get_path("onnx").parent.parent)
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "thesis.txt").write_text("years of work")

    with pytest.raises(PackageError, match=r"holds something that was not extracted from a package \(thesis\.txt\)"):
        opened.get_path("onnx")
    assert (tmp_path / "w" / "thesis.txt").read_text() == "years of work"
