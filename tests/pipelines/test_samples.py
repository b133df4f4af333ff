"""What a pipeline is called with."""

from __future__ import annotations

import pytest

from pytest_navigator.errors import SourceError
from pytest_navigator.pipelines.samples import pipeline_samples


@pytest.mark.parametrize(
    ("sample", "args", "kwargs"),
    [
        ("a text", ("a text",), {}),
        (["a", "b"], (["a", "b"],), {}),
        ({"prompt": "a"}, ({"prompt": "a"},), {}),
        (("a", 3), ("a", 3), {}),
        (("a", {"steps": 3}), ("a",), {"steps": 3}),
        (({"steps": 3},), (), {"steps": 3}),
        (({1: 2},), ({1: 2},), {}),
        ((), (), {}),
    ],
)
def test_a_tuple_is_the_arguments_and_anything_else_is_one(
    sample: object, args: tuple[object, ...], kwargs: dict[str, object]
) -> None:
    (found,) = pipeline_samples([(2, sample)])

    assert (found.batch_size, found.args, dict(found.kwargs)) == (2, args, kwargs)
    assert found.run(lambda *a, **k: (a, k)) == (args, kwargs)


def test_a_loader_may_be_a_function_or_a_generator() -> None:
    assert [s.args for s in pipeline_samples(lambda: [(1, "a"), (2, "b")])] == [("a",), ("b",)]
    assert [s.index for s in pipeline_samples((n, n) for n in (1, 2))] == [0, 1]


@pytest.mark.parametrize("loader", [3, "a text", {"a": 1}, None, lambda: 3])
def test_what_is_no_loader_is_refused(loader: object) -> None:
    with pytest.raises(SourceError, match=r"dataloader=.*pairs of a batch size and a sample"):
        list(pipeline_samples(loader))


@pytest.mark.parametrize("item", ["text", 3, (1,), (1, 2, 3), (0, "a"), (True, "a"), ("a", 1), (1.0, "a")])
def test_what_is_no_pair_is_named_by_its_number(item: object) -> None:
    with pytest.raises(SourceError, match="sample 1 of the dataloader"):
        list(pipeline_samples([(1, "a"), item]))
