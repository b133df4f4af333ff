"""ONNX: the format, the files of others, ONNX Runtime."""
