"""ExecuTorch: programs of PyTorch for processors of phones and boxes, which XNNPACK computes what it can of."""
