"""The terminal says each thing once, with paths as short as they can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    Nav = Callable[..., pytest.RunResult]


def test_no_test_is_collected_that_has_nothing_to_do(linear: pytest.Pytester, nav: Nav) -> None:
    result = nav()

    result.stdout.fnmatch_lines(["collected 4 items"])
    result.assert_outcomes(passed=4)


def test_paths_below_the_invocation_folder_are_relative(linear: pytest.Pytester, nav: Nav) -> None:
    result = nav("--nav-package=out.nav")

    result.stdout.fnmatch_lines(["navigator: *, workspace: navigator_workspace, package: out.nav", "package: out.nav"])


def test_the_summary_is_above_the_tables_of_others(linear: pytest.Pytester, nav: Nav) -> None:
    result = nav("--nav-profile-seconds=0.1", "--benchmark-sort=mean", profile=True)

    result.stdout.fnmatch_lines(["=* navigator =*", f"{linear.path.name} (torch)", "Legend:"], consecutive=False)


def test_a_skip_points_to_the_users_model(linear: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    result = nav("--nav-device=cuda", "--nav-runtimes=cuda", "-rs", "-k", "correctness")

    result.stdout.fnmatch_lines(["SKIPPED [[]2[]] conftest.py:3: *CUDA*"])


def test_a_usage_error_is_said_once(linear: pytest.Pytester, nav: Nav) -> None:
    result = nav(formats="onx")

    said = [line for line in result.outlines + result.errlines if "unknown format of a torch model 'onx'" in line]
    assert len(said) == 1


def test_a_model_of_which_nothing_ran_is_not_mentioned(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makepyfile(
        """
        import pytest, torch

        @pytest.fixture(params=["small", "large"], scope="session")
        def nav_model(request) -> torch.nn.Module:
            return torch.nn.Linear(5, {"small": 2, "large": 9}[request.param]).eval()

        @pytest.fixture(scope="session")
        def nav_dataloader():
            return [torch.randn(3, 5)]
        """
    )

    result = nav("-k", "small and torch-cpu", "--nav-package={model}.nav")

    result.assert_outcomes(passed=1, deselected=7)
    result.stdout.no_fnmatch_line("*large*")
    result.stdout.no_fnmatch_line("*torchscript-trace*")
    result.stdout.fnmatch_lines(["package: *-small.partial.nav (partial: 2 of 4 steps did not run)"])
    assert not list(pytester.path.glob("*large*.nav"))
