"""OpenVINO: converted from ONNX, run on the CPU."""
