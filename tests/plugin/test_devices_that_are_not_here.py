"""What a machine without a GPU is spared: items that it can never run, unless somebody has named them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import collected, status, words

from tests.fake_driver import Driver, needs_gcc, times_asked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from blackbox import Fake

    Use = Callable[..., Path]
    Run = Callable[..., pytest.RunResult]

pytestmark = needs_gcc

WITH_CUDA = """

class FakeCUDA(FakeCPU):
    name = "FakeCUDA"
    runtime = "cuda"
    device = "cuda"
    requires = ("cuda",)


Fake.runners = (FakeCPU, FakeCUDA)


class OnlyCUDA(Other):
    name = "only"

    class Only(FakeCUDA):
        name = "OnlyCUDA"
        format = "only"

    @dataclass(frozen=True)
    class config(FormatConfig):
        pass

    runners = (Only,)

    def variants(self, config, parents):
        (variant,) = super().variants(Other.config(), parents)
        return [replace(variant, key="only", format="only")]
"""
"""Behind the module of the fake format: a second runner for it, and a format that nothing else runs."""

HERE = {"test_source", "test_export[fake]", "test_correctness[dense-cpu]", "test_correctness[fake-cpu]"}
CUDA = {"test_correctness[fake-cuda]", "test_export[only]", "test_correctness[only-cuda]"}
LINE = "not here: 3 steps need a CUDA device (--nav-device=all lists them)"
REASON = "no CUDA device"


@pytest.fixture
def use(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Use:
    """Return a function that makes a driver the one of this machine, and returns its folder."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def build(**kwargs: object) -> Path:
        folder = Driver(**kwargs).build(pytester.path / "driver")
        monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
        return folder

    return build


@pytest.fixture
def run(dense: Fake) -> Run:
    """Run a project with a runner on a GPU, and a format that only a GPU runs."""
    pytester = dense()
    module = pytester.path / "fake_format.py"
    module.write_text(module.read_text() + WITH_CUDA)
    conftest = pytester.path / "conftest.py"
    text = conftest.read_text().replace("[DenseFormat, Fake, Other]", "[DenseFormat, Fake, OnlyCUDA]")
    conftest.write_text(text.replace("formats=[FakeConfig()]", ""))

    def start(*args: str, subprocess: bool = False) -> pytest.RunResult:
        runs = pytester.runpytest_subprocess if subprocess else pytester.runpytest_inprocess
        own = ("-v", "-p", "no:randomly", "-p", "no:hypothesispytest", "--nav", "--nav-no-profile")
        return runs(*own, *args)

    return start


def test_without_a_gpu_only_what_runs_here_is_collected(run: Run, use: Use, pytester: pytest.Pytester) -> None:
    use(gpus=())

    result = run("--nav-package=out.nav")

    assert set(words(result).items()) == {(name, "PASSED") for name in HERE}
    result.stdout.fnmatch_lines([LINE, "package: out.nav"])
    details = status(pytester.path / "out.nav")["pytest_navigator"]
    assert details["complete"] is True
    assert details["suite"]["elsewhere"] == {"cuda": 3}


def test_what_is_not_collected_is_said_where_no_summary_says_it(run: Run, use: Use) -> None:
    use(gpus=())

    listed = run("--co", "-qq")

    assert {line.rpartition("::")[2] for line in collected(listed)} == HERE
    assert LINE in listed.outlines
    assert LINE in run("-k", "only").outlines


def test_all_of_it_is_a_flag_away(run: Run, use: Use) -> None:
    use(gpus=())

    result = run("--nav-device=all", "-rs")

    found = words(result)
    assert set(found) == HERE | CUDA
    assert {name for name, word in found.items() if word == "SKIPPED"} == CUDA - {"test_export[only]"}
    result.stdout.fnmatch_lines(["skipped: 2 steps: no CUDA device", "SKIPPED [[]2[]] conftest.py:*: no CUDA device"])


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("--nav-require=only", {"test_export[only]", "test_correctness[only-cuda]"}),
        ("--nav-require=fake-cuda", {"test_correctness[fake-cuda]"}),
    ],
)
def test_what_is_required_is_there_and_fails(run: Run, use: Use, name: str, there: set[str]) -> None:
    use(gpus=())

    result = run(name)

    assert set(words(result)) == HERE | there
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"FAILED: required {name.partition('=')[2]} *no CUDA device*"])


def test_a_gpu_that_is_here_runs_everything(run: Run, use: Use) -> None:
    folder = use()

    result = run(subprocess=True)

    assert set(words(result).items()) == {(name, "PASSED") for name in HERE | CUDA}
    assert times_asked(folder) == 1


def test_a_gpu_in_trouble_is_here(run: Run, use: Use) -> None:
    """Its items say so: a green run without them would hide that the machine is broken."""
    use(error=999)

    result = run("-rs")

    assert {name for name, word in words(result).items() if word == "SKIPPED"} == CUDA - {"test_export[only]"}
    result.stdout.fnmatch_lines(["SKIPPED [[]2[]] *CUDA is visible but unusable (driver error 999)"])


@pytest.mark.slow
def test_every_worker_collects_what_the_controller_has_found(run: Run, use: Use) -> None:
    folder = use(gpus=())

    result = run("-n2", subprocess=True)

    assert set(words(result).items()) == {(name, "PASSED") for name in HERE}
    assert LINE in result.outlines
    assert times_asked(folder) == 1
