"""Model files as sources, whatever made them."""
