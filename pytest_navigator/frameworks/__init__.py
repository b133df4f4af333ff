"""What the live models of a framework are: the classes that a plugin derives from, and what frameworks share."""
