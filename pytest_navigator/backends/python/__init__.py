"""Functions of numpy arrays."""
