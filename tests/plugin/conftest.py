"""The scenarios that most tests start from, in pytester's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import DENSE, FAKE_CONFTEST, FAKE_FORMAT, LINEAR, words
from expecting import FILE, line
from turned import CONFTEST, TURNED, count, run

from tests.distributions import kept

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from blackbox import Nav
    from expecting import Expecting
    from turned import Write


UNUSED = ("anyio", "html", "hypothesispytest", "jaxtyping", "metadata")
"""Plugins of others, of which each process of a run would take a quarter of a second to start.

Hypothesis is imported by its plugin's summary, anew in every run in this process.
"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is shown in one process is shown again in several workers by a slow test."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is not None and not {"n1", "n2", "workers", "xdist1"}.isdisjoint(callspec.id.split("-")):
            item.add_marker("slow")


@pytest.fixture
def linear(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with the mission's linear model in its conftest.py."""
    pytester.makeconftest(LINEAR)
    return pytester


@pytest.fixture
def fake(pytester: pytest.Pytester) -> Callable[..., pytest.Pytester]:
    """Write the linear model and a format of a third party; the arguments are that format's configuration."""

    def write(config: str = "", **nav_config: str) -> pytest.Pytester:
        pytester.makepyfile(fake_format=FAKE_FORMAT)
        fields = "".join(f", {name}={value}" for name, value in nav_config.items())
        pytester.makeconftest(f"{FAKE_CONFTEST}\nnav_config = NavConfig(formats=[FakeConfig({config})]{fields})\n")
        return pytester

    return write


@pytest.fixture
def dense(pytester: pytest.Pytester) -> Callable[..., pytest.Pytester]:
    """Write the same with a model of a third party's framework: what needs several processes starts fast with it."""

    def write(config: str = "", **nav_config: str) -> pytest.Pytester:
        pytester.makepyfile(fake_format=FAKE_FORMAT)
        fields = "".join(f", {name}={value}" for name, value in nav_config.items())
        configured = f"nav_config = NavConfig(framework='dense', formats=[FakeConfig({config})]{fields})"
        pytester.makeconftest(f"{DENSE}\n{configured}\n")
        return pytester

    return write


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed is read once for all runs in this process."""
    monkeypatch.setattr("importlib.metadata.distributions", kept)


@pytest.fixture
def nav(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """Run pytest in this process with the checks on: one cheap format, no profile, unless the arguments say more."""

    def run(
        *args: str, formats: str = "torchscript-trace", profile: bool = False, subprocess: bool = False
    ) -> pytest.RunResult:
        chosen = [f"--nav-formats={formats}"] if formats else []
        chosen += [] if profile else ["--nav-no-profile"]
        start = pytester.runpytest_subprocess if subprocess else pytester.runpytest_inprocess
        others = [word for name in UNUSED if "--html" not in str(args) for word in ("-p", f"no:{name}")]
        return start("-p", "no:randomly", *others, "--nav", "--nav-runtimes=cpu", *chosen, *args)

    return run


PROJECT = """
import pytest, torch

{model}

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return {made}

@pytest.fixture(scope="session")
def nav_dataloader():
    return {loader}
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write a conftest.py with a model and its samples; lines of the run that follows are not cut."""
    monkeypatch.setenv("COLUMNS", "500")

    def write(
        model: str = "",
        *,
        made: str = "Model().eval()",
        loader: str = "[torch.randn(3, 5) for _ in range(2)]",
    ) -> None:
        pytester.makeconftest(PROJECT.format(model=model, made=made, loader=loader))

    return write


@pytest.fixture
def failed() -> Callable[[pytest.RunResult], dict[str, str]]:
    """Read what failed in a run: the generated test -> its one-line message."""

    def read(result: pytest.RunResult) -> dict[str, str]:
        lines = [line.removeprefix("FAILED ") for line in result.outlines if line.startswith("FAILED ")]
        return {name.rpartition("::")[2]: message for name, _, message in (line.partition(" - ") for line in lines)}

    return read


@pytest.fixture
def turned(pytester: pytest.Pytester, dense: Callable[..., pytest.Pytester]) -> Write:
    """Write a model and a format that is converted; the argument is that format's configuration."""

    def write(config: str = "") -> pytest.Pytester:
        dense()
        pytester.makepyfile(turned_format=TURNED, helper="FACTOR = 1.0")
        pytester.makeconftest(CONFTEST.replace("@CONFIG@", config))
        return pytester

    return write


@pytest.fixture
def cached(turned: Write, nav: Nav) -> pytest.Pytester:
    """A folder in which everything has run once, with a cache."""
    pytester = turned()
    assert set(words(run(nav)).values()) == {"PASSED"}
    assert count(pytester) == {"convert": 1, "compared": 8, "timed": 0}
    return pytester


@pytest.fixture
def expecting(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Expecting:
    """Write a nav_expected.toml, with a line for each keyword and one for the live model; this is no CI."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("COLUMNS", "500")

    def write(**cells: str) -> Path:
        path = pytester.path / FILE
        lines = [f"{name.replace('_', '-')} = {line(said)}" for name, said in {"dense_cpu": "pass", **cells}.items()]
        path.write_text("\n".join([f"[{pytester.path.name}]", *lines, ""]))
        return path

    return write
