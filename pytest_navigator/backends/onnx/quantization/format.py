"""ONNX files with fewer bits, made of float ones by ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.backends.builtin import SOURCES
from pytest_navigator.configuration.foreign_options import SESSION_OPTIONS
from pytest_navigator.configuration.onnx_quantized_config import KINDS, OnnxQuantizedConfig
from pytest_navigator.core.variants import Variant
from pytest_navigator.formats.base import Format
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.script_parts import MakingCode, Subject
    from pytest_navigator.formats.base import LoaderData

GPU = ("cuda", "onnxruntime", "onnxruntime-cuda")
FILE = "model.onnx"

# Kinds of files that a GPU has kernels for; of int8 it has hardly any outside of TensorRT.
ON_GPU = ("int4", "fp16", "bf16")


class OnnxQuantizedFormat(Format):
    """`onnx-int8`, `onnx-int8-dynamic`, `onnx-int4`, `onnx-fp16` and `onnx-bf16`."""

    name: ClassVar[str] = "onnx-quantized"
    title: ClassVar[str] = "quantized ONNX"
    command: ClassVar[str] = "ONNXQuantized"
    groups: ClassVar[Mapping[str, Sequence[str]]] = {"cpu": ("onnx-int8", "onnx-int8-dynamic"), "edge": ("onnx-int8",)}
    config: ClassVar[type[FormatConfig]] = OnnxQuantizedConfig
    frameworks: ClassVar[tuple[str, ...]] = SOURCES
    parent: ClassVar[str | None] = "onnx"
    written_as: ClassVar[str] = "onnx"
    default: ClassVar[bool] = False
    diagnosis: ClassVar[str] = "pytest_navigator.backends.exchange.quantized_onnx_diagnosis:QuantizedOnnxDiagnosis"
    requires: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime")
    runners = table(
        "onnx-quantized",
        "pytest_navigator.backends.onnx.runners",
        ("OnnxQuantizedCPU", "OnnxRunner", "cpu", ("onnxruntime",)),
        ("OnnxQuantizedCUDA", "OnnxCUDA", "cuda", GPU),
    )

    def load(self, path: Path) -> Any:
        """Return the `onnx.ModelProto`."""
        import onnx

        return onnx.load(path)

    def on_request(self) -> dict[str, FormatConfig]:
        """Return the configuration of each precision."""
        return {f"onnx-{kind}": OnnxQuantizedConfig(precision=kind) for kind in KINDS}

    def depends_on(self, variant: Variant) -> JSON:
        """Return what is chosen by the processor."""
        from pytest_navigator.backends.onnx.quantization import schemes

        return {"reduced": schemes.saturates(), "signed": schemes.signed()}

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return one variant for each parent and precision; the parent's own suffix stays in the key."""
        assert isinstance(config, OnnxQuantizedConfig)
        return [self._variant(config, parent, kind) for parent in parents for kind in config.precision]

    def convert(
        self, parent: Path, data: LoaderData, signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Write the file, and count what of it has fewer bits.

        Raises:
            StepFailed: the model is quantized already, nothing of it can be, an exclusion means nothing, a sample is
                not finite, or ONNX Runtime raised.
            Unavailable: nothing here computes in bfloat16.
        """
        from pytest_navigator.backends.onnx.quantization import making

        return making.make(parent, data, signature, variant, path)

    def convert_script(self, subject: Subject) -> MakingCode:
        """Return the same as source text."""
        from pytest_navigator.backends.onnx.quantization import making_code

        return making_code.script(subject)

    def _variant(self, config: OnnxQuantizedConfig, parent: Variant, kind: str) -> Variant:
        key = f"onnx-{kind}{parent.key.removeprefix(parent.format)}"
        session = parent.parameters.get("custom_args", {}).get(SESSION_OPTIONS)
        parameters = {
            "kind": kind,
            "precision": kind.partition("-")[0],
            "quantization": config.said_of(kind).parameters(),
            # A library of custom operators is one of these: the file has them still.
            "custom_args": {**({SESSION_OPTIONS: session} if session else {}), **config.options_of(kind)},
        }
        runners = self.runner_names if kind in ON_GPU else self.runner_names[:1]
        return Variant(key, self.name, parent.key, FILE, parameters, runners, parent.key)
