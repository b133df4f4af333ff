"""Modules of a pipeline, recorded and swapped in place: nothing of the pipeline's own code changes."""
