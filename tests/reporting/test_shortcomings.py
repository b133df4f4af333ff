"""What makes a run red although no test failed: nothing was compared, nothing that was asked for, nothing required."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_navigator.core.records import Outcome, Required
from pytest_navigator.core.steps import Status
from pytest_navigator.reporting.shortcomings import unchecked_at_all, unfit, unmet, unreported, untried, unverified
from tests.package.recorded import DIGEST, SOURCE, correctness, results, verify

NOTHING = "no format of linear but the source itself passed correctness"
CHOOSING = ("formats", "precisions", "runtimes", "device", "batch_sizes", "xfail")

LIVE = correctness("torch", "TorchCPU", 0.0)
SCRIPTED = Outcome("export", Status.PASSED, "torchscript-trace", digest="e" * 64)
ONNX = Outcome("export", Status.PASSED, "onnx", digest=DIGEST)
NO_CUDA = correctness("onnx", "OnnxCUDA", status=Status.SKIPPED, requirement="no CUDA device")
NO_TENSORRT = correctness("trt-fp16", "TensorRT", status=Status.SKIPPED, requirement="no TensorRT")
WRONG = correctness("onnx", "OnnxCPU", 0.2, Status.FAILED)
RIGHT = correctness("torchscript-trace", "TorchScriptCPU")


def settings(**chosen):
    """Every setting that chooses, as nobody said anything, but for these: (value, origin)."""
    values = dict.fromkeys(CHOOSING, (None, "default")) | {"xfail": ({}, "default")} | chosen
    return {name: {"value": value, "origin": origin} for name, (value, origin) in values.items()}


def of(*steps, missing=(), chosen=None, **changes):
    """The results of a suite with these steps, and with planned ones that did not run."""
    found = results(steps, settings=settings(**(chosen or {})), **changes)
    return replace(found, suite=replace(found.suite, steps=(*found.suite.steps, *missing)))


# Nothing but the source is right


def test_a_run_in_which_a_file_passed_is_fit():
    assert unfit(of(SOURCE, LIVE, SCRIPTED, RIGHT, ONNX, WRONG)) == ""


def test_that_the_live_model_equals_itself_is_no_check_of_a_file():
    assert unfit(of(SOURCE, LIVE, ONNX, WRONG)) == NOTHING


def test_a_step_other_than_correctness_does_not_make_a_run_fit():
    assert unfit(of(SOURCE, ONNX, SCRIPTED, WRONG)) == NOTHING


def test_a_run_of_which_no_file_was_to_be_checked_is_not_judged():
    assert unfit(of(SOURCE, LIVE, ONNX)) == ""


def test_a_run_that_left_out_a_comparison_is_not_judged():
    assert unfit(of(SOURCE, LIVE, ONNX, WRONG, missing=["correctness.torchscript-trace.TorchScriptCPU"])) == ""


def test_a_run_that_left_out_what_is_no_comparison_of_a_file_is_judged():
    left_out = ["profile.onnx.OnnxCPU.batch1", "correctness.torch.TorchCPU"]
    assert unfit(of(SOURCE, ONNX, WRONG, missing=left_out)) == NOTHING


@pytest.mark.parametrize("status", [Status.FAILED, Status.SKIPPED])
def test_a_source_that_did_not_pass_is_said_already(status):
    assert unfit(of(replace(SOURCE, status=status), ONNX, WRONG)) == ""


def test_without_a_record_of_the_source_the_files_are_judged():
    assert unfit(of(ONNX, WRONG)) == NOTHING


def test_every_file_lacking_a_machine_names_the_runners_and_what_they_lack():
    steps = (SOURCE, LIVE, ONNX, NO_CUDA, NO_TENSORRT)
    assert unfit(of(*steps)) == f"{NOTHING}: OnnxCUDA, TensorRT cannot run here (no CUDA device, no TensorRT)"


def test_one_requirement_of_several_runners_is_named_once():
    steps = (SOURCE, NO_CUDA, replace(NO_TENSORRT, requirement="no CUDA device"))
    assert unfit(of(*steps)) == f"{NOTHING}: OnnxCUDA, TensorRT cannot run here (no CUDA device)"


@pytest.mark.parametrize(
    "other",
    [
        WRONG,
        correctness("onnx", "OnnxCPU", status=Status.SKIPPED, message="the export failed", cause="export.onnx"),
        correctness("onnx", "OnnxCPU", status=Status.SKIPPED, requirement="no disk", cause="export.onnx"),
        correctness("onnx", "OnnxCPU", status=Status.SKIPPED, message="somebody skipped it"),
        correctness("onnx", "OnnxCPU", status=Status.XFAILED, requirement="no disk"),
    ],
)
def test_a_file_that_is_wrong_for_another_reason_is_no_matter_of_the_machine(other):
    assert unfit(of(SOURCE, NO_CUDA, other)) == NOTHING


def test_comparisons_that_were_planned_and_have_no_record_of_a_file_say_no_more():
    found = of(SOURCE, LIVE)
    planned = replace(found, suite=replace(found.suite, steps=("correctness.onnx.OnnxCPU",), verify={}))
    known = replace(planned, outcomes=(*planned.outcomes, replace(WRONG, step="profile")))
    assert unfit(known) == ""


# Which runner would do


def test_who_chose_a_runtime_that_is_not_here_is_told_of_the_runners_that_are():
    found = of(SOURCE, NO_CUDA, chosen={"runtimes": (["cuda"], "--nav-runtimes")})
    assert unfit(found, ["OnnxCPU", "TorchScriptCPU"]).endswith(
        "cannot run here (no CUDA device); OnnxCPU, TorchScriptCPU could, but runtimes = cuda (--nav-runtimes) leaves "
        "that out; write --nav-runtimes=cuda,OnnxCPU,TorchScriptCPU"
    )


@pytest.mark.parametrize("device", ["all", "auto", None])
def test_a_device_that_leaves_nothing_out_is_not_to_blame(device):
    found = of(SOURCE, NO_CUDA, chosen={"runtimes": (["cuda"], "pytest.ini"), "device": (device, "pytest.ini")})
    assert "device =" not in unfit(found, ["OnnxCPU"])
    assert unfit(found, ["OnnxCPU"]).endswith("write --nav-runtimes=cuda,OnnxCPU")


def test_who_chose_a_device_is_told_so_and_of_no_runtimes_to_write():
    found = of(SOURCE, NO_CUDA, chosen={"device": ("cuda", "--nav-device")})
    assert unfit(found, ["OnnxCPU"]).endswith("; OnnxCPU could, but device = cuda (--nav-device) leaves that out")


def test_a_runtime_and_a_device_are_both_to_blame():
    found = of(SOURCE, NO_CUDA, chosen={"runtimes": (["cuda"], "pytest.ini"), "device": ("cuda", "--nav-device")})
    assert unfit(found, ["OnnxCPU"]).endswith(
        "; OnnxCPU could, but runtimes = cuda (pytest.ini) and device = cuda (--nav-device) leaves that out"
    )


def test_without_another_runner_nothing_is_advised():
    found = of(SOURCE, NO_CUDA, chosen={"runtimes": (["cuda"], "--nav-runtimes")})
    assert unfit(found).endswith("cannot run here (no CUDA device)")


def test_where_nobody_chose_anything_nothing_is_advised():
    assert unfit(of(SOURCE, NO_CUDA), ["OnnxCPU"]).endswith("cannot run here (no CUDA device)")


# Nothing of a setting was checked


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("formats", ["onnx"]),
        ("runtimes", ["cuda"]),
        ("device", "cuda"),
    ],
)
def test_a_setting_of_which_all_was_skipped_is_told_with_the_reason(setting, value):
    found = of(SOURCE, replace(ONNX, status=Status.SKIPPED, message="no exporter"), NO_CUDA)
    chosen = replace(found, suite=replace(found.suite, settings=settings(**{setting: (value, "--nav-x")})))
    reasons = "no exporter, no CUDA device" if setting == "formats" else "no CUDA device"
    told = value if isinstance(value, str) else value[0]
    assert untried(chosen) == [
        f"nothing that {setting} = {told} (--nav-x) asks for was checked: onnx skipped ({reasons})"
    ]


def test_a_precision_of_which_all_was_skipped_is_told_and_another_variant_says_nothing_of_it():
    made = Outcome("convert", Status.SKIPPED, "trt-fp16", requirement="no CUDA device")
    found = of(SOURCE, ONNX, RIGHT, made, NO_TENSORRT, chosen={"precisions": (["fp16"], "pytest.ini")})
    assert untried(found) == [
        "nothing that precisions = fp16 (pytest.ini) asks for was checked: trt-fp16 skipped "
        "(no CUDA device, no TensorRT)"
    ]


@pytest.mark.parametrize("step", ["export", "convert", "correctness"])
@pytest.mark.parametrize("chosen", [{"formats": (["trt"], "x")}, {"precisions": (["fp16"], "x")}])
def test_each_step_of_a_format_alone_tells_that_it_was_skipped(step, chosen):
    skipped = Outcome(step, Status.SKIPPED, "trt-fp16", "TensorRT" if step == "correctness" else "")
    assert len(untried(of(SOURCE, RIGHT, skipped, chosen=chosen))) == 1
    assert untried(of(SOURCE, replace(skipped, status=Status.PASSED), chosen=chosen)) == []


def test_a_batch_size_that_was_not_measured_is_told_and_other_sizes_say_nothing_of_it():
    measured = Outcome("profile", Status.PASSED, "onnx", "OnnxCPU", "batch1")
    skipped = Outcome("profile", Status.SKIPPED, "onnx", "OnnxCPU", "batch8", message="correctness did not pass")
    found = of(SOURCE, measured, skipped, chosen={"batch_sizes": ([8], "--nav-batch-sizes")})
    assert untried(found) == [
        "nothing that batch_sizes = 8 (--nav-batch-sizes) asks for was checked: onnx skipped (correctness did not pass)"
    ]


def test_of_several_formats_of_one_setting_each_key_and_reason_is_told_once():
    steps = [
        replace(ONNX, status=Status.SKIPPED, message="no disk"),
        replace(SCRIPTED, status=Status.XFAILED, message="no disk"),
        replace(RIGHT, status=Status.SKIPPED, message="the export failed", cause="export.torchscript-trace"),
    ]
    found = of(SOURCE, *steps, chosen={"formats": (["onnx", "torchscript"], "pytest.ini")})
    assert untried(found) == [
        "nothing that formats = onnx, torchscript (pytest.ini) asks for was checked: onnx, torchscript-trace skipped "
        "(no disk, the export failed)"
    ]


def test_a_format_that_a_setting_has_as_an_object_is_called_by_its_name():
    found = of(
        SOURCE, replace(ONNX, status=Status.SKIPPED), NO_CUDA, chosen={"formats": ([{"opset": 17}], "nav_config")}
    )
    named = replace(found, suite=replace(found.suite, named=("onnx",)))
    (line,) = untried(named)
    assert line.startswith("nothing that formats = onnx (nav_config) asks for was checked: onnx skipped")


def test_every_setting_of_which_nothing_was_checked_has_a_line():
    chosen = {"formats": (["onnx"], "pytest.ini"), "runtimes": (["cuda"], "--nav-runtimes")}
    lines = untried(of(SOURCE, replace(ONNX, status=Status.SKIPPED), NO_CUDA, chosen=chosen))
    assert [line.split(" = ")[0] for line in lines] == ["nothing that formats", "nothing that runtimes"]


@pytest.mark.parametrize("status", [Status.PASSED, Status.FAILED])
def test_one_step_of_a_setting_that_passed_or_failed_says_enough(status):
    steps = (SOURCE, NO_CUDA, replace(WRONG, status=status))
    assert untried(of(*steps, chosen={"runtimes": (["cuda"], "--nav-runtimes")})) == []


def test_what_was_skipped_since_another_step_failed_is_no_matter_of_the_setting():
    skipped = correctness("onnx", "OnnxCPU", status=Status.SKIPPED, cause="export.onnx")
    chosen = {"runtimes": (["cpu"], "--nav-runtimes")}
    assert untried(of(SOURCE, replace(ONNX, status=Status.FAILED), skipped, chosen=chosen)) == []
    assert untried(of(SOURCE, replace(ONNX, status=Status.XFAILED), skipped, chosen=chosen)) != []


@pytest.mark.parametrize(
    "chosen",
    [
        {"runtimes": (["cuda"], "default")},
        {"runtimes": ([], "pytest.ini")},
        {"runtimes": (None, "pytest.ini")},
        {"formats": (["torchscript"], "pytest.ini")},
    ],
)
def test_what_nobody_asked_for_and_what_has_no_steps_is_not_missed(chosen):
    assert untried(of(SOURCE, ONNX, NO_CUDA, chosen=chosen)) == []


def test_a_run_that_left_out_some_of_a_setting_says_nothing_about_it():
    missing = ["correctness.onnx.OnnxCPU"]
    assert untried(of(SOURCE, NO_CUDA, missing=missing, chosen={"runtimes": (["cuda"], "pytest.ini")})) == []


def test_a_model_that_skips_itself_is_not_what_the_settings_leave_out():
    skipped = replace(SOURCE, status=Status.SKIPPED)
    chosen = {"runtimes": (["cuda"], "pytest.ini")}
    assert untried(of(skipped, NO_CUDA, chosen=chosen)) == []
    assert untried(of(replace(SOURCE, status=Status.FAILED), NO_CUDA, chosen=chosen)) != []
    assert untried(of(NO_CUDA, chosen=chosen)) != []


def test_a_format_is_meant_by_its_own_name_not_by_the_start_of_another():
    other = Outcome("export", Status.PASSED, "onnx-legacy")
    check = correctness("onnx-legacy", "OnnxCPU")
    found = of(SOURCE, replace(ONNX, status=Status.SKIPPED), other, check, chosen={"formats": (["onnx"], "pytest.ini")})
    assert len(untried(found)) == 1


def test_a_format_written_as_an_object_is_meant_by_what_is_named_of_the_suite():
    object_of_format = {"format": "onnx"}
    skipped = replace(ONNX, status=Status.SKIPPED, message="no exporter")
    chosen = {"formats": ([object_of_format], "conftest.py")}
    assert untried(of(SOURCE, skipped, SCRIPTED, RIGHT, chosen=chosen, named=("onnx",)))
    assert not untried(of(SOURCE, skipped, SCRIPTED, RIGHT, chosen=chosen, named=("onnx", "torchscript-trace")))
    assert not untried(of(SOURCE, skipped, SCRIPTED, RIGHT, chosen=chosen))


def test_of_formats_that_are_names_alone_only_these_count():
    skipped = replace(ONNX, status=Status.SKIPPED, message="no exporter")
    chosen = {"formats": (["onnx"], "pytest.ini")}
    assert untried(of(SOURCE, skipped, SCRIPTED, RIGHT, chosen=chosen, named=("onnx", "torchscript-trace")))


# Both together: one reason for one fact


def test_what_a_setting_left_out_says_why_nothing_is_right():
    found = of(SOURCE, correctness("onnx", "OnnxCPU", status=Status.SKIPPED), chosen={"runtimes": (["cpu"], "x")})
    assert unchecked_at_all(found) == untried(found)
    assert len(untried(found)) == 1
    assert unfit(found) == NOTHING


def test_without_such_a_setting_it_is_said_that_nothing_is_right():
    assert unchecked_at_all(of(SOURCE, WRONG)) == [NOTHING]


def test_what_the_machine_lacks_and_who_would_do_goes_before_the_setting():
    found = of(SOURCE, NO_CUDA, chosen={"runtimes": (["cuda"], "--nav-runtimes")})
    assert untried(found)
    assert unchecked_at_all(found, ["OnnxCPU"]) == [unfit(found, ["OnnxCPU"])]


def test_a_run_in_order_has_no_shortcoming():
    found = of(SOURCE, SCRIPTED, RIGHT)
    assert unchecked_at_all(found) == []


def test_a_setting_of_which_nothing_was_checked_counts_beside_files_that_are_right():
    skipped = replace(ONNX, status=Status.SKIPPED)
    found = of(SOURCE, SCRIPTED, RIGHT, skipped, chosen={"formats": (["onnx"], "pytest.ini")})
    assert unfit(found) == ""
    assert unchecked_at_all(found) == untried(found) != []


# What failed unseen


def failed(step="export", key="onnx", runner="", **data):
    return Outcome(step, Status.FAILED, key, runner, data={"run": "now", **data})


def test_a_failure_of_this_run_that_no_test_told_is_told():
    found = of(SOURCE, failed(), failed("correctness", "onnx", "OnnxCPU"), failed("source", ""))
    assert unreported(found, "now") == [
        "export onnx failed, and selected tests need it",
        "correctness onnx OnnxCPU failed, and selected tests need it",
        "source failed, and selected tests need it",
    ]


@pytest.mark.parametrize(
    "outcome",
    [
        failed(reported=True),
        failed(run="earlier"),
        failed("verify"),
        replace(failed(), status=Status.XFAILED),
        replace(failed(), status=Status.PASSED),
    ],
)
def test_what_a_test_told_what_is_no_failure_and_what_is_another_runs_is_not(outcome):
    assert unreported(of(outcome), "now") == []


# What is required


REQUIRED = (Required("onnx-cpu", ("export.onnx",), (("correctness.onnx.OnnxCPU",),)),)


def test_what_is_required_and_wrong_is_told():
    found = of(SOURCE, ONNX, replace(WRONG, message="max abs 0.2"), required=REQUIRED, run="now")
    assert unmet(found, "now") == ["required onnx-cpu did not pass: correctness.onnx.OnnxCPU failed: max abs 0.2"]


def test_what_another_run_required_is_not_this_ones():
    assert unmet(of(SOURCE, ONNX, WRONG, required=REQUIRED, run="earlier"), "now") == []


@pytest.mark.parametrize("name", ["onnx", "onnx-cpu"])
def test_what_is_required_and_expected_to_fail_says_who_expects_it(name):
    export = replace(ONNX, status=Status.XFAILED)
    check = replace(WRONG, status=Status.XFAILED)
    steps = (export,) if name == "onnx" else (ONNX, check)
    reason = ({name: "known", "else": "x"}, "nav_config")
    found = of(SOURCE, *steps, chosen={"xfail": reason}, required=REQUIRED, run="now")
    step = steps[-1].id
    assert unmet(found, "now") == [f"required onnx-cpu was not checked: {step} xfailed (xfail of nav_config: known)"]


def test_a_latency_or_a_verification_of_one_name_stands_for_no_required_step():
    profiled = Outcome("profile", Status.PASSED, "onnx", "OnnxCPU", "batch1")
    required = (Required("onnx", (), ((profiled.id,),)), Required("v", (), ((verify("onnx", "OnnxCPU").id,),)))
    found = of(SOURCE, profiled, verify("onnx", "OnnxCPU"), required=required, run="now")
    assert len(unmet(found, "now")) == 2


@pytest.mark.parametrize(
    "outcome", [SOURCE, ONNX, Outcome("convert", Status.PASSED, "trt-fp16"), RIGHT], ids=lambda outcome: outcome.step
)
def test_every_step_that_makes_or_compares_may_be_required(outcome):
    assert unmet(of(outcome, required=(Required("it", (outcome.id,), ()),), run="now"), "now") == []


# What nobody vouches for


def unjudged(key="onnx", runner="OnnxCPU", *, output="token ids", note="sampled", **changes):
    data = {"rules": {output: {"kind": "unchecked", "note": note}, "logits": {"kind": "scaled", "note": "fp32"}}}
    return replace(correctness(key, runner), data=data, **changes)


def test_an_output_that_nobody_checks_is_told_with_the_test_to_write():
    assert unverified(of(SOURCE, ONNX, unjudged())) == [
        "nobody checks output 'token ids' of linear in onnx-cpu: it is unchecked (sampled), and no verify_ test "
        "passed; write `def verify_token_ids(nav_runner): ...` with an assertion that its values must meet, or give "
        "it a comparison (nav.share, nav.cosine, a function)"
    ]


def test_a_verify_test_that_passed_vouches_for_it():
    assert unverified(of(SOURCE, ONNX, unjudged(), verify("onnx", "OnnxCPU"))) == []


def test_a_verify_test_of_an_older_artifact_does_not():
    assert len(unverified(of(SOURCE, ONNX, unjudged(), verify("onnx", "OnnxCPU", "0" * 64)))) == 1


def test_a_verify_test_that_failed_says_so_itself():
    assert unverified(of(SOURCE, ONNX, unjudged(), verify("onnx", "OnnxCPU", status=Status.FAILED))) == []


def test_a_verify_test_that_was_left_out_says_nothing_about_it():
    assert unverified(of(SOURCE, ONNX, unjudged(), verify={"a.py::verify_a": ("onnx", "OnnxCPU")})) == []


def test_a_run_that_left_out_a_comparison_says_nothing_about_outputs():
    assert unverified(of(SOURCE, ONNX, unjudged(), missing=["correctness.onnx.OnnxCUDA"])) == []
    assert unverified(of(SOURCE, ONNX, unjudged(), missing=["profile.onnx.OnnxCPU.batch1"])) != []


def test_the_live_model_is_not_to_be_verified_where_there_are_files():
    assert unverified(of(SOURCE, unjudged("torch", "TorchCPU"))) == []


def test_the_live_model_is_to_be_verified_where_there_is_nothing_else():
    found = of(SOURCE, unjudged("torch", "TorchCPU"))
    runners = {name: record for name, record in found.suite.runners.items() if record.live}
    alone = replace(found, suite=replace(found.suite, runners=runners, variants=found.suite.variants[:1]))
    assert [line.split(":")[0] for line in unverified(alone)] == [
        "nobody checks output 'token ids' of linear in torch-cpu"
    ]


def test_cells_of_one_reason_share_a_line_and_verified_ones_are_not_in_it():
    steps = (SOURCE, ONNX, SCRIPTED, unjudged(), unjudged("onnx", "OnnxCUDA"), verify("onnx", "OnnxCPU"))
    (line,) = unverified(of(*steps, unjudged("torchscript-trace", "TorchScriptCPU")))
    assert "in torchscript-trace-cpu, onnx-cuda:" in line
