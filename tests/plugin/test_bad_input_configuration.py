"""An option or a field that cannot be: a usage error before anything runs, with the value and what to write."""

from __future__ import annotations

from fnmatch import fnmatchcase as fnmatch
from typing import TYPE_CHECKING

import pytest
from blackbox import LAZY, LINEAR

if TYPE_CHECKING:
    from collections.abc import Callable

    Nav = Callable[..., pytest.RunResult]
    Project = Callable[..., None]
    Failed = Callable[[pytest.RunResult], dict[str, str]]

FLAGS = {
    "--nav-formats=onx": "unknown format of a torch model 'onx'; did you mean 'onnx'? (valid: *onnx, *, and * more: *)",
    "--nav-formats=,": "*--nav-formats*',' names nothing; separate several with commas: onnx,torchscript-trace",
    "--nav-runtimes=gpu": "unknown runtime 'gpu'; did you mean 'cuda'? (valid: *cuda*)",
    "--nav-runtimes=OnxCPU": "unknown runtime 'OnxCPU'; did you mean 'OnnxCPU'? (valid: *)",
    "--nav-precisions=fp17": "unknown precision 'fp17'; did you mean 'fp16'? (valid: *)",
    "--nav-require=onx": "unknown required format 'onx'; did you mean 'onnx'? (valid: *)",
    "--nav-batch-sizes=1,0": "*--nav-batch-sizes*'0' is not a positive whole number",
    "--nav-batch-sizes=many": "*--nav-batch-sizes*'many' is not a positive whole number",
    "--nav-profile-seconds=0": "*--nav-profile-seconds*'0' is not a positive number of seconds",
    "--nav-timeout=soon": "*--nav-timeout*'soon' is not a positive number of seconds",
    "--nav-timeout=nan": "*--nav-timeout*'nan' is not a positive number of seconds",
    "--nav-sample-count=-1": "*--nav-sample-count*'-1' is not a positive whole number",
    "--nav-max-sample-bytes=1GB": "*--nav-max-sample-bytes*'1GB' is not a positive whole number",
    "--nav-seed=1.5": "*--nav-seed*'1.5' is not a whole number of 0 or more",
    "--nav-device=tpu": "*--nav-device*'tpu' is not one of auto, all, cpu, cuda",
    "--nav-keep=some": "*--nav-keep*'some' is not one of all, best, required, none",
    "--nav-save-data=no": "*--nav-save-data*'no' is not one of all, none",
    "--nav-atol=tight": "*--nav-atol*'tight'*",
    "--nav-atol=-1": "*--nav-atol*-1*",
    "--nav-rtol=nan": "*--nav-rtol*nan*",
}

SOON = "'soon' is not a positive number of seconds"

CONFIGS = {
    "NavConfig(batch_szie=2)": "unknown field of NavConfig 'batch_szie'; did you mean 'batch_sizes'? (valid: *)",
    "NavConfig(formats=[OnnxConfig(opste=18)])": "unknown field of OnnxConfig 'opste'; did you mean 'opset'? *",
    "NavConfig(formats=[OnnxConfig(opset='18')])": "OnnxConfig.opset='18': opsets are numbers from 7 on",
    "NavConfig(formats=['onx'])": "unknown format of a torch model 'onx'; did you mean 'onnx'? (valid: *)",
    "NavConfig(formats='onnx')": "NavConfig(formats='onnx'): a list or tuple is needed, not a string or a set",
    "NavConfig(formats={'onnx'})": "NavConfig(formats={'onnx'}): a list or tuple is needed, not a string or a set",
    "NavConfig(formats=[OnnxConfig(), OnnxConfig(opset=17)])": "format 'onnx' is configured twice: *opset=17*",
    "NavConfig(formats=[TorchScriptConfig(), TorchScriptConfig(jit_type='trace')])": (
        "format 'torchscript-trace' is configured twice: *"
    ),
    "NavConfig(formats=[18])": "18 configures no format that is known here (configurations: *OnnxConfig, *)",
    "NavConfig(runtimes=['gpu'])": "unknown runtime 'gpu'* (valid: *cuda*)",
    "NavConfig(runtimes=[1])": "NavConfig(runtimes=[1]): a list or tuple is needed*, of names",
    "NavConfig(precisions=['fp17'])": "unknown precision 'fp17'; did you mean 'fp16'? (valid: *)",
    "NavConfig(framework='pytroch')": "unknown framework 'pytroch'* (valid: *torch*)",
    "NavConfig(name=' ')": "NavConfig(name=' '): a text is needed",
    "NavConfig(require=['onx'])": "unknown required format 'onx'; did you mean 'onnx'? (valid: *)",
    "NavConfig(xfail={'onx': 'reason'})": "unknown xfail of nav_config 'onx'; did you mean 'onnx'? (valid: *)",
    "NavConfig(xfail=['onnx'])": 'NavConfig(xfail=[\'onnx\']): write {"torchscript-script": "the reason"}',
    "NavConfig(atol='tight')": "atol 'tight': 'tight' is not a number; a tolerance is a number from 0, like 1e-5",
    "NavConfig(atol=-1.0)": "atol: -1.0 is no tolerance; a tolerance is a number from 0, like 1e-5",
    "NavConfig(rtol={'onnx': {'y': True}})": "rtol['onnx']['y']: True is no tolerance; *",
    "NavConfig(comparisons={'y': 3})": "comparisons['y'] = 3: not a comparison; use nav.share(0.99), *",
    "NavConfig(comparisons=nav.share(0.9))": "NavConfig(comparisons=*: write {output: nav.share(0.99)}",
    "NavConfig(comparisons={'y': nav.share(2)})": "share(2): the smallest share that passes is above 0 and at most 1",
    "NavConfig(comparisons={'y': nav.unchecked('')})": "unchecked(''): say why, for example *",
    "NavConfig(timeout='soon')": f"nav_config: timeout: {SOON}",
    "NavConfig(timeout=True)": "nav_config: timeout: True is not a positive number of seconds",
    "NavConfig(profile_seconds=[1])": "nav_config: profile_seconds: [1] is not a positive number of seconds",
    "NavConfig(batch_sizes=[1, 0])": "nav_config: batch_sizes: 0 is not a positive whole number",
    "NavConfig(batch_sizes=8)": "NavConfig(batch_sizes=8): a list or tuple is needed*",
    "NavConfig(device='tpu')": "nav_config: device: 'tpu' is not one of auto, all, cpu, cuda",
    "NavConfig(keep='some')": "nav_config: keep: 'some' is not one of all, best, required, none",
    "NavConfig(profile='maybe')": "nav_config: profile: 'maybe' is not a boolean (true, false)",
    "NavConfig(sample_count=0)": "nav_config: sample_count: 0 is not a positive whole number",
    "NavConfig(sample_count=2.5)": "nav_config: sample_count: 2.5 is not a positive whole number",
    "NavConfig(sample_count=[4])": "nav_config: sample_count: [4] is not a positive whole number",
    "NavConfig(batch_dim='first')": "NavConfig(batch_dim='first'): an axis from 0 on is needed, or None for *",
    "NavConfig(batch_dim=-1)": "NavConfig(batch_dim=-1): an axis from 0 on is needed, or None for *",
    "NavConfig(output_names='logits')": "NavConfig(output_names='logits'): a list or tuple of names is needed, *",
    "NavConfig(input_names=['a', 'a'])": "NavConfig(input_names=['a', 'a']): a list or tuple of names is needed, *",
    "NavConfig(dynamic_axes={'x': 0})": 'NavConfig(dynamic_axes={\'x\': 0}): write {"x": {0: "batch"}} or *',
    "NavConfig(optimization_profile={'max_trials': 3})": (
        "NavConfig(optimization_profile={'max_trials': 3}): OptimizationProfile(...) or ProfilerConfig(...) is needed"
    ),
    "NavConfig(optimization_profile=OptimizationProfile(max_trails=3))": (
        "unknown field of OptimizationProfile 'max_trails'; did you mean 'max_trials'? (valid: *)"
    ),
    "{'formats': ['onnx']}": "nav_config seen from conftest.py::nav_model is ['onnx']; it must be a NavConfig or *",
    "'onnx'": "nav_config seen from conftest.py::nav_model is 'onnx'; it must be a NavConfig or a dict of them",
    "pytest.fixture(lambda: NavConfig())": (
        "nav_config seen from conftest.py::nav_model is a fixture; it must be a NavConfig or a dict of them: write *"
    ),
    "NavConfig": "nav_config seen from conftest.py::nav_model is <class *; it must be a NavConfig or a dict of them",
}

NAMES = {
    "atol={'logit': 1e-3}": "unknown output in atol 'logit'; did you mean 'logits'? (valid: *)",
    "atol={'onx': {'*': 1.0}}": "unknown format in atol 'onx'; did you mean 'onnx'? (valid: *)",
    "comparisons={'logit': nav.share(0.9)}": "unknown output in comparisons 'logit'; did you mean 'logits'? (valid: *)",
    "output_names=['a', 'b']": "*output_names*2*1*",
    "input_names=['a', 'b']": "*input_names*2*1*",
    "dynamic_axes={'imput': [0]}": "unknown input or output in dynamic_axes 'imput'; did you mean 'input'? (valid: *)",
    "dynamic_axes={'input': [7]}": "dynamic_axes: input 'input' has no axis 7, its shape is (3, 5)",
    "dynamic_axes={'input': [0], 'logits': [4]}": "dynamic_axes: 'logits' has no axis 4, its shape is (-1, 7)",
    "batch_dim=3": "batch_dim=3, but no input has that axis (input (3, 5)): set it, to None without a batch",
}

NAMED = """
class Model(torch.nn.Linear):
    def forward(self, input):
        return {"logits": super().forward(input)}
"""

IMPORTS = """
import pytest_navigator as nav
from pytest_navigator import NavConfig, OnnxConfig, OptimizationProfile, TorchScriptConfig
"""


def refused(result: pytest.RunResult, message: str) -> None:
    """A usage error: pytest's exit code for it, the message, no traceback, and nothing was run."""
    assert result.ret == pytest.ExitCode.USAGE_ERROR, result.stdout.str()
    text = message.replace("[", "[[]")
    lines = [line for line in result.errlines if fnmatch(line, f"*[Rr][Oo][Rr]: {text}")]
    assert len(lines) == 1, result.stderr.str()
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    assert "passed" not in result.stdout.str()


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_that_cannot_be_is_a_usage_error(linear: pytest.Pytester, flag: str) -> None:
    refused(linear.runpytest("--nav", flag), FLAGS[flag])


@pytest.mark.parametrize("config", CONFIGS)
def test_a_nav_config_that_cannot_be_is_a_usage_error(linear: pytest.Pytester, config: str) -> None:
    linear.makeconftest(f"{LINEAR}{IMPORTS}\nnav_config = {config}")

    refused(linear.runpytest("--nav"), CONFIGS[config])


def test_a_nav_config_is_checked_also_where_a_flag_wins(linear: pytest.Pytester) -> None:
    linear.makeconftest(f"{LINEAR}{IMPORTS}\nnav_config = NavConfig(atol=-1.0, batch_dim=-1)")

    refused(linear.runpytest("--nav", "--nav-atol=1"), "NavConfig(batch_dim=-1): *")


def test_an_ini_option_that_cannot_be_is_a_usage_error(linear: pytest.Pytester) -> None:
    linear.makeini("[pytest]\nnav_timeout = soon\n")

    refused(linear.runpytest("--nav"), f"*tox.ini: nav_timeout: {SOON}")


@pytest.mark.parametrize("config", NAMES)
def test_a_name_that_only_the_model_can_tell_fails_the_source(
    pytester: pytest.Pytester, project: Project, nav: Nav, failed: Failed, config: str
) -> None:
    project(f"{IMPORTS}\n{NAMED}\nnav_config = NavConfig({config})", made="Model(5, 7).eval()")

    result = nav("--nav-in-process")

    (message,) = failed(result).values()
    assert list(failed(result)) == ["test_source"]
    assert fnmatch(message, NAMES[config].replace("[", "[[]")), message


def test_a_flags_tolerance_for_an_output_that_does_not_exist_fails_the_source(
    project: Project, nav: Nav, failed: Failed
) -> None:
    project(NAMED, made="Model(5, 7).eval()")

    result = nav("--nav-in-process", "--nav-atol=1e-5 logit=1e-3")

    assert failed(result)["test_source"].startswith("unknown output in atol 'logit'; did you mean 'logits'? (valid: ")


def test_dynamic_axes_as_torch_takes_them_name_inputs_and_outputs(project: Project, nav: Nav) -> None:
    axes = "dynamic_axes={'input': {0: 'n'}, 'logits': {0: 'n'}}"
    project(f"{IMPORTS}\n{NAMED}\nnav_config = NavConfig({axes})", made="Model(5, 7).eval()")

    nav(formats="onnx").assert_outcomes(passed=4)


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["plain", "n2"])
def test_a_flag_without_the_one_that_switches_the_checks_on_is_a_usage_error(
    pytester: pytest.Pytester, workers: list[str]
) -> None:
    pytester.makeconftest(LAZY)
    pytester.makepyfile("def test_another(): pass")

    result = pytester.runpytest_subprocess("--nav-require=onnx", *workers)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --nav-require=onnx: no model is checked without --nav, --nav-package=PATH or --nav-model=SPEC"]
    )


def test_what_a_project_says_of_its_checks_in_addopts_does_not_hinder_other_runs(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(LAZY)
    own = pytester.makepyfile("def test_another(): pass")
    pytester.makeini("[pytest]\naddopts = --nav-require=onnx")

    pytester.runpytest_subprocess(own).assert_outcomes(passed=1)


def test_flags_of_measurements_beside_the_one_that_switches_them_off_are_told(
    linear: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ("--nav-batch-sizes=3", "--nav-profile-seconds=3")
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(flags))
    silent = nav("-k", "source")
    monkeypatch.delenv("PYTEST_ADDOPTS")
    told = nav("-k", "source", *flags)

    silent.stdout.no_fnmatch_line("*measures nothing*")
    told.stdout.fnmatch_lines([f"note: {flag.partition('=')[0]} measures nothing beside --nav-*" for flag in flags])
