"""Bundles: what goes in comes out, on another machine or not at all; nothing in one is trusted."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import pytest_navigator as nav
from pytest_navigator.backends.files.kinds import format_of
from pytest_navigator.core.plain import plain
from pytest_navigator.devices.built_with import BuiltWith, Library
from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.package.container.writer import pack
from pytest_navigator.pipelines.bundle import write_bundle
from pytest_navigator.pipelines.choice import Choice
from pytest_navigator.pipelines.store import default_store
from tests.package.commands import command
from tests.package.recorded import outcomes, workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["workspace"]

UNET = Choice("unet", "unet", "ab" * 32, "k1", "torchscript-trace", "TorchScriptCPU", "", ("timestep",), 2.0, 1.0)
EAGER = replace(UNET, graph="unet.2", key="k2", format="", runner="", reason="not faster", chosen_ms=None)
VAE = Choice("vae.decoder", "vae.decoder", "cd" * 32, "k3", "torchscript-trace", "TorchScriptCPU")


@pytest.fixture(autouse=True)
def store_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAV_PIPELINES_DIR", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def package(workspace: Callable[..., Path], tmp_path: Path) -> Path:
    """A package with a torchscript-trace that passed, and samples."""
    return pack(workspace(), tmp_path / "unet.nav", environment={})


@pytest.fixture
def bundle(package: Path, tmp_path: Path) -> Path:
    choices = [UNET, EAGER, VAE]
    return write_bundle(
        tmp_path / "out.nav", choices, {UNET: package, VAE: package}, ["batch=large"], {UNET.fingerprint: ["calls"]}
    )


def _edited(bundle: Path, change: Callable[[dict[str, Any]], object], **members: bytes) -> Path:
    """Write a copy with another bundle.yaml; its digests are those of the members that are there then."""
    target = bundle.with_name("evil.nav")
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(target, "w") as new:
        said = yaml.safe_load(old.read("bundle.yaml"))
        contents = {name: old.read(name) for name in old.namelist() if name != "bundle.yaml"} | members
        said["files"] = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        change(said)
        new.writestr("bundle.yaml", yaml.safe_dump(said, sort_keys=False))
        for name, content in contents.items():
            new.writestr(name, content)
    return target


def _nothing(said: dict[str, Any]) -> None:
    """Change nothing."""


def test_what_goes_in_comes_out(bundle: Path, package: Path) -> None:
    nav.bundle.load(bundle)
    found = default_store().choices(UNET.fingerprint)
    assert [replace(choice, package="") for choice in found] == [UNET, EAGER]
    assert default_store().package(found[0]).read_bytes() == package.read_bytes()
    assert default_store().changing(UNET.fingerprint) == ["calls"]
    assert [choice.module for choice in default_store().choices(VAE.fingerprint)] == ["vae.decoder"]


def test_the_same_content_is_the_same_bytes(bundle: Path, package: Path, tmp_path: Path) -> None:
    choices = [UNET, EAGER, VAE]
    again = write_bundle(
        tmp_path / "b.nav", choices, {VAE: package, UNET: package}, ["batch=large"], {UNET.fingerprint: ["calls"]}
    )
    assert again.read_bytes() == bundle.read_bytes()


@pytest.mark.parametrize("name", ["UNET", "con", "../unet", "a" * 300 + ".", "\x1b[2J"])
def test_a_name_that_is_none_of_a_file_is_that_of_a_module(bundle, package, tmp_path, name) -> None:
    other = replace(UNET, module=name, graph=name, fingerprint="ef" * 32)
    written = write_bundle(tmp_path / "two.nav", [UNET, other], {UNET: package, other: package})
    nav.bundle.load(written)
    (found,) = default_store().choices(other.fingerprint)
    assert found.module == name
    assert default_store().package(found).parent.name == other.fingerprint
    assert "\x1b" not in command("show", written).out


@pytest.mark.parametrize(
    ("tags", "matches"), [(None, True), (["batch=large"], True), (["batch=small"], False), ([], False)]
)
def test_tags_that_are_asked_for_have_to_be_those_of_the_bundle(bundle, tags, matches) -> None:
    assert nav.bundle.is_matching(bundle, tags=tags) is matches
    if matches:
        nav.bundle.load(bundle, tags=tags)
    else:
        with pytest.raises(PackageError, match=r"out\.nav is not for here: its tags are batch=large, asked for is"):
            nav.bundle.load(bundle, tags=tags)
        nav.bundle.load(bundle, tags=tags, force=True)
    assert default_store().choices(UNET.fingerprint)


def test_one_word_is_no_list_of_tags(bundle) -> None:
    with pytest.raises(ConfigError, match=r"tags='batch=large': a list of words is needed"):
        nav.bundle.load(bundle, tags="batch=large")


def test_a_bundle_of_another_platform_says_so_and_is_loaded_by_force(bundle, store_folder) -> None:
    other = _edited(bundle, lambda said: said["platform"].update(system="Darwin", machine="arm64"))
    assert not nav.bundle.is_matching(other)
    with pytest.raises(PackageError, match=r"made on Darwin arm64, this is .*force=True loads it all the same"):
        nav.bundle.load(other)
    assert not store_folder.exists()
    nav.bundle.load(other, force=True)
    assert default_store().choices(UNET.fingerprint)


def test_an_engine_of_another_gpu_or_version_does_not_match(workspace, tmp_path) -> None:
    built = BuiltWith("H200", "9.0", "570.1", "12.8", Library("TensorRT", "10.12.0.36"), ("9.0",))
    steps = [
        replace(each, status="passed", message="", requirement="", data={"built_with": plain(built)})
        if each.step == "convert"
        else each
        for each in outcomes()
    ]
    chosen = replace(UNET, format="trt-fp16", runner="TensorRT")
    made = pack(workspace(steps), tmp_path / "trt.nav", environment={})
    bundle = write_bundle(tmp_path / "out.nav", [chosen], {chosen: made})
    assert not nav.bundle.is_matching(bundle)
    with pytest.raises(PackageError, match=r"unet: trt-fp16 was built with H200 \(sm_90\), TensorRT 10\.12; found "):
        nav.bundle.load(bundle)


def _byte(bundle: Path) -> Path:
    content = bytearray(bundle.read_bytes())
    content[content.index(b"an onnx model")] ^= 1
    bundle.write_bytes(content)
    return bundle


def _truncated(bundle: Path) -> Path:
    bundle.write_bytes(bundle.read_bytes()[:-100])
    return bundle


def _compressed(bundle: Path) -> Path:
    """As a small file that unpacks to packages which unpack to more would be."""
    target = bundle.with_name("bomb.nav")
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return target


def _bomb(bundle: Path) -> Path:
    inner = bundle.with_name("inner.nav")
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("status.yaml", b"format_version: 0.3.2")
        file.writestr("model", bytes(200 * 2**20))
    return _nested(bundle, inner.read_bytes())


def _nested(bundle: Path, content: bytes) -> Path:
    return _edited(bundle, _nothing, **{"modules/more.nav": content})


def _bundle_in_a_bundle(bundle: Path) -> Path:
    return _nested(bundle, bundle.read_bytes())


def _no_package(bundle: Path) -> Path:
    return _nested(bundle, b"nothing")


def _other_module(bundle: Path) -> Path:
    return _edited(bundle, lambda said: said["modules"][0]["choices"][0].update(module="vae"))


def _fingerprint(bundle: Path) -> Path:
    return _edited(bundle, lambda said: said["modules"][0].update(fingerprint="../../../home"))


def _elsewhere(bundle: Path) -> Path:
    return _edited(bundle, lambda said: said["modules"][0]["choices"][0].update(package="/etc/passwd"))


def _newer(bundle: Path) -> Path:
    return _edited(bundle, lambda said: said.update(format_version="2.0"))


def _wrong_type(bundle: Path) -> Path:
    return _edited(bundle, lambda said: said.update(tags="batch=large"))


BAD = {
    _byte: r"out\.nav: modules/.* is (damaged|not what was packed)",
    _truncated: "is truncated or damaged",
    _compressed: "is compressed, which no bundle is",
    _bomb: r"modules/more\.nav: it unpacks to .* times its own size",
    _bundle_in_a_bundle: r"evil\.nav: modules/more\.nav is a bundle",
    _no_package: r"modules/more\.nav is not a package",
    _other_module: r"bundle\.yaml: unet: unet is of another module",
    _fingerprint: "its fingerprint '../../../home' is no SHA-256",
    _elsewhere: "'/etc/passwd' is not in the bundle",
    _newer: r"format_version 2\.0: this version reads 1\.0",
    _wrong_type: r"bundle\.yaml: \$\.tags",
}


@pytest.mark.parametrize("damage", BAD, ids=lambda each: each.__name__.strip("_"))
def test_what_is_not_to_be_trusted_is_refused_and_nothing_of_it_is_kept(bundle, store_folder, damage) -> None:
    evil = damage(bundle)
    with pytest.raises(PackageError, match=BAD[damage]):
        nav.bundle.load(evil, force=True)
    assert default_store().fingerprints() == []
    assert {path.name for path in store_folder.glob("*")} <= {".gitignore"}
    assert command("verify", evil).code != 0


def test_a_package_is_no_bundle_and_a_bundle_no_package_and_both_say_what_to_do(bundle, package) -> None:
    with pytest.raises(PackageError, match=r"unet\.nav is the package of one model, no bundle: nav\.load opens it"):
        nav.bundle.load(package)
    with pytest.raises(PackageError, match=r"nav\.bundle\.load\('.*out\.nav'\) puts them .* extract .* MODULE"):
        nav.load(bundle)


def test_a_file_that_is_neither_is_not_replaced(tmp_path, package) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    with pytest.raises(PackageError, match="would be lost"):
        write_bundle(other, [UNET], {UNET: package})
    assert other.read_text() == "mine"


def test_show_lists_the_modules(bundle) -> None:
    shown = command("show", bundle)
    text = " ".join(shown.out.split())
    assert shown.code == 0
    assert "out.nav: a bundle of 2 modules" in text
    assert "unet torchscript-trace TorchScriptCPU 2 1 -" in text
    assert "unet.2 eager - 2 - not faster" in text
    assert "tags: batch=large" in text
    assert json.loads(command("show", bundle, "--json").out)["tags"] == ["batch=large"]
    assert "has no page" in command("show", bundle, "--html").err


def test_verify_reads_every_file_of_every_package(bundle, package) -> None:
    with nav.load(package) as one:
        count = 2 * len(one.file.files())
    assert command("verify", bundle).out.endswith(f"all {count} files are as recorded\n")


def test_a_run_does_not_check_a_bundle_and_says_what_it_checks(bundle) -> None:
    with pytest.raises(ConfigError, match=r"out\.nav is a bundle .* extract .* MODULE gets the package of one"):
        format_of(bundle)


def test_extract_gets_the_package_of_a_module(bundle, package, tmp_path) -> None:
    assert command("extract", bundle, "vae.*", "-o", tmp_path / "x").code == 0
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["vae.decoder.nav"]
    assert (tmp_path / "x" / "vae.decoder.nav").read_bytes() == package.read_bytes()
    assert "exists; nothing was written" in command("extract", bundle, "-o", tmp_path / "x").err
    assert "unknown module 'vea'" in command("extract", bundle, "vea").err


LOADER = "import sys, pytest_navigator as nav\nfor _ in range(5): nav.bundle.load(sys.argv[1])"


def test_two_processes_load_one_bundle(bundle) -> None:
    command = [sys.executable, "-c", LOADER, str(bundle)]
    loaders = [subprocess.Popen(command, env={**os.environ}) for _ in range(2)]
    assert [loader.wait() for loader in loaders] == [0, 0]
    assert [choice.graph for choice in default_store().choices(UNET.fingerprint)] == ["unet", "unet.2"]


def test_a_bundle_that_is_not_there_says_what_writes_one() -> None:
    with pytest.raises(PackageError, match=r"absent\.nav: no such file; nav\.bundle\.save\('absent\.nav'\), or pytest"):
        nav.bundle.load("absent.nav")
