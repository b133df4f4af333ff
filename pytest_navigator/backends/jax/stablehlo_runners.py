"""Files of `jax.export`: arrays in, a tuple of arrays out."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pytest_navigator.backends.jax.runners import JaxRunner
from pytest_navigator.backends.jax.source import JaxFramework
from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_navigator.core.script_parts import RunnerCode, Subject
    from pytest_navigator.runners.base import Direct


class StableHLORunner(JaxRunner):
    """`jax.export.deserialize`, compiled by XLA for each shape that comes in."""

    def load(self) -> Callable[..., object]:
        """Return the call of the file's function.

        Raises:
            StepFailed: the file cannot be read, or is not for this runner's platform.
        """
        import jax

        from pytest_navigator.backends.jax.exports import read_stablehlo

        try:
            exported = read_stablehlo(str(self.artifact))
        except Exception as error:
            raise StepFailed(f"jax.export cannot read the file: {error}", kind=type(error).__name__) from error
        if self.device not in exported.platforms:
            raise StepFailed(f"the file is for {', '.join(exported.platforms)}, not for {self.device}")
        return cast("Callable[..., object]", jax.jit(exported.call))

    def direct(self, arrays: str) -> Direct | None:
        """Return the inference on JAX's arrays, which nobody can change; it returns when the results are there."""
        import jax

        if arrays != "jax" or self.device != "cpu":
            return None
        framework, wait = JaxFramework(), jax.block_until_ready

        def run(arrays: dict[str, jax.Array]) -> dict[str, object]:
            outputs = wait(self.run(arrays))
            return {
                name: leaf if isinstance(leaf, jax.Array) else framework.from_numpy(framework.to_numpy(leaf))
                for name, leaf in outputs.items()
            }

        return run

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the call of the loaded file."""
        from pytest_navigator.backends.jax import running_code as text
        from pytest_navigator.backends.jax.exports import read_stablehlo

        return text.by_position(
            subject, "model = jax.jit(read_stablehlo(args.artifact).call)", cls.device, read_stablehlo
        )
