"""Core ML on macOS."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.coreml.chatter import contained
from pytest_navigator.backends.coreml.model import open_model
from pytest_navigator.backends.coreml.tensors import TYPES
from pytest_navigator.core.script_parts import RunnerCode
from pytest_navigator.errors import InputError, StepFailed
from pytest_navigator.runners.base import Runner
from pytest_navigator.runners.outputs import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.script_parts import Subject


class CoreMLRunner(Runner):
    """`coremltools.models.MLModel.predict`, which only macOS has."""

    def activate(self) -> None:
        """Load the model, and let Core ML compile it.

        Raises:
            StepFailed: Core ML cannot.
        """
        self.units = str(self.parameters.get("compute_units", "ALL"))
        try:
            with contained():
                self.model = open_model(str(self.artifact), self.units)
        except Exception as error:  # coremltools raises Exception itself
            message = next(iter(str(error).splitlines()), "")
            raise StepFailed(f"Core ML cannot load the model: {message}", kind=type(error).__name__) from error

    def deactivate(self) -> None:
        """Free the model."""
        del self.model

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one inference on arrays.

        Raises:
            InputError: a number has no place in the type of the file.
        """
        import numpy as np

        found: Any = self.bind(feed)()
        arrays = [np.asarray(found[spec.name]).astype(spec.dtype) for spec in self.signature.outputs]
        return in_order(self.signature, arrays)  # type: ignore[return-value]

    def bind(self, feed: Mapping[str, np.ndarray]) -> Callable[[], object]:
        """Return the prediction on arrays of the file's types.

        Raises:
            InputError: a number has no place in the type of the file.
        """
        arrays = {spec.name: converted(spec.name, feed[spec.name], TYPES[spec.dtype]) for spec in self.signature.inputs}
        return partial(self.model.predict, arrays)

    def settings(self) -> dict[str, JSON]:
        """What may run it."""
        return {"compute_units": self.units}

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the prediction."""
        units = str(subject.variant.parameters.get("compute_units", "ALL"))
        types = {spec.name: TYPES[spec.dtype] for spec in subject.signature.inputs}
        return RunnerCode(
            load=f"model = open_model(args.artifact, {units!r})",
            prepare=f"types = {types}\nx = {{name: array.astype(types[name]) for name, array in feed.items()}}",
            call="y = model.predict(x)",
            outputs="{name: np.asarray(y[name]) for name in OUTPUTS}",
            functions=(open_model,),
        )


def converted(name: str, array: np.ndarray, kind: str) -> np.ndarray:
    """Return an array in the type of the file.

    Raises:
        InputError: it has numbers that the type does not hold.
    """
    import numpy as np

    if array.dtype == kind:
        return array
    info = np.iinfo(kind) if array.dtype.kind in "iu" else None
    if info and array.size and not (info.min <= array.min() and array.max() <= info.max):
        raise InputError(f"input {name!r} has numbers beyond {kind}, which Core ML has in place of {array.dtype}")
    return array.astype(kind)
