"""A package that somebody made to do harm, or that another version wrote."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import pytest_navigator as nav
from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.container.writer import pack
from pytest_navigator.package.layout.status_file import parse
from pytest_navigator.package.zip.safety import Limits
from tests.package.commands import command
from tests.package.tampered import put, tampered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STATUS = b"format_version: 0.3.2\n"


def archive(path: Path, *entries: tuple[str, bytes], status: bytes = STATUS, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in (("status.yaml", status), *entries):
            file.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("first", "second"),
    [("onnx/model.onnx", "ONNX/model.onnx"), ("a", "A"), ("stra\u00dfe", "STRASSE"), ("\u00e9", "e\u0301")],
)
def test_names_that_are_one_file_elsewhere_are_refused(tmp_path: Path, first: str, second: str) -> None:
    with pytest.raises(PackageError, match="are one file on many file systems"):
        open_package(archive(tmp_path / "out.nav", (first, b"x"), (second, b"y")))


def test_such_names_are_not_packed_and_that_is_said(workspace: Callable[..., Path], tmp_path: Path) -> None:
    folder = workspace()
    (folder / "onnx" / "Weights").write_text("x")
    (folder / "onnx" / "weights").write_text("y")

    with open_package(pack(folder, tmp_path / "out.nav", environment={})) as package:
        assert package.read("onnx/Weights") == b"x"
        assert package.details["left_out"] == {"onnx/weights": "on many file systems the same file as onnx/Weights"}


@pytest.mark.parametrize("names", [("onnx", "onnx/model.onnx"), ("onnx/a/b", "onnx")])
def test_a_file_that_is_a_folder_too_is_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    with pytest.raises(PackageError, match="'onnx' is a file and a folder"):
        open_package(archive(tmp_path / "out.nav", *((name, b"x") for name in names)))


@pytest.fixture(scope="module")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 MiB of zeros in 300 KiB."""
    path = tmp_path_factory.mktemp("bomb") / "out.nav"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("status.yaml", STATUS)
        with file.open("model.onnx", "w") as entry:
            for _ in range(300):
                entry.write(bytes(2**20))
    return path


def test_a_zip_bomb_is_refused_unless_the_limit_is_raised(bomb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = r"it unpacks to 3145728\d\d B, \d+ times its own size, more than 100; NAV_PACKAGE_MAX_RATIO=(\d+) lets it"
    with pytest.raises(PackageError, match=problem) as raised:
        open_package(bomb)
    with open_package(bomb, Limits(ratio=2000)) as package:
        assert package.files() == {"model.onnx": ""}

    monkeypatch.setenv("NAV_PACKAGE_MAX_RATIO", str(raised.value).partition("RATIO=")[2].split()[0])
    open_package(bomb).close()


def test_too_many_files_are_refused_unless_the_limit_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "out.nav", *((f"{number}", b"") for number in range(20)))

    monkeypatch.setenv("NAV_PACKAGE_MAX_FILES", "20")
    with pytest.raises(PackageError, match="it has 21 files, more than 20; NAV_PACKAGE_MAX_FILES=21 lets it pass"):
        open_package(path)
    monkeypatch.setenv("NAV_PACKAGE_MAX_FILES", "21")
    open_package(path).close()


@pytest.mark.parametrize("value", ["many", "0", "-1", "nan"])
def test_a_limit_that_is_none_is_named(value: str) -> None:
    with pytest.raises(ConfigError, match=f"NAV_PACKAGE_MAX_FILES={value}: a number above 0 is needed"):
        Limits.of({"NAV_PACKAGE_MAX_FILES": value})


def test_files_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "out.nav", ("a", bytes(1000)), ("b", b""))
    content = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        first = file.getinfo("a")
    directory = content.index(b"PK\1\2")
    b_entry = content.index(b"PK\1\2", content.index(b"PK\1\2", directory + 1) + 1)
    forged = bytearray(content)
    forged[b_entry + 20 : b_entry + 28] = first.file_size.to_bytes(4, "little") * 2
    path.write_bytes(forged)

    with pytest.raises(PackageError, match="its files overlap"):
        open_package(path)


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (b"format_version: 0.3.2\nx: " + b"[" * 300_000, "it is nested more than 200 levels deep"),
        (f"format_version: 0.3.2\n{LAUGHS}".encode(), "it has more than 1000"),
        (b"format_version: 0.3.2\nx: &x [*x]\n", "it cannot be read"),
        (b"format_version: 0.3.2\nx: !!python/object/apply:os.getpid []\n", "could not determine a constructor"),
        (b"a: 1", "it is not that of a package: it has no format_version"),
    ],
    ids=["deep", "laughs", "itself", "python", "other"],
)
def test_a_status_that_does_harm_is_refused(tmp_path: Path, status: bytes, problem: str) -> None:
    path = archive(tmp_path / "out.nav", status=status)

    # In a process of its own: a loader without a limit would take this one with it.
    ran = subprocess.run(
        [sys.executable, "-m", "pytest_navigator", "show", path],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ran.returncode == 2
    assert problem in ran.stderr


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"config": {"seed": "one"}}, r"\$\.config\.seed: expected int"),
        ({"config": {"batch_dim": True}}, r"\$\.config\.batch_dim: expected int"),
        ({"models_status": []}, r"\$\.models_status: expected a mapping"),
        (
            {"models_status": {"onnx": {"model_config": {"format": "onnx"}}}},
            r"\$\.models_status\['onnx'\]\.model_config\.key: required field missing",
        ),
        (
            {"input_metadata": {"metadata": [{"name": "x", "shape": [1, "n"], "dtype": "float32"}]}},
            r"\$\.input_metadata\.metadata\[0\]\.shape\[1\]: expected int",
        ),
        (
            {"pytest_navigator": {"files": {"onnx/model.onnx": 3}}},
            r"\$\.pytest_navigator\.files\['onnx/model\.onnx'\]: ex",
        ),
        ({"format_version": "0.4.0"}, r"its format_version, 0\.4\.0, is newer than 0\.3\.2"),
        ({"format_version": "1.0.0"}, r"its format_version, 1\.0\.0, is newer than 0\.3\.2"),
        ({"format_version": "new"}, r"its format_version, 'new', is none"),
        ({"format_version": "0.2.1"}, r"it is not what format_version 0\.2\.1 calls for: KeyError 'config'"),
    ],
)
def test_a_wrong_value_is_named_with_its_path(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    status = yaml.safe_dump({"format_version": "0.3.2", **change}).encode()

    with pytest.raises(PackageError, match=rf"out\.nav: status\.yaml: {problem}"):
        open_package(archive(tmp_path / "out.nav", status=status))


def test_a_wrong_value_in_our_own_records_is_named_with_its_path(
    workspace: Callable[..., Path], tmp_path: Path
) -> None:
    folder = workspace()
    pack(folder, tmp_path / "whole.nav", environment={})
    status = yaml.safe_load((folder / "status.yaml").read_text())
    status["pytest_navigator"] |= {"files": {}}
    status["pytest_navigator"]["steps"]["export.onnx"]["status"] = "splendid"
    archive(tmp_path / "out.nav", status=yaml.safe_dump(status).encode())

    problem = "status.yaml: $.pytest_navigator.steps['export.onnx'].status: expected Status"
    assert problem in command("show", tmp_path / "out.nav").err


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("started", "soon", "'soon' is no time"),
        ("started", "9999-12-31T23:59:59", "'9999-12-31T23:59:59' is no time"),
        ("duration", 1e300, "1e+300 s is none"),
        ("duration", float("nan"), "nan s is none"),
    ],
)
def test_a_time_that_merge_could_not_calculate_with_is_a_wrong_value(
    workspace: Callable[..., Path], tmp_path: Path, name: str, value: object, problem: str
) -> None:
    package = pack(workspace(), tmp_path / "whole.nav", environment={})
    evil = tampered(package, put("steps", "source", name, value=value))

    assert f"$.pytest_navigator.steps['source'].{name}: {problem}" in command("show", evil).err


def test_what_we_write_is_what_the_schema_says(workspace: Callable[..., Path], tmp_path: Path) -> None:
    with open_package(pack(workspace(), tmp_path / "out.nav")) as package:
        assert parse(package.read("status.yaml")) == package.status


@pytest.mark.parametrize(
    ("parent", "problem"),
    [
        ("onnx", "'onnx' is made from 'onnx' itself"),
        ("trt-fp16", "'trt-fp16' is made from 'onnx' itself"),
        ("onxx", "'onxx' is no format of the package"),
    ],
)
def test_a_format_that_is_made_from_itself_or_from_none_is_refused(
    workspace: Callable[..., Path], tmp_path: Path, parent: str, problem: str
) -> None:
    evil = tampered(
        pack(workspace(), tmp_path / "out.nav", environment={}), put("suite", "variants", 3, "parent", value=parent)
    )

    with pytest.raises(PackageError, match=rf"\$\.pytest_navigator\.suite\.variants\[3\]\.parent: {problem}"):
        open_package(evil)


def test_a_format_of_model_navigator_that_is_made_from_itself_is_refused(
    workspace: Callable[..., Path], tmp_path: Path
) -> None:
    def change(status: dict[str, Any]) -> None:
        del status["pytest_navigator"]
        status["models_status"]["onnx"]["model_config"]["parent_key"] = "trt-fp16"

    problem = r"\$\.models_status\['onnx'\]\.model_config\.parent_key: 'trt-fp16' is made from 'onnx' itself"
    with pytest.raises(PackageError, match=problem):
        open_package(tampered(pack(workspace(), tmp_path / "out.nav", environment={}), change))


def _unsigned(status: dict[str, Any]) -> None:
    ours = status["pytest_navigator"]
    ours["signature"], ours["steps"]["source"]["status"] = None, "failed"


def test_a_source_that_passed_without_a_signature_is_refused(workspace: Callable[..., Path], tmp_path: Path) -> None:
    evil = tampered(pack(workspace(), tmp_path / "out.nav", environment={}), put("signature", value=None))

    with pytest.raises(PackageError, match=r"\.signature: there is none, although the source passed"):
        open_package(evil)


def test_without_a_signature_no_command_and_no_call_breaks(workspace: Callable[..., Path], tmp_path: Path) -> None:
    whole = pack(workspace(), tmp_path / "out.nav", environment={})
    evil = tampered(whole, _unsigned)

    assert "onnx-cpu was not compared with the source" in command("diagnose", evil, "onnx-cpu").err
    assert "passed" in command("judge", evil, "--atol=0").out
    with nav.load(evil) as package, pytest.raises(PackageError, match=r"has no configuration: linear has no signature"):
        package.save(tmp_path / "saved.nav", save_data=False)
    assert not (tmp_path / "saved.nav").exists()


@pytest.mark.parametrize("change", [dict.clear, lambda settings: [each.pop("value") for each in settings.values()]])
def test_settings_need_not_be_recorded(
    workspace: Callable[..., Path], tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    whole = pack(workspace(), tmp_path / "out.nav", environment={})
    evil = tampered(whole, lambda status: change(status["pytest_navigator"]["settings"]))

    for words in (("show", evil), ("judge", evil), ("diff", whole, evil)):
        assert "should not have happened" not in command(*words).err
    with nav.load(evil) as package:
        package.save(tmp_path / "saved.nav")
    open_package(tmp_path / "saved.nav").close()
