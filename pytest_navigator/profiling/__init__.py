"""How fast a runner is, and on what machine that was measured."""
