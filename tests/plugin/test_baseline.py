"""`--nav-baseline`: what is worse than in an earlier run's package fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import status, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Fake, Nav

OLD = "--nav-baseline=old.nav"
WORKERS = pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["plain", "n2"])


@pytest.fixture
def old(dense: Fake, nav: Nav, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with the package of a run in which everything passed."""
    monkeypatch.setenv("COLUMNS", "500")
    pytester = dense()
    assert nav("--nav-package=old.nav", formats="").ret == 0
    return pytester


def conftest(pytester: pytest.Pytester, before: str, after: str) -> None:
    path = pytester.path / "conftest.py"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


@WORKERS
def test_an_unchanged_model_is_no_worse(old: pytest.Pytester, nav: Nav, workers: tuple[str, ...]) -> None:
    result = nav(OLD, "-v", "--nav-package=new.nav", *workers, formats="")

    assert result.ret == 0
    found = {name: word for name, word in words(result).items() if "regression" in name}
    assert found == {f"test_regression[{name}]": "PASSED" for name in ("model", "dense-cpu", "fake-cpu")}
    steps = status(old.path / "new.nav")["pytest_navigator"]["steps"]
    rows = steps["regression.fake.FakeCPU"]["data"]["rows"]
    assert {(row["topic"], row["subject"], row["verdict"]) for row in rows} >= {("coverage", "fake-cpu", "same")}


def test_without_a_baseline_there_are_no_such_items(old: pytest.Pytester, nav: Nav) -> None:
    assert not [name for name in words(nav("-v", formats="")) if "regression" in name]


@WORKERS
def test_a_runner_that_does_not_pass_any_more_fails(
    old: pytest.Pytester, nav: Nav, failed: Callable[..., dict[str, str]], workers: tuple[str, ...]
) -> None:
    conftest(old, "FakeConfig()", "FakeConfig(scale=2.0)")

    result = nav(OLD, *workers, formats="")

    assert set(failed(result)) == {"test_correctness[fake-cpu]", "test_regression[fake-cpu]"}
    assert "worse than old.nav" in failed(result)["test_regression[fake-cpu]"]
    assert "coverage: fake-cpu: passed -> failed" in failed(result)["test_regression[fake-cpu]"]


def test_a_format_that_nobody_makes_any_more_fails_the_model(
    old: pytest.Pytester, nav: Nav, failed: Callable[..., dict[str, str]]
) -> None:
    conftest(old, "formats=[FakeConfig()]", "formats=[]")

    result = nav(OLD, formats="")

    assert set(failed(result)) == {"test_regression[model]"}
    assert (
        "coverage: fake-cpu: passed -> - (there is no such item any more)" in failed(result)["test_regression[model]"]
    )


def test_what_a_flag_leaves_out_is_said_and_fails_nothing(old: pytest.Pytester, nav: Nav) -> None:
    result = nav(OLD, "-rs", formats="dense")

    assert result.ret == 0
