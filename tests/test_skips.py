"""The guard over this suite's own skips."""

from __future__ import annotations

from pathlib import Path

import pytest

CONFTEST = (Path(__file__).parent / "conftest.py").read_text(encoding="utf-8")


@pytest.fixture
def guarded(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("NAV_ALLOWED_SKIPS", raising=False)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_other="def test_that_runs(): pass")
    return pytester


def test_a_package_that_is_installed_and_cannot_be_imported_is_no_reason_to_skip(guarded: pytest.Pytester) -> None:
    guarded.makepyfile(half="import half.missing")
    guarded.makepyfile("import pytest\ndef test_it():\n    pytest.importorskip('half.missing')")

    result = guarded.runpytest_inprocess("-p", "no:randomly")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["FAILED: skipped: *test_it: could not import 'half.missing'*half is installed*"])


def test_one_that_is_not_installed_is(guarded: pytest.Pytester) -> None:
    guarded.makepyfile("import pytest\ndef test_it():\n    pytest.importorskip('no_such_package')")

    assert guarded.runpytest_inprocess("-p", "no:randomly").ret == 0


@pytest.mark.parametrize(
    "workers", [pytest.param((), id="one process"), pytest.param(("-n1",), id="n1", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    "skipping", ["def test_it(): pytest.skip('no {}')", "pytest.skip('no {}', allow_module_level=True)"]
)
def test_a_run_with_a_list_has_no_other_skips(
    guarded: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, skipping: str, workers: tuple[str, ...]
) -> None:
    guarded.path.joinpath("allowed.txt").write_text("# without a GPU\ntest_*: no GPU\n", encoding="utf-8")
    monkeypatch.setenv("NAV_ALLOWED_SKIPS", str(guarded.path / "allowed.txt"))
    guarded.makepyfile(test_known="import pytest\n" + skipping.format("GPU"))
    assert guarded.runpytest_inprocess("-p", "no:randomly", *workers).ret == 0

    guarded.makepyfile(test_new="import pytest\n" + skipping.format("time"))
    result = guarded.runpytest_inprocess("-p", "no:randomly", *workers)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["FAILED: skipped: test_new*: no time (not among the skips that *"])
