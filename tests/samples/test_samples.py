from __future__ import annotations

import itertools
from operator import getitem

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy_framework import NumpyFramework

from pytest_navigator.errors import ConfigError, SourceError
from pytest_navigator.samples.reading import Limits, Samples, batch_size, read_loader
from pytest_navigator.samples.structure import Call, call_of, flatten_call


def flatten(sample):
    return flatten_call(call_of(sample, "python"), ("x", "y"), None, NumpyFramework())


DEFAULT = Limits()


def read(loader, limits=DEFAULT, seed=0, batch_dim=0, unbatched=()) -> Samples:
    return read_loader(loader, flatten, limits, seed, batch_dim, unbatched)


def ones(*shape):
    return np.ones(shape, "float32")


def numbered(n, shape=(2, 3)):
    return [np.full(shape, i, "float32") for i in range(n)]


class Unsized:
    """Iterable, without a length; counts how often it is iterated."""

    def __init__(self, samples):
        self.samples = samples
        self.iterated = 0

    def __iter__(self):
        self.iterated += 1
        return iter(self.samples)


class Sized(Unsized):
    def __init__(self, samples, length):
        super().__init__(samples)
        self.length = length

    def __len__(self):
        return self.length


class ByIndex:
    """What a map-style data set of PyTorch is."""

    def __getitem__(self, index):
        return getitem(numbered(3), index)


@pytest.mark.parametrize("n", [1, 5, 100, 250])
@pytest.mark.parametrize("seed", [0, 7])
def test_correctness_samples_are_model_navigators(n, seed):
    state = np.random.get_state()
    np.random.seed(seed)
    expected = sorted({int(i) for i in np.random.choice(n, size=min(100, n), replace=False)})
    np.random.set_state(state)
    samples = read(numbered(n), seed=seed)
    assert list(samples.correctness) == expected
    assert {i: arrays["x"].flat[0] for i, arrays in samples.kept.items()} == {i: i for i in {0, *expected}}


def test_the_random_state_of_numpy_stays():
    np.random.seed(3)
    expected = np.random.random_sample()
    np.random.seed(3)
    read(numbered(5))
    read(Unsized(numbered(5)))
    assert np.random.random_sample() == expected


def test_the_first_samples_with_extreme_shapes_are_for_conversion_and_profiling():
    samples = read([ones(2, 4), ones(1, 5), ones(2, 6), ones(3, 6), ones(1, 4), ones(3, 6)], Limits(sample_count=1))
    assert samples.conversion == (0, 1, 2, 3)
    assert samples.profiling == 3
    assert samples.dims == {"x": ((2, 1, 2, 3, 1, 3), (4, 5, 6, 6, 4, 6))}
    assert set(samples.kept) == {0, 1, 2, 3, *samples.correctness}


def test_an_extreme_that_was_passed_is_dropped():
    samples = read([ones(2, n) for n in (5, 6, 7, 4, 8)], Limits(sample_count=1), seed=1)
    assert samples.conversion == (0, 3, 4)
    assert set(samples.kept) == {0, 3, 4, *samples.correctness}


def test_inputs_without_axes_keep_the_first_sample():
    samples = read([np.float32(i) for i in range(4)], Limits(sample_count=1), batch_dim=None)
    assert samples.conversion == (0,)
    assert samples.profiling == 0
    assert samples.dims == {"x": ()}


def generator(samples):
    yield from samples


def function(samples):
    return lambda: iter(samples)


@pytest.mark.parametrize("loader", [list, tuple, iter, Unsized, generator, function])
def test_whatever_can_be_iterated_or_returns_such_is_a_loader(loader):
    samples = read(loader(numbered(3)))
    assert samples.correctness == (0, 1, 2)
    assert samples.read == 3
    assert samples.complete


def test_a_data_set_with_only_getitem_is_a_loader():
    assert read(ByIndex()).read == 3


class MapStyle(ByIndex):
    """One that makes its samples, and so has no IndexError at its end."""

    def __init__(self):
        self.asked = []

    def __len__(self):
        return 7

    def __getitem__(self, index):
        self.asked.append(index)
        return ones(2, 3)


def test_a_data_set_with_a_length_is_read_up_to_it():
    loader = MapStyle()
    samples = read(loader, Limits(sample_count=3))
    assert loader.asked == list(range(7))
    assert (samples.read, samples.complete, len(samples.correctness)) == (7, True, 3)


def test_a_class_is_called():
    class Loader(Unsized):
        def __init__(self):
            super().__init__(numbered(2))

    assert read(Loader).read == 2


def test_a_loader_is_iterated_and_called_once():
    calls = []
    loader = Unsized(numbered(3))

    def function():
        calls.append(1)
        return loader

    read(function)
    assert (len(calls), loader.iterated) == (1, 1)


def test_an_unsized_loader_gives_a_fair_choice():
    chosen = [read(iter(numbered(20, (1,))), Limits(sample_count=5), seed).correctness for seed in range(200)]
    assert all(len(indices) == 5 for indices in chosen)
    counts = np.bincount(list(itertools.chain(*chosen)), minlength=20)
    # 50 are expected of each; a loader cut off after its first five would give 200 and 0.
    assert counts.min() > 20
    assert counts.max() < 90


@pytest.mark.parametrize("loader", [list, iter])
def test_bytes_are_limited_and_extremes_kept(loader):
    shapes = [(2, 8), *[(1, 4)] * 20, (3, 16)]
    samples = read(loader([ones(*shape) for shape in shapes]), Limits(max_bytes=400))
    assert samples.conversion == (1, 21)
    size = sum(arrays["x"].nbytes for arrays in samples.kept.values())
    assert 400 - 16 < size <= 400
    assert samples.left_out == 22 - len(samples.correctness) > 0
    assert samples.complete


def test_extremes_are_kept_even_beyond_the_limit():
    samples = read([ones(2, 8), ones(1, 4)], Limits(max_bytes=1))
    assert set(samples.kept) == {0, 1}
    assert samples.correctness == (0, 1)
    assert samples.left_out == 0


def test_what_is_left_of_samples_that_do_not_fit_with_their_outputs_is_recorded():
    samples = read(numbered(5), Limits(sample_count=4))
    assert samples.ranking[: len(samples.conversion)] == samples.conversion
    assert set(samples.ranking) == set(samples.kept)
    left = samples.limited(samples.ranking[:2])
    assert set(left.kept) == set(left.ranking) == set(samples.ranking[:2])
    assert set(left.correctness) <= set(left.kept)
    assert len(left.correctness) + left.left_out == 4


def test_one_sample_is_left_when_none_of_the_chosen_fits():
    samples = read(numbered(3), Limits(sample_count=1, max_bytes=1), seed=0)
    assert samples.correctness == (0,)
    assert samples.left_out == 0


def test_a_long_loader_with_a_length_is_read_up_to_the_limit():
    samples = read(numbered(30), Limits(sample_count=5, read_limit=20))
    assert (samples.read, samples.complete) == (20, False)
    assert len(samples.correctness) == 5
    assert samples.correctness == read(numbered(20), Limits(sample_count=5)).correctness


def test_a_loader_as_long_as_the_limit_is_complete():
    assert read(numbered(20), Limits(read_limit=20)).complete
    assert read(iter(numbered(20)), Limits(read_limit=20)).complete


def test_an_infinite_loader_is_an_error():
    with pytest.raises(SourceError, match=r"no len\(\) and still goes on after 10000 samples: is it infinite\?"):
        read(itertools.repeat(ones(1, 1)))


@pytest.mark.parametrize("length", [0, 2, 50])
def test_a_wrong_length_does_not_lose_the_samples(length):
    samples = read(Sized(numbered(10), length), Limits(sample_count=3))
    assert samples.read == 10
    assert samples.correctness
    assert set(samples.correctness) <= set(samples.kept)
    assert samples.left_out == 0


@pytest.mark.parametrize(
    ("loader", "message"),
    [
        (5, "the loader is a int, which cannot be iterated"),
        (None, "the loader is a NoneType, which cannot be iterated"),
        (lambda: 5, "the loader is a int, which cannot be iterated"),
        (ones(4, 3), r"the loader is one array of shape \(4, 3\), which is one sample: return a list"),
        ({"x": ones(1)}, "the loader is one dict with the keys 'x', which is one sample"),
        (Call(ones(1)), "the loader is one Call, which is one sample"),
        ([], "the loader is empty"),
        (iter(()), "the loader is empty"),
        (lambda: iter(()), "the loader is empty"),
    ],
)
def test_what_is_no_loader_is_an_error(loader, message):
    with pytest.raises(SourceError, match=message):
        read(loader)


def broken(n):
    yield from numbered(n)
    raise OSError("disk on fire")


@pytest.mark.parametrize("n", [0, 2])
def test_a_loader_that_raises_is_an_error_with_the_index(n):
    with pytest.raises(SourceError, match=f"the loader raised at sample {n}: OSError: disk on fire") as error:
        read(broken(n))
    assert isinstance(error.value.__cause__, OSError)


def test_a_callable_that_raises_is_an_error():
    def loader():
        raise KeyError("path")

    with pytest.raises(SourceError, match="the loader raised when it was called: KeyError: 'path'") as error:
        read(loader)
    assert isinstance(error.value.__cause__, KeyError)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ((ones(2, 3), ones(2)), r"sample 2: args\[1\] is not in sample 0"),
        ({"x": ones(2, 3)}, r"sample 2: args\[0\] is missing"),
        (ones(2, 3, 4), r"sample 2: input 'x' has shape \(2, 3, 4\), sample 0 has \(2, 3\): not as many axes"),
        (np.ones((2, 3)), "sample 2: input 'x' is float64, sample 0 has float32"),
        (np.array([[0, 1], [np.nan, 1]], "float32"), r"sample 2: input 'x' is nan at \[1, 0\]"),
        ("text", r"sample 2: there is no array in Call\('text'\): numbers"),
        ({"x": {1}}, r'sample 2: kwargs\["x"\] is a set'),
    ],
)
@pytest.mark.parametrize("loader", [list, iter])
def test_a_sample_that_does_not_fit_is_named(loader, sample, message):
    with pytest.raises(SourceError, match=message):
        read(loader([ones(2, 3), ones(1, 3), sample]), Limits(sample_count=1))


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_nan_is_found_in_small_floats(dtype):
    bad = np.array([[1, 1, np.nan]]).astype(getattr(ml_dtypes, dtype))
    with pytest.raises(SourceError, match=r"sample 0: input 'x' is nan at \[0, 2\]"):
        read([bad])


NO_NAN = {
    "bool": np.array([[True, False]]),
    "int64": np.array([[1]], "int64"),
    "int4": np.array([[1]], ml_dtypes.int4),
    "text": np.array([["a", "bc"]]),
    "mask": np.array([[0, -np.inf, np.inf]], "float32"),
    "mask of half precision": np.array([[0, -np.inf]], ml_dtypes.bfloat16),
}


@pytest.mark.parametrize("sample", NO_NAN.values(), ids=NO_NAN)
def test_what_has_no_nan_is_read(sample):
    assert read([sample]).read == 1


def test_strings_of_other_lengths_are_of_one_type():
    assert read([np.array([["a"]]), np.array([["longer"]])]).read == 2


@pytest.mark.parametrize("batch_dim", [0, 1, -1])
def test_a_batch_axis_that_no_input_has_is_an_error(batch_dim):
    with pytest.raises(ConfigError, match=rf"batch_dim={batch_dim}, but no input has that axis \(x \(\), y \(\)\)"):
        read([(np.float32(1), np.float32(2))], batch_dim=batch_dim)


def test_the_batch_size_is_that_of_the_first_input_with_the_axis():
    assert batch_size({"x": ones(), "y": ones(3, 4), "z": ones(5)}, 0) == 3
    assert batch_size({"x": ones(3), "y": ones(3, 4)}, 1) == 4
    assert batch_size({"x": ones(3)}, None) is None
    assert batch_size({"x": ones()}, 0) is None
    assert batch_size({"x": ones(3), "y": ones(4)}, 0, ["x"]) == 4


def test_an_unbatched_input_that_does_not_exist_is_an_error():
    with pytest.raises(ConfigError, match=r"unknown input in unbatched 'yy'; did you mean 'y'\? \(valid: x, y\)"):
        read([(ones(1), ones(1))], unbatched=["yy"])


def test_one_input_has_to_have_a_batch():
    with pytest.raises(ConfigError, match=r"no input has that axis \(y \(\)\)"):
        read([(ones(1), np.float32(2))], unbatched=["x"])


SHAPES = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 9)), min_size=1, max_size=30)


@given(
    shapes=SHAPES,
    count=st.integers(1, 8),
    max_bytes=st.integers(0, 2000),
    seed=st.integers(0, 2**32 - 1),
    sized=st.booleans(),
)
def test_extremes_are_always_kept_and_the_choice_depends_on_the_seed_only(shapes, count, max_bytes, seed, sized):
    def once():
        loader = [ones(*shape) for shape in shapes]
        return read(loader if sized else iter(loader), Limits(count, max_bytes), seed)

    samples, again = once(), once()
    for axis in (0, 1):
        sizes = [shape[axis] for shape in shapes]
        for extreme in (min(sizes), max(sizes)):
            assert sizes.index(extreme) in samples.conversion
    assert shapes[samples.profiling][0] == max(s[0] for s in shapes) or shapes[samples.profiling][1] == max(
        s[1] for s in shapes
    )
    assert {*samples.conversion, *samples.correctness, samples.profiling} == set(samples.kept)
    assert 1 <= len(samples.correctness) <= count
    spare = [a["x"].nbytes for i, a in samples.kept.items() if i not in samples.conversion]
    assert not spare or sum(a["x"].nbytes for a in samples.kept.values()) <= max_bytes
    assert (samples.correctness, samples.conversion, samples.profiling) == (
        again.correctness,
        again.conversion,
        again.profiling,
    )
    assert len(samples.correctness) + samples.left_out == min(count, len(shapes))
    assert {i: a["x"].shape for i, a in samples.kept.items()} == {i: shapes[i] for i in samples.kept}
