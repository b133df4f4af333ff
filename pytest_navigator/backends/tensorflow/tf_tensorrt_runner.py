"""SavedModels with TensorRT's engines in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.backends.tensorflow.runners import SavedModelRunner

if TYPE_CHECKING:
    from pytest_navigator.core.plain import JSON


class TensorFlowTensorRT(SavedModelRunner):
    """A SavedModel that TF-TRT has converted, on a GPU."""

    def settings(self) -> dict[str, JSON]:
        """Versions of TensorFlow and of the TensorRT that it is linked to, and what its own part depends on."""
        import tensorflow as tf
        from tensorflow.compiler.tf2tensorrt import _pywrap_py_utils as linked

        version = ".".join(map(str, linked.get_linked_tensorrt_version()))
        return {**super().settings(), "backend": "tf-trt", "version": tf.__version__, "tensorrt": version}
