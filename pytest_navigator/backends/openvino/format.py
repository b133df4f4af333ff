"""OpenVINO's own files, converted from ONNX."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.backends.builtin import SOURCES
from pytest_navigator.configuration.format_config import FormatConfig, invalid
from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.core.variants import Variant
from pytest_navigator.formats.base import Format
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.script_parts import MakingCode, Subject
    from pytest_navigator.formats.base import LoaderData

PRECISIONS = ("fp32", "fp16")


@dataclass(frozen=True)
class OpenVINOConfig(FormatConfig):
    """OpenVINO; `custom_args` go to `openvino.convert_model`, which tells Intel of each call unless one opts out.

    Attributes:
        precision: how the weights are stored, "fp32" or "fp16", one or several; it computes in float32 in any case.

    Raises:
        ConfigError: a value is not possible.
    """

    precision: str | Sequence[str] = ("fp32",)

    def __post_init__(self) -> None:
        asked = (self.precision,) if isinstance(self.precision, str) else tuple(self.precision)
        if not asked or not set(asked) <= set(PRECISIONS) or len(set(asked)) < len(asked):
            raise invalid(self, "precision", PRECISIONS)
        object.__setattr__(self, "precision", asked)


class OpenVINOFormat(Format):
    """`openvino`, and `openvino-fp16` where that is asked for: folders with model.xml and model.bin."""

    name: ClassVar[str] = "openvino"
    title: ClassVar[str] = "OpenVINO"
    command: ClassVar[str] = "OpenVINO"
    groups: ClassVar[Mapping[str, Sequence[str]]] = {"cpu": ("openvino",)}
    config: ClassVar[type[FormatConfig]] = OpenVINOConfig
    frameworks: ClassVar[tuple[str, ...]] = SOURCES
    parent: ClassVar[str | None] = "onnx"
    default: ClassVar[bool] = False
    requires: ClassVar[tuple[str, ...]] = ("openvino",)
    diagnosis: ClassVar[str] = "pytest_navigator.backends.exchange.from_onnx_diagnosis:OpenVINODiagnosis"
    runners = table(
        "openvino",
        "pytest_navigator.backends.openvino.runner",
        ("OpenVINOCPU", "OpenVINORunner", "cpu", ("openvino",)),
    )

    def load(self, path: Path) -> Any:
        """Return the `openvino.Model`."""
        import openvino

        return openvino.Core().read_model(path / "model.xml")

    def on_request(self) -> dict[str, FormatConfig]:
        """Return the configuration of what has float16 weights."""
        return {f"{self.name}-fp16": OpenVINOConfig(precision="fp16")}

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return one variant for each parent and precision; the parent's own suffix stays in the key."""
        assert isinstance(config, OpenVINOConfig)
        return [self._variant(config, parent, precision) for parent in parents for precision in config.precision]

    def convert(
        self, parent: Path, data: LoaderData, signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Convert the ONNX file.

        Raises:
            StepFailed: the model takes or gives text, or OpenVINO does not convert it.
        """
        import openvino

        from pytest_navigator.errors import StepFailed
        from pytest_navigator.formats.exporting import exporter

        texts = [spec.name for spec in (*signature.inputs, *signature.outputs) if spec.dtype in TEXT_TYPES.values()]
        if texts:
            raise StepFailed(f"{texts[0]!r} is text, which OpenVINO's runtime for Python cannot take or give")
        with exporter("openvino") as lines:
            _writing(variant)(str(parent), str(path))
        return {"version": openvino.__version__, "warnings": lines}

    def convert_script(self, subject: Subject) -> MakingCode:
        """Return the conversion."""
        from pytest_navigator.backends.openvino.model import read_model
        from pytest_navigator.core.script_parts import MakingCode
        from pytest_navigator.reproduce.code import call_of

        work = _writing(subject.variant)
        call = MakingCode(call_of(work, "args.artifact", "args.output"), functions=(work.func,))
        return call.then(MakingCode("read_model(args.output)", functions=(read_model,)))

    def _variant(self, config: OpenVINOConfig, parent: Variant, precision: str) -> Variant:
        suffix = parent.key.removeprefix(parent.format) + ("" if precision == PRECISIONS[0] else f"-{precision}")
        parameters = {"precision": precision, "custom_args": config.custom_args}
        return Variant(self.name + suffix, self.name, parent.key, "model.openvino", parameters, self.runner_names)


def _writing(variant: Variant) -> partial[None]:
    from pytest_navigator.backends.openvino.model import write_model

    options, half = variant.parameters["custom_args"], variant.parameters["precision"] == "fp16"
    return partial(write_model, options=options, half=half)
