"""ONNX files in ONNX Runtime."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pytest_navigator.backends.onnx.assignment import ENTRY, assignment, told
from pytest_navigator.backends.onnx.errors import cause
from pytest_navigator.backends.onnx.ort_session import ENUMERATIONS, bound, set_option, unsafe
from pytest_navigator.backends.onnx.ort_values import array_of, numpy_name, ort_value
from pytest_navigator.backends.onnx.remedies import remedy
from pytest_navigator.configuration.foreign_options import SESSION_OPTIONS
from pytest_navigator.errors import ConfigError, StepFailed, unknown
from pytest_navigator.runners.base import Runner
from pytest_navigator.runners.outputs import given_names, outputs_asked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from pytest_navigator.core.execution import NodeAssignment
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.script_parts import RunnerCode, Subject
    from pytest_navigator.runners.base import Direct


# What numpy knows only through ml_dtypes: ONNX Runtime takes and gives it as OrtValue alone, never through `run`.
FOREIGN = re.compile(r"bfloat16|float[48]_\w+|u?int[24]")

FATAL = 4  # The severity of logging at which ONNX Runtime says nothing but its end

NUMPY = {"float": "float32", "double": "float64", "string": "str"}


class OnnxRunner(Runner):
    """`onnxruntime.InferenceSession` with one execution provider."""

    provider: ClassVar[str] = "CPUExecutionProvider"

    behind: ClassVar[tuple[str, ...]] = ()
    """Providers that run what `provider` cannot, before the CPU does."""

    def activate(self) -> None:
        """Load the file.

        Raises:
            StepFailed: ONNX Runtime cannot load it, or runs it on another provider than this runner's.
        """
        import onnxruntime

        options = self.session_options()
        if self.recording and told():
            options.add_session_config_entry(ENTRY, "1")
        try:
            self.session = self.load(options)
        except Exception as error:
            found = [cause(str(error)), remedy(Path(str(self.artifact)), str(error), self._loads)]
            text = f"ONNX Runtime {onnxruntime.__version__} cannot load the file: {'; '.join(filter(None, found))}"
            raise StepFailed(text, str(error), type(error).__name__) from error
        if (found := self.session.get_providers()[0]) != self.provider:
            raise StepFailed(f"{self.name}: ONNX Runtime fell back from {self.provider} to {found}")
        self._inputs = {node.name: _numpy_name(node.type) for node in self.session.get_inputs()}
        self._names = given_names(self.signature, list(self._inputs))
        outputs = {node.name: _numpy_name(node.type) for node in self.session.get_outputs()}
        own = [node.name for node in self.session.get_outputs()]
        self._outputs, self._results = outputs_asked(self.signature, own)
        types = {*self._inputs.values(), *outputs.values()}
        self._plain = not any(FOREIGN.fullmatch(kind) for kind in types)
        self._has_text = "str" in outputs.values()

    def load(self, options: Any, model: str | bytes = "") -> Any:
        """Return a session; a provider that is a library of its own is added to the options here.

        Args:
            model: path or content of another file than the artifact.
        """
        import onnxruntime

        without = {"disabled_optimizers": found} if (found := unsafe(self.parameters)) else {}
        return onnxruntime.InferenceSession(model or str(self.artifact), options, providers=self.providers(), **without)

    @classmethod
    def providers(cls) -> list[str]:
        """Return the providers of a session, in order."""
        return list(dict.fromkeys((cls.provider, *cls.behind, "CPUExecutionProvider")))

    def deactivate(self) -> None:
        """Free the session."""
        del self.session

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one inference on arrays.

        Raises:
            StepFailed: an array has another type than the file's input, or is missing.
        """
        feed = self._checked(feed)
        if self._plain:
            return self._run(feed)
        binding = self._binding(feed, "cpu")
        self.session.run_with_iobinding(binding)
        return self._named([array_of(value) for value in binding.get_outputs()])

    def direct(self, arrays: str) -> Direct | None:
        """Return the run of the session, if it takes numpy's arrays and the file has the types of the signature."""
        types = {spec.name: spec.dtype for spec in self.signature.inputs}
        if arrays != "numpy" or not self._plain or {n: types.get(h) for n, h in self._names.items()} != self._inputs:
            return None
        # Where the names are the file's own no dict is made anew: a call of a small session takes microseconds itself.
        if list(self._names) == list(types):
            return self._run
        return lambda feed: self._run({name: feed[here] for name, here in self._names.items()})

    def _run(self, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        values = self.session.run(self._outputs, feed)
        if self._has_text:
            return self._named(values)
        return dict(zip(self._results, values))  # noqa: B905 (as many as were asked for; each check costs)

    def _named(self, values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        if self._has_text:
            values = [_text(value) for value in values]
        return dict(zip(self._results, values, strict=True))

    def watched(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Follow the graph of the file."""
        import numpy as np

        from pytest_navigator.backends.onnx.watch import watched

        return {name: np.array(found.text) for name, found in watched(cast("Path", self.artifact)).items()}

    def bind(self, feed: Mapping[str, np.ndarray]) -> Callable[[], object]:
        """Return `session.run` on arrays, or on bound values where `run` cannot take the types."""
        feed = self._checked(feed)
        if self._plain:
            return partial(self.session.run, None, feed)
        return partial(self.session.run_with_iobinding, self._binding(feed, "cpu"))

    def settings(self) -> dict[str, JSON]:
        """Threads (0: as many as there are cores), optimisation level and providers."""
        options = self.session.get_session_options()
        return {
            "intra_op_num_threads": options.intra_op_num_threads,
            "inter_op_num_threads": options.inter_op_num_threads,
            "graph_optimization_level": options.graph_optimization_level.name,
            "execution_mode": options.execution_mode.name,
            "providers": self.session.get_providers(),
        }

    def nodes(self) -> NodeAssignment:
        """Which provider runs each node: a session whose first provider is this runner's may have others run some."""
        return assignment(self.session, self.provider, Path(str(self.artifact)))

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the run of a session."""
        from pytest_navigator.backends.onnx.running_code import runner_code

        options = subject.variant.parameters.get("custom_args", {}).get(SESSION_OPTIONS, {})
        return runner_code(subject, (cls.provider, *cls.behind), cls.device, options)

    def session_options(self) -> Any:
        """Return the options of a session, with those of the variant.

        Raises:
            ConfigError: ONNX Runtime has no such option.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        for name, value in self.parameters.get("custom_args", {}).get(SESSION_OPTIONS, {}).items():
            if name.startswith("_") or not hasattr(options, name):
                raise ConfigError(f"session_options: onnxruntime.SessionOptions has no attribute {name!r}")
            if callable(getattr(options, name)):
                _called(options, name, value)
            else:
                _check_member(name, value)
                set_option(options, name, value)
        if self.single_thread:
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            for pool in ("intra_op", "inter_op"):
                options.add_session_config_entry(f"session.{pool}.allow_spinning", "0")
        return options

    def _checked(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the arrays that the file takes; ONNX Runtime's own errors name no input."""
        import numpy as np

        for name, wanted in self._inputs.items():
            here = self._names[name]
            if here not in feed:
                raise StepFailed(f"the ONNX file has an input {name!r}, the model has {sorted(feed)}")
            found = feed[here].dtype
            if wanted != found.name and not (wanted == "str" and found.kind in "OUST"):
                raise StepFailed(f"input {here!r} is {found.name}, the ONNX file takes {wanted}")
        arrays = {name: feed[self._names[name]] for name in self._inputs}
        # A scalar would have an axis: ascontiguousarray gives at least one.
        return {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}

    def _loads(self, content: bytes) -> object:
        """Load a file's content as the file is, but quietly."""
        import onnxruntime

        options = self.session_options()
        options.log_severity_level = FATAL
        return onnxruntime.InferenceSession(content, options, providers=[self.provider])

    def _binding(self, feed: Mapping[str, np.ndarray], device: str) -> Any:
        return bound(self.session, feed, self._outputs, device)


class OnnxCUDA(OnnxRunner):
    """ONNX Runtime on a GPU; nodes that CUDA does not know run on the CPU."""

    provider: ClassVar[str] = "CUDAExecutionProvider"

    def activate(self) -> None:
        """Load the file, with the CUDA libraries that Python packages brought."""
        import onnxruntime

        onnxruntime.preload_dlls()
        super().activate()

    def bind(self, feed: Mapping[str, np.ndarray]) -> Callable[[], object]:
        """Return the run on inputs and outputs that are on the device, until the device is done."""
        binding = self._binding(self._checked(feed), self.device)
        run = self.session.run_with_iobinding

        def call() -> object:
            run(binding)
            binding.synchronize_outputs()
            return binding

        return call

    def copies(self, feed: Mapping[str, np.ndarray], returned: Any) -> Callable[[], object] | None:
        """Return the copies to the device and back; None for types that numpy does not have."""
        if not self._plain:
            return None
        feed = self._checked(feed)

        def copy() -> None:
            for array in feed.values():
                ort_value(array, self.device)
            returned.copy_outputs_to_cpu()

        return copy


class OnnxTensorRT(OnnxCUDA):
    """ONNX Runtime with TensorRT, which builds engines while the file is loaded; the rest runs with CUDA."""

    provider: ClassVar[str] = "TensorrtExecutionProvider"
    behind: ClassVar[tuple[str, ...]] = ("CUDAExecutionProvider",)

    def activate(self) -> None:
        """Load the file, with the libraries that the Python package of TensorRT brought."""
        with suppress(ImportError):
            import_module("tensorrt")
        super().activate()


def _check_member(name: str, value: JSON) -> None:
    if name not in ENUMERATIONS:
        return
    import onnxruntime

    members = getattr(onnxruntime, ENUMERATIONS[name]).__members__
    if value not in members:
        raise unknown(f"value of session_options[{name!r}]", str(value), members)


def _called(options: Any, name: str, value: JSON) -> None:
    """Call a method of the options, like `register_custom_ops_library`, with its argument or list of arguments."""
    try:
        set_option(options, name, value)
    except Exception as error:
        text = f"session_options: {name}({value!r}) failed: {cause(str(error))}"
        raise StepFailed(text, str(error), type(error).__name__) from error


def _numpy_name(kind: str) -> str:
    """Return numpy's name of an ONNX Runtime type, "float32" for "tensor(float)"."""
    found = numpy_name(kind)
    return NUMPY.get(found, found)


def _text(value: np.ndarray) -> np.ndarray:
    """Return text as numpy's own type; ONNX Runtime gives Python objects."""
    return value.astype(str) if value.dtype == object else value
