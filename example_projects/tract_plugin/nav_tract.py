"""Tract for pytest-navigator: the format `nnef`, made from `onnx`, and its runner."""

from dataclasses import dataclass
from functools import partial

from pytest_navigator import FormatConfig, Runner, Variant
from pytest_navigator.formats.base import Format
from pytest_navigator.runners.outputs import in_order


@dataclass(frozen=True)
class NNEFConfig(FormatConfig):
    """`precisions`: what the model computes in, "fp32", "fp16" or both; its inputs and outputs keep their types."""

    precisions: tuple[str, ...] = ("fp32",)


class Tract(Runner):
    """Tract on the CPU."""

    name = "Tract"
    format = "nnef"
    runtime = "cpu"
    requires = ("tract",)

    def activate(self):
        import tract

        self.model = tract.nnef().load(self.artifact).into_runnable()

    def deactivate(self):
        del self.model

    def infer(self, feed):
        arrays = [tensor.to_numpy() for tensor in self.bind(feed)()]
        if self.parameters["precision"] == "fp16":
            arrays = [array.astype("float32") if array.dtype == "float16" else array for array in arrays]
        return in_order(self.signature, arrays)

    def bind(self, feed):
        from tract import Tensor

        pairs = zip(self.signature.inputs, self.model.input_facts(), strict=True)
        tensors = [Tensor.from_numpy(feed[spec.name]).convert_to(fact.datum_type()) for spec, fact in pairs]
        return partial(self.model.run, tensors)


class NNEFFormat(Format):
    """One file: a model in NNEF with Tract's extensions."""

    name = "nnef"
    config = NNEFConfig
    parent = "onnx"
    frameworks = ("torch", "tensorflow", "jax", "onnx")
    requires = ("tract",)
    runners = (Tract,)

    def variants(self, config, parents):
        return [
            Variant(
                # onnx-opset17 becomes nnef-opset17-fp32: no two variants have one key.
                f"nnef{parent.key.removeprefix(self.parent)}-{precision}",
                self.name,
                parent.key,
                "model.nnef.tar",
                {"precision": precision},
            )
            for parent in parents
            for precision in config.precisions
        ]

    def convert(self, parent, data, signature, variant, path):
        import tract

        model = tract.onnx().load(parent).into_model()
        if variant.parameters["precision"] == "fp16":
            model.transform("f32_to_f16")
        tract.nnef().write_model_to_tar(model, path)
        return {"tract": tract.version()}
