"""Any Python function of numpy arrays: no framework, no parameters that could be told."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.errors import SourceError
from pytest_navigator.frameworks.base import Source
from pytest_navigator.frameworks.numpy_arrays import NumpyFramework
from pytest_navigator.frameworks.state import numpy_array
from pytest_navigator.frameworks.surroundings import restored
from pytest_navigator.samples.flattening import type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    import numpy as np

    from pytest_navigator.core.plain import Parameters

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class PythonFramework(NumpyFramework):
    """Callables of numpy arrays."""

    name: ClassVar[str] = "python"

    def is_array(self, value: object) -> bool:
        """Whether `value` is a numpy array.

        Raises:
            SourceError: it is an array of a framework, which numpy would convert silently.
        """
        import numpy as np

        if not isinstance(value, np.ndarray | np.generic) and hasattr(type(value), "__dlpack__"):
            raise SourceError(
                f"a callable takes and gives numpy arrays, this is a {type_name(value)}: convert it in the function "
                "and the loader; if nav_model is a model of that framework, name it: NavConfig(framework=...)"
            )
        return isinstance(value, np.ndarray)

    def to_numpy(self, array: object) -> np.ndarray:
        """Copy an array."""
        import numpy as np

        return np.array(array)

    def from_numpy(self, array: np.ndarray, device: str = "cpu") -> np.ndarray:
        """Copy an array: a function that writes into its arguments does not change the sample."""
        import numpy as np

        return np.array(array)

    def source(self, model: object, parameters: Parameters) -> PythonSource:
        """Wrap a function, a bound method or an object with `__call__`."""
        if inspect.isclass(model):
            raise SourceError(f"the model is the class {model.__name__}: an instance of it is needed")
        if not callable(model):
            raise SourceError(f"the model is {type_name(model)}, which cannot be called: a function is needed")
        return PythonSource(self, model)


class PythonSource(Source):
    """A live callable."""

    def __init__(self, framework: PythonFramework, model: Callable[..., object]) -> None:
        self.framework = framework
        self.model: Callable[..., object] = model

    def check(self) -> None:
        """Refuse what looks like a function, but gives no arrays when it is called.

        Raises:
            SourceError: with what to write.
        """
        called = self.model if inspect.isroutine(self.model) else type(self.model).__call__
        if inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called):
            raise SourceError("the model is an async function: one is needed that calls it with asyncio.run")
        if inspect.isgeneratorfunction(called):
            raise SourceError("the model is a generator function: one is needed that returns its arrays")

    def fingerprint(self) -> str | None:
        """Return None: the outputs tell one callable from another."""
        return None

    def parameter_names(self) -> Sequence[str]:
        """Names of the positional parameters; none of a function in C that does not tell them."""
        try:
            parameters = inspect.signature(self.model).parameters.values()
        except (TypeError, ValueError):
            return []
        return [parameter.name for parameter in parameters if parameter.kind in POSITIONAL]

    def call(self, args: Sequence[object], kwargs: dict[str, Any]) -> object:
        """Call it."""
        return self.model(*args, **kwargs)

    def device(self) -> str:
        """Return where numpy's arrays are."""
        return "cpu"

    def precision(self) -> str:
        """Return "": the types of the outputs decide."""
        return ""

    def preserved(self) -> AbstractContextManager[None]:
        """Put back what the callable keeps, and what it writes into its own arrays."""
        import numpy as np

        return restored([self.model], numpy_array, lambda value: isinstance(value, np.ndarray))
