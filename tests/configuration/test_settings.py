from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from pytest_navigator import NavConfig
from pytest_navigator.configuration import options
from pytest_navigator.configuration.settings import config_lines, resolve, too_short
from pytest_navigator.errors import ConfigError, unknown_text


def test_a_flag_wins_over_nav_config_and_that_over_the_ini_file():
    config = NavConfig(timeout=20, seed=2)
    found = resolve({"timeout": 10.0}, {"timeout": 30.0, "seed": 3, "sample_count": 4}, config)
    assert (found.timeout, found.all["timeout"].origin) == (10.0, "--nav-timeout")
    assert (found.seed, found.all["seed"].origin) == (2, "nav_config")
    assert (found.sample_count, found.all["sample_count"].origin) == (4, "ini: nav_sample_count")
    assert (found.keep, found.all["keep"].origin) == ("all", "default")


def test_a_setting_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError):
        resolve({}, {}, None).nothing  # noqa: B018


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (options.names, " , "),
        (options.count, "0"),
        (options.count, "many"),
        (options.counts, "x"),
        (options.whole, "-1"),
        (options.seconds, "0"),
        (options.seconds, "inf"),
        (options.seconds, "nan"),
        (options.one_of("all", "none"), "some"),
        (options.atol, "logits="),
        (options.rtol, "-1"),
        (options.yes, "perhaps"),
    ],
)
def test_a_bad_value_is_named(parse, text):
    with pytest.raises(ArgumentTypeError) as caught:
        parse(text)
    assert repr(text) in str(caught.value) or text in str(caught.value)


def test_the_tolerance_of_a_bad_flag_is_called_by_its_own_name():
    with pytest.raises(ArgumentTypeError, match="rtol"):
        options.rtol("x=y")


@pytest.mark.parametrize(
    ("field", "value"), [("timeout", -1), ("sample_count", 0), ("keep", "some"), ("seed", -3), ("max_slowdown", 0.01)]
)
def test_nav_config_is_held_to_the_rules_of_the_flags(field, value):
    with pytest.raises(ConfigError, match=f"nav_config: {field}"):
        resolve({}, {}, NavConfig(**{field: value}))


def test_keeping_the_best_without_figures_would_keep_nothing():
    with pytest.raises(ConfigError, match=r"keep = best \(--nav-keep\) would keep nothing: .*\(--nav-no-profile\)"):
        resolve({"keep": "best", "profile": False}, {}, None)
    assert resolve({"keep": "best"}, {}, None).keep == "best"


def test_a_string_where_a_list_belongs_is_refused():
    with pytest.raises(ConfigError, match="a list or tuple is needed"):
        NavConfig(formats="onnx")


def test_an_unknown_field_is_named_with_the_nearest_one():
    with pytest.raises(ConfigError, match="unknown field of NavConfig 'format'; did you mean 'formats'"):
        NavConfig(format=["onnx"])


@pytest.mark.parametrize(
    ("value", "valid", "meant"),
    [
        ("gpu", ["cpu", "cuda"], "'cuda'"),
        ("GPU", ["cpu", "cuda"], "'cuda'"),
        ("trt", ["cpu", "tensorrt", "trtexec"], "'tensorrt'"),
        ("tensorrt", ["onnx", "trt"], "'trt'"),
        ("pytorch", ["jax", "torch"], "'torch'"),
        ("ONNX", ["onnx", "torch"], "'onnx'"),
        ("onx", ["onnx", "torch"], "'onnx'"),
    ],
)
def test_another_word_for_a_name_goes_before_a_similar_one(value, valid, meant):
    assert f"; did you mean {meant}? (valid: " in unknown_text("name", value, valid)
    assert unknown_text("name", "gpu", ["cpu"]) == "unknown name 'gpu' (valid: cpu)"


def test_of_many_names_the_nearest_are_told() -> None:
    names = [f"onnx-int{count}" for count in range(8)] + [f"torch-{count}" for count in range(20)]
    text = unknown_text("format", "onx-int8", names, "docs/formats.md")
    told = text.partition("(valid: ")[2]
    assert told.startswith("onnx-int0, onnx-int1, onnx-int2, onnx-int3, onnx-int4, onnx-int5, onnx-int6, onnx-int7, ")
    assert told.endswith(", and 18 more: docs/formats.md)")
    assert "more" not in unknown_text("format", "onx", names[:10])


def test_a_configuration_is_adapted_with_replace():
    company = NavConfig(atol=1e-3, formats=["onnx"])
    assert company.replace(name="mine") == NavConfig(atol=1e-3, formats=["onnx"], name="mine")


def test_each_value_is_shown_with_its_origin():
    lines = config_lines(resolve({"formats": ("onnx", "torchscript")}, {}, NavConfig(timeout=5)))
    assert any(line.split(maxsplit=1) == ["formats", "onnx, torchscript  (--nav-formats)"] for line in lines)
    assert ["timeout", "5.0", "(nav_config)"] in [line.split() for line in lines]
    assert any(line.split() == ["runtimes", "-", "(default)"] for line in lines)


@pytest.mark.parametrize("name", ["formats", "runtimes", "precisions", "batch_sizes", "require"])
def test_a_list_that_is_given_empty_on_the_command_line_is_the_default(name):
    option = next(option for option in options.OPTIONS if option.name == name)
    config = NavConfig(**{name: [1] if name == "batch_sizes" else ["onnx"]})
    found = resolve({name: option.parse("")}, {name: option.parse("2")}, config).all[name]
    assert (found.value, found.origin) == (option.default, option.flag)


def test_a_limit_below_the_time_of_a_measurement_is_said():
    text = "note: timeout = 5 (nav_config) is less than profile_seconds = 10.0 (default): a measurement that "
    assert too_short(resolve({}, {}, NavConfig(timeout=5))).startswith(text.replace("= 5 ", "= 5.0 "))
    assert not too_short(resolve({}, {}, NavConfig(timeout=5, profile=False)))
    assert not too_short(resolve({}, {}, NavConfig(timeout=5, profile_seconds=5)))
