"""From settings to the formats, runners and steps of a suite, and what a machine lacks for them."""
