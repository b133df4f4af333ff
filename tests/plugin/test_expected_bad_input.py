"""What is wrong with a `nav_expected.toml` is a usage error before anything runs; what it says is told where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import status
from expecting import FILE, failing, failures, run

if TYPE_CHECKING:
    from blackbox import Fake, Nav
    from expecting import Expecting


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (
            {"fke_cpu": "pass"},
            "*{file}: *]: unknown cell 'fke-cpu'; did you mean 'fake-cpu'? (valid: dense, dense-cpu, *",
        ),
        ({"fake_cuda": "pass"}, "*unknown cell 'fake-cuda'*"),
        ({"fake_cpu": "passed"}, "*fake-cpu: unknown outcome 'passed'; did you mean 'pass'?*"),
        ({"fake_cpu": '{outcome = "pass"'}, "*{file} is no TOML: *(at line 3, column *"),
    ],
    ids=["a cell", "a runtime", "an outcome", "TOML"],
)
def test_it_is_a_usage_error_with_the_place(
    dense: Fake, nav: Nav, expecting: Expecting, cells: dict[str, str], said: str
) -> None:
    dense()
    expecting(**cells)

    result = run(nav)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said.format(file=FILE)])
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize(
    ("config", "arguments", "said"),
    [
        ({"xfail": "{'fake': 'known'}"}, [], "*so does xfail of nav_config: remove xfail from nav_config*"),
        ({"atol": "1e-3"}, [], "*so does atol = 0.001 (nav_config): remove atol from nav_config*"),
        ({"rtol": "1e-3"}, [], "*so does rtol = 0.001 (nav_config): remove rtol from nav_config*"),
        ({}, ["--nav-atol=1e-3"], "*(--nav-atol): leave --nav-atol out*"),
        ({}, ["-o", "nav_atol=1e-3"], "*(ini: nav_atol): remove nav_atol from the ini file*"),
    ],
    ids=["xfail", "atol", "rtol", "flag", "ini"],
)
def test_what_another_place_says_too_is_an_error_that_says_which_one_to_remove(
    dense: Fake, nav: Nav, expecting: Expecting, config: dict[str, str], arguments: list[str], said: str
) -> None:
    dense(**config)
    expecting(fake_cpu="pass")

    result = run(nav, *arguments)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])


def test_update_does_not_make_a_file_beside_what_would_contradict_it(
    dense: Fake, nav: Nav, expecting: Expecting
) -> None:
    project = dense(atol="1e-3")

    assert run(nav, "--nav-expected=update").ret == pytest.ExitCode.USAGE_ERROR
    assert not (project.path / FILE).exists()
    assert run(nav, "--nav-expected=off").ret == 0


def test_a_model_that_is_not_in_the_run_is_said(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    dense()
    path = expecting(fake_cpu="pass")
    path.write_text(path.read_text() + '\n[another]\nonnx-cpu = {outcome = "pass"}\n')

    result = run(nav)

    assert result.ret == 0
    result.stdout.fnmatch_lines([f"not judged: another of {FILE}: no such model in this run"])


def test_a_section_of_a_device_that_is_not_here_is_not_judged(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    project = dense()
    path = expecting(fake_cpu="pass")
    path.write_text(f'{path.read_text()}\n[when.tensorrt_rtx."{project.path.name}"]\n')
    section = f'\n[when.torch_tensorrt."{project.path.name}"]\nfake-cpu = {{outcome = "crash", reason = "known"}}\n'
    path.write_text(path.read_text() + section)

    result = run(nav)

    assert result.ret == 0
    result.stdout.fnmatch_lines(["not judged: 1 of [[]when.torch_tensorrt], which is not here"])


def test_a_section_that_holds_goes_first(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    project = dense(failing("scale=2.0"))
    path = expecting(fake_cpu="pass", other_cpu="pass")
    section = f'[when.torch."{project.path.name}"]\nfake-cpu = {{outcome = "fail-correctness", reason = "known"}}\n'
    path.write_text(path.read_text() + section)

    assert run(nav).ret == 0


def test_an_output_that_does_not_exist_fails_the_comparison_with_the_near_name(
    dense: Fake, nav: Nav, expecting: Expecting
) -> None:
    dense()
    expecting(fake_cpu='{outcome = "pass", atol = {output_0 = 1e-3}}')

    result = run(nav)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "unknown output in atol['fake-cpu'] 'output_0'; did you mean 'output__0'?" in failures(result)[0]


def test_the_settings_and_the_package_tell_what_the_file_said(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    project = dense()
    expecting(fake_cpu='{outcome = "pass", atol = {output__0 = 1e-3}}')

    result = run(nav, "--nav-show-config", "--nav-package=out.nav")

    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [f"atol *{{'fake-cpu': {{'output__0': 0.001}}}}  ({FILE})", f"expected *2 cells and formats  ({FILE})"]
    )
    own = status(project.path / "out.nav")["pytest_navigator"]
    assert own["settings"]["atol"] == {"value": {"fake-cpu": {"output__0": 1e-3}}, "origin": FILE}
    assert own["suite"]["expected"]["lines"]["fake-cpu"]["atol"] == {"output__0": 1e-3}
    again = nav("--nav-model=out.nav", "--nav-expected=off", formats="")
    assert again.ret == 0, again.outlines


def test_a_named_model_has_its_file_in_the_rootdir(pytester: pytest.Pytester, nav: Nav, expecting: Expecting) -> None:
    pytester.mkdir("models").joinpath("functions.py").write_text(
        "def double(x): return 2 * x\n\ndef build(): return double\n"
    )
    pytester.makeconftest(
        "import numpy, pytest\n\n@pytest.fixture\ndef nav_dataloader(): return [numpy.ones((2, 3), numpy.float32)]\n"
    )
    pytester.path.joinpath("models", "__init__.py").touch()

    result = run(nav, "--nav-model=models.functions:build", "--nav-framework=python", "--nav-expected=update")

    assert (pytester.path / FILE).read_text().splitlines()[-2].startswith("[build]"), result.outlines


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (b"\xff", f"{FILE} was not written: UnicodeDecodeError: *"),
        (b"when = {cuda = {}}\nm = 1\n", f"{FILE} was not written: {FILE}: [[]m]: 1 is no table"),
    ],
    ids=["no text", "no table"],
)
def test_whatever_becomes_of_the_file_the_package_is_written(
    dense: Fake, nav: Nav, expecting: Expecting, written: bytes, said: str
) -> None:
    project = dense()
    expecting(fake_cpu="fail-correctness")
    project.makepyfile(test_last=f"from pathlib import Path\ndef test_it(): Path({FILE!r}).write_bytes({written!r})")

    result = run(nav, "--nav-package=out.nav")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"FAILED: {said}", "package: out.nav"])
    assert (project.path / FILE).read_bytes() == written
