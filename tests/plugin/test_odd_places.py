"""Models in places where something else than a model is looked for: inside of a package, in a folder of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import DENSE, FAKE_FORMAT, words
from model_files import linear

if TYPE_CHECKING:
    from blackbox import Nav

NEVER = "raise RuntimeError('a model file imports nobody')\n"


@pytest.mark.parametrize("place", ["shop", "src/shop/models"])
def test_a_model_file_imports_no_package_around_it(pytester: pytest.Pytester, nav: Nav, place: str) -> None:
    folder = pytester.path / place
    folder.mkdir(parents=True)
    for above in (folder, folder.parent):
        if above != pytester.path:
            (above / "__init__.py").write_text(NEVER)
    linear(folder / "model.onnx")
    result = nav(f"--nav-model={place}/model.onnx", "-v", formats="")
    assert {words(result)[test] for test in ("test_source", "test_correctness[onnx-cpu]")} == {"PASSED"}
    assert "imports nobody" not in result.stdout.str()


def test_a_suite_in_a_folder_of_tests_is_named_after_the_project(pytester: pytest.Pytester, nav: Nav) -> None:
    tests = pytester.path / "shop" / "tests"
    tests.mkdir(parents=True)
    (tests / "conftest.py").write_text(f"{DENSE}\nnav_config = NavConfig(framework='dense', formats=[FakeConfig()])\n")
    (tests / "fake_format.py").write_text(FAKE_FORMAT)
    result = nav("--nav-package={model}.nav", "shop", "-vv", formats="")
    assert result.ret == 0
    assert (pytester.path / "shop.nav").exists()
    assert "suite.py" not in result.stdout.str()
