from __future__ import annotations

import io
import stat
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.container.writer import pack
from pytest_navigator.package.zip.archive import Member, write_archive
from pytest_navigator.package.zip.file_names import colliding, name_problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STATUS = b"format_version: 0.3.2\n"


@pytest.fixture
def package(workspace: Callable[..., Path], tmp_path: Path) -> Path:
    return pack(workspace(), tmp_path / "out.nav", environment={})


def archive(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in (("status.yaml", STATUS), *entries):
            file.writestr(name, content)
    return path


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"out\.nav: no such file; pytest --nav-package="):
        open_package(tmp_path / "out.nav")


def test_a_folder_is_no_package(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="is a folder, not a package"):
        open_package(tmp_path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "is empty"), (b"torch", r"is not a package \(not a ZIP file\)"), (b"PK\3\4xx", "is truncated or damaged")],
)
def test_a_file_that_is_no_zip_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "out.nav").write_bytes(content)

    with pytest.raises(PackageError, match=rf"out\.nav {problem}; make it again"):
        open_package(tmp_path / "out.nav")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_package_is_refused(package: Path, share: float) -> None:
    content = package.read_bytes()
    package.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(PackageError, match="truncated or damaged"):
        open_package(package)


def test_another_zip_is_no_package(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as file:
        file.writestr("readme", "x")

    with pytest.raises(PackageError, match=r"is a ZIP, but no package: it has no status\.yaml"):
        open_package(tmp_path / "model.zip")


@pytest.mark.parametrize(
    "content", [b"a: [", b"- 1", b"a: 1", b"\xff", b"!!python/object/apply:os.system [ls]", b"[" * 9999]
)
def test_a_status_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "out.nav", "w") as file:
        file.writestr("status.yaml", content)

    with pytest.raises(PackageError, match=r"status\.yaml"):
        open_package(tmp_path / "out.nav")


def test_a_flipped_byte_is_named_with_its_file(package: Path) -> None:
    content = bytearray(package.read_bytes())
    content[content.index(b"an onnx model")] ^= 1
    package.write_bytes(content)

    with open_package(package) as opened:
        with pytest.raises(PackageError, match=r"onnx/model\.onnx is damaged"):
            opened.read("onnx/model.onnx")
        with pytest.raises(PackageError, match=r"onnx/model\.onnx is damaged"):
            opened.verify()
        assert opened.read("onnx/reproduce_export.py") == b"import torch\n"


def test_a_file_that_was_exchanged_with_a_valid_checksum_is_noticed(package: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(package) as before, zipfile.ZipFile(tmp_path / "new.nav", "w") as after:
        for name in before.namelist():
            after.writestr(name, b"another model" if name == "onnx/model.onnx" else before.read(name))

    problem = r"onnx/model\.onnx is not what was packed \(SHA-256 differs\)"
    with open_package(tmp_path / "new.nav") as opened, pytest.raises(PackageError, match=problem):
        opened.extract(["onnx/model.onnx"], tmp_path / "models")
    assert [path.name for path in (tmp_path / "models").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("added", [True, False])
def test_an_added_or_removed_file_is_noticed(package: Path, tmp_path: Path, added: bool) -> None:
    with zipfile.ZipFile(package) as before, zipfile.ZipFile(tmp_path / "new.nav", "w") as after:
        for name in before.namelist():
            if added or name != "onnx/model.onnx":
                after.writestr(name, before.read(name))
        if added:
            after.writestr("onnx/sitecustomize.py", b"import os")

    problem = r"onnx/sitecustomize\.py was added" if added else r"onnx/model\.onnx is missing"
    with pytest.raises(PackageError, match=problem):
        open_package(tmp_path / "new.nav")


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../evil", "onnx/../../evil", "C:/evil", "onnx\\..\\evil", "onnx//model", "./model", ".."]
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PackageError, match="the package was tampered with"):
        open_package(archive(tmp_path / "out.nav", (name, b"x")))


def test_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("onnx/model.onnx")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16

    with pytest.raises(PackageError, match="is a link or a device"):
        open_package(archive(tmp_path / "out.nav", (link, b"/etc/passwd")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="is there 2 times"):
        open_package(archive(tmp_path / "out.nav", ("a", b"x"), ("a", b"y")))


def test_files_are_extracted_below_the_folder(package: Path, tmp_path: Path) -> None:
    with open_package(package) as opened:
        paths = opened.extract(["onnx/model.onnx", "model_input/batches/0.npz"], tmp_path / "here")
        assert [path.read_bytes() for path in paths] == [
            opened.read("onnx/model.onnx"),
            opened.read("model_input/batches/0.npz"),
        ]
    assert paths[0] == tmp_path / "here" / "onnx" / "model.onnx"


def test_a_link_in_the_target_is_not_followed(package: Path, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "here" / "onnx").symlink_to(tmp_path / "elsewhere")

    with open_package(package) as opened, pytest.raises(PackageError, match="a link leads there"):
        opened.extract(["onnx/model.onnx"], tmp_path / "here")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_file_that_is_not_there_is_named(package: Path, tmp_path: Path) -> None:
    with open_package(package) as opened, pytest.raises(PackageError, match=r"\.\./x: no such file"):
        opened.extract(["../x"], tmp_path / "here")


def test_a_target_that_cannot_be_written_is_named(package: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    with open_package(package) as opened, pytest.raises(PackageError, match="cannot write below"):
        opened.extract(["onnx/model.onnx"], tmp_path / "file")


def test_a_package_of_model_navigator_itself_is_read_without_digests(tmp_path: Path) -> None:
    with open_package(archive(tmp_path / "theirs.nav", ("onnx/", b""), ("onnx/model.onnx", b"x"))) as opened:
        assert opened.files() == {"onnx/model.onnx": ""}
        assert opened.read("onnx/model.onnx") == b"x"
        assert opened.complete


@given(st.dictionaries(st.text(max_size=12).filter(lambda name: not name_problem(name)), st.binary(max_size=64)))
@example({"status.yaml": b""})
@settings(max_examples=50, deadline=None)
def test_every_portable_name_survives_the_archive(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    for _, *others in colliding(["status.yaml", *files]):
        files = {name: content for name, content in files.items() if name not in others}
    folders = {name.rpartition("/")[0] for name in files}
    files = {
        name: content
        for name, content in files.items()
        if name != "status.yaml" and not any(f"{f}/".startswith(f"{name}/") for f in folders)
    }
    path = tmp_path_factory.mktemp("zip") / "out.nav"
    members = [Member(name, content) for name, content in files.items()]

    write_archive(path, [Member("status.yaml", STATUS), *members], {m.name: m.digest() for m in members})

    with open_package(path) as opened:
        assert {name: opened.read(name) for name in opened.files()} == files


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_no_bytes_make_the_reader_fail_otherwise(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as file:
        file.writestr("status.yaml", STATUS)
    path = tmp_path_factory.mktemp("junk") / "out.nav"
    content = bytearray(whole.getvalue())
    for position, byte in enumerate(junk):
        content[(position * 7919 + byte) % len(content)] ^= byte
    path.write_bytes(content)

    try:
        opened = open_package(path)
    except PackageError:
        return
    with opened:
        assert "format_version" in opened.status


@pytest.mark.parametrize("junk", [b"x", b"\0" * 40, b"PK\5\6" + b"\0" * 10])
def test_what_was_added_after_the_end_is_noticed(package: Path, junk: bytes) -> None:
    with package.open("ab") as file:
        file.write(junk)

    with pytest.raises(PackageError, match=r"out\.nav (goes on after its end: something was added|is truncated)"):
        open_package(package)


def test_the_comment_of_an_archive_is_not_after_its_end(tmp_path: Path) -> None:
    with zipfile.ZipFile(archive(tmp_path / "out.nav"), "a") as file:
        file.comment = b"by hand"

    open_package(tmp_path / "out.nav").close()
