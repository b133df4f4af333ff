"""OpenVINO's models on the CPU."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_navigator.backends.openvino.model import copies_of, read_model
from pytest_navigator.core.script_parts import RunnerCode
from pytest_navigator.errors import StepFailed
from pytest_navigator.reproduce.scripts import is_foreign
from pytest_navigator.runners.base import Runner
from pytest_navigator.runners.outputs import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.script_parts import Subject


class OpenVINORunner(Runner):
    """OpenVINO on the CPU, in float32."""

    def activate(self) -> None:
        """Load and compile the model.

        Raises:
            StepFailed: OpenVINO cannot.
        """
        try:
            self.model = read_model(str(self.artifact), **({"INFERENCE_NUM_THREADS": 1} if self.single_thread else {}))
        except RuntimeError as error:
            raise StepFailed(f"OpenVINO cannot load the model: {error}", kind=type(error).__name__) from error
        self.request = self.model.create_infer_request()

    def deactivate(self) -> None:
        """Free the model."""
        del self.request, self.model

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one inference on arrays."""
        return in_order(self.signature, copies_of(self.bind(feed)()))  # type: ignore[return-value]

    def bind(self, feed: Mapping[str, np.ndarray]) -> Callable[[], object]:
        """Return the inference on the arrays' own memory: where OpenVINO copies them, it takes bfloat16 for float16."""
        arrays = [feed[spec.name] for spec in self.signature.inputs]
        return partial(self.request.infer, arrays, share_inputs=True, share_outputs=True)

    def settings(self) -> dict[str, JSON]:
        """Threads, and what is computed in."""
        names = ("INFERENCE_NUM_THREADS", "INFERENCE_PRECISION_HINT")
        found = {name: self.model.get_property(name) for name in names}
        return {name: value if isinstance(value, int) else str(value) for name, value in found.items()}

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the inference; inputs and outputs go by their order."""
        foreign = any(map(is_foreign, subject.signature.outputs))
        return RunnerCode(
            load="model = read_model(args.artifact)",
            prepare="request, x = model.create_infer_request(), list(feed.values())",
            call="y = request.infer(x, share_inputs=True, share_outputs=True)",
            outputs=f"dict(zip(OUTPUTS, {'copies_of(y)' if foreign else '(array.copy() for array in y.values())'}))",
            functions=(read_model,),
            output_functions=(copies_of,) if foreign else (),
        )
