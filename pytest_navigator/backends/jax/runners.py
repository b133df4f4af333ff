"""The live JAX model: as the user wrote it, and compiled."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pytest_navigator.backends.jax.source import JaxFramework, jax_device
from pytest_navigator.errors import NotApplicable
from pytest_navigator.runners.base import Runner
from pytest_navigator.runners.outputs import by_name, copying, in_order
from pytest_navigator.samples.structure import call_builders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import jax
    import numpy as np

    from pytest_navigator.backends.jax.source import JaxSource
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.script_parts import RunnerCode, Subject

    Arguments = tuple[Sequence[object], dict[str, object]]


class JaxRunner(Runner):
    """A callable of JAX on one device: subclasses say how it is loaded, called and read."""

    function: Callable[..., object]

    @abstractmethod
    def load(self) -> Callable[..., object]:
        """Return what is called, on `self.device`."""

    def arguments(self, arrays: dict[str, jax.Array]) -> Arguments:
        """Return the positional and keyword arguments of one call: the arrays in the order of the signature."""
        return tuple(arrays.values()), {}

    def outputs(self, value: object) -> dict[str, object]:
        """Return the arrays of a return value by output name."""
        return in_order(self.signature, cast("Sequence[object]", value))

    def activate(self) -> None:
        """Load the function onto the device."""
        self._args, self._kwargs = call_builders(self.signature.input_tree)
        self.function = self.load()

    def deactivate(self) -> None:
        """Free the function and what was compiled for it."""
        del self.function

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one inference on arrays."""
        to_numpy = JaxFramework().to_numpy
        return {name: to_numpy(leaf) for name, leaf in self.run(self._arrays(feed)).items()}

    def run(self, arrays: dict[str, jax.Array]) -> dict[str, object]:
        """Run one inference on arrays on its device."""
        args, kwargs = self.arguments(arrays)
        return self.outputs(self.function(*args, **kwargs))

    def bind(self, feed: Mapping[str, np.ndarray]) -> Callable[[], object]:
        """Return the call on arrays on its device until the results are there, compiled for them if it compiles."""
        import jax

        args, kwargs = self.arguments(self._arrays(feed))
        function, wait = partial(self.function, *args, **kwargs), jax.block_until_ready

        def call() -> object:
            return wait(function())

        call()
        return call

    def copies(self, feed: Mapping[str, np.ndarray], returned: object) -> Callable[[], object]:
        """Return the copies to the GPU and back."""
        import jax

        outputs = self.outputs(returned)
        return copying(lambda: jax.block_until_ready(self._arrays(feed)), outputs, JaxFramework().to_numpy)

    def settings(self) -> dict[str, JSON]:
        """Device and precision of the computations."""
        import jax

        return {
            "device": jax_device(self.device).device_kind,
            "default_matmul_precision": jax.config.jax_default_matmul_precision,
            "enable_x64": jax.config.jax_enable_x64,
        }

    def _arrays(self, feed: Mapping[str, np.ndarray]) -> dict[str, jax.Array]:
        framework = JaxFramework()
        return {spec.name: framework.from_numpy(feed[spec.name], self.device) for spec in self.signature.inputs}


class LiveJaxRunner(JaxRunner):
    """The user's model, called as the user wrote it: itself where it is, a copy of its parameters anywhere else."""

    def load(self) -> Callable[..., object]:
        """Return the model with its parameters on this runner's device."""
        source = cast("JaxSource", self.artifact)
        there = source.device().partition(":")[0] == self.device
        return source.function() if there else source.function(self.parameters_here())

    def parameters_here(self) -> dict[str, Any]:
        """Return the parameters on this runner's device."""
        import jax

        return cast("dict[str, Any]", jax.device_put(cast("JaxSource", self.artifact).arrays, jax_device(self.device)))

    def arguments(self, arrays: dict[str, jax.Array]) -> Arguments:
        """Return the structures of the source."""
        return self._args(arrays), self._kwargs(arrays)

    def outputs(self, value: object) -> dict[str, object]:
        """Return the leaves of the source's structure by name."""
        return by_name(self.signature, value)

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the call of the live model."""
        from pytest_navigator.backends.jax import running_code as text

        return text.live_code(subject, cls.device)


class JAXJitRunner(LiveJaxRunner):
    """`jax.jit` of the whole model, with the parameters as an argument."""

    diagnosis: ClassVar[str] = "pytest_navigator.backends.jax.diagnosis:JaxDiagnosis"
    keeps: ClassVar[bool] = True

    def load(self) -> Callable[..., object]:
        """Return the compiled function of the arrays."""
        import jax

        from pytest_navigator.backends.jax.flat import flat_function

        flat, _ = flat_function(cast("JaxSource", self.artifact), self.signature)
        return partial(jax.jit(flat, **self.parameters.get("custom_args", {})), self.parameters_here())

    def arguments(self, arrays: dict[str, jax.Array]) -> Arguments:
        """Return the arrays in the order of the signature."""
        return JaxRunner.arguments(self, arrays)

    def outputs(self, value: object) -> dict[str, object]:
        """Return the arrays in the order of the signature."""
        return JaxRunner.outputs(self, value)

    def run(self, arrays: dict[str, jax.Array]) -> dict[str, object]:
        """Run one inference on arrays on its device.

        Raises:
            NotApplicable: what the model does depends on values, which a compiled function cannot see.
        """
        import jax

        try:
            return super().run(arrays)
        except (jax.errors.ConcretizationTypeError, jax.errors.NonConcreteBooleanIndexError) as error:
            first = str(error).splitlines()[0]
            raise NotApplicable(f"jax.jit cannot compile the model, which looks at values: {first}") from error
        except jax.errors.TracerArrayConversionError as error:
            raise NotApplicable("jax.jit cannot compile the model, which makes numpy arrays of its arrays") from error

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the call of the compiled model."""
        from pytest_navigator.backends.jax import running_code as text

        return text.jit_code(subject, cls.device, subject.variant.parameters.get("custom_args", {}))
