"""The child that makes the calls of a step, and everything that passes between it and this process."""
