"""A model of a third party's framework with a format that is converted, and a run of it with a cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from blackbox import calls

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from blackbox import Nav

Write: TypeAlias = "Callable[..., pytest.Pytester]"

TURNED = '''
"""A format that is converted from the fake one, and says so in calls.txt."""

from dataclasses import dataclass

import numpy as np
from fake_format import Fake, FakeConfig, FakeCPU, call, note
from helper import FACTOR
from pytest_navigator import Variant
from pytest_navigator.configuration.format_config import FormatConfig
from pytest_navigator.formats.base import Format
from pytest_navigator.samples.npz import save_npz


@dataclass(frozen=True)
class TurnedConfig(FormatConfig):
    mode: str = ""
    where: str = ""


class TurnedCPU(FakeCPU):
    name = "TurnedCPU"
    format = "turned"

    def infer(self, feed):
        note("compared")
        return super().infer(feed)

    def bind(self, feed):
        note("timed")
        return super().bind(feed)


class Turned(Format):
    name = "turned"
    config = TurnedConfig
    parent = "fake"
    frameworks = ("dense",)
    runners = (TurnedCPU,)

    def variants(self, config, parents):
        parameters = {"mode": config.mode, "where": config.where, "extra": config.custom_args}
        return [Variant("turned", "turned", parent.key, "model.npz", parameters) for parent in parents]

    def convert(self, parent, example, signature, variant, path):
        call("convert", variant.parameters)
        print("turning", parent)
        with np.load(parent) as file:
            save_npz(path, {name: file[name] * FACTOR for name in file})
        (path.parent / "beside").mkdir()
        (path.parent / "beside" / "notes.txt").write_text("part of it")
        return {"folder": str(path.parent)}
'''
CONFTEST = """
from turned_format import Turned, TurnedConfig
import numpy as np, pytest
from fake_format import *
from pytest_navigator import NavConfig

@pytest.fixture(scope="session")
def nav_model():
    return Dense(np.random.randn(7, 5).astype("float32"), np.random.randn(7).astype("float32"))

@pytest.fixture(scope="session")
def nav_dataloader():
    return [np.random.randn(3, 5).astype("float32") for _ in range(4)]

def pytest_nav_formats():
    return [DenseFormat, Fake, Turned]

def pytest_nav_frameworks():
    return [DenseFramework]

nav_config = NavConfig(framework="dense", formats=[TurnedConfig(@CONFIG@)], profile_seconds=0.05)
"""


def run(nav: Nav, *arguments: str, cache: str = "cache", **more: bool) -> pytest.RunResult:
    """Run everything with a cache; in this process, which starts faster than a child."""
    place = [] if more.get("subprocess") else ["--nav-in-process"]
    return nav("-v", "--nav-package=out.nav", f"--nav-cache={cache}", *place, *arguments, formats="", **more)


def count(pytester: pytest.Pytester) -> dict[str, int]:
    """Return how often the format and its runner were asked for something so far."""
    return {word: calls(pytester).count(word) for word in ("convert", "compared", "timed")}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def entry(pytester: pytest.Pytester, step: str) -> Path:
    (found,) = pytester.path.glob(f"cache/{step}-*")
    return found
