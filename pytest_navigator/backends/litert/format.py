"""LiteRT's files, from PyTorch by litert-torch and from SavedModels by TensorFlow's own converter."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.backends.litert.config import PRECISIONS, LiteRTConfig
from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.core.variants import Variant
from pytest_navigator.formats.base import Format
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import LoaderRecord, Signature
    from pytest_navigator.core.script_parts import MakingCode, Subject
    from pytest_navigator.formats.base import LoaderData

# Which converter makes it of what: litert-torch, which needs a Python of its own, or TensorFlow's.
CONVERTERS = {"torch-exportedprogram": "litert-torch", "tf-savedmodel": "tensorflow"}
REQUIRES = {"torch": ("litert_torch", "torch")}

# Fields of a `QuantizationConfig` that TensorFlow's converter has nothing for.
OF_TENSORFLOW = {
    "per_channel": (False, "it always gives weights a scale for each output channel"),
    "symmetric": (True, "it always gives activations asymmetric ranges"),
}


class LiteRTFormat(Format):
    """`litert`, and `litert-int8` where asked for: folders with a file for each shape of the inputs."""

    name: ClassVar[str] = "litert"
    title: ClassVar[str] = "LiteRT"
    command: ClassVar[str] = "LiteRT"
    groups: ClassVar[Mapping[str, Sequence[str]]] = {"edge": ("litert", "litert-int8")}
    config: ClassVar[type[FormatConfig]] = LiteRTConfig
    frameworks: ClassVar[tuple[str, ...]] = ("torch", "tensorflow", "jax", "tf-savedmodel")
    parent: ClassVar[str | None] = "tf-savedmodel"
    parents: ClassVar[Mapping[str, str]] = {"torch": "torch-exportedprogram"}
    default: ClassVar[bool] = False
    fixed_batch: ClassVar[bool] = True
    requires: ClassVar[tuple[str, ...]] = ("tensorflow", "ai_edge_litert")
    made_with: ClassVar[tuple[str, ...]] = ("ai_edge_quantizer",)
    runners = table(
        "litert",
        "pytest_navigator.backends.litert.runner",
        ("LiteRTCPU", "LiteRTRunner", "cpu", ("ai_edge_litert",)),
    )

    def requires_for(self, source: str) -> tuple[str, ...]:
        """Return what the converter needs: PyTorch's is another one."""
        return REQUIRES.get(source, self.requires)

    def on_request(self) -> dict[str, FormatConfig]:
        """Return the configuration of each other precision."""
        return {f"{self.name}-{precision}": LiteRTConfig(precision=precision) for precision in PRECISIONS[1:]}

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return one variant for each parent and precision; the parent's own suffix stays in the key.

        Where int8 is asked for, float32 is there as well: that is what it is measured beside.
        """
        assert isinstance(config, LiteRTConfig)
        asked = (
            tuple(dict.fromkeys((PRECISIONS[0], *config.precision))) if "int8" in config.precision else PRECISIONS[:1]
        )
        return [self._variant(config, parent, precision) for parent in parents for precision in asked]

    def check_fit(self, variant: Variant, loader: LoaderRecord, signature: Signature) -> None:
        """Refuse text, and what of a quantization the converter of this source cannot do.

        Raises:
            StepFailed: an input or output is text, or a field has a value that TensorFlow's converter has nothing for.
        """
        from pytest_navigator.errors import StepFailed

        texts = [spec.name for spec in (*signature.inputs, *signature.outputs) if spec.dtype in TEXT_TYPES.values()]
        if texts:
            raise StepFailed(f"{texts[0]!r} is text, which LiteRT's runtime for Python cannot take or give")
        asked = variant.parameters.get("quantization")
        if asked is None or variant.parameters["converter"] != "tensorflow":
            return
        for name, (value, why) in OF_TENSORFLOW.items():
            if asked[name] is value:
                raise StepFailed(f"QuantizationConfig({name}={value!r}) is not for TensorFlow's converter: {why}")
        if asked["exclude"]:
            raise StepFailed(
                f"QuantizationConfig(exclude={asked['exclude']!r}) is not for TensorFlow's converter, which leaves "
                "nothing out; a model of PyTorch can have it"
            )

    def convert(
        self, parent: Path, data: LoaderData, signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Write a file for each shape, and quantize it.

        Raises:
            StepFailed: LiteRT has no such operator, nothing of the model can be quantized, or a converter raised.
        """
        from pytest_navigator.backends.litert import making
        from pytest_navigator.backends.litert.errors import converting
        from pytest_navigator.formats.exporting import exporter

        place = partial(making.place_of, parent=parent)
        with exporter(variant.parameters["converter"]) as lines, converting(place):
            found = making.make(parent, data, signature, variant, path)
        return {**found, "warnings": lines}

    def convert_script(self, subject: Subject) -> MakingCode:
        """Return the conversion, and a calibration by the samples of the package."""
        from pytest_navigator.backends.litert import making_code

        return making_code.script(subject)

    def _variant(self, config: LiteRTConfig, parent: Variant, precision: str) -> Variant:
        plain = self.name + parent.key.removeprefix(parent.format)
        converter = CONVERTERS[parent.format]
        parameters: dict[str, Any] = {
            "precision": precision,
            "converter": converter,
            "signature": parent.parameters.get("signature"),
            "custom_args": config.custom_args,
        }
        if precision == PRECISIONS[0]:
            return Variant(plain, self.name, parent.key, "model.litert", parameters, self.runner_names)
        parameters["quantization"] = config.quantization.parameters()
        key = f"{plain}-{precision}"
        return Variant(key, self.name, parent.key, "model.litert", parameters, self.runner_names, plain)
