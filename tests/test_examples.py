"""Every command of an example's README runs, and shows what the README says."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from documents import ROOT, blocks, copy_of, not_seen, run

from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.zip.archive import is_bundle
from pytest_navigator.pipelines.bundle_file import open_bundle
from tests.forking import TENSORFLOW, TORCH, preload

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = ROOT / "example_projects"
PACKAGES = {
    "torch_linear": {"torch_linear"},
    "torch_cnn": {"torch_cnn"},
    "torch_transformer": {"torch_transformer"},
    "deploy_triton": {"intents"},
    "tract_plugin": {"tract_plugin"},
    "tensorflow_keras": {"tensorflow_keras"},
    "jax_flax": {"jax_flax"},
    "onnx_file": {"digits"},
    "huggingface_text": {"encoder", "decoder"},
    "tensorrt_resnet": {"tensorrt_resnet"},
    "pipeline_diffusion": {"diffusion"},
    "many_models": {"autoencoder", "classifier-large", "classifier-small"},
}

NEEDS = {
    "huggingface_text": "transformers",
    "pipeline_diffusion": "diffusers",
    "tensorrt_resnet": "tensorrt_rtx",
    "tract_plugin": "tract",
}
"""A package that an example needs and that is not there on every machine."""


def test_every_example_is_tested_and_has_a_readme() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir() and any(path.glob("*.md"))}

    assert folders == set(PACKAGES)
    assert all((EXAMPLES / name / "README.md").is_file() for name in folders)


@pytest.mark.slow
@pytest.mark.parametrize("name", PACKAGES)
def test_the_commands_of_an_example_do_what_its_readme_shows(name: str, tmp_path: Path) -> None:
    if (package := NEEDS.get(name)) and find_spec(package) is None:  # not imported: the example runs elsewhere
        pytest.skip(f"{package} is not installed")
    preload(TENSORFLOW if name in ("tensorflow_keras", "jax_flax") else TORCH)
    folder = copy_of(EXAMPLES / name, tmp_path / name)
    output = ""

    for block in blocks((EXAMPLES / name / "README.md").read_text(encoding="utf-8"), "shell", "text"):
        if block.language == "text":
            assert not_seen(block.text, output) == [], output
            continue
        ran = run(block.text, folder)
        output = ran.stdout
        assert ran.returncode == 0, output

    complete = {path.stem for path in folder.glob("*.nav") if ".partial" not in path.name}
    assert complete == PACKAGES[name]
    for package in complete:
        check_whole(folder / f"{package}.nav")


def check_whole(path: Path) -> None:
    """Read a package, or each one of a bundle, and compare it with its digests."""
    if is_bundle(path):
        with open_bundle(path) as bundle:
            assert bundle.files()
            assert bundle.damaged_packages() == []
        return
    with open_package(path) as opened:
        assert opened.complete
        opened.verify()


@pytest.mark.parametrize("name", PACKAGES)
def test_the_code_that_an_example_quotes_is_its_own(name: str) -> None:
    text = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    files = [path.read_text(encoding="utf-8") for path in (EXAMPLES / name).glob("*.py")]

    assert [b.text for b in blocks(text, "python") if not any(b.text in file for file in files)] == []


@pytest.mark.parametrize("name", PACKAGES)
def test_the_links_of_an_example_lead_somewhere(name: str) -> None:
    text = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")

    assert [link for link in re.findall(r"\]\(([^)#:]+)\)", text) if not (EXAMPLES / name / link).exists()] == []


def test_the_documentation_shows_the_whole_example_of_a_format_from_outside() -> None:
    example = (EXAMPLES / "tract_plugin" / "nav_tract.py").read_text(encoding="utf-8")
    shown = blocks((ROOT / "docs" / "extending.md").read_text(encoding="utf-8"), "python")

    assert shown[0].text == example
    assert len(example.splitlines()) < 80
