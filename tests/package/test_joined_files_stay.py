"""Joining what several machines found leaves what each of them has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.package.merge import joined_folders

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("links", [True, False])
def test_a_file_is_at_both_places(links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError

    if not links:
        monkeypatch.setattr(os, "link", refused)
    origin, place = tmp_path / "model.onnx", tmp_path / "joined" / "onnx" / "model.onnx"
    origin.write_bytes(b"weights")

    joined_folders._put(origin, place)

    assert origin.read_bytes() == place.read_bytes() == b"weights"
    assert place.samefile(origin) == links
