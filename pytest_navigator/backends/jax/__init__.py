"""JAX: functions with parameters, StableHLO, and SavedModel and ONNX of them."""
