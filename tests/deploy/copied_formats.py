"""Formats of somebody else's whose files are ONNX files: how quantized ONNX is deployed, without a quantizer."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator import FormatConfig, Variant
from pytest_navigator.backends.onnx.runners import OnnxRunner
from pytest_navigator.formats.base import Format

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


TAKEN: dict[str, dict[str, Any]] = {
    "copied": {},
    "copied-some": {"batch_sizes": [1, 4]},
    "copied-most": {"max_batch_size": 3},
}
"""Key -> which batches its artifact says to take."""


class CopiedConfig(FormatConfig):
    """Nothing can be chosen."""


class CopiedRunner(OnnxRunner):
    name = "CopiedCPU"
    format = "copied"
    runtime = "cpu"
    requires = ("onnxruntime",)


class CopiedFormat(Format):
    name = "copied"
    config = CopiedConfig
    frameworks = ("torch",)
    parent = "onnx"
    written_as = "onnx"
    default = False
    runners: ClassVar = (CopiedRunner,)

    def variants(self, config: Any, parents: Sequence[Variant]) -> list[Variant]:
        (parent,) = parents
        return [
            Variant(key, self.name, parent.key, "model.onnx", {}, self.runner_names) for key, taken in TAKEN.items()
        ]

    def convert(self, parent: Path, data: Any, signature: Any, variant: Variant, path: Path) -> dict[str, Any]:
        shutil.copy(parent, path)
        return dict(TAKEN[variant.key])
