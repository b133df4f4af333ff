"""What a format is: the classes that a plugin derives from, and what exporters and converters share."""
