from __future__ import annotations

import pytest

from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.exclusions import excluded

NODES = [
    ("node_linear", "encoder.layers.0.fc1"),
    ("node_linear_1", "encoder.layers.1.fc1"),
    ("node_linear_2", "encoder.layers.10.fc2"),
    ("/head/[0]/MatMul", ""),
    ("node_add", "head"),
]


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ([], []),
        (["node_linear"], ["node_linear"]),
        (["encoder.layers.1"], ["node_linear_1"]),
        (["encoder"], ["node_linear", "node_linear_1", "node_linear_2"]),
        (["encoder.layers.*.fc1"], ["node_linear", "node_linear_1"]),
        (["*.fc2", "head"], ["node_linear_2", "node_add"]),
        (["head", "*fc2"], ["node_linear_2", "node_add"]),
        (["/head/[0]/MatMul"], ["/head/[0]/MatMul"]),
        (["/head/*"], ["/head/[0]/MatMul"]),
        (["node_linear*"], ["node_linear", "node_linear_1", "node_linear_2"]),
    ],
)
def test_a_pattern_is_a_node_or_a_module_with_all_that_is_in_it(patterns, names):
    assert excluded(patterns, NODES) == names


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("encoder.layer.0", "did you mean 'encoder.layers.0'?"),
        ("node_lineer", "did you mean 'node_linear'?"),
        ("encoder.layers.10.fc", "did you mean 'encoder.layers.10.fc2'?"),
        ("", "its layers are encoder, encoder.layers, encoder.layers.0, encoder.layers.0.fc1, encoder.layers.1, ..."),
        (
            "QQQ",
            "its layers are encoder, encoder.layers, encoder.layers.0, encoder.layers.0.fc1, encoder.layers.1, ...",
        ),
    ],
)
def test_a_pattern_that_means_nothing_is_told_the_nearest_name(pattern, hint):
    with pytest.raises(StepFailed) as error:
        excluded(["node_add", pattern], NODES)
    assert error.value.message == f"exclude has {pattern!r}, which is no layer and no node of the model: {hint}"


def test_every_pattern_that_means_nothing_is_told() -> None:
    with pytest.raises(StepFailed) as error:
        excluded(["haed", "node_add", "QQQ", "encoder.layer.0"], NODES)
    assert error.value.message == (
        "exclude has 'haed', which is no layer and no node of the model: did you mean 'head'?; "
        "'QQQ', which is no layer and no node of the model; "
        "'encoder.layer.0', which is no layer and no node of the model: did you mean 'encoder.layers.0'?: "
        "its layers are encoder, encoder.layers, encoder.layers.0, encoder.layers.0.fc1, encoder.layers.1, ..."
    )


def test_a_model_without_paths_of_modules_says_so():
    with pytest.raises(StepFailed, match=r"its nodes are a, b, \.\.\.; it has no paths of modules"):
        excluded(["encoder"], [("a", ""), ("b", "")])
