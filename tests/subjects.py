"""What a format or a runner asks of a model, whatever its framework: samples, signature, and a comparison."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pytest_navigator.core.records import Signature, TensorSpec
from pytest_navigator.formats.ways import Way, chosen, first_that_makes
from pytest_navigator.samples.npz import dtype_name
from pytest_navigator.samples.structure import flatten_call, flatten_output

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.formats.base import Format
    from pytest_navigator.frameworks.base import Framework
    from pytest_navigator.runners.base import Runner

BATCH = {0: "batch"}


@dataclass
class Subject:
    """A model with everything that a format or a runner asks of it; `sample(n)` is a sample of batch size n."""

    framework: ClassVar[Framework]

    model: Any
    sample: Callable[[int], object]
    axes: dict[str, dict[int, str]] = field(default_factory=dict)
    example_size: int = 2
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.source: Any = self.framework.source(self.model, {})
        self.example = self.feed(self.sample(self.example_size))
        sample = self.sample(self.example_size)
        input_tree, inputs = self._flat(sample)
        output_tree, outputs = self._run(sample)
        specs = [tuple(self._spec(name, array) for name, array in arrays.items()) for arrays in (inputs, outputs)]
        self.signature = Signature(specs[0], specs[1], input_tree, output_tree, 0, self.framework.name)

    def feed(self, sample: object) -> dict[str, np.ndarray]:
        return self._flat(sample)[1]

    def expected(self, sample: object) -> dict[str, np.ndarray]:
        return self._run(sample)[1]

    def export(
        self, format: Format, config: FormatConfig, path: Path, index: int = 0
    ) -> tuple[Variant, dict[str, Any]]:
        variant = format.variants(config, [])[index]

        def attempt(way: Way) -> dict[str, Any]:
            return format.export(self.source, self.example, self.signature, chosen(variant, way), path / variant.file)

        return variant, first_that_makes(format.ways(variant, self.framework.name), attempt).value

    def check(self, runner: Runner, sizes: tuple[int, ...] = (1, 2, 5), atol: float = 1e-5) -> None:
        """Compare a runner with the source at several batch sizes."""
        with runner:
            for size in sizes:
                self.check_sample(runner, self.sample(size), atol)

    def check_sample(self, runner: Runner, sample: object, atol: float = 1e-5) -> None:
        found, expected = runner.infer(self.feed(sample)), self.expected(sample)
        assert list(found) == list(expected)
        for name, array in expected.items():
            assert found[name].shape == array.shape
            if array.dtype.kind == "U":  # whose width is that of the longest text
                assert (dtype_name(found[name].dtype), found[name].tolist()) == ("str", array.tolist())
            else:
                assert found[name].dtype == array.dtype
                np.testing.assert_allclose(found[name].astype("f8"), array.astype("f8"), atol=atol, rtol=1e-5)

    def arguments(self, sample: object) -> tuple[Any, Any]:
        """Return what the source is called with."""
        call = self.source.call_of(sample)
        return call.args, call.kwargs

    def _flat(self, sample: object) -> tuple[Any, dict[str, np.ndarray]]:
        call = self.source.call_of(sample)
        names = self.names or self.source.input_names(call)
        return flatten_call(call, self.source.parameter_names(), names, self.framework)

    def _run(self, sample: object) -> tuple[Any, dict[str, np.ndarray]]:
        return flatten_output(self.source.call(*self.arguments(sample)), None, self.framework)

    def _spec(self, name: str, array: np.ndarray) -> TensorSpec:
        axes = self.axes.get(name, BATCH if array.ndim else {})
        shape = tuple(-1 if axis in axes else size for axis, size in enumerate(array.shape))
        return TensorSpec(name, shape, dtype_name(array.dtype), dict(axes), axes.get(0) == "batch")
