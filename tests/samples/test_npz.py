from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pytest_navigator.core.records import TensorSpec
from pytest_navigator.samples.npz import dtype_name, dtype_of, load_npz, npz_name, save_npz

SMALL = ("bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e8m0fnu", "int4", "uint4")


def specs_of(arrays, batched=()):
    return tuple(TensorSpec(n, a.shape, dtype_name(a.dtype), batched=n in batched) for n, a in arrays.items())


def round_trip(path, arrays):
    save_npz(path, arrays)
    return load_npz(path, specs_of(arrays))


def assert_same(found, arrays):
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("npz") / "0.npz"


@pytest.mark.parametrize("name", ["file", "a/b", "../up", "x.npy", "größe", "", "self", "args_0", "a\\b", "kwds"])
def test_awkward_names_survive(path, name):
    arrays = {name: np.arange(3), f"{name}.npy": np.arange(4)}
    assert_same(round_trip(path, arrays), arrays)


@pytest.mark.parametrize("dtype", SMALL)
def test_types_that_numpy_lacks_are_stored_so_that_numpy_alone_can_read_them(path, dtype):
    arrays = {"x": np.array([[4, 1], [2, 4]]).astype(getattr(ml_dtypes, dtype))}
    assert_same(round_trip(path, arrays), arrays)
    with np.load(path, allow_pickle=False) as file:
        assert file["x"].dtype.name == ("int8" if "int" in dtype else "float32")
        assert file["x"].tolist() == [[4, 1], [2, 4]]


def test_every_value_of_a_small_float_survives(path):
    values = np.arange(2**16, dtype="uint16").view(ml_dtypes.bfloat16)
    found = round_trip(path, {"x": values})["x"]
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(found.astype("float64"), values.astype("float64"))


def test_strings_survive_without_pickle(path):
    arrays = {"s": np.array(["a", "bc"]), "one": np.array("word"), "b": np.array([b"x", b"yz"])}
    assert_same(round_trip(path, arrays), arrays)


def test_rows_are_stored_without_the_batch_axis_and_get_it_back(path):
    arrays = {"x": np.arange(6).reshape(2, 1, 3), "table": np.ones((1, 1)), "s": np.array(1.5)}
    specs = specs_of(arrays, batched=("x",))
    save_npz(path, arrays, specs, 1)
    with np.load(path) as file:
        assert {name: file[name].shape for name in file.files} == {"x": (2, 3), "table": (1, 1), "s": ()}
    assert_same(load_npz(path, specs, 1), arrays)


def test_a_batch_is_not_stored_as_a_row(path):
    arrays = {"x": np.ones((2, 3))}
    with pytest.raises(ValueError, match="size not equal to one"):
        save_npz(path, arrays, specs_of(arrays, batched=("x",)), 0)


def test_python_objects_are_never_pickled_nor_unpickled(tmp_path):
    objects = {"x": np.array([{}, None], dtype=object)}
    with pytest.raises(ValueError, match="allow_pickle=False"):
        save_npz(tmp_path / "0.npz", objects)
    assert list(tmp_path.iterdir()) == []
    np.savez(tmp_path / "1.npz", **objects)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_npz(tmp_path / "1.npz", (TensorSpec("x", (2,), "float32"),))


def test_files_of_model_navigator_can_be_read(path):
    np.savez(path, x=np.ones(3, "float32"), y=np.zeros((), "int64"))
    found = load_npz(path, (TensorSpec("y", (), "int64"), TensorSpec("x", (-1, 3), "bfloat16", {0: "b"}, True)), 0)
    assert list(found) == ["y", "x"]
    assert (found["x"].shape, found["x"].dtype.name) == ((1, 3), "bfloat16")


def test_an_array_that_is_not_there_is_an_error(path):
    save_npz(path, {"x": np.ones(2)})
    with pytest.raises(KeyError, match="y"):
        load_npz(path, (TensorSpec("y", (2,), "float32"),))


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    for i in range(2):
        save_npz(tmp_path / f"{i}.npz", {"x": np.arange(5), "y": np.ones((2, 2))})
    assert (tmp_path / "0.npz").read_bytes() == (tmp_path / "1.npz").read_bytes()


@pytest.mark.parametrize(
    ("count", "name"), [(1, "3.npz"), (9, "3.npz"), (10, "03.npz"), (99, "03.npz"), (100, "003.npz")]
)
def test_file_names_have_model_navigators_width(count, name):
    assert npz_name(3, count) == name


@pytest.mark.parametrize("name", ["float32", "int64", "bool", "complex64", "uint8", *SMALL])
def test_names_of_types_are_numpys(name):
    assert dtype_name(dtype_of(name)) == name


def test_text_has_no_length_in_its_name():
    assert dtype_name(np.dtype("U7")) == dtype_name(dtype_of("str")) == "str"
    assert dtype_name(np.dtype("S7")) == dtype_name(dtype_of("bytes")) == "bytes"


def test_a_type_that_does_not_exist_is_an_error():
    with pytest.raises(TypeError):
        dtype_of("float31")


NUMERIC = st.one_of(
    npst.boolean_dtypes(),
    npst.integer_dtypes(endianness="="),
    npst.floating_dtypes(endianness="=", sizes=(16, 32, 64)),
    npst.complex_number_dtypes(endianness="=", sizes=(64, 128)),
)
ARRAYS = npst.arrays(NUMERIC, npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))


@given(arrays=st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5), ARRAYS))
def test_all_types_and_shapes_survive(path, arrays):
    assert_same(round_trip(path, arrays), arrays)
