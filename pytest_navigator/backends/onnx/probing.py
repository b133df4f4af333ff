"""An ONNX file in ONNX Runtime, in parts, with more outputs, with and without its optimizer."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.onnx.cutting import cut, produced, types
from pytest_navigator.backends.onnx.node_places import place
from pytest_navigator.comparison.divergence import Segment
from pytest_navigator.comparison.local_errors import described, local_error, magnitude, unit_of
from pytest_navigator.runners.outputs import given_names, outputs_asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np

    from pytest_navigator.backends.onnx.cutting import Model
    from pytest_navigator.backends.onnx.runners import OnnxRunner
    from pytest_navigator.formats.stack_lines import Place

    Arrays = Mapping[str, np.ndarray]

IN_MEMORY = 1_500_000_000  # B of a model that is handed on without a file
AT_ONCE = 2**30  # B of values that one session takes and gives


class Probe:
    """Sessions with the settings of a runner.

    Args:
        runner: not activated; its artifact is the file.
        model: what is run in place of the file, with all its weights; None: the file.
    """

    def __init__(self, runner: OnnxRunner, model: Model | None = None) -> None:
        import onnx

        self.runner = runner
        self.path = Path(str(runner.artifact))
        self.model = onnx.load(self.path, load_external_data=False) if model is None else model
        self.nodes = produced(self.model)
        held = {each.name for each in self.model.graph.initializer}
        self._inputs = given_names(
            runner.signature, [each.name for each in self.model.graph.input if each.name not in held]
        )
        self.outputs, self.results = outputs_asked(runner.signature, [each.name for each in self.model.graph.output])

    def run(self, model: Model, feed: Arrays, names: Sequence[str] | None = None, *, optimized: bool = True) -> Arrays:
        """Run a model once.

        Args:
            feed: by the names of its inputs; more may be there.
            names: of the outputs; None: all.
            optimized: as the runner's settings say; otherwise as the file is.
        """
        session = self._session(model, optimized=optimized)
        wanted = [each.name for each in session.get_outputs()] if names is None else list(names)
        taken = {each.name: feed[each.name] for each in session.get_inputs()}
        return dict(zip(wanted, session.run(wanted, taken), strict=True))

    def prepared(self, model: Model | None = None) -> Callable[[Arrays], list[np.ndarray]]:
        """Return what runs the file, or another model, as often as it is called, and gives the file's outputs.

        It takes arrays by the names of the inputs.
        """
        session = self._session(model or self.model, optimized=True)
        taken = [each.name for each in session.get_inputs()]
        return lambda feed: list(session.run(self.outputs, {name: feed[name] for name in taken}))

    def whole(self, feed: Arrays, model: Model | None = None, *, optimized: bool = True) -> Arrays:
        """Run the file, or a model with more outputs, on arrays by the signature's names; outputs by these too."""
        found = self.run(model or self.model, self.named(feed), self.outputs, optimized=optimized)
        return dict(zip(self.results, found.values(), strict=True))

    def named(self, feed: Arrays) -> dict[str, np.ndarray]:
        """Return inputs by the names that the file has for them."""
        return {own: feed[name] for own, name in self._inputs.items()}

    def comparable(self, right: Arrays) -> list[str]:
        """Return the values of the file that are known, in its order, as far as they have the same type there."""
        said = types(self.model)
        return [
            name
            for name in self.nodes
            if name in right and said.get(name, right[name].dtype.name) == right[name].dtype.name
        ]

    def local(
        self,
        names: Sequence[str],
        right: Arrays,
        feed: Arrays,
        places: Mapping[str, Place],
        run: Callable[[Model, Arrays, Sequence[str]], Arrays] | None = None,
    ) -> list[Segment]:
        """Compute values from the nearest right ones, all in one session, and compare.

        Args:
            names: of the values, in order; right: of all that are known.
            feed: by the file's names.
            places: of operations, by the name of their value, where the file says nothing.
            run: computes the outputs of a model from its inputs; None: ONNX Runtime.
        """
        part = cut(self.model, right, names)
        given = {each.name: _read(each.name, right, feed) for each in part.graph.input}
        found = (run or self.run)(part, given, names)
        return [self._segment(name, found[name], right, feed, places) for name in names]

    def part(self, name: str, right: Arrays, feed: Arrays) -> tuple[Model, dict[str, np.ndarray]]:
        """Return what computes one value from the nearest right ones, and these by the names of its inputs."""
        part = cut(self.model, right, [name])
        return part, {each.name: _read(each.name, right, feed) for each in part.graph.input}

    def place(self, name: str, places: Mapping[str, Place]) -> Place:
        """Return where a value comes from: what the file says, where that has a line, else what is known otherwise."""
        found = place(self.nodes[name])
        return found if found[2] else places.get(name, found)

    def _segment(
        self, name: str, found: np.ndarray, right: Arrays, feed: Arrays, places: Mapping[str, Place]
    ) -> Segment:
        module, operator, location = self.place(name, places)
        return Segment(
            name,
            operator,
            local_error(found, right[name]),
            magnitude(right[name]),
            self.nodes[name].name,
            module,
            location,
            output=described(right[name]),
            precision=unit_of(right[name]),
        )

    def _session(self, model: Model, *, optimized: bool) -> Any:
        import onnx
        import onnxruntime

        options = self.runner.session_options()
        if not optimized:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        external = any(each.external_data for each in model.graph.initializer)
        if not external and model.ByteSize() < IN_MEMORY:
            return self.runner.load(options, model.SerializeToString())
        # Beside the file, whose weights may be in another one.
        with tempfile.NamedTemporaryFile(dir=self.path.parent, prefix=".part", suffix=".onnx") as file:
            onnx.save_model(model, file.name)
            return self.runner.load(options, file.name)


def groups(names: Sequence[str], right: Arrays) -> Iterator[list[str]]:
    """Yield values in groups that are not too large for one session, each of which takes and gives all of them."""
    group: list[str] = []
    size = 0
    for name in names:
        if group and size + right[name].nbytes > AT_ONCE:
            yield group
            group, size = [], 0
        group.append(name)
        size += right[name].nbytes
    if group:
        yield group


def bisected(names: Sequence[str], enough: Callable[[Sequence[str]], bool]) -> list[str]:
    """Return a few of the values that together are enough, one if there is such a one, by halving."""
    found = list(names)
    while len(found) > 1:
        middle = len(found) // 2
        half = next((part for part in (found[:middle], found[middle:]) if enough(part)), None)
        if half is None:
            break
        found = half
    return found


def _read(name: str, right: Arrays, feed: Arrays) -> np.ndarray:
    import numpy as np

    from pytest_navigator.backends.onnx.cutting import RIGHT

    array = feed[name] if name in feed else right[name.removesuffix(RIGHT)]
    return np.ascontiguousarray(array).reshape(array.shape)
