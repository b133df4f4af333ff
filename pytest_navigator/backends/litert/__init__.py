"""LiteRT, which was TensorFlow Lite: files for phones and boxes."""
