"""A format, runtime, precision, device or batch size that leaves nothing checked is an error, or fails the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from blackbox import Fake, Nav

UNUSABLE = ("--nav-precisions=fp16", "--nav-formats=other")
SEVERAL = ("--nav-formats=fake,other", "--nav-precisions=fp16,fp32")


def write(fake: Fake, **nav_config: str) -> pytest.Pytester:
    """Write a model, a format of float32, and one of float16 that this machine cannot make."""
    pytester = fake()
    fields = "".join(f", {name}={value}" for name, value in nav_config.items())
    conftest = pytester.path / "conftest.py"
    head, _, _ = conftest.read_text().partition("nav_config = ")
    conftest.write_text(f"{head}nav_config = NavConfig(framework='dense'{fields})\n")
    path = pytester.path / "fake_format.py"
    head, _, other = path.read_text().partition('    name = "other"\n')
    other = other.replace('format="other")', 'format="other", parameters={**variant.parameters, "precision": "fp16"})')
    head = head.replace('"fail_once": config.fail_once}', '"fail_once": config.fail_once, "precision": "fp32"}')
    path.write_text(f'{head}    name = "other"\n    requires = ("warp",)\n{other}')
    return pytester


@pytest.mark.parametrize("flag", UNUSABLE)
def test_what_cannot_be_checked_here_fails_the_run_where_it_is_all_that_is_asked_for(
    dense: Fake, nav: Nav, flag: str
) -> None:
    pytester = write(dense)
    conftest = pytester.path / "conftest.py"
    conftest.write_text(
        conftest.read_text().partition("nav_config = ")[0] + "nav_config = NavConfig(framework='dense')\n"
    )
    result = nav(flag, formats="")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    lines = [line for line in result.outlines if line.startswith("FAILED: ")]
    assert len(lines) == 1
    assert "warp is not installed" in lines[0]


def test_a_format_that_nav_config_has_as_an_object_is_called_by_its_name(dense: Fake, nav: Nav) -> None:
    write(dense, formats="[Other.config()]")
    result = nav(formats="")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["FAILED: nothing that formats = other (nav_config) asks for was checked: other skipped *"]
    )


@pytest.mark.parametrize("flag", SEVERAL)
def test_a_part_of_it_that_cannot_be_checked_here_is_a_skip(dense: Fake, nav: Nav, flag: str) -> None:
    write(dense)
    result = nav(flag, formats="")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["skipped: 2 steps: warp is not installed"])


REFUSED = {
    "--nav-precisions=bf16": "precisions = bf16 (--nav-precisions): nothing that is made has the precision 'bf16'*",
    "--nav-precisions=fp32,bf16": "precisions = fp32, bf16 (--nav-precisions): nothing * has the precision 'bf16'*",
    "--nav-runtimes=cpu,TensorRT": "runtimes = cpu, TensorRT (--nav-runtimes): 'TensorRT' runs nothing that is made*",
    "--nav-runtimes=cpu,tensorrt": "runtimes = cpu, tensorrt (--nav-runtimes): 'tensorrt' runs nothing that is made*",
    "--nav-device=cuda": "there is no runner left to check *device = cuda (--nav-device)",
}


@pytest.mark.parametrize("flag", REFUSED)
def test_what_is_known_to_choose_nothing_is_refused(dense: Fake, nav: Nav, flag: str) -> None:
    write(dense)
    result = nav(flag, formats="")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {REFUSED[flag]}"])


NARROWER = {
    "--nav-formats=fake": {"runtimes": "['FakeCPU', 'OtherCPU']"},
    "--nav-precisions=fp32": {"formats": "['fake', 'other']"},
    "--nav-device=cpu": {"runtimes": "['FakeCPU', 'OnnxCUDA']"},
}
"""A flag -> the configuration of which it leaves a part without anything to choose."""


@pytest.mark.parametrize("flag", NARROWER)
def test_what_a_narrower_run_leaves_nothing_to_is_no_fault_of_the_configuration(dense: Fake, flag: str) -> None:
    pytester = write(dense, **NARROWER[flag])
    result = pytester.runpytest_inprocess("-p", "no:randomly", "--nav", "--nav-no-profile", flag)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*fake*FakeCPU*ok*ok*"])


def test_batch_sizes_of_a_model_without_a_batch_are_refused(dense: Fake, nav: Nav) -> None:
    write(dense, batch_dim="None")
    result = nav("--nav-batch-sizes=8", formats="", profile=True)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: batch_sizes = 8 (--nav-batch-sizes): no model has a batch axis to measure 8*"])
