"""ONNX files with fewer bits: quantized to int8 and int4 by ONNX Runtime, or in float16 and bfloat16."""
