"""A server of the Open Inference Protocol for one model: `pytest-navigator serve`.

One process speaks HTTP, and joins requests to batches; the model runs in processes of its own, so that what goes wrong
in it costs one answer, and the server stays responsive. `server.serve` starts it all.
"""
