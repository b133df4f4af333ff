"""`--nav-formats=edge`, `cpu`, `all`: what a run of them makes, and what it says of what it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from blackbox import Fake, Nav

LEFT_OUT = "left out, not installed: other: warp is not installed"


def write(dense: Fake, declines: str = "") -> pytest.Pytester:
    """Write a model, a format of a third party in `edge`, and one whose library is not installed."""
    pytester = dense()
    conftest, path = pytester.path / "conftest.py", pytester.path / "fake_format.py"
    conftest.write_text(
        f"{conftest.read_text().partition('nav_config = ')[0]}\nnav_config = NavConfig(framework='dense')\n"
    )
    head, name, other = path.read_text().partition('    name = "other"\n')
    head = head.replace(
        '    name = "fake"\n', '    name = "fake"\n    groups = {"edge": ("fake",), "cpu": ("fake",)}\n'
    )
    head = head.replace('call("export", variant.parameters)', declines or "pass")
    path.write_text(f'{head}{name}    groups = {{"edge": ("other",)}}\n    requires = ("warp",)\n{other}')
    return pytester


@pytest.mark.parametrize("workers", [[], pytest.param(["-n2"], id="n2")])
@pytest.mark.parametrize("group", ["edge", "all", "cpu,edge"])
def test_what_of_a_group_is_installed_is_made_and_one_line_says_what_else_there_is(
    dense: Fake, nav: Nav, group: str, workers: list[str]
) -> None:
    write(dense)
    result = nav(*workers, formats=group)
    assert result.ret == 0
    assert [line for line in result.outlines if line.startswith("left out")] == [LEFT_OUT]
    assert any("fake-cpu" in line or line.split()[:2] == ["fake", "FakeCPU"] for line in result.outlines)
    assert "skipped:" not in result.stdout.str()


def test_a_collection_says_what_is_left_out(dense: Fake, nav: Nav) -> None:
    write(dense)
    result = nav("--collect-only", formats="edge")
    result.stdout.fnmatch_lines(["*test_correctness[[]fake-cpu[]]*"])
    assert LEFT_OUT in result.outlines


def test_the_package_has_what_was_left_out_too(dense: Fake, nav: Nav) -> None:
    from pytest_navigator.package.source import read_package

    pytester = write(dense)
    assert nav("--nav-package=out.nav", formats="edge").ret == 0
    assert read_package(pytester.path / "out.nav").suite.lacking == {"other": "warp is not installed"}


@pytest.mark.parametrize(("formats", "status"), [("edge", 0), ("fake,edge", 1)])
def test_a_member_that_cannot_be_made_fails_only_where_it_is_named(
    dense: Fake, nav: Nav, formats: str, status: int
) -> None:
    write(dense, declines='raise StepFailed("no such operator")')
    result = nav(formats=formats)
    assert (result.parseoutcomes().get("xfailed", 0) > 0) == (status == 0)
    assert ("failed" in result.parseoutcomes()) == bool(status)


def test_a_name_that_is_nearly_a_groups_is_an_error(dense: Fake, nav: Nav) -> None:
    write(dense)
    result = nav(formats="egde")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *unknown format of a dense model 'egde'; did you mean 'edge'? (valid: all, *"])


def test_a_group_of_which_nothing_is_installed_is_an_error(dense: Fake, nav: Nav) -> None:
    pytester = write(dense)
    path = pytester.path / "fake_format.py"
    path.write_text(path.read_text().replace('groups = {"edge": ("fake",), "cpu": ("fake",)}', 'requires = ("warp",)'))
    result = nav(formats="edge")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: formats = edge (--nav-formats): nothing of the group 'edge' can be made here: other: warp is not *"]
    )


NEW = {"openvino", "nncf", "executorch", "torchao", "ai_edge_litert", "litert_torch", "coremltools"}


@pytest.mark.slow
def test_a_first_run_imports_none_of_the_libraries_that_groups_bring(fake: Fake, nav: Nav) -> None:
    pytester = fake()
    path, conftest = pytester.path / "fake_format.py", pytester.path / "conftest.py"
    text = path.read_text().replace('call("infer", self.parameters)', 'import sys; note(" ".join(sys.modules))')
    path.write_text(text)
    told = "\n\ndef pytest_unconfigure():\n    import sys; print('imported:', *sys.modules)\n"
    conftest.write_text(conftest.read_text().partition("nav_config = ")[0] + told)
    result = nav(formats="", subprocess=True)
    assert result.ret == 0
    here = next(line for line in result.outlines if line.startswith("imported: "))
    child = max((pytester.path / "calls.txt").read_text().splitlines(), key=len)
    assert "torch" in here.split()
    assert "onnxruntime" in child.split()
    assert not NEW & {*here.split(), *child.split()}
