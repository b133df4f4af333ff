"""ExecuTorch on the CPU."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.executorch.model import load_method, runtime
from pytest_navigator.backends.executorch.threads import POOL
from pytest_navigator.backends.torch.arrays import from_numpy, to_numpy
from pytest_navigator.core.script_parts import RunnerCode
from pytest_navigator.errors import InputError, StepFailed
from pytest_navigator.runners.base import Runner
from pytest_navigator.runners.outputs import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.script_parts import Subject


class ExecuTorchRunner(Runner):
    """`executorch.runtime`: inputs and outputs go by their order."""

    def activate(self) -> None:
        """Load the program.

        Raises:
            StepFailed: ExecuTorch cannot.
        """
        self.count = POOL.enter(alone=self.single_thread)
        try:
            self.method = load_method(str(self.artifact))
            meta = self.method.metadata
            self.largest = [tuple(meta.input_tensor_meta(index).sizes()) for index in range(meta.num_inputs())]
        except (RuntimeError, AttributeError, ValueError) as error:
            POOL.leave()
            raise StepFailed(f"ExecuTorch cannot load the program: {error}", kind=type(error).__name__) from error

    def deactivate(self) -> None:
        """Free the program."""
        del self.method
        POOL.leave()

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one inference on arrays; the outputs are copies.

        Raises:
            InputError: an input is empty, or larger than the memory that is planned for it.
            StepFailed: ExecuTorch cannot run it.
        """
        call = self.bind(feed)
        try:
            found = call()
        except RuntimeError as error:
            shapes = ", ".join(f"{name} {array.shape}" for name, array in feed.items())
            raise StepFailed(f"ExecuTorch cannot run {shapes}: {error}", kind=type(error).__name__) from error
        return in_order(self.signature, [to_numpy(each) for each in found])  # type: ignore[attr-defined, return-value]

    def bind(self, feed: Mapping[str, np.ndarray]) -> Callable[[], object]:
        """Return the inference on tensors."""
        self._check(feed)
        return partial(self.method.execute, [from_numpy(feed[spec.name]) for spec in self.signature.inputs])

    def settings(self) -> dict[str, JSON]:
        """Threads, and the backends that the runtime has."""
        return {"num_threads": self.count, "backends": ", ".join(runtime().backend_registry.registered_backend_names)}

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the inference."""
        return RunnerCode(
            load="model = load_method(args.artifact)",
            prepare="x = [from_numpy(array) for array in feed.values()]",
            call="y = model.execute(x)",
            outputs="dict(zip(OUTPUTS, map(to_numpy, y)))",
            functions=(load_method, from_numpy),
            output_functions=(to_numpy,),
        )

    def _check(self, feed: Mapping[str, Any]) -> None:
        for spec, most in zip(self.signature.inputs, self.largest, strict=False):
            shape = feed[spec.name].shape
            if 0 in shape and 0 not in most:  # XNNPACK ends the process, or reads what is not there
                raise InputError(f"input {spec.name} is {shape}, and ExecuTorch's delegates take no empty arrays")
            if len(shape) != len(most) or any(size > limit for size, limit in zip(shape, most, strict=False)):
                raise InputError(
                    f"input {spec.name} is {shape}, and ExecuTorch's file has memory for {most} at most; make it for "
                    "more, by a larger sample in nav_dataloader or ExecuTorchConfig(max_batch_size=...)"
                )
