"""A callable in the process that holds it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from pytest_navigator.core.script_parts import RunnerCode
from pytest_navigator.runners.base import Runner
from pytest_navigator.runners.outputs import by_name
from pytest_navigator.samples.structure import unflatten_call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from pytest_navigator.backends.python.source import PythonSource
    from pytest_navigator.core.script_parts import Subject


class PythonRunner(Runner):
    """The user's function itself."""

    def activate(self) -> None:
        """Take the function."""
        self.function = cast("PythonSource", self.artifact).model

    def deactivate(self) -> None:
        """Let go of it."""
        del self.function

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one inference on copies of the arrays."""
        import numpy as np

        leaves = by_name(self.signature, self.bind(feed)())
        return {name: np.array(leaf) for name, leaf in leaves.items()}

    def bind(self, feed: Mapping[str, np.ndarray]) -> Callable[[], object]:
        """Return the call with copies of the arrays."""
        import numpy as np

        call = unflatten_call(self.signature.input_tree, {name: np.array(array) for name, array in feed.items()})
        return partial(self.function, *call.args, **call.kwargs)

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the call of the function, on copies: it may write into its arguments."""
        from pytest_navigator.reproduce.code import converted, imports_of, model_call, paths

        signature = subject.signature
        return RunnerCode(
            load="",
            prepare="x = {name: np.array(array) for name, array in feed.items()}",
            call=f"y = model({model_call(signature)})",
            outputs=converted(paths(signature.output_tree, "y"), "np.array"),
            imports=tuple(imports_of(signature.input_tree)),
        )
