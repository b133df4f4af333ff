"""TensorFlow and Keras: live models, SavedModel, TF-TRT, and ONNX of SavedModels."""
