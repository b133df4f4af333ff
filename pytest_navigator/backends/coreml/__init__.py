"""Core ML: converted from PyTorch's programs and from SavedModels on any machine, run on macOS."""
