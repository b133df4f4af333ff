"""What `from pytest_navigator import *` brings, and what it leaves alone."""

from __future__ import annotations

import sys

import pytest

import pytest_navigator as nav

NAMESPACES = ("bundle", "contrib", "jax", "onnx", "package", "python", "pytriton", "tensorflow", "torch", "triton")


@pytest.fixture
def starred() -> dict[str, object]:
    """The names of a module that has imported everything."""
    names: dict[str, object] = {"torch": "the user's own"}
    exec("from pytest_navigator import *", names)
    return names


def test_a_star_import_takes_no_name_from_a_framework(starred: dict[str, object]) -> None:
    assert starred["torch"] == "the user's own"
    assert not set(NAMESPACES) - {"torch"} & set(starred)


def test_a_star_import_brings_everything_else(starred: dict[str, object]) -> None:
    assert starred["OnnxConfig"] is nav.OnnxConfig
    assert starred["load"] is nav.load


@pytest.mark.parametrize("name", NAMESPACES)
def test_a_namespace_is_an_attribute_and_is_listed(name: str) -> None:
    assert getattr(nav, name) is sys.modules[f"pytest_navigator.{'' if name == 'package' else 'api.'}{name}"]
    assert name in dir(nav)
