"""Names that another system takes for another file, and text that steers a terminal."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

import pytest_navigator as nav
from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.container.writer import pack
from pytest_navigator.package.zip.archive import Member, write_archive
from pytest_navigator.package.zip.file_names import colliding, name_problem, portable
from pytest_navigator.text import one_line, printable
from tests.package.commands import command
from tests.package.tampered import put, tampered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STATUS = b"format_version: 0.3.2\n"
STEERING = "\x1b[2J\x1b[1;1Hok\r\u202egpj\x9b"


def archive(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in ("status.yaml", *names):
            file.writestr(name, STATUS)
    return path


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("onnx/model.onnx.", "ends in a dot or a space"),
        ("onnx/model.onnx ", "ends in a dot or a space"),
        ("onnx /model.onnx", "ends in a dot or a space"),
        ("onnx/CON", "a device on Windows"),
        ("onnx/nul.tar.gz", "a device on Windows"),
        ("com1 .txt/model", "a device on Windows"),
        ("LPT²", "a device on Windows"),
        ("onnx/model.onnx:evil", "a name that Windows does not allow"),
        ("onnx/mod*l", "a name that Windows does not allow"),
        ("a/" * 65 + "b", "in more than 64 folders"),
        ("ü" * 128, "of more than 255 bytes"),
        ("onnx/MODEL~1.ONN", "a short name of Windows"),
        ("onnx/model\n.onnx", "characters that are not seen"),
        ("onnx/\x1b[2J", "characters that are not seen"),
        ("onnx/model\u200d.onnx", "characters that are not seen"),
    ],
)
def test_a_name_that_is_another_one_elsewhere_is_refused_and_not_written(
    tmp_path: Path, name: str, problem: str
) -> None:
    with pytest.raises(PackageError, match=problem) as raised:
        open_package(archive(tmp_path / "out.nav", name))
    assert repr(name) in str(raised.value)
    with pytest.raises(PackageError, match=f"{problem}.*no package holds it"):
        write_archive(tmp_path / "new.nav", [Member("status.yaml", STATUS), Member(name, b"")], {})
    assert not (tmp_path / "new.nav").exists()


@pytest.mark.parametrize(
    "name",
    [
        "onnx/model.onnx",
        "a b/c.d",
        ".hidden",
        "console.log",
        "comma",
        "com10",
        "aux_head.pt",
        "é/ü",
        "long~name",
        "a/" * 64 + "b",
        "a~1234567",
    ],
)
def test_any_other_name_is_taken(tmp_path: Path, name: str) -> None:
    assert name_problem(name) == ""
    with open_package(archive(tmp_path / "out.nav", name)) as package:
        assert list(package.files()) == [name]


@pytest.mark.parametrize(
    ("first", "second"),
    [("ONNX", "onnx/model.onnx"), ("onnx/model.onnx", "ONNX"), ("Onnx/a", "onnx/b"), ("a/É/b", "a/E\u0301/c")],
)
def test_a_file_or_a_folder_that_is_taken_for_a_folder_is_refused_and_not_written(
    tmp_path: Path, first: str, second: str
) -> None:
    with pytest.raises(PackageError, match="are one file on many file systems"):
        open_package(archive(tmp_path / "out.nav", first, second))
    with pytest.raises(PackageError, match="are one file on many file systems: no package holds both"):
        write_archive(tmp_path / "new.nav", [Member(name, b"") for name in ("status.yaml", first, second)], {})


def test_no_package_is_written_with_two_files_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="two files are called 'a': no package holds both"):
        write_archive(tmp_path / "new.nav", [Member(name, b"") for name in ("status.yaml", "a", "a")], {})
    assert not (tmp_path / "new.nav").exists()


def test_names_beside_each_other_do_not_collide() -> None:
    assert colliding(["onnx/a", "onnx/b", "onnx/c/d", "onnx/c/e", "onnx.a", "trt/a"]) == []
    assert colliding(["a", "A", "b/c", "B", "ä"]) == [["a", "A"], ["b/c", "B"]]


def test_such_a_file_is_left_out_of_a_package_with_the_reason(workspace: Callable[..., Path], tmp_path: Path) -> None:
    folder = workspace()
    (folder / "onnx" / "aux.txt").write_text("x")

    with open_package(pack(folder, tmp_path / "out.nav", environment={})) as package:
        assert package.details["left_out"] == {"onnx/aux.txt": "a device on Windows"}


@pytest.mark.parametrize(("name", "folder"), [("gpu", "gpu"), ("aux", "_aux"), ("gpu:1.", "_gpu_1_"), ("../x", "__x")])
def test_a_machine_is_called_what_a_folder_can_be_called(name: str, folder: str) -> None:
    assert portable(name) == folder


@pytest.fixture
def package(workspace: Callable[..., Path], tmp_path: Path) -> Path:
    return pack(workspace(), tmp_path / "out.nav", environment={})


@pytest.mark.parametrize(
    "place",
    [
        ("suite", "name"),
        ("steps", "correctness.onnx.OnnxCUDA", "message"),
        ("steps", "correctness.onnx.OnnxCPU", "message"),
        ("steps", "export.torchscript-script", "message"),
        ("git",),
        ("missing",),
    ],
)
def test_what_a_package_says_steers_no_terminal(package: Path, place: tuple[str, ...]) -> None:
    values: dict[str, Any] = {"git": {"commit": "\x1b[2J\nok", "dirty": None}, "missing": [f"x\n{STEERING}"]}

    def change(status: dict[str, Any]) -> None:
        put(*place, value=values.get(place[0], f"x\nforged\n{STEERING}"))(status)
        status["timestamp"] = f"\n{STEERING}"
        status["pytest_navigator"]["complete"] = False

    honest = command("show", package).out.count("\n")
    evil = tampered(package, change)

    shown, compared = command("show", evil), command("diff", package, evil)

    assert (shown.code, compared.code) in ((0, 0), (0, 1))
    assert shown.out.count("\n") <= honest + 2  # one says that it is partial, one from which commit it is
    assert "\\x1b[2J" in shown.out
    assert printable(shown.out + compared.out) == shown.out + compared.out


def test_an_error_steers_no_terminal_and_forges_no_line(tmp_path: Path) -> None:
    path = tmp_path / "out.nav"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("status.yaml", 'format_version: "9.9.9"\n')
    assert "upgrade it" in command("show", path).err
    error = PackageError(f"{STEERING}\nall files are as recorded")

    assert printable(str(error)) == str(error)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(
            "status.yaml", 'format_version: 0.3.2\npytest_navigator: {left_out: {onnx: "x\\nall is well \\e[2J"}}\n'
        )
    ran = command("extract", path, "onnx")
    assert ran.err == (f"pytest-navigator: error: {path}: onnx: it was left out (x\n    all is well \\x1b[2J)\n")


def test_names_in_errors_are_written_out(package: Path) -> None:
    with nav.load(package) as opened, pytest.raises(Exception, match=r"\\x1b") as raised:
        opened.get_runner("\x1b[2J")
    assert "\x1b" not in str(raised.value)


def test_text_of_several_lines_keeps_them() -> None:
    assert printable("a\tb\nc\x07") == "a\tb\nc\\x07"
    assert one_line("a\nb\u2028c") == "a\\nb\\u2028c"
    assert printable("Größe 10 µs ✓ \U0001f600") == "Größe 10 µs ✓ \U0001f600"
    assert io.StringIO(printable("a\rb\x85c")).read() == "a\\rb\\x85c"
