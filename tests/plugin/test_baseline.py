"""`--nav-baseline`: what is worse than in an earlier run's package fails."""

from __future__ import annotations

import zipfile
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import pytest
from blackbox import DENSE, doubled, status, words

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


def test_what_a_run_replaces_is_its_own_baseline_first(old: pytest.Pytester, nav: Nav) -> None:
    package = old.path / "old.nav"
    written = package.read_bytes()

    assert nav(OLD, "--nav-package=old.nav", formats="").ret == 0
    assert package.read_bytes() != written
    better = package.read_bytes()

    conftest(old, "FakeConfig()", "FakeConfig(scale=2.0)")
    worse = nav(OLD, "--nav-package=old.nav", formats="")

    assert worse.ret == 1
    partial = "package: old.partial.nav (partial: it is worse than its baseline; old.nav is as it was)"
    assert partial in worse.outlines
    assert package.read_bytes() == better


def test_the_first_run_finds_no_baseline_where_it_writes_its_package(dense: Fake, nav: Nav) -> None:
    dense()

    result = nav(OLD, "--nav-package=old.nav", formats="")

    assert result.ret == 0
    result.stdout.fnmatch_lines(["note: no baseline: *old.nav: no such file; this run writes it"])
    assert nav(OLD, "--nav-package=old.nav", formats="").ret == 0


NO_BASELINES = {
    "missing.nav": "*missing.nav: no such file; pytest --nav-package=*missing.nav writes it; nothing would be compared",
    "{modle}.nav": "*{modle}.nav: no such file; {modle} stands for nothing, only {model} does; nothing *",
    "folder": "*folder is a folder, not a package*",
    "half.nav": "*half.nav is truncated or damaged*",
    "text.nav": "*text.nav is not a package (not a ZIP file)*",
    "newer.nav": "*newer.nav*format_version*",
}


def test_what_is_no_baseline_is_a_usage_error(old: pytest.Pytester, nav: Nav) -> None:
    written = (old.path / "old.nav").read_bytes()
    (old.path / "folder").mkdir()
    (old.path / "half.nav").write_bytes(written[: len(written) // 2])
    (old.path / "text.nav").write_text("no package")
    with zipfile.ZipFile(old.path / "newer.nav", "w") as package:
        package.writestr("status.yaml", "format_version: 9.0\n")

    for path, message in NO_BASELINES.items():
        result = nav(f"--nav-baseline={path}", formats="")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: {message}"])


@WORKERS
def test_a_baseline_that_is_missing_ends_the_workers_too(dense: Fake, nav: Nav, workers: tuple[str, ...]) -> None:
    dense()

    result = nav("--nav-baseline=missing.nav", *workers, formats="")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert any(fnmatch(line, "ERROR: *missing.nav: no such file*") for line in (*result.errlines, *result.outlines))


TWO = doubled(DENSE) + "nav_config = {name: NavConfig(framework='dense', name=name) for name in ('a', 'b')}"


def test_a_model_that_is_new_has_no_baseline_and_a_path_that_nobody_has_is_wrong(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    pytester.makeconftest(TWO)
    assert nav("--nav-package={model}.nav", formats="").ret == 0
    (pytester.path / "b.nav").unlink()

    one = nav("--nav-baseline={model}.nav", "-v", formats="")
    none = nav("--nav-baseline={model}.nva", formats="")
    shared = nav("--nav-baseline=a.nav", formats="")

    assert one.ret == 0
    assert words(one)["test_regression[a-model]"] == "PASSED"
    assert words(one)["test_regression[b-model]"] == "SKIPPED"
    one.stdout.fnmatch_lines(["note: no baseline: *b.nav: no such file; pytest --nav-package=*b.nav writes it"])
    assert (none.ret, shared.ret) == (pytest.ExitCode.USAGE_ERROR,) * 2
    none.stderr.fnmatch_lines(["ERROR: *.nva: no such file*nothing would be compared"])
    shared.stderr.fnmatch_lines(["ERROR: *a.nav: two models would be compared with it: *Write {model} in it*"])


@WORKERS
def test_a_model_that_was_removed_is_named_and_no_other_package_beside_it(
    dense: Fake, nav: Nav, workers: tuple[str, ...]
) -> None:
    pytester = dense()
    pytester.makeconftest(TWO)
    assert nav("--nav-package={model}.nav", formats="").ret == 0
    (pytester.path / "copy.nav").write_bytes((pytester.path / "b.nav").read_bytes())
    (pytester.path / "text.nav").write_text("no package")
    whole = nav("--nav-baseline={model}.nav", *workers, formats="")
    conftest(pytester, 'params=["a", "b"]', 'params=["a"]')
    conftest(pytester, "in ('a', 'b')", "in 'a'")

    result = nav("--nav-baseline={model}.nav", *workers, formats="")

    assert (whole.ret, result.ret) == (0, 0)
    assert "not judged" not in str(whole.stdout)
    said = [line for line in result.outlines if "not judged" in line]
    assert said == ["not judged: b (b.nav) of --nav-baseline: no such model in this run"]


def test_a_baseline_of_another_model_fails_the_model_and_skips_the_rest(
    old: pytest.Pytester, nav: Nav, failed: Callable[..., dict[str, str]]
) -> None:
    conftest(old, "framework='dense'", "framework='dense', name='other', input_names=['y']")
    conftest(old, "randn(3, 5)", "randn(3, 5, 1)[:, :, 0]")

    result = nav(OLD, "-v", formats="")

    assert "it is of another model" in failed(result)["test_regression[model]"]
    assert words(result)["test_regression[fake-cpu]"] == "SKIPPED"


VERIFY = """
def verify_sum(nav_runner):
    assert True
"""


def test_what_nobody_verifies_any_more_fails_the_run(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    pytester.makepyfile(test_quality=VERIFY + VERIFY.replace("sum", "mean"))
    assert nav("--nav-package=old.nav", formats="").ret == 0

    same = nav(OLD, formats="")
    skipped = VERIFY.replace("assert True", "import pytest; pytest.skip('later')")
    pytester.makepyfile(test_quality=VERIFY + skipped.replace("sum", "mean"))
    gone = nav(OLD, formats="")
    deselected = nav(OLD, "-k", "not mean", formats="")

    assert (same.ret, gone.ret, deselected.ret) == (0, 1, 0)
    gone.stdout.fnmatch_lines(["FAILED: worse than old.nav*verified: fake-cpu: True -> False (*verify_mean*skipped)"])


def test_it_works_with_resume_lf_and_a_selection(old: pytest.Pytester, nav: Nav) -> None:
    assert nav(OLD, "-v", formats="").ret == 0
    resumed = words(nav(OLD, "-v", "--nav-resume", formats=""))
    chosen = words(nav(OLD, "-v", "-k", "regression and fake", formats=""))
    conftest(old, "FakeConfig()", "FakeConfig(scale=2.0)")
    nav(OLD, "-p", "cacheprovider", formats="")
    last = words(nav(OLD, "-v", "--lf", "-p", "cacheprovider", formats=""))

    assert resumed["test_regression[fake-cpu]"] == "PASSED"
    assert chosen == {"test_regression[fake-cpu]": "PASSED"}
    assert last == {"test_correctness[fake-cpu]": "FAILED", "test_regression[fake-cpu]": "FAILED"}


def test_the_speed_is_judged_by_the_artifacts_where_something_is_measured(old: pytest.Pytester, nav: Nav) -> None:
    measured = nav(OLD, "--nav-package=new.nav", "--nav-profile-seconds=0.1", formats="", profile=True)
    unmeasured = nav(OLD, formats="")

    facts = status(old.path / "new.nav")["pytest_navigator"]["steps"]["regression.fake.FakeCPU"]["data"]
    assert (measured.ret, facts["speed"]["verdict"]) == (0, "unchanged")
    unmeasured.stdout.fnmatch_lines(["note: no speeds are compared where nothing is measured"])


def test_without_its_artifact_a_baseline_judges_everything_but_the_speed(dense: Fake, nav: Nav) -> None:
    dense()
    assert nav("--nav-package=old.nav", "--nav-keep=none", formats="").ret == 0

    result = nav(OLD, "--nav-profile-seconds=0.1", formats="", profile=True)

    assert result.ret == 0
    result.stdout.fnmatch_lines(["not judged: speed of fake-cpu (fake was left out of it (keep=none))"])


def test_the_ini_file_names_the_baseline_and_the_growth_from_the_rootdir(old: pytest.Pytester, nav: Nav) -> None:
    old.makeini("[pytest]\nnav_baseline = old.nav\nnav_max_growth = 10%\n")

    assert words(nav("-v", formats=""))["test_regression[model]"] == "PASSED"
    assert "test_regression[model]" not in words(nav("-v", "--nav-baseline=", formats=""))


# An artifact that says how often its runner is to do some more work, which is what a slower artifact is.
REPEATED = {
    'file["weight"], file["bias"]': 'file["weight"], file["bias"]; self.repeat = int(file.get("repeat", 1))',
    "        (x,) = feed.values()\n": "        (x,) = feed.values()\n        for _ in range(self.repeat): x.sum()\n",
    "save_npz(path, {": "save_npz(path, {'repeat': np.array(100)} | {",
}


@pytest.mark.slow
def test_an_artifact_that_takes_longer_than_the_baselines_own_fails(
    old: pytest.Pytester, nav: Nav, failed: Callable[..., dict[str, str]]
) -> None:
    module = old.path / "fake_format.py"
    for before, after in REPEATED.items():
        assert before in module.read_text()
        module.write_text(module.read_text().replace(before, after))

    result = nav(OLD, "--nav-profile-seconds=0.1", formats="", profile=True, subprocess=True)

    assert set(failed(result)) == {"test_regression[fake-cpu]"}
    assert "fake-cpu: speed slower: " in failed(result)["test_regression[fake-cpu]"]


def test_a_model_that_computes_something_else_on_the_same_samples_is_said_and_no_failure(
    old: pytest.Pytester, nav: Nav
) -> None:
    path = old.path / "fake_format.py"
    text = path.read_text()
    assert "@ self.weight.T" in text
    path.write_text(text.replace("@ self.weight.T", "@ self.weight.T * np.float32(1.5)"))

    result = nav(OLD, formats="")

    assert result.ret == 0
    result.stdout.fnmatch_lines(["different: model: outputs (* max abs *)"])
