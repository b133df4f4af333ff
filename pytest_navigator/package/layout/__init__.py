"""What stands in its texts: Model Navigator's layout, ours beside it, and the versions of both."""
