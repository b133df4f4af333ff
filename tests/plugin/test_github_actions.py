"""A run in GitHub Actions: the step's summary and annotations, without any option; nothing of it elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import two_models

if TYPE_CHECKING:
    from blackbox import Fake, Nav
    from expecting import Expecting


@pytest.fixture
def github(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path.parent))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return monkeypatch


def annotated(result: pytest.RunResult) -> list[str]:
    return [line for line in (*result.outlines, *result.errlines) if line.startswith("::error")]


OURS = ("-p", "pytest_navigator.plugin")
WORKERS = ("-p", "xdist.plugin", "-n2")


@pytest.mark.parametrize("workers", [(), WORKERS], ids=["one process", "workers"])
def test_the_summary_and_the_annotations_of_a_failed_run(
    pytester: pytest.Pytester, nav: Nav, github: pytest.MonkeyPatch, workers: tuple[str, ...]
) -> None:
    two_models(pytester)
    (pytester.path / "summary.md").write_text("what another one wrote\n")
    result = nav(*OURS, *workers, formats="", subprocess=bool(workers))

    text = (pytester.path / "summary.md").read_text(encoding="utf-8")
    assert text.startswith("what another one wrote\n## ❌ Model checks failed: 1 of 2 models, 1 cause\n")
    lines = (pytester.path / "test_wrong.py").read_text().splitlines()
    number = next(i for i, line in enumerate(lines) if line.startswith("def nav_model"))
    (line,) = annotated(result)
    where = f"file={pytester.path.name}/test_wrong.py,line={number}"
    assert line.startswith(f"::error {where},title=wrong test_correctness[fake-cpu]::output__0: max abs")


def test_a_run_in_order_annotates_nothing(dense: Fake, nav: Nav, github: pytest.MonkeyPatch) -> None:
    pytester = dense()
    assert annotated(nav(*OURS, formats="")) == []
    assert "✅ Model checks passed: 1 model" in (pytester.path / "summary.md").read_text(encoding="utf-8")


def test_elsewhere_nothing_is_written(dense: Fake, nav: Nav, github: pytest.MonkeyPatch) -> None:
    github.delenv("GITHUB_ACTIONS")
    pytester = dense("scale=2.0")
    assert annotated(nav(*OURS, formats="")) == []
    assert not (pytester.path / "summary.md").exists()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (".", "note: no summary for GitHub: $GITHUB_STEP_SUMMARY=. cannot be written (Is a directory)"),
        ("no/folder/a.md", "note: no summary for GitHub: *no/folder/a.md cannot be written (No such file*"),
        ("full.md", "note: no summary for GitHub: $GITHUB_STEP_SUMMARY is full *"),
        ("", "report: out.json"),
    ],
)
def test_a_summary_that_cannot_be_written_is_a_note(
    dense: Fake, nav: Nav, github: pytest.MonkeyPatch, path: str, said: str
) -> None:
    pytester = dense()
    (pytester.path / "full.md").write_bytes(b"x" * 900_000)
    github.setenv("GITHUB_STEP_SUMMARY", path)
    result = nav(*OURS, "--nav-json=out.json", formats="")
    assert result.ret == 0
    result.stdout.fnmatch_lines([said])
    assert (pytester.path / "full.md").stat().st_size == 900_000


def test_the_plugin_that_annotates_every_failed_test_is_not_repeated(
    dense: Fake, nav: Nav, github: pytest.MonkeyPatch
) -> None:
    dense("scale=2.0")
    github.setenv("GITHUB_WORKSPACE", "")
    other = ("-p", "pytest_github_actions_annotate_failures.plugin")
    result = nav(*OURS, *other, "--nav-require=fake-cpu", "--nav-runtimes=cpu", formats="", subprocess=True)
    (line,) = annotated(result)
    assert "output__0: max abs" in line


def test_what_the_expected_file_says_of_a_failed_step_is_no_second_cause(
    dense: Fake, nav: Nav, github: pytest.MonkeyPatch, expecting: Expecting
) -> None:
    pytester = dense("scale=2.0")
    expecting(fake_cpu="pass")
    result = nav(*OURS, formats="")
    result.stdout.fnmatch_lines(["FAILED: fake-cpu: fail-correctness, where nav_expected.toml expects pass: *"])
    (line,) = annotated(result)
    assert "test_correctness[fake-cpu]" in line
    assert "1 cause" in (pytester.path / "summary.md").read_text(encoding="utf-8")
