"""What runs a model: the class that a plugin derives from, and what runners share."""
