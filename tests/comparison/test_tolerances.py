from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.comparison.computed import Computed
from pytest_navigator.comparison.precisions import DEFAULTS, SIGNAL
from pytest_navigator.comparison.tolerances import (
    ROUNDED,
    TEXTS,
    Rule,
    cosine,
    default,
    functions,
    judged_by_user,
    number,
    parse,
    resolve,
    scaled,
    scaled_call,
    share,
    snr,
    unchecked,
)
from pytest_navigator.core.plain import plain, structured
from pytest_navigator.core.records import TensorSpec
from pytest_navigator.engine.correctness import computed_in
from pytest_navigator.errors import ConfigError

LOGITS = TensorSpec("logits", (-1, 10), "float32")
HIDDEN = TensorSpec("hidden", (-1, 8), "float16")
IDS = TensorSpec("ids", (-1,), "int64")
MASK = TensorSpec("mask", (-1,), "bool")
TEXT = TensorSpec("text", (-1,), "object")


def rules(*outputs, key="onnx-dynamo", name="onnx", formats=("onnx", "torchscript-trace", "torchscript"), **settings):
    return resolve(outputs or (LOGITS, HIDDEN), variant_key=key, format_name=name, formats=formats, **settings)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1e-5", {"": 1e-5}),
        ("0", {"": 0.0}),
        ("logits=1e-4", {"logits": 1e-4}),
        ("1e-5 logits=1e-4", {"": 1e-5, "logits": 1e-4}),
        ("logits:1e-4 1e-5", {"": 1e-5, "logits": 1e-4}),
        ("1e-5,logits=1e-4", {"": 1e-5, "logits": 1e-4}),
        ("logits:0=1e-4", {"logits:0": 1e-4}),
        ("logits:0:1e-4", {"logits:0": 1e-4}),
        ("1X:0=1e-4", {"1X:0": 1e-4}),
        ("*=1e-4", {"*": 1e-4}),
    ],
)
def test_a_command_line_holds_a_default_and_overrides(text, values):
    assert parse(text) == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-1", r"'-1' is no tolerance; a tolerance is a number from 0"),
        ("nan", r"'nan' is no tolerance"),
        ("inf", r"'inf' is no tolerance"),
        ("logits=abc", r"atol 'logits=abc': 'abc' is not a number"),
        ("logits=", r"'' is not a number"),
        ("logits", r"'logits' is not a number"),
        ("=1e-5", r"no output before '='; write name=number"),
        ("1e-5 1e-4", r"'the default' comes twice"),
        ("logits=1 logits=2", r"'logits' comes twice"),
        (" ", r"empty; write a number"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(text, message):
    with pytest.raises(ConfigError, match=message):
        parse(text)


def test_a_command_line_may_name_a_format():
    given = parse("1e-5 logits=1e-4 onnx=1e-3")
    assert {name: rule.atol for name, rule in rules(atol=given).items()} == {"logits": 1e-3, "hidden": 1e-3}
    other = rules(atol=given, key="torchscript-trace", name="torchscript")
    assert {name: rule.atol for name, rule in other.items()} == {"logits": 1e-4, "hidden": 1e-5}


@given(st.dictionaries(st.text("abz_.:=/0", min_size=1), st.floats(0, 1e6), min_size=1))
def test_every_name_and_number_survives_the_command_line(values):
    assert parse(" ".join(f"{name}={value!r}" for name, value in values.items())) == values


def test_without_a_tolerance_the_type_of_the_output_decides():
    found = rules(LOGITS, HIDDEN, IDS, MASK, TEXT)
    assert [found[name].kind for name in found] == ["scaled", "scaled", "equal", "equal", "equal"]
    assert (found["logits"].note, found["hidden"].note) == ("fp32", "fp16")


@pytest.mark.parametrize(
    ("dtype", "precision", "expected"),
    [
        ("float64", "", "fp64"),
        ("float64", "fp32", "fp32"),
        ("float32", "fp16", "fp16"),
        ("float32", "fp8", "fp8"),
        ("bfloat16", "fp32", "bf16"),
        ("bfloat16", "", "bf16"),
        ("complex64", "", "fp32"),
        ("float8_e4m3fn", "", "fp8"),
    ],
)
def test_the_looser_of_type_and_precision_holds(dtype, precision, expected):
    assert default(dtype, precision) == Rule("scaled", DEFAULTS[expected][1], DEFAULTS[expected][0], note=expected)


def test_an_unknown_precision_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match="unknown precision 'fp61'; did you mean 'fp64'"):
        default("float32", "fp61")


def test_one_number_holds_for_every_floating_output_and_leaves_integers_exact():
    found = rules(LOGITS, IDS, MASK, TEXT, atol=1e-3)
    assert found["logits"] == Rule("close", atol=1e-3, rtol=0.0)
    assert [found[name].kind for name in ("ids", "mask", "text")] == ["equal"] * 3


def test_an_integer_output_can_have_a_tolerance_by_its_name():
    assert rules(IDS, atol={"ids": 1})["ids"] == Rule("close", atol=1.0)


@pytest.mark.parametrize("output", [MASK, TEXT])
def test_an_output_without_differences_has_no_tolerance(output):
    with pytest.raises(ConfigError, match="it has no tolerance; use nav"):
        rules(output, atol={output.name: 1e-3})


def test_the_missing_one_of_atol_and_rtol_is_zero_per_output():
    found = rules(atol={"logits": 1e-3}, rtol={"hidden": 1e-2})
    assert found == {"logits": Rule("close", atol=1e-3), "hidden": Rule("close", rtol=1e-2)}


def test_an_output_that_no_tolerance_mentions_keeps_its_default():
    assert rules(atol={"logits": 1e-3})["hidden"].kind == "scaled"


@pytest.mark.parametrize(
    ("setting", "logits", "hidden"),
    [
        ("1e-5 logits=1e-4", 1e-4, 1e-5),
        ({"": 1e-5, "logits": 1e-3}, 1e-3, 1e-5),
        ({"*": 1e-5, "torchscript-trace": {"logits": 1e-3}}, 1e-5, 1e-5),
        ({"*": 1e-5, "onnx": {"logits": 1e-3}}, 1e-3, 1e-5),
        ({"*": 1e-5, "onnx": 1e-3}, 1e-3, 1e-3),
        ({"onnx": 1e-3, "onnx-dynamo": {"logits": 1e-2}}, 1e-2, 1e-3),
        ({"logits": 1e-5, "onnx": 1e-3}, 1e-3, 1e-3),
        ({"*": 1e-5, "onnx": {"*": 1e-4, "logits": 1e-3}}, 1e-3, 1e-4),
    ],
)
def test_the_nearest_level_that_mentions_the_output_decides(setting, logits, hidden):
    found = rules(atol=setting)
    assert (found["logits"].atol, found["hidden"].atol) == (logits, hidden)


def test_a_name_of_a_format_and_an_output_is_the_formats():
    output = TensorSpec("onnx", (1,), "float32")
    assert rules(output, LOGITS, atol={"onnx": 1e-3})["logits"].atol == 1e-3
    assert rules(output, LOGITS, atol={"onnx": {"onnx": 1e-3}})["logits"].kind == "scaled"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"logit": 1e-3}, "unknown output in atol 'logit'; did you mean 'logits'"),
        ({"onxn": {"logits": 1e-3}}, "unknown format in atol 'onxn'; did you mean 'onnx'"),
        ({"onnx": {"logit": 1e-3}}, r"unknown output in atol\['onnx'\] 'logit'; did you mean 'logits'"),
        ({"": 1, "*": 2}, "'' and '\\*' both mean every output"),
        ({"logits": {"onnx": 1e-3}}, r"atol\['logits'\]: .* is not a number"),
        ({"logits": True}, "True is no tolerance"),
        ({"onnx": {"logits": -1}}, r"atol\['onnx'\]\['logits'\]: -1 is no tolerance"),
        ("logit=1e-3", "unknown output in atol 'logit'; did you mean 'logits'"),
    ],
)
def test_a_wrong_setting_says_where_and_what(setting, message):
    with pytest.raises(ConfigError, match=message):
        rules(atol=setting)


def test_a_comparison_goes_before_a_tolerance():
    found = rules(LOGITS, IDS, atol=1e-3, comparisons={"logits": cosine(0.999), "ids": share(0.99)})
    assert found == {"logits": Rule("cosine", minimum=0.999), "ids": Rule("share", minimum=0.99)}


def test_a_comparison_can_hold_for_one_format_only():
    comparisons = {"onnx": {"logits": cosine(0.9)}}
    assert rules(LOGITS, comparisons=comparisons)["logits"].kind == "cosine"
    other = rules(LOGITS, key="torchscript-trace", name="torchscript", comparisons=comparisons)
    assert other["logits"].kind == "scaled"


def test_a_function_is_named_in_the_rule_and_kept_beside_it():
    def same_order(expected, actual):
        return True

    found = rules(LOGITS, comparisons={"logits": same_order})["logits"]
    assert (found.kind, found.text.rpartition(".")[2]) == ("function", "same_order")
    kept = functions({"logits": same_order}, (LOGITS, HIDDEN), variant_key="onnx", format_name="onnx")
    assert kept == {"logits": same_order}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: share(1.5), r"share\(1.5\): the smallest share that passes is above 0 and at most 1"),
        (lambda: share(0), r"share\(0\)"),
        (lambda: cosine(float("nan")), r"cosine\(nan\)"),
        (lambda: cosine("0.9"), r"cosine\('0.9'\)"),
        (lambda: unchecked(""), r"unchecked\(''\): say why"),
        (lambda: unchecked(None), r"unchecked\(None\): say why"),
        (lambda: rules(LOGITS, comparisons={"logits": 0.99}), r"0.99: not a comparison; use nav.share"),
        (lambda: rules(LOGITS, comparisons={"logit": share(1)}), "did you mean 'logits'"),
        (lambda: rules(TEXT, comparisons={"text": cosine(1)}), "it has no cosine"),
    ],
)
def test_a_wrong_comparison_says_what_is_possible(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Rule("close", atol=1e-3), "atol 1e-3"),
        (Rule("close", atol=1e-3, rtol=0.02), "atol 1e-3, rtol 0.02"),
        (Rule("close", rtol=0.02), "rtol 0.02"),
        (Rule("close"), "atol 0"),
        (default("float32"), f"{number(DEFAULTS['fp32'][0])} of (|value| + scale) (fp32 default)"),
        (default("int32"), "equal"),
        (share(0.99), "share of equal elements >= 0.99"),
        (cosine(0.999), "cosine >= 0.999"),
        (unchecked(" sampled "), "unchecked: sampled"),
        (Rule("function", note="near"), "function near"),
    ],
)
def test_every_rule_reads_well_and_survives_as_json(rule, text):
    assert rule.text == text
    assert structured(json.loads(json.dumps(plain(rule))), Rule) == rule


def test_every_kind_has_a_text():
    assert set(TEXTS) == {"close", "scaled", "equal", "share", "cosine", "snr", "function", "unchecked"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0031, "3.1e-3"),
        (0.001, "1e-3"),
        (0.25, "0.25"),
        (12.0, "12"),
        (1014.6, "1e3"),
        (float("inf"), "inf"),
        (0.0, "0"),
    ],
)
def test_a_figure_is_short(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("source", "place", "parameters", "device", "expected"),
    [
        ("fp32", "cpu", {}, "cpu", "fp32"),
        ("fp32", "cpu", {}, "cuda", "tf32"),
        ("", "cpu", {}, "cuda", ""),
        ("fp64", "cpu", {}, "cuda", "fp64"),
        ("fp64", "cpu", {"precision": "fp32", "precision_mode": "hierarchy"}, "cuda", "tf32"),
        ("fp32", "cpu", {"precision": "fp32", "precision_mode": "hierarchy"}, "cuda", "tf32"),
        ("fp32", "cpu", {"precision": "fp32", "precision_mode": "single"}, "cuda", "fp32"),
        ("fp32", "cuda:0", {"precision": "fp32", "precision_mode": "single"}, "cuda", "tf32"),
        ("fp32", "cpu", {"precision": "fp16", "precision_mode": "single"}, "cuda", "fp16"),
        ("bf16", "cpu", {"precision": "fp16", "precision_mode": "hierarchy"}, "cuda", "bf16"),
    ],
)
def test_a_comparison_allows_for_the_coarsest_that_was_computed_in(source, place, parameters, device, expected):
    assert computed_in(Computed(source, "bf16"), place, parameters, device) == Computed(expected, "bf16")


def anything(expected, actual):
    return True


@pytest.mark.parametrize(
    ("comparisons", "judged"),
    [
        (None, False),
        ({}, False),
        ({"other": anything}, False),
        ({"y": anything}, True),
        ({"*": anything}, True),
        ({"": anything}, True),
        ({"y": unchecked("sampled")}, True),
        ({"y": share(0.9)}, False),
        ({"y": share(0.9), "*": anything, "": anything}, False),
        ({"*": share(0.9), "": anything}, False),
        ({"onnx": {"y": anything}}, False),
        ({"y": "sampled"}, False),
    ],
)
def test_an_output_is_the_users_to_judge_where_it_is_said_for_every_format(comparisons, judged):
    assert judged_by_user(comparisons, "y") is judged


@pytest.mark.parametrize("reason", ["  sampled  ", "sampled"])
def test_the_reason_of_what_is_unchecked_is_kept(reason):
    assert unchecked(reason) == Rule("unchecked", note="sampled")


@pytest.mark.parametrize(("axis", "text"), [((), ""), ((2,), "axis=2, "), ((0, -1), "axis=(0, -1), ")])
def test_a_rule_of_slices_reads_as_it_is_written(axis, text):
    assert scaled_call(axis, 2e-3) == f"scaled({text}tolerance=2e-3)"


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64"])
def test_every_integer_may_have_a_tolerance_by_name(dtype):
    assert rules(TensorSpec("y", (2,), dtype), atol={"y": 2})["y"] == Rule("close", atol=2.0)


# What a message says, to its end


def refused(make):
    with pytest.raises(ConfigError) as caught:
        make()
    return str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: parse("1 logits=2 logits=3", "rtol"),
            "rtol '1 logits=2 logits=3': 'logits' comes twice; keep one",
        ),
        (lambda: parse("1 2"), "atol '1 2': 'the default' comes twice; keep one"),
        (
            lambda: parse(" , "),
            "atol ' , ': empty; write a number, or name=number, or both: '1e-5 logits=1e-4'",
        ),
        (
            lambda: parse("a=x", "rtol"),
            "rtol 'a=x': 'x' is not a number; a tolerance is a number from 0, like 1e-5",
        ),
        (lambda: parse("a=-1"), "atol 'a=-1': '-1' is no tolerance; a tolerance is a number from 0, like 1e-5"),
        (lambda: parse(":1"), "tolerance ':1': no output before ':'; write name:number"),
        (lambda: parse("=1"), "tolerance '=1': no output before '='; write name=number"),
        (
            lambda: rules(atol={"logits": None}),
            "atol['logits']: None is not a number; a tolerance is a number from 0, like 1e-5",
        ),
        (
            lambda: rules(rtol={"onnx": {"logits": "x"}}),
            "rtol['onnx']['logits']: 'x' is not a number; a tolerance is a number from 0, like 1e-5",
        ),
        (lambda: rules(rtol="x"), "rtol 'x': 'x' is not a number; a tolerance is a number from 0, like 1e-5"),
        (lambda: rules(atol=True), "atol: True is no tolerance; a tolerance is a number from 0, like 1e-5"),
        (lambda: rules(MASK, atol={"mask": 1}), "output 'mask' is bool: it has no tolerance; use nav.share(...)"),
        (lambda: rules(TEXT, rtol={"text": 1}), "output 'text' is object: it has no tolerance; use nav.share(...)"),
        (
            lambda: rules(TEXT, comparisons={"text": cosine(1)}),
            "output 'text' is object: it has no cosine; use nav.share(...)",
        ),
        (
            lambda: rules(IDS, comparisons={"ids": scaled()}),
            "output 'ids' is int64: it has no scale; use nav.share(...)",
        ),
        (
            lambda: rules(comparisons={"logits": scaled((0, 2))}),
            "output 'logits' has no axis 2 (nav.scaled(axis=...)): it has 2 axes, -2 to 1",
        ),
        (
            lambda: rules(comparisons={"logits": scaled((0, -2))}),
            "output 'logits': nav.scaled(axis=(0, -2)) names an axis twice",
        ),
        (
            lambda: rules(TensorSpec("y", (), "float32"), comparisons={"y": scaled(0)}),
            "output 'y' has no axis 0 (nav.scaled(axis=...)): it has no axes",
        ),
        (
            lambda: rules(comparisons={"onnx": {"logits": 0.9}}),
            "comparisons['onnx']['logits'] = 0.9: not a comparison; use nav.share(0.99), nav.cosine(0.999), "
            "nav.snr(20), nav.scaled(axis=-1), nav.unchecked('reason') or a function of (expected, actual)",
        ),
        (lambda: share(True), "share(True): the smallest share that passes is above 0 and at most 1"),
        (lambda: cosine(1.01), "cosine(1.01): the smallest cosine that passes is above 0 and at most 1"),
        (lambda: snr(0), "snr(0): the smallest ratio that passes is a number of decibels above 0, like 20"),
        (lambda: snr(float("inf")), "snr(inf): the smallest ratio that passes is a number of decibels above 0"),
        (lambda: snr(True), "snr(True): the smallest ratio that passes is a number of decibels above 0, like 20"),
        (lambda: snr(20, cosine=1.5), "snr(cosine=1.5): the smallest cosine that passes is from 0 to 1, like 0.99"),
        (
            lambda: rules(TensorSpec("y", (3,), "bool"), comparisons={"y": snr(20)}),
            "output 'y' is bool: it has no ratio of signal to noise; use nav.share(...)",
        ),
        (lambda: share(0.0), "share(0.0): the smallest share that passes is above 0 and at most 1"),
        (
            lambda: unchecked("  "),
            "unchecked('  '): say why, for example unchecked('sampled from a distribution')",
        ),
        (
            lambda: scaled((0, True)),
            "scaled(axis=(0, True)): an axis is a whole number, like -1, or several: (0, -1)",
        ),
        (lambda: scaled({0}), "scaled(axis={0}): an axis is a whole number, like -1, or several: (0, -1)"),
        (
            lambda: scaled(tolerance=True),
            "scaled(tolerance=True): a part of the scale is above 0 and below 1, like 1e-3",
        ),
        (
            lambda: scaled(tolerance=1.0),
            "scaled(tolerance=1.0): a part of the scale is above 0 and below 1, like 1e-3",
        ),
        (
            lambda: scaled(tolerance=0),
            "scaled(tolerance=0): a part of the scale is above 0 and below 1, like 1e-3",
        ),
        (lambda: default("float32", "fp31"), "unknown precision 'fp31'; did you mean 'fp32'?"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_write(make, message):
    assert refused(make).startswith(message)
    assert len(refused(make)) <= len(message) + 60  # the names that there are, where one is unknown


@pytest.mark.parametrize(("make", "kind"), [(share, "share"), (cosine, "cosine")])
@pytest.mark.parametrize("minimum", [1, 1.0, 0.5, 1e-9])
def test_a_least_share_or_cosine_is_kept(make, kind, minimum):
    assert make(minimum) == Rule(kind, minimum=float(minimum))
    assert isinstance(make(minimum).minimum, float)


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        (scaled(), Rule("scaled")),
        (scaled(0), Rule("scaled", axis=(0,))),
        (scaled([1, -1]), Rule("scaled", axis=(1, -1))),
        (scaled(tolerance=0.5), Rule("scaled", rtol=0.5)),
        (scaled(-1, tolerance=1e-3), Rule("scaled", rtol=1e-3, axis=(-1,))),
    ],
)
def test_what_was_asked_of_slices_is_kept(rule, kept):
    assert rule == kept


# The whole rule, with what rounding explains of it


def whole(rule):
    return (rule, rule.explained, rule.digits)


@pytest.mark.parametrize("precision", sorted(DEFAULTS.keys() - SIGNAL.keys()))
def test_rounding_explains_twenty_times_the_default_up_to_a_hundredth(precision):
    found = default("float64", precision)
    rtol, atol = DEFAULTS[precision]
    assert found == Rule("scaled", atol=atol, rtol=rtol, note=precision)
    assert found.explained == max(rtol, min(20 * rtol, 0.01))


@pytest.mark.parametrize("rounded", ["fp16", "bf16", "fp8"])
def test_a_result_that_is_rounded_may_be_off_by_a_digit_more(rounded):
    found = default("float32", computed=Computed("fp32", rounded))
    assert found.rtol == DEFAULTS["fp32"][0] + ROUNDED[rounded]
    assert found.atol == max(DEFAULTS["fp32"][1], DEFAULTS[rounded][1])
    assert (found.note, found.digits) == (f"fp32 rounded to {rounded}", ())
    assert found.explained == max(found.rtol, min(20 * found.rtol, 0.01))


@pytest.mark.parametrize(
    ("dtype", "computed", "precision", "note", "digits"),
    [
        ("float64", Computed("fp64"), "", "fp64", ("float32",)),
        ("float64", Computed("fp32"), "", "fp32", ("float32",)),
        ("float64", Computed("bf16"), "", "bf16", ("float32",)),
        ("float64", Computed("fp32"), "fp16", "fp16", ()),
        ("float64", Computed(), "", "fp64", ("float32",)),
        ("float32", Computed("fp32"), "", "fp32", ("float16", "bfloat16")),
        ("float32", Computed(), "", "fp32", ("float16", "bfloat16")),
        ("float32", Computed("bf16"), "", "bf16", ()),
        ("float32", Computed("fp32", "bf16"), "", "fp32 rounded to bf16", ()),
        ("float32", Computed("fp32"), "fp32", "fp32", ()),
        ("float16", Computed("fp32"), "", "fp32 rounded to fp16", ()),
        ("float16", Computed("fp16"), "", "fp16", ()),
        ("bfloat16", Computed(), "", "fp32 rounded to bf16", ()),
        ("float32", Computed("fp64"), "", "fp32", ("float16", "bfloat16")),
        ("complex64", Computed("fp32"), "", "fp32", ()),
        ("float8_e4m3fn", Computed("fp32"), "", "fp32 rounded to fp8", ()),
        ("float32", None, "", "fp32", ()),
    ],
)
def test_an_output_is_judged_by_what_is_known_of_it(dtype, computed, precision, note, digits):
    found = default(dtype, precision, computed)
    assert (found.note, found.digits) == (note, digits)


def test_a_tolerance_of_the_users_keeps_what_rounding_explains():
    assert whole(rules(atol=1e-6)["logits"]) == (Rule("close", atol=1e-6), 2e-3, ())
    assert whole(rules(rtol=1e-6)["hidden"]) == (Rule("close", rtol=1e-6), 0.02, ())
    assert whole(rules(IDS, atol={"ids": 2})["ids"]) == (Rule("close", atol=2.0), 0.0, ())


def test_a_comparison_of_the_users_keeps_what_rounding_explains():
    assert whole(rules(comparisons={"logits": cosine(0.5)})["logits"]) == (Rule("cosine", minimum=0.5), 2e-3, ())
    assert whole(rules(IDS, comparisons={"ids": share(0.5)})["ids"]) == (Rule("share", minimum=0.5), 0.0, ())


def test_a_rule_of_slices_is_the_default_with_axes():
    computed = {"logits": Computed("fp32"), "hidden": Computed("fp16")}
    digits = ("float16", "bfloat16")
    found = rules(comparisons={"*": scaled((-1, 0))}, computed=computed)
    rtol, atol = DEFAULTS["fp32"]
    assert whole(found["logits"]) == (Rule("scaled", atol, rtol, note="fp32", axis=(0, 1)), 2e-3, digits)
    assert found["hidden"].note == "fp16"
    found = rules(comparisons={"*": scaled(-2, tolerance=0.25)}, computed=computed)
    assert whole(found["logits"]) == (Rule("scaled", atol, 0.25, note="asked for", axis=(0,)), 2e-3, ())


def test_a_cosine_is_for_numbers():
    assert rules(IDS, comparisons={"ids": cosine(0.5)})["ids"] == Rule("cosine", minimum=0.5)


@pytest.mark.parametrize("name", ["fp16", "bf16", "int8"])
def test_what_a_format_computes_in_holds_for_every_output(name):
    assert rules(precision=name)["logits"].note == name


def test_what_the_source_computes_in_holds_for_the_output_of_that_name():
    found = rules(computed={"logits": Computed("bf16")})
    assert (found["logits"].note, found["hidden"].note) == ("bf16", "fp16")


class Judge:
    def __call__(self, expected, actual):
        return True


def test_a_function_without_a_name_is_named_by_its_type():
    assert rules(comparisons={"logits": Judge()})["logits"] == Rule("function", note="Judge")
    assert rules(comparisons={"logits": anything})["logits"] == Rule("function", note="anything")


def test_the_users_functions_are_those_of_the_format_and_no_rules():
    judge, other = Judge(), Judge()
    comparisons = {"*": judge, "onnx": {"logits": other}, "torchscript": {"hidden": share(0.9)}}

    def found(key, name, *outputs):
        formats = ("onnx", "torchscript")
        return functions(comparisons, outputs, variant_key=key, format_name=name, formats=formats)

    assert found("onnx-dynamo", "onnx", LOGITS, HIDDEN) == {"logits": other, "hidden": judge}
    assert found("torchscript-trace", "torchscript", LOGITS, HIDDEN) == {"logits": judge}
    assert found("jax", "jax", LOGITS, HIDDEN) == {"logits": judge, "hidden": judge}
    assert functions(None, (LOGITS,), variant_key="onnx", format_name="onnx") == {}
    assert functions({"onnx": {"logits": judge}}, (LOGITS,), variant_key="onnx", format_name="x") == {"logits": judge}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.01, "0.01"),
        (0.0099, "9.9e-3"),
        (999.9, "1e+03"),
        (999, "999"),
        (1000, "1e3"),
        (1234, "1.2e3"),
        (-0.001, "-1e-3"),
        (-0.5, "-0.5"),
        (0, "0"),
        (float("-inf"), "-inf"),
        (float("nan"), "nan"),
        (1e-12, "1e-12"),
    ],
)
def test_a_figure_has_two_or_three_digits(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=b=1", {"a=b": 1.0}),
        ("a:b=1", {"a:b": 1.0}),
        ("a=b:1", None),
        ("1,2=3", {"": 1.0, "2": 3.0}),
        ("  a=1   ,  b:2 ", {"a": 1.0, "b": 2.0}),
    ],
)
def test_a_name_ends_at_the_last_equals_sign_or_else_colon(text, values):
    if values is None:
        assert "'b:1' is not a number" in refused(lambda: parse(text))
    else:
        assert parse(text) == values
