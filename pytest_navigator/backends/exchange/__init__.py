"""Formats that models of several frameworks are made into: ONNX, SavedModel."""
