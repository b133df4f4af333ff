"""PyTorch: live modules, TorchScript, exported programs, Torch-TensorRT, and ONNX of them."""
