"""`--nav-model=some.nav`: the checks of a package are run again, from its own exports, samples and outputs."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest
import yaml
from blackbox import DENSE, FAKE_FORMAT, calls, outcomes, status, words

from pytest_navigator.package.container.reader import open_package
from tests.package.tampered import put, tampered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from blackbox import Nav

    Package = Callable[..., Path]

FEATURES = ("steps", "convert.copy", "data", "built_with", "processor", "features")
SUITE = "linear.nav::nav_model::"

CONVERTED = """
import os, shutil

@dataclass(frozen=True)
class CopyConfig(FormatConfig):
    tag: str = "first"

class CopyCPU(FakeCPU):
    name = "CopyCPU"
    format = "copy"

class Copy(Fake):
    name = "copy"
    config = CopyConfig
    parent = "fake"
    runners = (CopyCPU,)

    def variants(self, config, parents):
        return [Variant("copy", "copy", p.key, "model.npz", {**p.parameters, "tag": config.tag}) for p in parents]

    def convert(self, parent, data, signature, variant, path):
        note("convert-" + variant.parameters["tag"])
        with np.load(parent) as arrays:
            np.savez(path, **arrays, extra=np.array(os.environ.get("EXTRA", "")))
        return {}
"""
"""A format that is converted from the fake one; what is in its file depends on the environment too."""

BOUND = """
from pytest_navigator.devices.built_with import Library
from pytest_navigator.devices.processors import here

Copy.bound, Copy.bound_to = True, ("processor",)
Copy.built_by = lambda self, parameters: Library("CopyRT", "1.2.0")
Copy.processor = lambda self, parameters: replace(here(), features=("sse2",))
"""
"""What it is converted to is bound to a processor."""

FUNCTION = """
import numpy as np, pytest

@pytest.fixture
def nav_model():
    return np.cos

@pytest.fixture
def nav_dataloader():
    return [np.ones((2, 3), "float32")]
"""

VERIFY = """
import numpy as np

def verify_shape(nav_runner):
    assert nav_runner(np.zeros((2, 5), "float32")).shape == (2, 7)
"""


@pytest.fixture(scope="module")
def made() -> dict[tuple[str, ...], bytes]:
    """The packages that were made so far, by what they were made with."""
    return {}


@pytest.fixture
def dense_package(
    pytester: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch, made: dict[tuple[str, ...], bytes]
) -> Package:
    """Write a model without torch, and its package; what follows runs from the package alone."""
    monkeypatch.setenv("COLUMNS", "500")

    def write(
        *arguments: str, config: str = "", formats: str = "FakeConfig(), CopyConfig(tag='own')", more: str = ""
    ) -> Path:
        pytester.makepyfile(fake_format=FAKE_FORMAT + CONVERTED + more)
        chosen = f"nav_config = NavConfig(framework='dense', formats=[{formats}], name='linear', {config})\n"
        conftest = DENSE.replace("[DenseFormat, Fake, Other]", "[DenseFormat, Fake, Other, Copy]")
        pytester.makeconftest(conftest + chosen)
        package = pytester.path / "linear.nav"
        key = (*arguments, config, formats, more, *sorted(path.name for path in pytester.path.glob("test_*.py")))
        if key not in made:
            assert nav("--nav-package=linear.nav", *arguments, formats="").ret == 0
            made[key] = package.read_bytes()
            (pytester.path / "calls.txt").unlink()
        package.write_bytes(made[key])
        start = conftest.index("def pytest_nav_formats")
        pytester.makeconftest("from fake_format import *\n" + conftest[start:])
        return package

    return write


@pytest.fixture
def again(pytester: pytest.Pytester, nav: Nav) -> Nav:
    """Run the checks of linear.nav again."""

    def run(*arguments: str, **options: object) -> pytest.RunResult:
        apart = "-n2" in arguments
        return nav("-v", "--nav-model=linear.nav", *arguments, **{"formats": "", "subprocess": apart, **options})

    return run


def test_a_package_is_checked_again_and_what_it_gives_too(linear: pytest.Pytester, nav: Nav) -> None:
    assert nav("--nav-package=linear.nav", formats="torchscript-trace,onnx").ret == 0
    before = status(linear.path / "linear.nav")
    (linear.path / "conftest.py").write_text("")
    for name in ("again", "third"):
        result = nav("-v", "--nav-model=linear.nav", f"--nav-package={name}.nav", formats="")
        assert outcomes(result) == {
            f"{SUITE}test_source": "PASSED",
            f"{SUITE}test_correctness[torchscript-trace-cpu]": "PASSED",
            f"{SUITE}test_correctness[onnx-cpu]": "PASSED",
        }
        with open_package(linear.path / f"{name}.nav") as package:
            package.verify()
            assert package.complete
        after = status(linear.path / f"{name}.nav")
        for part in ("input_metadata", "output_metadata"):
            assert after[part] == before[part]
        assert after["pytest_navigator"]["fingerprint"] == before["pytest_navigator"]["fingerprint"]
        (linear.path / "linear.nav").write_bytes((linear.path / f"{name}.nav").read_bytes())


@pytest.mark.parametrize("features", [["sse2"], ["sse2", "sse9"]], ids=["here", "elsewhere"])
def test_a_conversion_that_is_made_again_says_that_the_packages_own_was_built_for_another_processor(
    dense_package: Package, again: Nav, features: list[str]
) -> None:
    package = dense_package(more=BOUND)
    tampered(package, put(*FEATURES, value=features)).replace(package)
    result = again()

    assert words(result)["test_correctness[copy-cpu]"] == "PASSED"
    text = "note: convert.copy: made again here: what linear.nav holds was built for x86-64 with sse9 on Linux with "
    found = [line for line in result.outlines if line.startswith(text) and "CopyRT 1.2; found x86-64 " in line]
    assert len(found) == ("sse9" in features), result.outlines


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["plain", "n2"])
def test_exports_come_with_the_package_and_conversions_are_made_again(
    pytester: pytest.Pytester, dense_package: Package, again: Nav, arguments: tuple[str, ...]
) -> None:
    dense_package()
    result = again("--nav-profile-seconds=0.1", "--nav-package=again.nav", *arguments, profile=True)
    assert result.ret == 0
    found = words(result)
    made = {"test_source", "test_convert[copy]", "test_correctness[fake-cpu]", "test_correctness[copy-cpu]"}
    assert made <= found.keys()
    assert "test_profile[copy-cpu-batch1]" in found
    assert set(found.values()) == {"PASSED"}
    assert not any("dense" in name or "export" in name for name in found)
    assert "export" not in calls(pytester)
    assert calls(pytester).count("convert-own") == 1, "with the parameters that it had"
    result.stdout.fnmatch_lines(
        ["note: source: the outputs that linear.nav recorded stand for the live model, which no package holds: *"]
    )
    assert status(pytester.path / "again.nav")["pytest_navigator"]["complete"]


def test_what_was_verified_stays_so_for_the_same_artifact_only(
    pytester: pytest.Pytester, dense_package: Package, again: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(test_quality=VERIFY)
    package = dense_package()
    assert status(package)["pytest_navigator"]["verified"] == ["fake/FakeCPU", "copy/CopyCPU"]
    (pytester.path / "test_quality.py").unlink()
    again("--nav-package=same.nav")
    assert status(pytester.path / "same.nav")["pytest_navigator"]["verified"] == ["fake/FakeCPU", "copy/CopyCPU"]
    monkeypatch.setenv("EXTRA", "another compiler")
    again("--nav-package=other.nav")
    assert status(pytester.path / "other.nav")["pytest_navigator"]["verified"] == ["fake/FakeCPU"]


def test_the_verify_tests_of_this_folder_run_on_the_package(
    pytester: pytest.Pytester, dense_package: Package, again: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    dense_package()
    monkeypatch.setenv("EXTRA", "another compiler")
    pytester.makepyfile(test_quality=VERIFY + "\ndef verify_source(nav_source_runner): pass\n")
    result = again("--nav-package=again.nav", ".")
    found = outcomes(result)
    assert found["test_quality.py::verify_shape[fake-cpu]"] == "PASSED"
    assert found["test_quality.py::verify_shape[copy-cpu]"] == "PASSED"
    assert found["test_quality.py::verify_source"] == "SKIPPED"
    verified = status(pytester.path / "again.nav")["pytest_navigator"]["verified"]
    assert verified == ["fake/FakeCPU", "copy/CopyCPU"]


def test_tolerances_come_from_the_package_unless_a_flag_says_others(dense_package: Package, again: Nav) -> None:
    dense_package(config="atol=9.0", formats="FakeConfig(scale=1.01)")
    assert words(again())["test_correctness[fake-cpu]"] == "PASSED"
    assert words(again("--nav-atol=1e-6"))["test_correctness[fake-cpu]"] == "FAILED"


def test_a_tolerance_of_a_format_that_is_not_in_the_package_does_no_harm(
    pytester: pytest.Pytester, dense_package: Package, again: Nav
) -> None:
    """The format is another plugin's, which this run has not."""
    dense_package(config="atol={'copy': 9.0, 'fake': 8.0}")
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace("Other, Copy]", "Other]"))
    result = again()
    assert words(result) == {"test_source": "PASSED", "test_correctness[fake-cpu]": "PASSED"}


def test_a_comparison_that_was_a_function_is_named(dense_package: Package, again: Nav) -> None:
    dense_package(config="comparisons={'output__0': lambda expected, actual: True}", formats="FakeConfig()")
    result = again()
    result.stdout.fnmatch_lines(
        ["note: source: *; compared by default tolerances here: output__0 (by its function <lambda>)"]
    )


def test_a_format_is_chosen_by_its_name(dense_package: Package, again: Nav) -> None:
    dense_package()
    assert set(words(again(formats="fake"))) == {"test_source", "test_correctness[fake-cpu]"}
    refused = again(formats="other")
    refused.stderr.fnmatch_lines(
        ["ERROR: format 'other' is not in *linear.nav, and cannot be made without*fake, copy*"]
    )


def test_a_nav_model_beside_the_package_is_not_tested_and_that_is_said(
    pytester: pytest.Pytester, dense_package: Package, again: Nav
) -> None:
    dense_package()
    conftest = pytester.path / "conftest.py"
    conftest.write_text(
        f"{conftest.read_text()}\nimport pytest\n@pytest.fixture\ndef nav_model(): raise AssertionError\n"
    )
    result = again(".")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["note: nav_model of conftest.py was not tested: --nav-model=linear.nav was"])


def test_a_damaged_artifact_fails_the_source_step(
    pytester: pytest.Pytester, dense_package: Package, again: Nav
) -> None:
    package = dense_package()
    with zipfile.ZipFile(package) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content["fake/model.npz"] += b"more"
    with zipfile.ZipFile(package, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    result = again()
    assert words(result)["test_source"] == "FAILED"
    result.stdout.fnmatch_lines(
        ["*linear.nav: fake/model.npz is not what was packed (SHA-256 differs); make it again*"]
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "ERROR: --nav-model=linear.nav: there is no file *linear.nav*"),
        (b"", "ERROR: --nav-model=linear.nav: *linear.nav is empty"),
        ({"format_version": "0.3.1", "model_navigator_version": "0.13.0"}, "ERROR: *of Model Navigator 0.13.0: only*"),
        ({"a": 1}, "ERROR: *linear.nav: status.yaml: it is not that of a package: it has no format_version"),
    ],
    ids=["missing", "empty", "Model Navigator's own", "another ZIP"],
)
def test_what_is_no_package_of_ours_is_refused(
    pytester: pytest.Pytester, again: Nav, content: bytes | dict[str, object] | None, message: str
) -> None:
    path = pytester.path / "linear.nav"
    if isinstance(content, dict):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("status.yaml", yaml.safe_dump(content))
    elif content is not None:
        path.write_bytes(content)
    result = again()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


@pytest.mark.parametrize("length", [500, 5000], ids=["in its end", "in a file"])
def test_a_package_that_was_cut_off_is_refused(dense_package: Package, again: Nav, length: int) -> None:
    package = dense_package()
    package.write_bytes(package.read_bytes()[:-length])
    result = again()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *linear.nav is a ZIP archive that was cut off*: copy it again"])


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        ("--nav-save-data=none", "ERROR: *linear.nav has no model_output/*: the samples were left out*"),
        ("--nav-keep=none", "ERROR: *linear.nav holds no model that was exported from its dense source*"),
    ],
)
def test_a_package_without_what_is_needed_is_refused(
    dense_package: Package, again: Nav, packed: str, message: str
) -> None:
    dense_package(packed)
    again().stderr.fnmatch_lines([message])


def test_a_package_of_a_function_has_nothing_to_check(pytester: pytest.Pytester, nav: Nav, again: Nav) -> None:
    pytester.makeconftest(FUNCTION)
    assert nav("--nav-package=linear.nav", formats="").ret == 0
    again().stderr.fnmatch_lines(["ERROR: *exported from its python source*; check that source itself"])


def test_another_framework_than_the_packages_is_refused(dense_package: Package, again: Nav) -> None:
    dense_package()
    result = again("--nav-framework=torch")
    result.stderr.fnmatch_lines(["ERROR: *linear.nav is a package made from dense, not of the framework 'torch'*"])


def test_options_of_how_a_model_is_called_are_refused(dense_package: Package, again: Nav) -> None:
    dense_package()
    result = again("--nav-inputs=x:-1,5:float32")
    result.stderr.fnmatch_lines(["ERROR: --nav-inputs is of no use beside --nav-model=linear.nav: a package brings*"])
