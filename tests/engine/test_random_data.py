"""Random data fits the signature, lies inside the ranges, and is the same for the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.configuration.nav_config_file import FileConfig
from pytest_navigator.configuration.signature_text import specs
from pytest_navigator.core.records import TensorSpec
from pytest_navigator.engine.random_samples import samples, untried
from pytest_navigator.engine.random_shapes import plan
from pytest_navigator.errors import ConfigError
from pytest_navigator.samples.npz import dtype_name, dtype_of

FLOATS = ("float16", "float32", "float64", "bfloat16", "float8_e4m3fn", "float8_e5m2")
INTEGERS = ("int8", "uint8", "int32", "int64", "uint64", "int4", "uint4")
IMAGE = specs("image:-1,3,-1,-1:float32", "here")


def config(**settings: Any) -> FileConfig:
    return FileConfig(given=frozenset(settings), **settings)


def drawn(dtype: str, **settings: Any) -> np.ndarray:
    return samples(specs(f"x:64,3:{dtype}", "here"), config(**settings), seed=0)[0]["x"]


def attempted(dtype: str, low: float, high: float) -> tuple[np.ndarray, str]:
    """Return data of a range, or why there is none."""
    try:
        return drawn(dtype, value_ranges={"x": (low, high)}), ""
    except ConfigError as error:
        return np.zeros(0), str(error)


@given(st.sampled_from(FLOATS), st.floats(-200, 200), st.floats(0, 200))
def test_floats_are_inside_their_range(dtype: str, low: float, width: float) -> None:
    high = low + width

    found, problem = attempted(dtype, low, high)

    if found.size:
        assert low <= found.astype(np.float64).min()
        assert found.astype(np.float64).max() <= high
    else:
        near = np.asarray([low, high]).astype(dtype_of(dtype)).astype(np.float64)
        assert "no number between" in problem
        assert not ((low <= near) & (near <= high)).any()


@given(st.sampled_from(INTEGERS), st.integers(-(2**63), 2**64), st.integers(0, 2**64))
def test_whole_numbers_are_inside_their_range_or_the_range_is_refused(dtype: str, low: int, width: int) -> None:
    found, problem = attempted(dtype, low, low + width)

    assert found.size or "which holds whole numbers from" in problem
    assert all(low <= int(number) <= low + width for number in found.ravel())


@pytest.mark.parametrize("dtype", INTEGERS)
def test_both_bounds_of_whole_numbers_occur(dtype: str) -> None:
    assert set(drawn(dtype, value_ranges={"x": (1, 3)}).astype(int).ravel()) == {1, 2, 3}


def test_the_largest_numbers_of_a_type_can_be_bounds() -> None:
    largest = float(np.finfo(np.float64).max)

    found = drawn("float64", value_ranges={"x": (-largest, largest)})

    assert np.isfinite(found).all()
    assert found.min() < 0 < found.max()


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, "complex64", "bool", "str", "bytes"])
def test_every_type_has_a_default_range(dtype: str) -> None:
    found = drawn(dtype)

    assert dtype_name(found.dtype) == dtype
    assert found.shape == (64, 3)
    assert len({str(value) for value in found.ravel()}) > 1
    if dtype in (*FLOATS, *INTEGERS):
        assert found.astype(float).min() >= 0
        assert found.astype(float).max() <= 1


@given(st.integers(0, 2**32))
def test_a_seed_gives_the_same_data_and_numpys_own_state_is_not_used(seed: int) -> None:
    inputs = specs("x:-1,4:float32 y:-1:int64 z:-1:str", "here")
    before = np.random.get_state()[1].tolist()

    first, second = (samples(inputs, config(max_batch_size=4), seed) for _ in range(2))

    for one, other in zip(first, second, strict=True):
        for name in ("x", "y", "z"):
            np.testing.assert_array_equal(one[name], other[name])
    assert not np.array_equal(first[2]["x"], samples(inputs, config(max_batch_size=4), seed + 1)[2]["x"])
    assert np.random.get_state()[1].tolist() == before


@pytest.mark.parametrize(("largest", "usual"), [(1, 1), (8, 8), (64, 32), (128, 64)])
def test_the_batch_goes_from_one_to_the_largest(largest: int, usual: int) -> None:
    inputs = specs("x:-1,3:float32 y:-1:int64", "here")

    found = samples(inputs, config(max_batch_size=largest), seed=0)

    assert [sample["x"].shape for sample in found] == [(1, 3), (usual, 3), (largest, 3)]
    assert [sample["y"].shape for sample in found] == [(1,), (usual,), (largest,)]


@pytest.mark.parametrize(
    ("settings", "x", "y"),
    [
        ({"batch_dim": 1, "max_shapes": {"x": (7, 4), "y": (3,)}}, [(7, 1), (7, 4), (7, 4)], [(3,)] * 3),
        ({"unbatched": ("x",), "max_shapes": {"x": (7, 5)}, "max_batch_size": 2}, [(7, 5)] * 3, [(1,), (2,), (2,)]),
        ({"batch_dim": None, "max_shapes": {"x": (7, 5), "y": (3,)}}, [(7, 5)] * 3, [(3,)] * 3),
    ],
    ids=["another axis", "an input without", "none"],
)
def test_the_batch_is_where_it_is_said_to_be(settings: dict[str, Any], x: object, y: object) -> None:
    found = samples(specs("x:-1,-1:float32 y:-1:int64", "here"), config(**settings), seed=0)

    assert [sample["x"].shape for sample in found] == x
    assert [sample["y"].shape for sample in found] == y


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unbatched": ("imag",)}, "unbatched: unknown input 'imag'; did you mean 'image'?"),
        ({"batch_dim": 4}, r"batch_dim: 4: no input has that axis \(image \[-1, 3, -1, -1\]\)"),
    ],
)
def test_a_batch_that_cannot_be_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        plan(IMAGE, config(**settings))


def test_a_model_of_fixed_shapes_gets_three_samples_of_other_values() -> None:
    found = samples(specs("x:2,3:float32", "here"), FileConfig(), seed=0)

    assert {sample["x"].shape for sample in found} == {(2, 3)}
    assert len({sample["x"].tobytes() for sample in found}) == 3


def test_shapes_that_are_said_are_taken() -> None:
    settings = {"min_shapes": {"image": (2, 3, 8, 8)}, "opt_shapes": {"image": (4, 3, 9, 10)}}

    found = plan(IMAGE, config(**settings, max_shapes={"image": (6, 3, 16, 12)}))

    assert (found.min, found.opt, found.max) == (
        {"image": (2, 3, 8, 8)},
        {"image": (4, 3, 9, 10)},
        {"image": (6, 3, 16, 12)},
    )
    assert found.notes == ()


def test_with_the_largest_shape_alone_no_size_is_made_up_but_the_batch() -> None:
    found = plan(IMAGE, config(max_shapes={"image": (16, 3, 8, 12)}))

    assert (found.min, found.opt, found.max) == tuple({"image": (n, 3, 8, 12)} for n in (1, 16, 16))
    assert [note.partition(" is tried")[0] for note in found.notes] == [
        "axis 2 of input 'image'",
        "axis 3 of input 'image'",
    ]


def test_the_batch_is_said_once_for_all_inputs() -> None:
    inputs = specs("input__0:-1,-1:int64 input__1:-1,1:int64", "here")

    found = plan(inputs, config(max_shapes={"input__0": (8, 128)}))

    assert found.max == {"input__0": (8, 128), "input__1": (8, 1)}


def test_axes_with_one_symbol_have_one_size() -> None:
    tokens = TensorSpec("tokens", (-1, -1), "int64", {0: "batch", 1: "length"})
    mask = TensorSpec("mask", (-1, -1), "int64", {0: "batch", 1: "length"})

    found = plan([tokens, mask], config(min_shapes={"mask": (1, 4)}, max_shapes={"tokens": (2, 16)}))

    assert found.min == {"tokens": (1, 4), "mask": (1, 4)}
    assert found.max == {"tokens": (2, 16), "mask": (2, 16)}


def test_an_input_without_the_batch_stays_as_it_is() -> None:
    inputs = specs("x:-1,3:float32 y:4:float32 z::float32", "here")

    found = samples(inputs, config(max_batch_size=8), seed=0)

    assert [sample["x"].shape for sample in found] == [(1, 3), (8, 3), (8, 3)]
    assert {(sample["y"].shape, sample["z"].shape) for sample in found} == {((4,), ())}


def test_a_first_axis_that_is_no_batch_needs_a_size_too() -> None:
    inputs = [TensorSpec("x", (-1, -1), "float32", {0: "n", 1: "n"})]

    with pytest.raises(ConfigError, match=r"(?s)axis 0 of input 'x', axis 1 of .*\nmax_shapes:\n  x: \[16, 16\]"):
        plan(inputs, FileConfig())

    assert plan(inputs, config(max_shapes={"x": (5, 5)})).min["x"] == (5, 5)


def test_the_default_batch_is_limited_by_its_bytes_and_says_so() -> None:
    large = specs("image:-1,3,224,224:float32", "here")

    found, asked = plan(large, FileConfig()), plan(large, config(max_batch_size=128))

    assert found.max == {"image": (27, 3, 224, 224)}
    assert "the largest batch is 27 instead of 128" in found.notes[0]
    assert "max_batch_size" in found.notes[0]
    assert asked.max == {"image": (128, 3, 224, 224)}
    assert asked.notes == ()


def test_whole_numbers_without_a_range_are_told_once() -> None:
    inputs = specs("a:4:int64 b:4:int32 c:4:uint8 d:4:int4 mask:4:bool x:4:float32", "here")

    assert [note.partition(":")[0] for note in untried(inputs, FileConfig())] == ["a, b, c and 1 more"]
    assert [note.partition(":")[0] for note in untried(inputs, config(value_ranges={"a": (0, 9)}))] == ["b, c, d"]
    assert untried(inputs, config(value_ranges={"": (0, 9)})) == untried(IMAGE, FileConfig()) == []


def test_shapes_that_no_memory_holds_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"of the input 'image': make max_batch_size or max_shapes smaller"):
        samples(IMAGE, config(max_shapes={"image": (10**6, 3, 1000, 1000)}), seed=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "axis 2 of input 'image', axis 3 of input 'image' can have any size, and nav.yaml: max_shapes does not"),
        ({}, "max_shapes:\n  image: [4, 3, 16, 16]"),
        ({"min_shapes": {"image": (1, 3, 8, 8)}}, "max_shapes does not say which one to try"),
        ({"max_shapes": {"imag": (1,)}}, "max_shapes: unknown input 'imag'; did you mean 'image'?"),
        ({"max_shapes": {"image": (8, 3, 4)}}, "max_shapes: image: [8, 3, 4] has 3 axes, but the input has 4 axes"),
        ({"opt_shapes": {"image": (8, 4, 4, 4)}}, "opt_shapes: image: [8, 4, 4, 4]: axis 1 of this input is always 3"),
        ({"min_shapes": {"image": (1, 3, 9, 8)}, "max_shapes": {"image": (1, 3, 8, 8)}},
         "axis 2 of input 'image' has the sizes min 9, opt 8, max 8"),
        ({"max_shapes": {"image": (1, 3, 8, 8)}, "value_ranges": {"x": (0, 1)}}, "value_ranges: unknown input 'x'"),
        ({"max_shapes": {"image": (1, 3, 8, 8)}, "dtypes": {"image": "float16"}},
         "dtypes: float16 for the input 'image', which is float32 in the model"),
    ],
)  # fmt: skip
def test_shapes_that_cannot_be_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        samples(IMAGE, FileConfig(path="nav.yaml", given=frozenset(settings), **settings), seed=0)

    assert message in str(raised.value)
    assert "nav.yaml: " in str(raised.value)


def test_all_sizes_that_lack_are_asked_for_at_once_as_yaml_that_works() -> None:
    inputs = specs("x:-1,-1:float32 past:-1,2,-1,8:float32 off:-1,-1:int64 scale:-1:float32", "here")
    with pytest.raises(ConfigError) as raised:
        plan(inputs, FileConfig())
    first, _, pasted = str(raised.value).partition("\n")
    assert all(f"axis {axis} of input {name!r}" in first for axis, name in ((1, "x"), (2, "past"), (1, "off")))
    shapes = {name: tuple(shape) for name, shape in yaml.safe_load(pasted)["max_shapes"].items()}
    assert shapes == {"x": (4, 16), "past": (4, 2, 16, 8), "off": (4, 16)}
    assert plan(inputs, config(max_shapes=shapes)).max["scale"] == (4,)


def test_two_sizes_of_one_batch_are_named() -> None:
    inputs = specs("x:-1,3:float32 y:-1:int64", "here")

    with pytest.raises(ConfigError, match=r"axis 0 of input 'x' has the size 4, axis 0 of input 'y' has 5, but both"):
        plan(inputs, config(max_shapes={"x": (4, 3), "y": (5,)}))


@pytest.mark.parametrize(
    ("dtype", "bounds", "message"),
    [
        ("uint8", (0, 256), "the input is uint8, which holds whole numbers from 0 to 255"),
        ("int64", (0, 0.5), "the input is int64, whose bounds are whole numbers"),
        ("float16", (0, 1e6), "the input is float16, which holds numbers up to 6.6e4"),
        ("float16", (0.1, 0.1), "which has no number between these; the nearest are [0.0999755859375, 0.1000"),
        ("bool", (0, 2), "the input is bool, which holds whole numbers from 0 to 1"),
        ("str", (0, 1), "the input is str, which has no range"),
    ],
)
def test_a_range_that_the_type_cannot_hold_is_named(dtype: str, bounds: tuple[float, float], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        drawn(dtype, value_ranges={"x": bounds})

    assert message in str(raised.value)
    assert "value_ranges: x: " in str(raised.value)


def test_a_truth_value_can_be_always_true() -> None:
    assert drawn("bool", value_ranges={"x": (1, 1)}).all()
    assert drawn("bool", value_ranges={"": (7, 9)}).dtype == bool


def test_the_range_without_a_name_is_for_the_others() -> None:
    inputs = specs("x:99:float32 y:99:int64 z:99:bool", "here")

    found = samples(inputs, config(value_ranges={"": (5, 6), "y": (7, 8)}), seed=0)[0]

    assert 5 <= found["x"].min() <= found["x"].max() <= 6
    assert set(found["y"].tolist()) == {7, 8}
    assert set(found["z"].tolist()) == {False, True}
