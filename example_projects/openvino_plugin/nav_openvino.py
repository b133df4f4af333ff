"""OpenVINO for pytest-navigator: the format `openvino`, made from `onnx`, and its runner."""

from dataclasses import dataclass
from functools import partial

from pytest_navigator import FormatConfig, Runner, Variant
from pytest_navigator.formats.base import Format
from pytest_navigator.runners.outputs import in_order


@dataclass(frozen=True)
class OpenVINOConfig(FormatConfig):
    """`precisions`: how the weights are stored, "fp32", "fp16" or both; OpenVINO computes in float32 in any case."""

    precisions: tuple[str, ...] = ("fp32",)


class OpenVINO(Runner):
    """OpenVINO on the CPU."""

    name = "OpenVINO"
    format = "openvino"
    runtime = "cpu"
    requires = ("openvino",)

    def activate(self):
        import openvino

        # Without the hint, processors with bfloat16 or float16 compute in these.
        settings = {"INFERENCE_PRECISION_HINT": "f32"}
        self.model = openvino.Core().compile_model(self.artifact / "model.xml", "CPU", settings)
        self.request = self.model.create_infer_request()

    def deactivate(self):
        del self.model, self.request

    def infer(self, feed):
        return in_order(self.signature, [array.copy() for array in self.bind(feed)().values()])

    def bind(self, feed):
        arrays = [feed[spec.name] for spec in self.signature.inputs]
        return partial(self.request.infer, arrays, share_inputs=True, share_outputs=True)

    def settings(self):
        return {"INFERENCE_NUM_THREADS": self.model.get_property("INFERENCE_NUM_THREADS")}


class OpenVINOFormat(Format):
    """A folder with model.xml and model.bin."""

    name = "openvino"
    config = OpenVINOConfig
    parent = "onnx"
    frameworks = ("torch", "tensorflow", "jax", "onnx")
    requires = ("openvino",)
    runners = (OpenVINO,)

    def variants(self, config, parents):
        return [
            Variant(
                # onnx-opset17 becomes openvino-opset17-fp32: no two variants have one key.
                f"openvino{parent.key.removeprefix(self.parent)}-{precision}",
                self.name,
                parent.key,
                "model.openvino",
                {"precision": precision},
            )
            for parent in parents
            for precision in config.precisions
        ]

    def convert(self, parent, data, signature, variant, path):
        import openvino

        model = openvino.convert_model(parent)
        openvino.save_model(model, path / "model.xml", compress_to_fp16=variant.parameters["precision"] == "fp16")
        return {"openvino": openvino.__version__}
