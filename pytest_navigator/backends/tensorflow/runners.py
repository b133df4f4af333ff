"""TensorFlow: the live model in the process, and SavedModels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from pytest_navigator.backends.tensorflow.names import names_in_file
from pytest_navigator.backends.tensorflow.source import TensorFlowFramework, placed
from pytest_navigator.errors import StepFailed
from pytest_navigator.runners.base import Runner
from pytest_navigator.runners.outputs import by_name, copying, numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import tensorflow as tf

    from pytest_navigator.backends.tensorflow.source import TensorFlowSource
    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.script_parts import RunnerCode, Subject
    from pytest_navigator.runners.base import Direct

SIGNATURE = "serving_default"  # What TensorFlow, and every server, takes where nobody says which signature


class TensorFlowRunner(Runner):
    """A callable of TensorFlow on one device: subclasses say how it is loaded, called and read."""

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one inference on arrays."""
        with placed(self.device):
            value = self.call(self.tensors(feed))()
        framework = TensorFlowFramework()
        return {name: framework.to_numpy(leaf) for name, leaf in self.outputs(value).items()}

    def direct(self, arrays: str) -> Direct | None:
        """Return the inference on tensors, which nobody can change; where there is a GPU, they may be on it."""
        import tensorflow as tf

        if arrays != "tensorflow" or tf.config.list_logical_devices("GPU"):
            return None
        framework, own = TensorFlowFramework(), type(tf.constant(0))

        def run(tensors: dict[str, tf.Tensor]) -> dict[str, object]:
            outputs = self.outputs(self.call(tensors)())
            return {
                name: leaf if type(leaf) is own else framework.from_numpy(framework.to_numpy(leaf))
                for name, leaf in outputs.items()
            }

        return run

    def bind(self, feed: Mapping[str, np.ndarray]) -> Callable[[], object]:
        """Return the call on tensors on the device; on a GPU it returns when that is done."""
        call = self.call(self.tensors(feed))
        return call if self.device == "cpu" else partial(_synchronized, call)

    def copies(self, feed: Mapping[str, np.ndarray], returned: object) -> Callable[[], object]:
        """Return the copies to the GPU and back; what is read waits for what was written."""
        return copying(partial(self.tensors, feed), self.outputs(returned), TensorFlowFramework().to_numpy)

    def call(self, tensors: dict[str, tf.Tensor]) -> Callable[[], object]:
        """Return the bare call."""
        raise NotImplementedError

    def outputs(self, value: Any) -> dict[str, object]:
        """Return the tensors of a return value by output name."""
        raise NotImplementedError

    def settings(self) -> dict[str, JSON]:
        """Threads (0: as many as there are cores), and on a GPU the precision of float32 products."""
        import tensorflow as tf

        threading = tf.config.threading
        found: dict[str, JSON] = {
            "threads": threading.get_intra_op_parallelism_threads(),
            "interop_threads": threading.get_inter_op_parallelism_threads(),
        }
        if self.device == "cuda":
            found["tf32"] = tf.config.experimental.tensor_float_32_execution_enabled()
        return found

    def tensors(self, feed: Mapping[str, np.ndarray]) -> dict[str, tf.Tensor]:
        """Return arrays as tensors on this runner's device."""
        framework = TensorFlowFramework()
        return {spec.name: framework.from_numpy(feed[spec.name], self.device) for spec in self.signature.inputs}


class LiveTensorFlowRunner(TensorFlowRunner):
    """The user's model, called as it is: a Keras model eagerly, a tf.function as a graph."""

    def activate(self) -> None:
        """There is nothing to load."""
        self._source: TensorFlowSource | None = cast("TensorFlowSource", self.artifact)

    def deactivate(self) -> None:
        """Let go of the model."""
        self._source = None

    def call(self, tensors: dict[str, tf.Tensor]) -> Callable[[], object]:
        """Return the call with the structures of the source."""
        from pytest_navigator.samples.structure import unflatten_call

        assert self._source is not None
        call = unflatten_call(self.signature.input_tree, tensors)
        return partial(self._source.function, *call.args, **call.kwargs)

    def outputs(self, value: Any) -> dict[str, object]:
        """Return the leaves of the source's structure."""
        return by_name(self.signature, value)

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the call of the live model."""
        from pytest_navigator.backends.tensorflow import running_code as text

        return text.live_code(subject, cls.device)


class SavedModelRunner(TensorFlowRunner):
    """A signature of a SavedModel; its inputs are fed by name, for their order changes from load to load.

    Attributes:
        function, signature_name: the signature that runs, and its name; once it is loaded.
    """

    def activate(self) -> None:
        """Load the folder.

        Raises:
            StepFailed: the file has no signature, or takes other inputs than the model.
        """
        import tensorflow as tf

        with placed(self.device):
            # The functions of a SavedModel die with the object that was loaded.
            self._loaded = tf.saved_model.load(str(self.artifact))
        self.signature_name = signature_name(list(self._loaded.signatures), self.parameters)
        self.function = self._loaded.signatures[self.signature_name]
        found = sorted(self.function.structured_input_signature[1])
        self._names, self._results = names_in_file(self.signature)
        if unknown := set(found) ^ set(self._names):
            names = sorted(self._names)
            raise StepFailed(f"the SavedModel takes the inputs {found}, the model {names}: {sorted(unknown)} differ")

    def deactivate(self) -> None:
        """Free what was loaded."""
        del self.function, self._loaded

    def call(self, tensors: dict[str, tf.Tensor]) -> Callable[[], object]:
        """Return the call of the signature."""
        return partial(self.function, **self.named(tensors))

    def named(self, tensors: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return inputs by the file's own names."""
        return {theirs: tensors[ours] for theirs, ours in self._names.items()}

    def watched(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Follow the graph of the signature."""
        import numpy as np

        from pytest_navigator.backends.tensorflow.watch import watched

        return {name: np.array(found.text) for name, found in watched(self.function).items()}

    def outputs(self, value: Any) -> dict[str, object]:
        """Return the outputs by name; those of a file that has others are numbered."""
        if set(self._results) != set(value):
            return numbered(list(value.values()))
        return {ours: value[theirs] for theirs, ours in self._results.items()}

    def structured(self, feed: Mapping[str, np.ndarray]) -> object:
        """Return the outputs by the file's own names."""
        found = self.infer(feed)
        return {theirs: found[ours] for theirs, ours in self._results.items()}

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the call of the loaded signature."""
        from pytest_navigator.backends.tensorflow import running_code as text

        return text.savedmodel_code(subject, cls.device, subject.variant.parameters.get("signature") or SIGNATURE)


def signature_name(names: list[str], parameters: Parameters) -> str:
    """Return the signature of a SavedModel that is run: the configured one, "serving_default", or the only one.

    Raises:
        StepFailed: there is none, or it is not clear which.
    """
    wanted = parameters.get("signature")
    if wanted or SIGNATURE in names:
        name = str(wanted or SIGNATURE)
        if name in names:
            return name
        raise StepFailed(f"the SavedModel has no signature {name!r}, only: {', '.join(sorted(names)) or 'none'}")
    if len(names) == 1:
        return names[0]
    if not names:
        raise StepFailed("the SavedModel has no signature: save it with tf.saved_model.save(..., signatures=...)")
    found = sorted(names)
    raise StepFailed(
        f"the SavedModel has the signatures {', '.join(found)}, and none is {SIGNATURE!r}: choose one, nav_config = "
        f"NavConfig(formats=[TensorFlowSavedModelConfig(signature={found[0]!r})])"
    )


def _synchronized(call: Callable[[], object]) -> object:
    import tensorflow as tf

    with placed("cuda"):
        value = call()
    tf.test.experimental.sync_devices()
    return value
