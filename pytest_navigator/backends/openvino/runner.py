"""OpenVINO's models on the CPU."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.backends.openvino.model import (
    at_once,
    capabilities,
    copies_of,
    executed,
    joined,
    parts_of,
    read_model,
)
from pytest_navigator.core.script_parts import RunnerCode
from pytest_navigator.errors import StepFailed, Unavailable
from pytest_navigator.reproduce.code import call_of
from pytest_navigator.reproduce.scripts import is_foreign
from pytest_navigator.runners.base import Runner
from pytest_navigator.runners.outputs import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.script_parts import Subject

# What a figure depends on, in OpenVINO's words.
RECORDED = (
    "PERFORMANCE_HINT",
    "EXECUTION_MODE_HINT",
    "INFERENCE_PRECISION_HINT",
    "NUM_STREAMS",
    "INFERENCE_NUM_THREADS",
    "ENABLE_CPU_PINNING",
)

# A thread that is bound to a core waits for what else runs there: beside other work, calls took four times as long.
UNPINNED = {"ENABLE_CPU_PINNING": False}


class OpenVINORunner(Runner):
    """OpenVINO on the CPU for one inference at a time: in float32, or in bfloat16 where that was asked for."""

    hints: ClassVar[dict[str, Any]] = {"PERFORMANCE_HINT": "LATENCY", **UNPINNED}

    def activate(self) -> None:
        """Load and compile the model.

        Raises:
            StepFailed: OpenVINO cannot, or it computes nothing in the precision that was asked for.
            Unavailable: the processor has no bfloat16.
        """
        asked = hinted(self.parameters)
        if asked:
            _check_bfloat16(capabilities())
        alone = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1} if self.single_thread else {}
        try:
            self.model = read_model(str(self.artifact), **self.hints, **asked, **alone)
        except RuntimeError as error:
            raise StepFailed(f"OpenVINO cannot load the model: {error}", kind=type(error).__name__) from error
        if asked:
            _check_executed(executed(self.model))
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
        """Hints, streams, threads, and what the layers compute in."""
        found = {name: self.model.get_property(name) for name in RECORDED}
        own: dict[str, JSON] = {
            name: value if type(value) in (int, bool) else _word(value) for name, value in found.items()
        }
        return {**own, "layers": ", ".join(f"{kind}: {count}" for kind, count in executed(self.model).items())}

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the inference; inputs and outputs go by their order."""
        foreign = any(map(is_foreign, subject.signature.outputs))
        options = {**cls.hints, **hinted(subject.variant.parameters)}
        return RunnerCode(
            load=f"model = {call_of(partial(read_model, **options), 'args.artifact')}",
            prepare="request, x = model.create_infer_request(), list(feed.values())",
            call="y = request.infer(x, share_inputs=True, share_outputs=True)",
            outputs=f"dict(zip(OUTPUTS, {'copies_of(y)' if foreign else '(array.copy() for array in y.values())'}))",
            functions=(read_model,),
            output_functions=(copies_of,) if foreign else (),
        )


class OpenVINOThroughputRunner(OpenVINORunner):
    """The same for many inferences at a time: the rows of a batch go to as many requests as OpenVINO takes at once.

    A model whose inputs or outputs cannot be cut into rows, and a single row, are one request.
    """

    hints: ClassVar[dict[str, Any]] = {"PERFORMANCE_HINT": "THROUGHPUT", **UNPINNED}

    def activate(self) -> None:
        """Load and compile the model, and make the requests.

        Raises:
            StepFailed, Unavailable: as the other runner.
        """
        super().activate()
        self.requests = [self.model.create_infer_request() for _ in range(optimal(self.model))]
        self.axis = cut_at(self.signature)

    def deactivate(self) -> None:
        """Free the model."""
        del self.requests
        super().deactivate()

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one inference, in parts."""
        return in_order(self.signature, joined(at_once(self.requests, self._parts(feed)), self.axis))  # type: ignore[return-value]

    def bind(self, feed: Mapping[str, np.ndarray]) -> Callable[[], object]:
        """Return the inference of the whole batch: it is over when that of the last part is."""
        return partial(at_once, self.requests, self._parts(feed))

    def settings(self) -> dict[str, JSON]:
        """Likewise, and how many requests run at once."""
        return {**super().settings(), "requests": len(self.requests)}

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the inference in parts."""
        axis, batched = cut_at(subject.signature), [spec.batched for spec in subject.signature.inputs]
        cut = f"parts_of(list(feed.values()), {batched}, {axis}, count)"
        return replace(
            super().script(subject),
            prepare='count = model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")\n'
            f"requests, x = [model.create_infer_request() for _ in range(count)], {cut}",
            call="y = at_once(requests, x)",
            outputs=f"dict(zip(OUTPUTS, joined(y, {axis})))",
            functions=(read_model, parts_of, at_once),
            output_functions=(joined,),
        )

    def _parts(self, feed: Mapping[str, np.ndarray]) -> list[list[np.ndarray]]:
        inputs = self.signature.inputs
        batched = [spec.batched for spec in inputs]
        return parts_of([feed[spec.name] for spec in inputs], batched, self.axis, len(self.requests))


def optimal(model: Any) -> int:
    """Return how many requests OpenVINO runs at once."""
    return int(model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))


def cut_at(signature: Signature) -> int | None:
    """Return the axis at which batches can be cut into rows; None: something that goes in or comes out has no rows."""
    axis = signature.batch_dim
    cut = [spec for spec in signature.inputs if spec.batched]
    rows = all(axis in spec.axes for spec in (*cut, *signature.outputs))
    return axis if cut and rows and all(spec.batched for spec in signature.outputs) else None


def hinted(parameters: Parameters) -> dict[str, str]:
    """Return the hints of a variant that computes in another type than float32: those that OpenVINO has by itself."""
    own = {"INFERENCE_PRECISION_HINT": "bf16", "EXECUTION_MODE_HINT": "PERFORMANCE"}
    return own if parameters.get("precision") == "bf16" else {}


def _check_bfloat16(capabilities: list[str]) -> None:
    # Without it, OpenVINO takes the hint and computes in float32.
    if "BF16" not in capabilities:
        raise Unavailable(f"this processor has no bfloat16 for OpenVINO, which lists {', '.join(capabilities)}")


def _check_executed(layers: Mapping[str, int]) -> None:
    if "bf16" not in layers:
        told = ", ".join(f"{count} in {kind}" for kind, count in layers.items()) or "there are none"
        raise StepFailed(
            f"OpenVINO computes no layer of the model in bfloat16 ({told}), so that it is the format openvino"
        )


def _word(value: object) -> str:
    """Return a property as OpenVINO's own texts have it: "float32" of <Type: 'float32'>."""
    return str(value).removeprefix("<Type: '").removesuffix("'>").rpartition(".")[2]
