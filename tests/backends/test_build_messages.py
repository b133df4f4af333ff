"""What TensorRT prints -> the one line that says why. The logs are real ones."""

from __future__ import annotations

import pytest

from pytest_navigator.backends.tensorrt.messages import failure

DET = """[E] ModelImporter.cpp:140: While parsing node number 0 [Det -> "y"]:
[E] ModelImporter.cpp:151: ERROR: onnxOpCheckers.cpp:1130 In function checkDet:
[E] In node 0 with name: det_node and operator: Det (checkDet): UNSUPPORTED_NODE: false
[!] Could not parse ONNX correctly
"""
CUSTOM = (
    "[E] In node 0 with name: custom and operator: MyOp (checkFallbackPluginImporter): INVALID_NODE: creator && "
    '"Plugin not found, are the plugin name, version, and namespace correct?"\n[!] Could not parse ONNX correctly\n'
)
UINT8 = (
    "[E] ITensor::getDimensions: Error Code 4: API Usage Error (add8: ElementWiseOperation SUM requires inputs with "
    "type kFLOAT. But type is UInt8. In validateTypes at /_src/optimizer/common/nodes/elementWiseNode.cpp:72)\n"
    "[E] [checkMacros.cpp::catchCudaError::250] Error Code 1: Cuda Runtime (In catchCudaError at /x.cpp:250 (35))\n"
    "[E] In node 0 with name: add8 and operator: Add (parseNode): INVALID_NODE: Invalid Node - add8\n"
    "[!] Could not parse ONNX correctly\n"
)
WORKSPACE = (
    "[E] IBuilder::buildSerializedNetwork: Error Code 1: Myelin ([tactic.cpp:1676: enumerate_tactics] Tactic "
    "Selection: no tactics to implement the operation within workspace limit. In compileGraph at /_src/code.cpp:2012)\n"
    "[!] Invalid Engine. Please ensure the engine was built correctly\n"
)
CAPABILITY = """[W] 'colored' module is not installed
[!] Compute capability 9.0 (SM90) not supported by this TensorRT-RTX version.
"""


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (DET, "node 'det_node' (Det): TensorRT does not have this operator, or not with these types"),
        (CUSTOM, "node 'custom' (MyOp): TensorRT does not have this operator, and no plugin for it is loaded"),
        (
            UINT8,
            "node 'add8' (Add): add8: ElementWiseOperation SUM requires inputs with type kFLOAT. But type is UInt8",
        ),
        (
            WORKSPACE,
            "Tactic Selection: no tactics to implement the operation within workspace limit: a larger "
            "max_workspace_size may help",
        ),
        (
            "[E] Error Code 2: OutOfMemory (Requested size was 68719476736 bytes.)",
            "Requested size was 68719476736 bytes.: the GPU has too little free memory: a smaller max_workspace_size "
            "or batch may help",
        ),
        (CAPABILITY, "Compute capability 9.0 (SM90) not supported by this TensorRT-RTX version."),
        ("a last word\n\n", "a last word"),
        ("", "it printed nothing"),
    ],
)
def test_the_reason_is_found(log, message):
    assert failure(log) == message


def test_a_larger_workspace_is_no_remedy_where_nothing_limits_it():
    assert failure(WORKSPACE, limited=False).endswith("within workspace limit")
