"""Core ML: converted from PyTorch's programs on any machine, run on macOS."""
