"""A secret that is a word of every package, as a password may be `passed`, is no secret there: a package is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import status

if TYPE_CHECKING:
    from blackbox import Fake, Nav

WORDS = (
    "passed",
    "correctness",
    "Source",
    "float32",
    "bfloat16",
    "onnx",
    "torch",
    "inputs",
    "model_input",
    "navigator",
)


@pytest.mark.parametrize("variable", ["DB_PASSWORD", "USER"])
def test_a_secret_that_is_a_word_of_every_package_costs_no_package(
    dense: Fake, nav: Nav, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    pytester = dense()
    for word in WORDS:
        monkeypatch.setenv(variable, word)
        result = nav("--nav-package=out.nav", formats="")
        assert result.ret == 0, word
        steps = status(pytester.path / "out.nav")["pytest_navigator"]["steps"]
        assert {step["status"] for step in steps.values()} == {"passed"}, word
