"""Model files, one framework for each format: whatever they were made with, they take and give arrays by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pytest_navigator.backends.tensorflow.source import ENVIRONMENT
from pytest_navigator.errors import SourceError
from pytest_navigator.frameworks.numpy_arrays import NumpyFramework

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from pytest_navigator.backends.files.source import FileSource
    from pytest_navigator.core.plain import Parameters


class FileFramework(NumpyFramework):
    """Files of one format; subclasses only say which."""

    name: ClassVar[str] = "file"
    array_type: ClassVar[str] = "numpy"

    def is_array(self, value: object) -> bool:
        """Whether `value` is an array of anybody's: the user's loader may give those of a framework."""
        return hasattr(type(value), "__array__")

    def to_numpy(self, array: object) -> np.ndarray:
        """Copy an array."""
        import numpy as np

        if type(array).__module__.partition(".")[0] == "torch":  # numpy lacks its bfloat16, and refuses gradients
            from pytest_navigator.backends.torch.source import TorchFramework

            return TorchFramework().to_numpy(array)
        return np.array(array)

    def from_numpy(self, array: np.ndarray, device: str = "cpu") -> np.ndarray:
        """Return the array."""
        return array

    def source(self, model: object, parameters: Parameters) -> FileSource:
        """Wrap the path of a file.

        Raises:
            SourceError: `model` is no path.
        """
        from pytest_navigator.backends.files.source import FileSource

        if not isinstance(model, str | Path):
            raise SourceError(
                f"the model is {type(model).__name__}: the path of {_title(self.name)} is needed, since the "
                f"framework is {self.name!r}"
            )
        return FileSource(self, Path(model).absolute())


class OnnxFiles(FileFramework):
    """ONNX files."""

    name: ClassVar[str] = "onnx"


class TorchScriptFiles(FileFramework):
    """TorchScript files."""

    name: ClassVar[str] = "torchscript"


class ExportedProgramFiles(FileFramework):
    """Programs of `torch.export`."""

    name: ClassVar[str] = "torch-exportedprogram"


class SavedModelFiles(FileFramework):
    """Folders of TensorFlow's SavedModel."""

    name: ClassVar[str] = "tf-savedmodel"
    environment: ClassVar[Mapping[str, str]] = ENVIRONMENT


class TensorRTFiles(FileFramework):
    """Engines of TensorRT."""

    name: ClassVar[str] = "trt"


class TensorRTRTXFiles(FileFramework):
    """Engines of TensorRT-RTX."""

    name: ClassVar[str] = "trt-rtx"


class OpenVINOFiles(FileFramework):
    """OpenVINO's own files."""

    name: ClassVar[str] = "openvino"


class AOTInductorFiles(FileFramework):
    """Packages of AOTInductor for processors."""

    name: ClassVar[str] = "aotinductor"


class AOTInductorCUDAFiles(FileFramework):
    """Packages of AOTInductor for GPUs."""

    name: ClassVar[str] = "aotinductor-cuda"


def _title(name: str) -> str:
    from pytest_navigator.backends.files.kinds import title

    return title(name)
