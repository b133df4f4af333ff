"""`--nav-config=FILE`: what Model Navigator's configuration file says holds for the model file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml
from blackbox import member, words
from model_files import columns, linear, product, similarity

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Nav

    Configured = Callable[..., pytest.RunResult]

PASSED = {"test_source": "PASSED", "test_correctness[onnx-cpu]": "PASSED"}


@pytest.fixture
def configured(pytester: pytest.Pytester, nav: Nav) -> Configured:
    """Run the checks of a small ONNX file with a configuration file; returns what pytest said."""
    linear(pytester.path / "linear.onnx")

    def run(config: object, *args: str, model: str = "linear.onnx") -> pytest.RunResult:
        (pytester.path / "nav.yaml").write_text(config if isinstance(config, str) else yaml.safe_dump(config))
        models = [f"--nav-model={model}"] if model else []
        return nav("-v", *models, "--nav-config=nav.yaml", "--nav-in-process", *args, formats="")

    return run


def batches(pytester: pytest.Pytester) -> list[dict[str, np.ndarray]]:
    """Return the samples of the run, in their order."""
    files = sorted(pytester.path.glob("navigator_workspace/*/model_input/batches/*.npz"))
    return [dict(np.load(path)) for path in files]


def test_random_data_is_what_the_file_says(pytester: pytest.Pytester, configured: Configured) -> None:
    result = configured({"max_batch_size": 8, "value_ranges": {"x": [5, 6]}, "random_seed": 3})

    assert words(result) == PASSED
    first = batches(pytester)
    assert [sample["x"].shape for sample in first] == [(1, 5), (8, 5), (8, 5)]
    assert all(5 <= sample["x"].min() <= sample["x"].max() <= 6 for sample in first)
    configured({"max_batch_size": 8, "value_ranges": "5,6", "random_seed": 3})
    for one, other in zip(first, batches(pytester), strict=True):
        np.testing.assert_array_equal(one["x"], other["x"])
    configured({"max_batch_size": 8, "value_ranges": "5,6", "random_seed": 4})
    assert not np.array_equal(first[1]["x"], batches(pytester)[1]["x"])


def test_the_default_of_the_batch_is_the_documented_one(pytester: pytest.Pytester, configured: Configured) -> None:
    assert words(configured("")) == PASSED
    assert [len(sample["x"]) for sample in batches(pytester)] == [1, 64, 128]


def test_a_flag_wins_over_the_file_and_the_file_over_the_ini_file(
    pytester: pytest.Pytester, configured: Configured
) -> None:
    pytester.makeini("[pytest]\nnav_atol = 0.3\nnav_rtol = 0.3\nnav_seed = 3")

    result = configured({"atol": {"y": 0.2}, "random_seed": 2}, "--nav-seed=1", "--nav-show-config", "--collect-only")

    shown = [" ".join(line.split()) for line in result.outlines]
    assert "atol {'y': 0.2} (nav_config)" in shown
    assert "rtol {'y': 1e-05} (nav_config)" in shown
    assert "seed 1 (--nav-seed)" in shown


@pytest.mark.slow
def test_the_workers_of_xdist_have_the_same_data(pytester: pytest.Pytester, configured: Configured) -> None:
    result = configured({"max_batch_size": 4, "value_ranges": "2,3"}, "-n", "2")

    assert words(result) == PASSED
    assert [sample["x"].shape for sample in batches(pytester)] == [(1, 5), (4, 5), (4, 5)]


def test_an_unknown_key_is_a_usage_error_with_the_nearest_one(configured: Configured) -> None:
    result = configured({"max_batchsize": 8})

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *nav.yaml: unknown key 'max_batchsize'; did you mean 'max_batch_size'? (*"])


def test_a_part_that_does_not_exist_is_refused_with_that_reason(configured: Configured) -> None:
    result = configured({"launch_mode": "docker"})

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *launch_mode: docker: no image is built or guessed*"])


def test_the_file_can_name_the_model_the_package_and_the_workspace(
    pytester: pytest.Pytester, configured: Configured
) -> None:
    config = {"model_path": "linear.onnx", "model_name": "product", "output_package": "made.nav"}

    result = configured({**config, "workspace_path": "elsewhere"}, model="")

    assert words(result) == PASSED
    assert (pytester.path / "made.nav").exists()
    (folder,) = (path.parent for path in pytester.path.glob("elsewhere/*/suite.json"))
    assert folder.name.startswith("product-")
    assert not (pytester.path / "navigator_workspace").exists()
    flagged = configured(config, "--nav-package=flag.nav", "--nav-workspace=mine", model="")
    assert words(flagged) == PASSED
    assert (pytester.path / "flag.nav").exists()
    assert (pytester.path / "mine").is_dir()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            "",
            "axis 1 of input 'ids', axis 1 of input 'mask' can have any size, and *nav.yaml: max_shapes does not say *"
            "write it into --nav-config*",
        ),
        ({"max_shapes": {"idz": [4, 4]}}, "*nav.yaml: max_shapes: unknown input 'idz'; did you mean 'ids'?*"),
        ({"max_shapes": {"ids": [4]}}, "*max_shapes: ids: [[]4] has 1 axis, but the input has 2 axes*"),
        ({"max_shapes": "ids=4,4", "value_ranges": {"ids": [0, 0.5]}}, "*value_ranges: ids: *whole numbers*"),
    ],
)
def test_what_the_random_data_lacks_is_named(
    pytester: pytest.Pytester, configured: Configured, config: object, message: str
) -> None:
    product(pytester.path / "product.onnx")

    result = configured(config, model="product.onnx")

    assert words(result)["test_source"] == "FAILED"
    result.stdout.fnmatch_lines([message])
    told = [line for line in result.outlines if line.startswith("FAILED: source: ") or "SKIPPED [" in line]
    assert told
    assert not [line for line in told if line.endswith(":")]


def test_sizes_that_are_one_in_the_model_are_said_once(pytester: pytest.Pytester, configured: Configured) -> None:
    product(pytester.path / "product.onnx")

    result = configured("max_shapes: {ids: [4, 9]}\nmin_shapes: ['mask=1,2']\n", model="product.onnx")

    assert words(result) == PASSED
    assert [{name: array.shape for name, array in sample.items()} for sample in batches(pytester)] == [
        {"ids": (1, 2), "mask": (1, 2)},
        {"ids": (4, 9), "mask": (4, 9)},
        {"ids": (4, 9), "mask": (4, 9)},
    ]


def test_a_package_says_what_the_random_data_does_not_try(pytester: pytest.Pytester, configured: Configured) -> None:
    product(pytester.path / "product.onnx")

    result = configured("max_shapes: {ids: [4, 9]}", "--nav-package=out.nav", model="product.onnx")

    said = (
        "source: axis 1 of input 'ids' is tried with the size 9 only: write a smaller one into min_shapes; "
        "ids: only 0 and 1 were tried: write what the model takes into value_ranges of --nav-config"
    )
    result.stdout.fnmatch_lines([f"note: {said}"])
    said = said.removeprefix("source: ").partition(";")[0]
    assert said in member(pytester.path / "out.nav", "status.yaml").replace("\n", " ").replace("''", "'")


@pytest.mark.parametrize(
    ("config", "shapes"),
    [
        ({"batch_dim": None}, [(2, 3), (4, 3), (4, 3)]),
        ({"batch_dim": None, "max_shapes": {"x": [4, 6]}}, [(2, 3), (4, 6), (4, 6)]),
        ({"unbatched": ["x", "table"]}, [(2, 3), (4, 3), (4, 3)]),
    ],
    ids=["none", "every axis", "no input has one"],
)
def test_a_file_whose_first_axis_is_no_batch_is_checked_as_it_is(
    pytester: pytest.Pytester, configured: Configured, config: dict[str, object], shapes: list[tuple[int, int]]
) -> None:
    columns(pytester.path / "columns.onnx")
    sizes = {"min_shapes": {"x": [2, 3]}, "max_shapes": {"x": [4, 3]}}

    result = configured({**sizes, **config}, "--nav-package=out.nav", model="columns.onnx")

    assert words(result) == PASSED
    assert [sample["x"].shape for sample in batches(pytester)] == shapes
    status = yaml.safe_load(member(pytester.path / "out.nav", "status.yaml"))
    assert status["pytest_navigator"]["signature"]["batch_dim"] is None
    repeated = configured(member(pytester.path / "out.nav", "onnx/config.yaml"), model="columns.onnx")
    assert words(repeated) == PASSED
    assert [sample["x"].shape for sample in batches(pytester)][::2] == shapes[::2]


def test_the_batch_may_be_another_axis(pytester: pytest.Pytester, configured: Configured) -> None:
    product(pytester.path / "product.onnx")

    result = configured({"batch_dim": 1, "max_shapes": {"ids": [4, 9]}}, "--nav-package=out.nav", model="product.onnx")

    assert words(result) == PASSED
    assert [sample["ids"].shape for sample in batches(pytester)] == [(4, 1), (4, 8), (4, 9)]
    signature = yaml.safe_load(member(pytester.path / "out.nav", "status.yaml"))["pytest_navigator"]["signature"]
    assert signature["batch_dim"] == 1
    assert all(spec["batched"] for spec in (*signature["inputs"], *signature["outputs"]))


def test_an_input_without_a_batch_is_whole_in_every_row(pytester: pytest.Pytester, configured: Configured) -> None:
    similarity(pytester.path / "similarity.onnx")
    config = {"unbatched": ["table"], "max_shapes": {"table": [7, 5]}, "max_batch_size": 4}

    result = configured(config, "--nav-package=out.nav", model="similarity.onnx")

    assert words(result) == PASSED
    assert [(sample["x"].shape, sample["table"].shape) for sample in batches(pytester)] == [
        ((size, 5), (7, 5)) for size in (1, 4, 4)
    ]
    signature = yaml.safe_load(member(pytester.path / "out.nav", "status.yaml"))["pytest_navigator"]["signature"]
    assert [spec["batched"] for spec in signature["inputs"]] == [True, False]
    row = next(pytester.path.glob("navigator_workspace/*/model_input/correctness/*.npz"))
    assert {name: array.shape for name, array in np.load(row).items()} == {"x": (5,), "table": (7, 5)}


def test_a_packages_own_configuration_repeats_the_run(pytester: pytest.Pytester, configured: Configured) -> None:
    config = {"max_batch_size": 6, "value_ranges": {"x": [2, 3]}, "atol": {"y": 1e-3}, "rtol": {"y": 0}}
    assert words(configured(config, "--nav-package=out.nav")) == PASSED
    written = member(pytester.path / "out.nav", "onnx/config.yaml")

    again = configured(written, "--nav-show-config")

    assert words(again) == PASSED
    again.stdout.fnmatch_lines(["atol *{'y': 0.001}  (nav_config)", "rtol *{'y': 0.0}  (nav_config)"])
    assert [sample["x"].shape for sample in batches(pytester)] == [(1, 5), (4, 5), (6, 5)]
    assert all(2 <= sample["x"].min() <= sample["x"].max() <= 3 for sample in batches(pytester))


def test_what_was_configured_of_the_data_is_what_a_package_repeats(
    pytester: pytest.Pytester, configured: Configured
) -> None:
    shapes = {"min_shapes": {"x": [2, 5]}, "opt_shapes": {"x": [3, 5]}, "max_shapes": {"x": [7, 5]}}
    config = {**shapes, "value_ranges": {"x": [2.5, 3.5]}, "random_seed": 4}
    assert words(configured(config, "--nav-package=out.nav")) == PASSED
    first, written = batches(pytester), member(pytester.path / "out.nav", "onnx/config.yaml")

    assert {key: value for key, value in yaml.safe_load(written).items() if key in config} == config
    assert words(configured(written)) == PASSED
    for one, other in zip(first, batches(pytester), strict=True):
        np.testing.assert_array_equal(one["x"], other["x"])


def test_ranges_that_nobody_has_configured_are_not_said(pytester: pytest.Pytester, configured: Configured) -> None:
    assert words(configured({"max_batch_size": 4}, "--nav-package=out.nav")) == PASSED

    assert "value_ranges" not in yaml.safe_load(member(pytester.path / "out.nav", "onnx/config.yaml"))


def test_verbose_keeps_the_arrays_of_a_comparison_that_passed(
    pytester: pytest.Pytester, configured: Configured
) -> None:
    for verbose, count in ((True, 2), (False, 0)):
        assert words(configured({"verbose": verbose, "max_batch_size": 2})) == PASSED
        assert len(list(pytester.path.glob("navigator_workspace/*/onnx-cpu.comparator_*.json"))) == count


def test_an_output_path_that_cannot_be_is_told_before_the_run(
    pytester: pytest.Pytester, configured: Configured
) -> None:
    (pytester.path / "mine.onnx").write_text("mine")

    result = configured({"output_path": "mine.onnx"})

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: output_path: *mine.onnx exists, and is not what an earlier run wrote*"])
    assert (pytester.path / "mine.onnx").read_text() == "mine"


def test_an_output_that_nothing_makes_fails_the_run(configured: Configured) -> None:
    result = configured({"output_path": "out.onnx"})

    assert words(result) == PASSED
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["FAILED: output_path: out.onnx was not written: nothing was to be made of this onnx*"])
