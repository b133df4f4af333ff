"""Triton's model repository: the folder from which an inference server loads a model."""
