"""The pages of docs/: their code works, their tables are complete, their links lead somewhere."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest
from documents import ROOT, blocks, run

from pytest_navigator import NavConfig
from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.exchange.onnx import WAYS
from pytest_navigator.backends.jax.jax2onnx import JAX2ONNX, TF2ONNX
from pytest_navigator.backends.tensorflow import savedmodel_export as tf_savedmodel
from pytest_navigator.configuration.settings import OPTIONS
from pytest_navigator.planning.groups import members

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.formats.ways import Way

DOCS = ROOT / "docs"
NAMED = re.compile(r"# (\w+\.py)\n")
PAGES = ["README.md", "CHANGELOG.md", *sorted(f"docs/{page.name}" for page in DOCS.glob("*.md"))]
SOURCE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Source"]


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


CONFIGURATION = page("configuration")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the files that code blocks name."""
    for name in ("models", "verify"):
        for block in blocks(page(name), "python"):
            if found := NAMED.match(block.text):
                (tmp_path / found[1]).write_text(block.text, encoding="utf-8")
    return tmp_path


def test_the_model_of_the_documentation_is_the_readmes() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert blocks(page("models"), "python")[0] == blocks(readme, "python")[0]


@pytest.mark.slow
def test_the_command_for_ci_works_on_the_code_as_it_stands(project: Path) -> None:
    (command,) = blocks(page("ci"), "shell")

    ran = run(command.text, project)

    assert ran.returncode == 0, ran.stdout
    assert "verify_the_same_class_wins[" not in ran.stdout.partition("short test summary")[2]
    assert (project / "out.nav").is_file()


@pytest.mark.parametrize(
    ("form", "of", "ways"),
    [
        ("onnx", "a live PyTorch model", WAYS["torch"]),
        ("onnx", "an exported program", WAYS["torch-exportedprogram"]),
        ("onnx", "a TorchScript file", WAYS["torchscript"]),
        ("onnx", "TensorFlow, Keras, a SavedModel (through `tf-savedmodel`)", WAYS["tf-savedmodel"]),
        ("onnx", "JAX", (JAX2ONNX, TF2ONNX)),
        ("tf-savedmodel", "TensorFlow, Keras", tf_savedmodel.WAYS.tried),
    ],
)
def test_the_ways_to_a_format_are_listed_in_the_order_in_which_they_are_tried(
    form: str, of: str, ways: tuple[Way, ...]
) -> None:
    (row,) = [line for line in page("formats").splitlines() if line.startswith(f"| `{form}` | {of} |")]

    _, _, _, tried, chosen, _ = row.split("|")

    assert [name for name in re.findall(r"`([\w.-]+)`", tried) if name != "tf-savedmodel"] == [w.engine for w in ways]
    assert re.findall(r"`([^`]+)`", chosen) in ([], [way.asked_by for way in ways])


def test_the_configuration_of_ways_can_be_written_like_that() -> None:
    for block in blocks(page("formats"), "python"):
        exec(block.text, {})


def test_the_configuration_can_be_written_like_that() -> None:
    found = [block for name in ("configuration", "sources") for block in blocks(page(name), "python")]
    configurations = [block for block in found if "NavConfig(" in block.text]

    for block in configurations:
        names: dict[str, object] = {}
        exec(compile(block.text, "configuration.md", "exec"), names)
        assert isinstance(names["nav_config"], NavConfig)
    assert len(configurations) > 1


def test_the_ini_settings_are_read(project: Path) -> None:
    (ini,) = blocks(CONFIGURATION, "ini")
    (project / "pytest.ini").write_text(ini.text, encoding="utf-8")

    ran = run("pytest --nav --nav-show-config --collect-only -q", project)

    origins = [line.partition("=")[0].strip() for line in ini.lines if "=" in line]
    assert [name for name in origins if f"(ini: {name})" not in ran.stdout] == []


def test_the_table_of_options_is_complete(pytester: pytest.Pytester) -> None:
    shown = pytester.runpytest("--help").stdout.str()
    table = CONFIGURATION.partition("<!-- options -->")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[3:]]
    flags = [re.findall(r"--[\w-]+", flag)[0] for flag, *_ in rows]

    assert sorted(flags) == sorted(re.findall(r"^ +(--nav[\w-]*)", shown, re.MULTILINE))
    assert sorted(ini.strip("`") for _, _, ini, _ in rows if ini) == sorted(re.findall(r"^ +(nav_\w+) \(", shown, re.M))
    fields = {flag: field for flag, (_, field, *_) in zip(flags, rows, strict=True)}
    assert [option.flag for option in OPTIONS if fields[option.flag] != f"`{option.name}`"] == []


def test_the_table_of_formats_names_every_field() -> None:
    import pytest_navigator as nav
    from pytest_navigator.configuration.format_config import FormatConfig

    text = CONFIGURATION.partition("## Options")[0]
    classes = [getattr(nav, name) for name in nav.__all__ if name.endswith("Config") and name != "NavConfig"]

    for kind in (c for c in classes if issubclass(c, FormatConfig) and c is not FormatConfig):
        assert f"| `{kind.__name__}` |" in text
        hidden = {"graph_surgeon_optimization", "export_device"}
        names = [field.name for field in fields(kind)]
        assert [name for name in names if f"`{name}`" not in text and name not in hidden] == []


@pytest.mark.parametrize("name", PAGES)
def test_links_to_files_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [a or b for a, b in re.findall(r"\]\(([^)#\s]+)[^)]*\)|^\[\w+\]: (\S+)", text, re.MULTILINE)]
    ours = [link for link in links if link.startswith(SOURCE)]
    beside = [link for link in links if ":" not in link]

    assert [link for link in ours if not (ROOT / re.sub(rf"{SOURCE}/(blob|tree)/main/", "", link)).exists()] == []
    assert [link for link in beside if not (ROOT / name).with_name(link).exists()] == []


def test_unreleased_changes_stand_on_top() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert headings[0] == "Unreleased"


def test_the_reference_of_the_api_has_every_public_name() -> None:
    import pytest_navigator as nav

    shown = set(re.findall(r"^::: pytest_navigator\.(\w+)$", page("api"), re.MULTILINE))

    assert shown == set(nav.__all__) - {"__version__"} | {"errors", "inspect"}
    assert "::: pytest_navigator.plugin.hookspec\n" in page("api")


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]

    assert sorted(re.findall(r"- ([\w-]+\.md)$", navigation, re.MULTILINE)) == sorted(p.name for p in DOCS.glob("*.md"))


def test_the_table_of_groups_names_every_member() -> None:
    rows = re.findall(r"^\| `(cpu|edge)` \| (.*) \|$", page("which-format"), re.MULTILINE)
    documented = {group: set(re.findall(r"`([\w-]+)`", text)) for group, text in rows}
    there: dict[str, set[str]] = {group: set() for group in documented}
    for framework in ("torch", "tensorflow", "jax", "onnx"):
        for group, names in members(known(), framework).items():
            there.get(group, set()).update(names)
    assert documented == there
