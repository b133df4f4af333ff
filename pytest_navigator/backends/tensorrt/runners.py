"""TensorRT engines on the GPU, and as CUDA graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pytest_navigator.runners.base import Runner
from pytest_navigator.runners.outputs import given_names, outputs_asked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.script_parts import RunnerCode, Subject


class EngineRunner(Runner):
    """An engine in execution; inputs and outputs stay on the GPU while it is timed."""

    backend: ClassVar[str] = "tensorrt"
    graphs: ClassVar[bool] = False

    def activate(self) -> None:
        """Load the engine.

        Raises:
            StepFailed: it is damaged, of another version or GPU, or too large for this one.
        """
        from pytest_navigator.backends.tensorrt.command import version_compatible
        from pytest_navigator.backends.tensorrt.execution import Execution

        own_runtime = version_compatible(self.parameters)
        self.execution = Execution(self.artifact, self.backend, runs_its_code=own_runtime)  # type: ignore[arg-type]

    def deactivate(self) -> None:
        """Free the engine and its memory on the GPU."""
        self.execution.close()
        del self.execution

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one inference.

        Raises:
            StepFailed: an array is missing, or has a type or shape that the engine does not take.
        """
        self._bound(feed)()
        found = self.execution.results()
        asked, names = outputs_asked(self.signature, list(found))
        return {name: found[own] for own, name in zip(asked, names, strict=True)}

    def bind(self, feed: Mapping[str, np.ndarray]) -> Callable[[], object]:
        """Return the inference on inputs that are on the GPU, until the GPU is done."""
        call = self._bound(feed)
        call()
        return call

    def copies(self, feed: Mapping[str, np.ndarray], returned: object) -> Callable[[], object]:
        """Return the copies to the GPU and back, for what was bound last."""
        return self.execution.copy

    def settings(self) -> dict[str, JSON]:
        """Library and profile."""
        return {
            "backend": self.backend,
            "version": self.execution.loaded.library.__version__,
            "optimization_profile": self.execution.profile,
            "cuda_graph": self.graphs,
        }

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode | None:
        """Return the run of an engine by Polygraphy, which has no CUDA graphs."""
        from pytest_navigator.backends.tensorrt import running_code as text

        return None if cls.graphs else text.runner_code(subject, cls.backend)

    def _bound(self, feed: Mapping[str, np.ndarray]) -> Callable[[], object]:
        own = {given: own for own, given in given_names(self.signature, list(self.execution.inputs)).items()}
        self.execution.prepare({own.get(name, name): array for name, array in feed.items()})
        return self.execution.graph() if self.graphs else self.execution.call()


class TensorRTCUDAGraph(EngineRunner):
    """TensorRT, recorded once as a CUDA graph and replayed: the processor's part of an inference is one launch."""

    graphs: ClassVar[bool] = True


class TensorRTRTX(EngineRunner):
    """TensorRT-RTX."""

    backend: ClassVar[str] = "tensorrt_rtx"
