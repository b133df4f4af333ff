"""Formats, runners and frameworks of others: through the hooks, from a conftest.py, a module beside it or a package."""

from __future__ import annotations

import re
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from blackbox import DENSE, FAKE_FORMAT, LINEAR, calls, status, words

from pytest_navigator.isolation.importing import imported, path_of

if TYPE_CHECKING:
    from blackbox import Nav

ROOT = Path(__file__).parents[2]
EXTENDING = ROOT / "docs" / "extending.md"
EXAMPLE = ROOT / "example_projects" / "tract_plugin" / "nav_tract.py"

CONFIG = "nav_config = NavConfig(framework='dense', formats=[FakeConfig()])\n"
IN_CONFTEST = FAKE_FORMAT + DENSE.replace("from fake_format import *\n", "") + CONFIG
RUNNER = """
class QuietCPU(FakeCPU):
    name = "QuietCPU"
    {more}

def pytest_nav_runners():
    return [QuietCPU]
"""

LOCAL = """
def made():
    class Hidden(FakeCPU):
        def activate(self): pass
    return Hidden

"""


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["plain", "n2"])
def test_a_format_in_a_conftest_runs_in_the_child(
    pytester: pytest.Pytester, nav: Nav, arguments: tuple[str, ...]
) -> None:
    pytester.makeconftest(IN_CONFTEST)
    result = nav("-v", "--nav-package=out.nav", *arguments, formats="", subprocess=True)
    assert result.ret == 0, result.outlines
    assert words(result)["test_correctness[fake-cpu]"] == "PASSED"
    assert status(pytester.path / "out.nav")["pytest_navigator"]["complete"]


def test_two_conftests_do_not_hide_each_other_from_the_child(pytester: pytest.Pytester, nav: Nav) -> None:
    """Both are called "conftest", and pytest keeps one of them under that name."""
    pytester.makeconftest(IN_CONFTEST)
    tests = pytester.mkdir("tests")
    tests.joinpath("conftest.py").write_text("OTHER = 1\n")
    tests.joinpath("test_quality.py").write_text("def verify_it(nav_runner): assert nav_runner.format == 'fake'\n")
    result = nav("-v", "conftest.py", "tests", formats="", subprocess=True)
    assert words(result)["verify_it[fake-cpu]"] == "PASSED"


def test_a_format_is_a_crash_of_its_own_only(pytester: pytest.Pytester, nav: Nav) -> None:
    config = CONFIG.replace("FakeConfig()", "FakeConfig(mode='segfault', where='infer'), Other.config()")
    pytester.makeconftest(IN_CONFTEST.replace(CONFIG, config))
    found = words(nav("-v", formats="", subprocess=True))
    assert found["test_correctness[fake-cpu]"] == "FAILED"
    assert found["test_correctness[other-cpu]"] == "PASSED"


def test_the_module_of_a_format_in_process_is_not_run_again(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest("import pathlib\nwith open('loaded.txt', 'a') as file: file.write('x')\n" + IN_CONFTEST)
    result = nav("--nav-in-process", formats="", subprocess=True)
    assert result.ret == 0, result.outlines
    assert (pytester.path / "loaded.txt").read_text() == "x"


def test_a_format_that_the_child_cannot_import_says_so(pytester: pytest.Pytester, nav: Nav) -> None:
    hidden = IN_CONFTEST.replace("class Fake(Format):", f"{LOCAL}class Fake(Format):")
    pytester.makeconftest(hidden.replace("runners = (FakeCPU,)", "runners = (made(),)", 1))
    result = nav(formats="", subprocess=True)
    result.stdout.fnmatch_lines(["*made.<locals>.Hidden cannot be imported in a process of its own*"])
    assert result.ret == 1


def test_a_runner_of_a_format_that_there_is(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makepyfile(fake_format=FAKE_FORMAT)
    pytester.makeconftest(DENSE + CONFIG + RUNNER.format(more='runtime = "quiet"'))
    result = nav("-v", "--nav-runtimes=quiet,cpu", formats="", subprocess=True)
    found = words(result)
    assert found["test_correctness[fake-cpu]"] == found["test_correctness[fake-quiet]"] == "PASSED"
    assert "test_correctness[other-quiet]" not in found


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("", "two runners are of format 'fake' with runtime 'cpu': FakeCPU and QuietCPU; change one"),
        ("runtime, name = 'quiet', 'FakeCPU'", "two runners are called 'FakeCPU': FakeCPU and QuietCPU; change one"),
        ("format = 'fak'", "unknown format of the runner QuietCPU 'fak'; did you mean 'fake'?*"),
    ],
    ids=["runtime", "name", "format"],
)
def test_a_runner_that_cannot_be_told_apart_is_refused(
    pytester: pytest.Pytester, nav: Nav, more: str, message: str
) -> None:
    pytester.makepyfile(fake_format=FAKE_FORMAT)
    pytester.makeconftest(DENSE + CONFIG + RUNNER.format(more=more))
    result = nav(formats="")
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("return [DenseFormat, Fake", "return [DenseFormat, Fake, Fake"),
            "two formats are called 'fake': Fake and Fake",
        ),
        (("class Other(Fake):", "class Other(Fake):\n    config = FakeConfig"), ""),
        (('format = "other"', 'format = "fake"'), "OtherCPU is a runner of 'other', but its format is 'fake'"),
    ],
    ids=["name", "nothing", "runner of another"],
)
def test_formats_that_cannot_be_told_apart_are_refused(
    pytester: pytest.Pytester, nav: Nav, change: tuple[str, str], message: str
) -> None:
    assert change[0] in IN_CONFTEST
    pytester.makeconftest(IN_CONFTEST.replace(*change))
    result = nav("--collect-only", formats="")
    assert (result.ret == pytest.ExitCode.USAGE_ERROR) == bool(message)
    result.stderr.fnmatch_lines([f"ERROR: *{message}*"] if message else [])


def test_formats_of_a_conftest_that_pytest_loads_late_are_refused(
    linear: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    linear.makepyfile(fake_format=FAKE_FORMAT)
    inner = linear.mkpydir("models").joinpath("inner")
    inner.mkdir()
    inner.joinpath("conftest.py").write_text("def pytest_nav_formats(): return []\n")
    inner.joinpath("test_it.py").write_text("def test_it(): pass\n")
    result = nav()
    result.stderr.fnmatch_lines(
        ["ERROR: models/inner/conftest.py has pytest_nav_formats, but pytest loads it only while it collects: move*"]
    )
    assert nav("conftest.py", "models/inner", "--collect-only").ret == 0


def test_a_package_that_is_missing_skips_a_format_and_is_no_excuse_when_it_is_there(
    pytester: pytest.Pytester, nav: Nav
) -> None:
    """Any package that can be imported is a requirement that a format can name."""
    pytester.makepyfile(fake_format=FAKE_FORMAT, toolkit="")
    conftest = DENSE + CONFIG.replace("FakeConfig()", "FakeConfig(), Other.config()")
    pytester.makeconftest(conftest + "Fake.requires = ('toolkit',)\nOther.requires = ('warp',)\n")
    result = nav("-v", "-rs", formats="", subprocess=True)
    assert words(result)["test_export[fake]"] == "PASSED"
    assert words(result)["test_export[other]"] == "SKIPPED"
    result.stdout.fnmatch_lines(["skipped: 2 steps: warp is not installed"])
    assert calls(pytester).count("export") == 1


def test_an_installed_plugin_adds_a_format(
    pytester: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way of a package: an entry point in the group pytest11."""
    if find_spec("tract") is None:
        pytest.skip("Tract is not installed")
    text = EXTENDING.read_text(encoding="utf-8")
    (entry,) = [
        block for block in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S) if "pytest imports it" in block
    ]
    site = pytester.mkdir("site")
    site.joinpath("nav_tract_plugin.py").write_text(entry)
    site.joinpath("nav_tract.py").write_text(EXAMPLE.read_text(encoding="utf-8"))
    info = site / "pytest_navigator_tract-1.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: pytest-navigator-tract\nVersion: 1\n")
    info.joinpath("entry_points.txt").write_text("[pytest11]\nnavigator-tract = nav_tract_plugin\n")
    monkeypatch.setenv("PYTHONPATH", str(site))
    pytester.makeconftest(LINEAR)
    result = nav("-v", formats="nnef", subprocess=True)
    found = words(result)
    assert found["test_convert[nnef-fp32]"] == found["test_correctness[nnef-fp32-cpu]"] == "PASSED"


def test_the_documented_script_of_a_runner_repeats_its_comparison(
    pytester: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_spec("tract") is None:
        pytest.skip("Tract is not installed")
    blocks = re.findall(r"^```python\n(.*?)^```$", EXTENDING.read_text(encoding="utf-8"), re.M | re.S)
    (script,) = [block for block in blocks if "RunnerCode(" in block]
    example = EXAMPLE.read_text(encoding="utf-8")
    pytester.makepyfile(nav_tract=example.replace("    def activate(self):", f"{script}\n    def activate(self):"))
    pytester.makeconftest(
        f"{LINEAR}\nfrom nav_tract import NNEFFormat\ndef pytest_nav_formats(): return [NNEFFormat]\n"
    )
    assert nav("--nav-package=out.nav", formats="nnef", subprocess=True).ret == 0
    with zipfile.ZipFile("out.nav") as package:
        package.extractall("unpacked")
    monkeypatch.chdir("unpacked")
    ran = pytester.run(sys.executable, "nnef-fp32/reproduce_correctness-tract.py")
    assert ran.ret == 0
    ran.stdout.fnmatch_lines(["output__0: max abs *: passed"])


def test_the_path_of_a_class_leads_back_to_it() -> None:
    assert imported(path_of(Path)) is Path
    assert path_of(pytest.Item) == "_pytest.nodes:Item"
