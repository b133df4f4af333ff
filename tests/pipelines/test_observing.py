"""What is seen of a pipeline that runs on its samples, and at a batch size that they do not have."""

from __future__ import annotations

import pytest
import torch

import pytest_navigator as nav
from pytest_navigator.pipelines.observing import observe
from pytest_navigator.pipelines.registry import registered


class Plain(torch.nn.Module):
    def forward(self, x, more=None):
        return x + 1


def batches(func, loader) -> tuple[list[int], tuple[str, ...]]:
    """Return the batch sizes of the recorded calls of a pipeline, and the notes."""
    module = nav.Module(Plain().eval(), "plain")
    seen = observe(lambda given: func(module, given), loader, list(registered()))
    return [call.batch_size for call in seen.calls["plain"]], seen.notes


X = torch.rand(1, 3)


@pytest.mark.parametrize(
    ("func", "loader", "sizes"),
    [
        (lambda module, x: module(x), [(1, X), (1, X)], [1, 1, 2]),
        (lambda module, x: module(x), [(1, X), (3, torch.rand(3, 3))], [1, 3]),
        (lambda module, x: module(x), [(None, X)], [0]),
        (lambda module, x: module(X), [(2, X)], [2]),
        (lambda module, x: module(torch.ones(len(x), 3)), [(2, ["a", "b"])], [2, 4]),
        (lambda module, x: module(torch.ones(len([x] if isinstance(x, str) else x), 3)), [(1, "text")], [1, 2]),
        (lambda module, x: module(X, more=x), [(1, "text")], [1]),
        (lambda module, x: module(x, len(x)), [(1, X)], [1]),
        (lambda module, x: torch.stack([module(x, n) for n in range(2)]), [(1, X)], [1, 1, 2, 2]),
    ],
    ids=["one", "two", "unsaid", "no-rows", "list", "text", "structure", "number", "loop"],
)
def test_a_batch_of_twice_the_rows_is_recorded_if_it_shows_nothing_else(func, loader, sizes) -> None:
    assert batches(func, loader) == (sizes, ())


def test_a_pipeline_that_does_not_take_it_has_a_note() -> None:
    def once(module: Plain, x: torch.Tensor) -> torch.Tensor:
        if len(x) > 1:
            raise ValueError("one at a time")
        return module(x)

    sizes, (note,) = batches(once, [(1, X)])

    assert sizes == [1]
    assert note == (
        "no batch axis is known: the pipeline does not take a batch of 2 (ValueError: one at a time); give the "
        "dataloader samples of two batch sizes"
    )


def test_a_sample_of_another_batch_size_that_raised_is_not_asked_for() -> None:
    def once(module: Plain, x: torch.Tensor) -> torch.Tensor:
        if len(x) > 1:
            raise ValueError("one at a time")
        return module(x)

    _, (raised, note) = batches(once, [(1, X), (2, torch.rand(2, 3))])

    assert raised.startswith("sample 1 raised ValueError: one at a time")
    assert note.endswith("; no other batch size is left")
