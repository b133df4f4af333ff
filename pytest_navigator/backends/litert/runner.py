"""LiteRT on the CPU, where XNNPACK computes what it can."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.litert.files import chosen, computed, ends, given, open_files, ports, results
from pytest_navigator.core.script_parts import RunnerCode
from pytest_navigator.errors import InputError, StepFailed
from pytest_navigator.runners.base import Runner
from pytest_navigator.runners.outputs import in_order
from pytest_navigator.samples.npz import dtype_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.script_parts import Subject


class LiteRTRunner(Runner):
    """`ai_edge_litert.interpreter`: of the files, the one that takes the shapes of the inputs."""

    def activate(self) -> None:
        """Open the files, and prepare the first one.

        Raises:
            StepFailed: LiteRT cannot.
        """
        self.threads = 1 if self.single_thread else len(os.sched_getaffinity(0))
        try:
            self.models = open_files(str(self.artifact), self.threads)
            next(iter(self.models.values())).allocate_tensors()
        except (RuntimeError, ValueError, StopIteration) as error:
            raise StepFailed(f"LiteRT cannot load the model: {error}", kind=type(error).__name__) from error
        self.inputs = self._own_names("input")
        self.outputs = self._own_names("output")
        self.kinds = [dtype_of(spec.dtype) for spec in self.signature.outputs]

    def deactivate(self) -> None:
        """Free the model."""
        del self.models

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one inference on arrays.

        Raises:
            InputError: no file takes these shapes, or a number has no place in the type of the file.
        """
        model, inputs = self._given(feed)
        arrays = computed(model, inputs, ends(model, self.outputs))
        return in_order(self.signature, results(model, self.outputs, self.kinds, arrays))  # type: ignore[return-value]

    def bind(self, feed: Mapping[str, np.ndarray]) -> Callable[[], object]:
        """Return the inference on arrays; as other runtimes of the CPU do, it takes them and gives the outputs."""
        model, inputs = self._given(feed)
        return partial(computed, model, inputs, ends(model, self.outputs))

    def settings(self) -> dict[str, JSON]:
        """Threads, and the files."""
        return {"num_threads": self.threads, "files": ", ".join(sorted(self.models))}

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the inference."""
        names = {kind: own_names(subject.signature, kind) for kind in ("input", "output")}
        kinds = [spec.dtype for spec in subject.signature.outputs]
        threads = subject.settings.get("ai_edge_litert", {}).get("num_threads", 1)
        return RunnerCode(
            load=f"model = open_files(args.artifact, num_threads={threads})",
            prepare=f"names = {names['input']}\n"
            "feed = dict(zip(names, feed.values()))\n"
            "file = chosen(model, names, feed)\n"
            "inputs = given(file, names, feed)\n"
            f"outputs = ends(file, {names['output']})",
            call="y = computed(file, inputs, outputs)",
            outputs=f"dict(zip(OUTPUTS, results(file, {names['output']}, {kinds}, y)))",
            functions=(open_files, chosen, given, ends, computed),
            output_functions=(results,),
        )

    def _own_names(self, kind: str) -> list[str]:
        return own_names(self.signature, kind)

    def _given(self, feed: Mapping[str, np.ndarray]) -> tuple[Any, list[tuple[int, Any]]]:
        own = dict(zip(self.inputs, (feed[spec.name] for spec in self.signature.inputs), strict=True))
        model = chosen(self.models, self.inputs, own)
        if model is None:
            raise InputError(self._no_file(own))
        try:
            return model, given(model, self.inputs, own)
        except OverflowError as error:
            raise InputError(str(error)) from None

    def _no_file(self, feed: Mapping[str, np.ndarray]) -> str:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in feed.items())
        made = "; ".join(
            f"{name}: {', '.join(str(tuple(map(int, port['shape']))) for port in ports(model, self.inputs, 'input'))}"
            for name, model in self.models.items()
        )
        return f"no file of LiteRT's takes {shapes}; each takes the shapes that it was made for: {made}"


def own_names(signature: Any, kind: str) -> list[str]:
    """Return what files of TensorFlow's converter call the inputs or outputs."""
    from pytest_navigator.backends.tensorflow.names import argument_names, names_in_file

    if signature.array_type == "torch":
        return [spec.name for spec in (signature.inputs if kind == "input" else signature.outputs)]
    if signature.array_type == "numpy":
        return list(names_in_file(signature)[kind == "output"])
    return argument_names(signature) if kind == "input" else [spec.name for spec in signature.outputs]
