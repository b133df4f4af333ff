from __future__ import annotations

import pytest

from pytest_navigator.runners.onnx_errors import cause


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        (
            "[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find an implementation for RandomUniformLike(22) "
            "node with name ''",
            "it does not implement the operator RandomUniformLike in the version of opset 22 for these types: write "
            "the file with other types (float32, where the model has bfloat16) or a lower opset, or update onnxruntime",
        ),
        (
            "[ONNXRuntimeError] : 1 : FAIL : Load model from m.onnx failed:/onnxruntime_src/core/graph/graph.cc:61 "
            "void onnxruntime::Graph::Check(const std::string&, int) const Two nodes (a and b) have one name",
            "Two nodes (a and b) have one name",
        ),
        ("[ONNXRuntimeError] : 1 : FAIL : Type Error: input (a) of node (b)", "Type Error: input (a) of node (b)"),
    ],
)
def test_the_reason_is_left_of_an_error(text: str, meaning: str) -> None:
    assert cause(text) == meaning
