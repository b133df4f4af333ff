"""OpenVINO's own files, converted from ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.backends.builtin import SOURCES
from pytest_navigator.backends.openvino.config import ALLOWANCES, PRECISIONS, OpenVINOConfig
from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.core.variants import Variant
from pytest_navigator.formats.base import Format
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from functools import partial
    from pathlib import Path

    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Description, Signature, TensorSpec
    from pytest_navigator.core.script_parts import MakingCode, Subject
    from pytest_navigator.formats.base import LoaderData
    from pytest_navigator.formats.content import Content

RUNNERS = "pytest_navigator.backends.openvino.runner"

# What is measured beside the float32 one: "fp16" is how weights are stored alone.
REDUCED = ("bf16", "int8")


class OpenVINOFormat(Format):
    """`openvino`, and `openvino-fp16`, `-bf16`, `-int8` where asked for: folders with model.xml and model.bin."""

    name: ClassVar[str] = "openvino"
    title: ClassVar[str] = "OpenVINO"
    command: ClassVar[str] = "OpenVINO"
    groups: ClassVar[Mapping[str, Sequence[str]]] = {"cpu": ("openvino", "openvino-bf16", "openvino-int8")}
    config: ClassVar[type[FormatConfig]] = OpenVINOConfig
    frameworks: ClassVar[tuple[str, ...]] = (*SOURCES, "openvino")
    parent: ClassVar[str | None] = "onnx"
    file: ClassVar[str] = "model.openvino"
    file_title: ClassVar[str] = "an IR of OpenVINO"
    suffixes: ClassVar[tuple[str, ...]] = (".xml",)
    reads_with: ClassVar[tuple[str, ...]] = ("openvino",)
    default: ClassVar[bool] = False
    requires: ClassVar[tuple[str, ...]] = ("openvino",)
    members_require: ClassVar[Mapping[str, tuple[str, ...]]] = {"openvino-int8": ("nncf",)}
    made_with: ClassVar[tuple[str, ...]] = ("nncf",)
    diagnosis: ClassVar[str] = "pytest_navigator.backends.exchange.from_onnx_diagnosis:OpenVINODiagnosis"
    runners = (
        *table("openvino", RUNNERS, ("OpenVINOCPU", "OpenVINORunner", "cpu", ("openvino",))),
        *table(
            "openvino",
            RUNNERS,
            ("OpenVINOThroughputCPU", "OpenVINOThroughputRunner", "openvino-throughput", ("openvino",)),
            default=False,
        ),
    )

    def is_in(self, content: Content) -> bool:
        """Whether a file, or one in a folder, starts as an IR's does."""
        from pytest_navigator.backends.openvino.content import is_ir

        return is_ir(content)

    def as_source(self, config: FormatConfig) -> Variant:
        """Return the variant of an IR, which is computed in float32."""
        parameters: dict[str, Any] = {"precision": PRECISIONS[0], "custom_args": {}}
        return Variant(self.name, self.name, None, self.file, parameters, self.runner_names)

    def from_source(self, config: FormatConfig, source: Variant) -> list[Variant]:
        """Return one variant for each other precision."""
        assert isinstance(config, OpenVINOConfig)
        return [self._variant(config, source, each) for each in config.precision if each != PRECISIONS[0]]

    def describe(
        self, path: Path, parameters: Parameters, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> Description:
        """Return what the IR says."""
        from pytest_navigator.backends.openvino.description import describe

        return describe(path)

    def load(self, path: Path) -> Any:
        """Return the `openvino.Model`."""
        from pytest_navigator.backends.openvino.model import untold

        return untold("openvino").Core().read_model(path / "model.xml")

    def on_request(self) -> dict[str, FormatConfig]:
        """Return the configuration of each other precision."""
        return {f"{self.name}-{precision}": OpenVINOConfig(precision=precision) for precision in PRECISIONS[1:]}

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return one variant for each parent and precision; the parent's own suffix stays in the key.

        Where a precision is reduced, float32 is there as well: that is what it is measured beside.
        """
        assert isinstance(config, OpenVINOConfig)
        asked = config.precision
        if set(REDUCED) & set(asked):
            asked = tuple(dict.fromkeys((PRECISIONS[0], *asked)))
        return [self._variant(config, parent, precision) for parent in parents for precision in asked]

    def convert(
        self, parent: Path, data: LoaderData, signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Convert the ONNX file, or the IR.

        Raises:
            StepFailed: the model takes or gives text, or OpenVINO does not convert it.
        """
        from pytest_navigator.backends.openvino.making import quantize, writing
        from pytest_navigator.backends.openvino.model import untold
        from pytest_navigator.errors import StepFailed
        from pytest_navigator.formats.exporting import exporter

        texts = [spec.name for spec in (*signature.inputs, *signature.outputs) if spec.dtype in TEXT_TYPES.values()]
        if texts:
            raise StepFailed(f"{texts[0]!r} is text, which OpenVINO's runtime for Python cannot take or give")
        with exporter("openvino") as lines:
            if variant.parameters["precision"] == "int8":
                found = quantize(parent, data, signature, variant, path)
            else:
                found = {}
                writing(variant)(str(parent), str(path))
        return {"version": untold("openvino").__version__, **found, "warnings": lines}

    def convert_script(self, subject: Subject) -> MakingCode:
        """Return the conversion, and a calibration by the samples of the package."""
        from pytest_navigator.backends.openvino.making import quantizing, writing
        from pytest_navigator.backends.openvino.model import read_model
        from pytest_navigator.core.script_parts import MakingCode
        from pytest_navigator.reproduce.code import call_of, literal

        given = ["args.artifact", "args.output"]
        work: partial[Any] = writing(subject.variant)
        if subject.variant.parameters["precision"] == "int8":
            work = quantizing(subject.variant, subject.data)
            most = subject.variant.parameters["quantization"]["samples"]
            given.append(f"[read(path, INPUTS) for path in {literal(list(subject.loader.batches)[:most])}]")
        call = MakingCode(call_of(work, *given), functions=(work.func,))
        return call.then(MakingCode("read_model(args.output)", functions=(read_model,)))

    def _variant(self, config: OpenVINOConfig, parent: Variant, precision: str) -> Variant:
        plain = self.name + parent.key.removeprefix(parent.format)
        key = plain if precision == PRECISIONS[0] else f"{plain}-{precision}"
        parameters: dict[str, Any] = {"precision": precision, "custom_args": config.custom_args}
        if precision == "bf16":
            parameters["quantization"] = {name: getattr(config.quantization, name) for name in ALLOWANCES}
        if precision == "int8":
            parameters |= {"quantization": config.quantization.parameters(), "transformer": config.transformer}
        reference = plain if precision in REDUCED else ""
        return Variant(key, self.name, parent.key, self.file, parameters, self.runner_names, reference)
