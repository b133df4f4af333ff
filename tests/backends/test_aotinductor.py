"""What a package of AOTInductor says of where it runs, whoever made it."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.backends.torch.aotinductor_files import describe, why_elsewhere
from pytest_navigator.backends.torch.aotinductor_runners import AOTInductorRunner
from pytest_navigator.core.records import Signature, TensorSpec
from pytest_navigator.devices.processors import here
from pytest_navigator.errors import SourceError, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

X = TensorSpec("x", (-1, 5), "float32", {0: "batch"})
OTHER = "PowerPC"
BUILT = rf"built for {OTHER} on linux; found {here().architecture}"


def package(folder: Path, machine: str) -> Path:
    """Write an archive with nothing but what code says of itself."""
    path = folder / "model.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        said = {"AOTI_DEVICE_KEY": "cpu", "AOTI_PLATFORM": "linux", "AOTI_MACHINE": machine}
        archive.writestr("model/data/aotinductor/model/a.wrapper_metadata.json", json.dumps(said))
    return path


def test_code_of_another_processor_is_no_source_and_is_never_loaded(tmp_path: Path) -> None:
    path = package(tmp_path, OTHER)
    signature = Signature((X,), (), {}, {}, 0, "aotinductor")

    with pytest.raises(SourceError, match=rf"model.pt2 was {BUILT}"):
        describe(path, [X], [])
    with pytest.raises(Unavailable, match=BUILT):
        AOTInductorRunner(path, signature, {}).load()


def test_what_says_nothing_of_its_processor_may_run(tmp_path: Path) -> None:
    assert why_elsewhere(package(tmp_path, "")) == ""
