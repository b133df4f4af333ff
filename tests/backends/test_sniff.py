"""The format of a file is told by its content, without a framework."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.backends.builtin import FORMATS, FRAMEWORKS
from pytest_navigator.backends.files.frameworks import FileFramework
from pytest_navigator.backends.files.kinds import format_of
from pytest_navigator.configuration.format_config import FormatConfig
from pytest_navigator.errors import ConfigError
from pytest_navigator.formats.base import Format
from pytest_navigator.formats.registry import built, using

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_navigator.core.variants import Variant
    from pytest_navigator.formats.content import Content

IR_VERSION = b"\x08\x0a"
PRODUCER = b"\x12\x03abc"
GRAPH = b"\x3a\x02\x0a\x00"
OPSET = b"\x42\x02\x10\x12"
"""Fields of ONNX's ModelProto: number and kind, then the content or its length."""

ARCHIVES = {
    "torchscript": ["m/data.pkl", "m/constants.pkl", "m/code/__torch__/m.py"],
    "torch-exportedprogram": ["m/archive_format", "m/models/model.json"],
    "nav": ["status.yaml", "onnx/model.onnx"],
}


def archive(path: Path, names: list[str]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, "")
    return path


def test_an_onnx_file_is_told_by_its_fields_whatever_it_is_called(tmp_path: Path) -> None:
    for i, content in enumerate((IR_VERSION + PRODUCER + GRAPH + OPSET, GRAPH + IR_VERSION, OPSET + GRAPH)):
        path = tmp_path / f"model{i}"
        path.write_bytes(content)
        assert format_of(path) == "onnx"


@pytest.mark.parametrize("content", [IR_VERSION, PRODUCER, b"\x0a\x01a" + GRAPH, b"\x08" + b"\xff" * 12, b"\x0b\x0c"])
def test_other_protobuf_messages_are_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="model"):
        format_of(path)


@pytest.mark.parametrize("cut", range(1, 4))
def test_an_onnx_file_that_ends_inside_of_a_field_is_incomplete(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes((IR_VERSION + GRAPH)[:-cut])
    with pytest.raises(ConfigError, match="not a complete ONNX file"):
        format_of(path)


def test_only_the_fields_of_a_large_file_are_read(tmp_path: Path) -> None:
    path, size = tmp_path / "large.onnx", 5 * 2**30
    with path.open("wb") as file:
        file.write(IR_VERSION + b"\x3a" + bytes([0x80, 0x80, 0x80, 0x80, 0x14]))
        file.truncate(file.tell() + size)  # nothing of it is on the disk
    assert format_of(path) == "onnx"


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_are_told_by_what_is_in_them(tmp_path: Path, name: str) -> None:
    assert format_of(archive(tmp_path / "model", ARCHIVES[name])) == name


def test_a_folder_with_a_saved_model(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    assert format_of(tmp_path) == "tf-savedmodel"


def test_a_suffix_of_pytorch_fits_both_of_its_formats(tmp_path: Path) -> None:
    assert format_of(archive(tmp_path / "program.pt", ARCHIVES["torch-exportedprogram"])) == "torch-exportedprogram"
    with pytest.raises(ConfigError, match="called like an ExportedProgram, but its content is a TorchScript file"):
        format_of(archive(tmp_path / "script.pt2", ARCHIVES["torchscript"]))


def test_what_the_user_says_decides_only_where_the_content_does_not(tmp_path: Path) -> None:
    path = tmp_path / "model.mlir"
    path.write_text("module")
    assert format_of(path, "stablehlo") == "stablehlo"
    with pytest.raises(ConfigError, match="is not an ONNX file"):
        format_of(path, "onnx")
    with pytest.raises(ConfigError, match="is a TorchScript file by its content, not an ONNX file"):
        format_of(archive(tmp_path / "model", ARCHIVES["torchscript"]), "onnx")


class Shop(Format):
    """A format of somebody else's."""

    name = "shop"
    config = type("ShopConfig", (FormatConfig,), {})
    frameworks = ("shop",)
    file = "model.shop"
    file_title = "a file of the shop"
    suffixes = (".shop",)

    def is_in(self, content: Content) -> bool:
        return content.head.startswith(b"SHOP") or "shop.json" in content.names

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        return []


def test_a_file_of_somebody_elses_format_is_told_by_that_format(tmp_path: Path) -> None:
    files = type("ShopFiles", (FileFramework,), {"name": "shop"})
    plain, named = tmp_path / "model", tmp_path / "other.shop"
    plain.write_bytes(b"SHOP 1")
    named.write_bytes(IR_VERSION + GRAPH)
    with using(built([list(FORMATS), [Shop]], [], [list(FRAMEWORKS), [files]])):
        assert format_of(plain) == format_of(archive(tmp_path / "zip", ["shop.json"])) == "shop"
        with pytest.raises(ConfigError, match="called like a file of the shop, but its content is an ONNX file"):
            format_of(named)
        named.write_bytes(b"nothing")
        with pytest.raises(ConfigError, match="is not a file of the shop"):
            format_of(named)
    with pytest.raises(ConfigError, match="is no model that is known here"):
        format_of(plain)
