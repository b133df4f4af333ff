"""Models out of a package, as objects that one calls."""
