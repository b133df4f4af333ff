"""What ONNX is made of: models of frameworks, and files."""

from __future__ import annotations

SOURCES = ("torch", "tensorflow", "jax", "tf-savedmodel", "torchscript", "torch-exportedprogram", "onnx")
"""Frameworks whose models, and formats whose files, ONNX is made of; it is made of itself as well."""
