"""Where a package is deployed, a target a module."""
