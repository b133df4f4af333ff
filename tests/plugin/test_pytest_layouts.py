"""Ways to lay out and to import a project of tests that pytest allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import DENSE, FAKE_FORMAT, collected, status, words

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Fake, Nav

CONFIG = "nav_config = NavConfig(framework='dense', formats=[FakeConfig()])\n"

SIZED = """
SIZES = {"small": 2, "large": 9}

@pytest.fixture(scope="session")
def nav_model(request):
    size = SIZES[request.param]
    return Dense(np.random.randn(size, 5).astype("float32"), np.random.randn(size).astype("float32"))
"""

BY_HOOK = """
def pytest_generate_tests(metafunc):
    if "nav_model" in metafunc.fixturenames:
        metafunc.parametrize("nav_model", SIZES, indirect=True)
"""

BY_MARK = """
@pytest.mark.parametrize("nav_model", ["small", "large"], indirect=True)
def verify_shape(nav_runner, nav_model):
    assert nav_runner(np.zeros((2, 5), "float32")).shape == (2, len(nav_model.bias))
"""

FULL = {"test_source", "test_export[fake]", "test_correctness[dense-cpu]", "test_correctness[fake-cpu]"}


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
@pytest.mark.parametrize("place", ["conftest.py", "test_model.py"])
def test_every_import_mode_gives_the_same(
    pytester: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch, mode: str, place: str
) -> None:
    pytester.makepyfile(fake_format=FAKE_FORMAT)
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))  # importlib puts nothing on sys.path
    tests = pytester.mkpydir("checks")  # a package: with append, `conftest` may be somebody else's
    hooks, model = DENSE.partition("def pytest_nav_formats")[::2]
    (tests / "conftest.py").write_text(f"from fake_format import *\ndef pytest_nav_formats{model}")
    with (tests / place).open("a") as file:
        file.write(hooks + CONFIG)

    result = nav("-v", f"--import-mode={mode}", "--nav-package=out.nav", "checks", formats="", subprocess=True)

    assert words(result) == dict.fromkeys(FULL, "PASSED")
    assert status(pytester.path / "out.nav")["pytest_navigator"]["complete"]


def test_a_rootdir_that_is_a_symbolic_link(
    dense: Fake, nav: Nav, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = dense().path
    link = tmp_path / "link"
    link.symlink_to(real)
    monkeypatch.chdir(link)
    monkeypatch.setenv("PWD", str(link))

    for arguments in ((), ("conftest.py",), (f"--rootdir={link}", str(link / "conftest.py"))):
        result = nav("-v", "--nav-package=out.nav", *arguments, formats="", subprocess=True)
        assert words(result) == dict.fromkeys(FULL, "PASSED"), arguments
        assert status(real / "out.nav")["pytest_navigator"]["complete"]
        (real / "out.nav").unlink()


def test_a_model_that_a_hook_parametrizes_indirectly_is_a_suite_for_each_parameter(
    pytester: pytest.Pytester, nav: Nav
) -> None:
    pytester.makepyfile(fake_format=FAKE_FORMAT)
    pytester.makeconftest(DENSE + SIZED + BY_HOOK + CONFIG)

    result = nav("-v", "--nav-package={model}.nav", formats="")

    result.assert_outcomes(passed=8)
    packages = {path.name.rpartition("-")[2]: status(path) for path in pytester.path.glob("*.nav")}
    assert sorted(packages) == ["large.nav", "small.nav"]
    assert all(package["pytest_navigator"]["complete"] for package in packages.values())


def test_a_verify_test_may_say_the_models_parameters_itself(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makepyfile(fake_format=FAKE_FORMAT)
    pytester.makeconftest(DENSE + SIZED + CONFIG)
    (pytester.path / "test_quality.py").write_text(f"import numpy as np\nimport pytest\n{BY_MARK}")

    names = [name.partition("::")[2] for name in collected(nav("--collect-only", "-q", "test_quality.py", formats=""))]
    result = nav("-v", "test_quality.py", formats="")

    assert names == ["verify_shape[small-fake-cpu]", "verify_shape[large-fake-cpu]"]
    assert words(result) == dict.fromkeys(names, "PASSED")
