"""TensorRT: what an engine is built from, how, and how it runs; one code path for TensorRT and TensorRT-RTX."""
