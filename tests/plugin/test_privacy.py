"""What a run knows of the machine and of its user, and must not tell in the package."""

from __future__ import annotations

import io
import subprocess
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from blackbox import status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TOKEN = "tok-5f2c9e71b8"
USER = "someuser-secret"
PASSWORD = "pw-77aa31"
PLAIN = "a-value-of-no-secret-77"
ARTIFACTS = {
    "torchscript-script": "model.pt",
    "torchscript-trace": "model.pt",
    "torch-exportedprogram": "model.pt2",
    "onnx": "model.onnx",
}
FORMATS = "torchscript,torch-exportedprogram,onnx"

MODEL = """
import os
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(5, 7)

    def forward(self, x):
        return torch.relu(self.fc(x))

class Broken(Net):
    def forward(self, x):
        if not torch.jit.is_tracing():
            return super().forward(x)
        print("asked with", os.environ["DEPLOY_TOKEN"], "by", __file__)
        raise RuntimeError(f"{__file__} is not readable with {os.environ['DEPLOY_TOKEN']}")
"""

CONFTEST = """
import os, sys
import pytest, torch
sys.path.insert(0, os.environ["HOME"])
import private_models

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return private_models.MODEL().eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(3, 5) for _ in range(3)]
"""
GIT = ("git", "-c", "user.name=Some User", "-c", f"user.email={USER}@example.org", "-C")


@pytest.fixture
def somebody(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody's project: in their home folder, a git repository whose remote's address has a password and a token."""
    home = pytester.path / "home" / USER
    project = home / "project"
    project.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("DEPLOY_TOKEN", TOKEN)
    monkeypatch.setenv("PLAIN_SETTING", PLAIN)
    monkeypatch.chdir(project)
    url = f"https://deploy:{PASSWORD}@git.example.org/team/project.git?access_token={TOKEN}"
    for command in (("init", "-q"), ("remote", "add", "origin", url), ("commit", "-q", "--allow-empty", "-m", "first")):
        subprocess.run([*GIT, project, *command], check=True)
    (project / "conftest.py").write_text(CONFTEST)
    return home


def write_model(home: Path, name: str) -> None:
    (home / "private_models.py").write_text(f"{MODEL}\nMODEL = {name}\n")


def contents(data: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield a file, and whatever is in it if it is an archive, uncompressed."""
    yield name, data
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                yield from contents(archive.read(member), f"{name}/{member}")


def leaks(package: Path) -> set[tuple[str, str]]:
    private = (TOKEN, PASSWORD, USER, PLAIN)
    return {
        (name, word)
        for name, data in contents(package.read_bytes(), package.name)
        for word in private
        if word.encode() in data or word in name
    }


def test_a_package_of_every_format_tells_nothing_of_its_maker(somebody: Path, nav: Callable[..., Any]) -> None:
    write_model(somebody, "Net")
    package = somebody / "out.nav"
    result = nav(f"--nav-package={package}", formats=FORMATS)

    assert result.ret == 0
    with zipfile.ZipFile(package) as archive:
        assert {f"{key}/{file}" for key, file in ARTIFACTS.items()} <= set(archive.namelist())
    assert leaks(package) == set()
    assert status(package)["pytest_navigator"]["git"]["url"] == "https://git.example.org/team/project.git"


def test_neither_do_the_message_and_the_log_of_a_failure(somebody: Path, nav: Callable[..., Any]) -> None:
    write_model(somebody, "Broken")
    package = somebody / "out.nav"
    nav(f"--nav-package={package}", "--nav-require=torchscript-trace")

    with zipfile.ZipFile(package) as archive:
        names = ("torchscript-trace/format.log", "navigator.log", "status.yaml")
        printed, log, record = (archive.read(name).decode() for name in names)
    assert "asked with *** by ~/private_models.py" in printed
    assert "torch.jit.trace: ~/private_models.py is not readable with ***" in log
    assert "torch.jit.trace: ~/private_models.py is not readable with ***" in record
    assert leaks(package) == set()


def test_the_search_finds_what_is_in_compressed_members(tmp_path: Path) -> None:
    inner, outer = io.BytesIO(), tmp_path / "out.nav"
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("code/a.debug_pkl", f"/home/{USER}/a.py")
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("torchscript-trace/model.pt", inner.getvalue())

    assert leaks(outer) == {("out.nav/torchscript-trace/model.pt/code/a.debug_pkl", USER)}
